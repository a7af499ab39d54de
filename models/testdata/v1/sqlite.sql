-- The table as version 1 made it, with one session. Never change this file.
CREATE TABLE refresh_tokens (
    id          text NOT NULL PRIMARY KEY,
    subject     text NOT NULL,
    generation  integer NOT NULL,
    issued_at   integer NOT NULL,
    expires_at  integer NOT NULL,
    created_at  integer NOT NULL,
    revoked_at  integer NOT NULL,
    revoked_for text NOT NULL,
    user_agent  text NOT NULL,
    ip          text NOT NULL
);
CREATE INDEX idx_refresh_tokens_subject ON refresh_tokens (subject, created_at);
CREATE INDEX idx_refresh_tokens_created_at ON refresh_tokens (created_at);
INSERT INTO refresh_tokens VALUES ('019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f', 'alice', 2, 1767323045, 1767927845, 1767323045, 0, '', 'curl/8', '192.0.2.1');

-- The table as version 1 made it, with one session. Never change this file.
CREATE TABLE refresh_tokens (
    id          varbinary(36) NOT NULL,
    subject     varbinary(255) NOT NULL,
    generation  bigint NOT NULL,
    issued_at   bigint NOT NULL,
    expires_at  bigint NOT NULL,
    created_at  bigint NOT NULL,
    revoked_at  bigint NOT NULL,
    revoked_for varbinary(16) NOT NULL,
    user_agent  varbinary(255) NOT NULL,
    ip          varbinary(45) NOT NULL,
    PRIMARY KEY (id),
    INDEX idx_refresh_tokens_subject (subject, created_at),
    INDEX idx_refresh_tokens_created_at (created_at)
);
INSERT INTO refresh_tokens VALUES ('019b7d3c-1a2b-7c3d-8e4f-5a6b7c8d9e0f', 'alice', 2, 1767323045, 1767927845, 1767323045, 0, '', 'curl/8', '192.0.2.1');

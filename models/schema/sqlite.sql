CREATE TABLE refresh_tokens (
    id             text NOT NULL PRIMARY KEY,
    subject        text NOT NULL,
    generation     integer NOT NULL,
    issued_at      integer NOT NULL,
    expires_at     integer NOT NULL,
    created_at     integer NOT NULL,
    revoked_at     integer NOT NULL,
    revoked_for    text NOT NULL,
    user_agent     text NOT NULL,
    ip             text NOT NULL,
    idle_limit     integer NOT NULL DEFAULT 0,
    absolute_limit integer NOT NULL DEFAULT 0,
    data           text NOT NULL DEFAULT "",
    binding        text NOT NULL DEFAULT ""
);
CREATE INDEX idx_refresh_tokens_subject ON refresh_tokens (subject, created_at);
CREATE INDEX idx_refresh_tokens_created_at ON refresh_tokens (created_at);

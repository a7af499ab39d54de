CREATE TABLE refresh_tokens (
    id             uuid PRIMARY KEY,
    subject        varchar(255) COLLATE "C" NOT NULL,
    generation     bigint NOT NULL,
    issued_at      bigint NOT NULL,
    expires_at     bigint NOT NULL,
    created_at     bigint NOT NULL,
    revoked_at     bigint NOT NULL,
    revoked_for    varchar(16) COLLATE "C" NOT NULL,
    user_agent     varchar(255) COLLATE "C" NOT NULL,
    ip             varchar(45) COLLATE "C" NOT NULL,
    idle_limit     bigint NOT NULL DEFAULT 0,
    absolute_limit bigint NOT NULL DEFAULT 0,
    data           varchar(1536) COLLATE "C" NOT NULL DEFAULT '',
    binding        varchar(192) COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX idx_refresh_tokens_subject ON refresh_tokens (subject, created_at);
CREATE INDEX idx_refresh_tokens_created_at ON refresh_tokens (created_at);

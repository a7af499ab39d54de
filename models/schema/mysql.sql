CREATE TABLE refresh_tokens (
    id             varbinary(36) NOT NULL,
    subject        varbinary(255) NOT NULL,
    generation     bigint NOT NULL,
    issued_at      bigint NOT NULL,
    expires_at     bigint NOT NULL,
    created_at     bigint NOT NULL,
    revoked_at     bigint NOT NULL,
    revoked_for    varbinary(16) NOT NULL,
    user_agent     varbinary(255) NOT NULL,
    ip             varbinary(45) NOT NULL,
    idle_limit     bigint NOT NULL DEFAULT 0,
    absolute_limit bigint NOT NULL DEFAULT 0,
    data           varbinary(1536) NOT NULL DEFAULT '',
    binding        varbinary(192) NOT NULL DEFAULT '',
    PRIMARY KEY (id),
    INDEX idx_refresh_tokens_subject (subject, created_at),
    INDEX idx_refresh_tokens_created_at (created_at)
);

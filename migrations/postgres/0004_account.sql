-- When a person last used her account pages: they end sooner than her session does. Zero: never.
ALTER TABLE sessions ADD COLUMN account_seen_at BIGINT NOT NULL DEFAULT 0;
-- The network address she signed in from, sealed.
ALTER TABLE sessions ADD COLUMN address BYTEA;

-- New recovery codes, shown to a person and not yet confirmed by her; at most one set a session.
CREATE TABLE recovery_renewals (
    session_id BYTEA NOT NULL PRIMARY KEY,
    id BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    state BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX recovery_renewals_by_user ON recovery_renewals (user_id);
CREATE INDEX recovery_renewals_by_expiry ON recovery_renewals (expires_at);

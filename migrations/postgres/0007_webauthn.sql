-- Passkeys and security keys. `credential_key` finds one by a keyed hash of its identifier; what it
-- is lies sealed, its name under the person's own key. `user_handle` is random and tells nobody's name.
CREATE TABLE webauthn_credentials (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL,
    credential_key BYTEA NOT NULL,
    user_handle BYTEA NOT NULL,
    kind TEXT NOT NULL,
    data BYTEA NOT NULL,
    name BYTEA NOT NULL,
    aaguid BYTEA NOT NULL,
    counter BIGINT NOT NULL,
    backup_eligible BIGINT NOT NULL,
    backup_state BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    blocked_at BIGINT
);
CREATE UNIQUE INDEX webauthn_credentials_by_key ON webauthn_credentials (credential_key);
CREATE INDEX webauthn_credentials_by_user ON webauthn_credentials (user_id);

-- Ceremonies on their way: each is taken out once, by the browser, session or activation that holds it.
CREATE TABLE webauthn_ceremonies (
    id BYTEA NOT NULL PRIMARY KEY,
    holder BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    state BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX webauthn_ceremonies_by_holder ON webauthn_ceremonies (holder);
CREATE INDEX webauthn_ceremonies_by_expiry ON webauthn_ceremonies (expires_at);

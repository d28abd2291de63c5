-- Passkeys and security keys. `credential_key` finds one by a keyed hash of its identifier; what it
-- is lies sealed, its name under the person's own key. `user_handle` is random and tells nobody's name.
CREATE TABLE webauthn_credentials (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    credential_key BLOB NOT NULL,
    user_handle BLOB NOT NULL,
    kind TEXT NOT NULL,
    data BLOB NOT NULL,
    name BLOB NOT NULL,
    aaguid BLOB NOT NULL,
    counter INTEGER NOT NULL,
    backup_eligible INTEGER NOT NULL,
    backup_state INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    blocked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webauthn_credentials_by_key ON webauthn_credentials (credential_key);
CREATE INDEX webauthn_credentials_by_user ON webauthn_credentials (user_id);

-- Ceremonies on their way: each is taken out once, by the browser, session or activation that holds it.
CREATE TABLE webauthn_ceremonies (
    id BLOB NOT NULL PRIMARY KEY,
    holder BLOB NOT NULL,
    purpose TEXT NOT NULL,
    state BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webauthn_ceremonies_by_holder ON webauthn_ceremonies (holder);
CREATE INDEX webauthn_ceremonies_by_expiry ON webauthn_ceremonies (expires_at);

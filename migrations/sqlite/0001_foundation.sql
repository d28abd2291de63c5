-- Times are milliseconds since 1970; identifiers are 16 bytes; hashes are 32 bytes.
-- A column named in docs/adr/0003 as sealed holds an envelope, never readable text.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('feed', 0), ('resources', 0);

-- Keys

CREATE TABLE vault_keys (
    id INTEGER NOT NULL PRIMARY KEY,
    key_use TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    state TEXT NOT NULL,
    private_key BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX signing_keys_active ON signing_keys (alg) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (alg) WHERE state = 'next';

-- Registered things

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    document BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE resources (
    uri TEXT NOT NULL PRIMARY KEY,
    document BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- People

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    name_key BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL,
    profile BLOB NOT NULL,
    password BLOB,
    valid_from INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE person_keys (
    user_id BLOB NOT NULL PRIMARY KEY,
    profile BLOB NOT NULL,
    activity BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE totp_factors (
    user_id BLOB NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL,
    last_step INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_sets (
    user_id BLOB NOT NULL PRIMARY KEY,
    salt BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL,
    code_hash BLOB NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE invites (
    token_hash BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE activations (
    token_hash BLOB NOT NULL PRIMARY KEY,
    invite_hash BLOB NOT NULL,
    user_id BLOB NOT NULL,
    state BLOB NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lockouts (
    pool BLOB NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    consecutive INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    token_hash BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_user ON devices (user_id);
CREATE INDEX devices_by_age ON devices (seen_at);
CREATE INDEX lockouts_by_age ON lockouts (changed_at);
CREATE INDEX invites_by_user ON invites (user_id);
CREATE INDEX invites_by_expiry ON invites (expires_at);
CREATE INDEX activations_by_user ON activations (user_id);
CREATE INDEX activations_by_expiry ON activations (expires_at);

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL,
    proofs TEXT NOT NULL,
    agent BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_age ON sessions (created_at);

-- Requests on their way

CREATE TABLE interactions (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL,
    request BLOB NOT NULL,
    pushed_hash BLOB,
    session_id BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX interactions_by_expiry ON interactions (expires_at);

CREATE TABLE pushed_requests (
    uri_hash BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    request BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);

CREATE TABLE codes (
    code_hash BLOB NOT NULL PRIMARY KEY,
    authorization_id BLOB NOT NULL,
    client_id TEXT NOT NULL,
    binding BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE assertion_ids (
    id BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX assertion_ids_by_expiry ON assertion_ids (expires_at);

-- What was granted

CREATE TABLE grants (
    id BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    consented_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX grants_standing ON grants (user_id, client_id) WHERE revoked_at IS NULL;

CREATE TABLE authorizations (
    id BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    grant_id BLOB,
    user_id BLOB,
    session_id BLOB,
    offline INTEGER NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    acr TEXT,
    amr TEXT,
    auth_time INTEGER,
    lookup BLOB UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    first_used_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX authorizations_by_session ON authorizations (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX authorizations_by_expiry ON authorizations (expires_at);

CREATE TABLE refresh_families (
    id BLOB NOT NULL PRIMARY KEY,
    authorization_id BLOB NOT NULL,
    secret BLOB NOT NULL,
    rotates INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    rotated_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

-- Revocations and changes, in the order of their commits

CREATE TABLE feed (
    seq INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX feed_by_age ON feed (at);

-- The audit log. Events are never changed; a trigger lists each as not yet sealed.

CREATE TABLE audit_events (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject BLOB,
    leaf BLOB NOT NULL,
    personal BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_by_subject ON audit_events (subject, id) WHERE subject IS NOT NULL;

CREATE TABLE audit_unsealed (
    id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_leaves (
    n INTEGER NOT NULL PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    hash BLOB NOT NULL
) STRICT;

CREATE TABLE audit_checkpoints (
    size INTEGER NOT NULL PRIMARY KEY,
    frontier BLOB NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER audit_events_unsealed AFTER INSERT ON audit_events
BEGIN
    INSERT INTO audit_unsealed (id) VALUES (NEW.id);
END;

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END;

CREATE TRIGGER audit_leaves_no_update BEFORE UPDATE ON audit_leaves
BEGIN
    SELECT RAISE(ABORT, 'audit leaves are never changed');
END;

CREATE TRIGGER audit_leaves_no_delete BEFORE DELETE ON audit_leaves
BEGIN
    SELECT RAISE(ABORT, 'audit leaves are never removed');
END;

-- Times are milliseconds since 1970; identifiers are 16 bytes; hashes are 32 bytes.
-- A column named in docs/adr/0003 as sealed holds an envelope, never readable text.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('feed', 0), ('resources', 0);

-- Keys

CREATE TABLE vault_keys (
    id BIGINT NOT NULL PRIMARY KEY,
    key_use TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    state TEXT NOT NULL,
    private_key BYTEA NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX signing_keys_active ON signing_keys (alg) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (alg) WHERE state = 'next';

-- Registered things

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    document BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE resources (
    uri TEXT NOT NULL PRIMARY KEY,
    document BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- People

CREATE TABLE users (
    id BYTEA NOT NULL PRIMARY KEY,
    name_key BYTEA NOT NULL UNIQUE,
    state TEXT NOT NULL,
    profile BYTEA NOT NULL,
    password BYTEA,
    valid_from BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE person_keys (
    user_id BYTEA NOT NULL PRIMARY KEY,
    profile BYTEA NOT NULL,
    activity BYTEA NOT NULL
);

CREATE TABLE totp_factors (
    user_id BYTEA NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL,
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE recovery_sets (
    user_id BYTEA NOT NULL PRIMARY KEY,
    salt BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    user_id BYTEA NOT NULL,
    code_hash BYTEA NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE invites (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE activations (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    invite_hash BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    state BYTEA NOT NULL,
    version BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE lockouts (
    pool BYTEA NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    consecutive BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE devices (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE INDEX devices_by_user ON devices (user_id);
CREATE INDEX devices_by_age ON devices (seen_at);
CREATE INDEX lockouts_by_age ON lockouts (changed_at);
CREATE INDEX invites_by_user ON invites (user_id);
CREATE INDEX invites_by_expiry ON invites (expires_at);
CREATE INDEX activations_by_user ON activations (user_id);
CREATE INDEX activations_by_expiry ON activations (expires_at);

CREATE TABLE sessions (
    id BYTEA NOT NULL PRIMARY KEY,
    token_hash BYTEA NOT NULL UNIQUE,
    user_id BYTEA NOT NULL,
    proofs TEXT NOT NULL,
    agent BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_age ON sessions (created_at);

-- Requests on their way

CREATE TABLE interactions (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash BYTEA NOT NULL,
    request BYTEA NOT NULL,
    pushed_hash BYTEA,
    session_id BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX interactions_by_expiry ON interactions (expires_at);

CREATE TABLE pushed_requests (
    uri_hash BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    request BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);

CREATE TABLE codes (
    code_hash BYTEA NOT NULL PRIMARY KEY,
    authorization_id BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    binding BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE assertion_ids (
    id BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX assertion_ids_by_expiry ON assertion_ids (expires_at);

-- What was granted

CREATE TABLE grants (
    id BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    consented_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX grants_standing ON grants (user_id, client_id) WHERE revoked_at IS NULL;

CREATE TABLE authorizations (
    id BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    grant_id BYTEA,
    user_id BYTEA,
    session_id BYTEA,
    offline BIGINT NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    acr TEXT,
    amr TEXT,
    auth_time BIGINT,
    lookup BYTEA UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    first_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX authorizations_by_session ON authorizations (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX authorizations_by_expiry ON authorizations (expires_at);

CREATE TABLE refresh_families (
    id BYTEA NOT NULL PRIMARY KEY,
    authorization_id BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    rotates BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

-- Revocations and changes, in the order of their commits

CREATE TABLE feed (
    seq BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX feed_by_age ON feed (at);

-- The audit log. Events are never changed; a trigger lists each as not yet sealed.

CREATE TABLE audit_events (
    id BYTEA NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject BYTEA,
    leaf BYTEA NOT NULL,
    personal BYTEA
);
CREATE INDEX audit_events_by_subject ON audit_events (subject, id) WHERE subject IS NOT NULL;

CREATE TABLE audit_unsealed (
    id BYTEA NOT NULL PRIMARY KEY
);

CREATE TABLE audit_leaves (
    n BIGINT NOT NULL PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE,
    hash BYTEA NOT NULL
);

CREATE TABLE audit_checkpoints (
    size BIGINT NOT NULL PRIMARY KEY,
    frontier BYTEA NOT NULL,
    note TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE FUNCTION audit_events_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (id) SELECT id FROM inserted;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_events_unsealed AFTER INSERT ON audit_events
REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION audit_events_unsealed();

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed, their leaves never changed or removed';
END $$;

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_leaves_no_update BEFORE UPDATE ON audit_leaves
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_leaves_no_delete BEFORE DELETE ON audit_leaves
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

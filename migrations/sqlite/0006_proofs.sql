-- Identifiers of DPoP proofs that were used (RFC 9449 11.1), hashed.
CREATE TABLE proof_ids (
    id BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proof_ids_by_expiry ON proof_ids (expires_at);

-- What the refresh tokens of a family are bound to, as the claim cnf says it; nothing when they are
-- bound to their client alone.
ALTER TABLE refresh_families ADD COLUMN confirmation TEXT;
-- Authorization details (RFC 9396) that a person agreed to, sealed.
ALTER TABLE authorizations ADD COLUMN details BLOB;

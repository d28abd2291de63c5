-- Keys that clients encrypt their requests to.
CREATE TABLE encryption_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    state TEXT NOT NULL,
    private_key BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX encryption_keys_active ON encryption_keys (alg) WHERE state = 'active';
CREATE UNIQUE INDEX encryption_keys_next ON encryption_keys (alg) WHERE state = 'next';

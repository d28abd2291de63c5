-- Accounts of the institution's own OpenID Provider that open an account here. `subject_key` finds one
-- by a keyed hash of issuer and subject; a person has one at most of each issuer.

CREATE TABLE upstream_links (
    subject_key BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    issuer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX upstream_links_by_user ON upstream_links (user_id, issuer);

-- What such a provider proved in a session lies apart: a binary that does not know it reads the rest.
ALTER TABLE sessions ADD COLUMN upstream_proofs TEXT;

-- Letting a person set up her sign-in anew: begun by one operator, approved by another. At most one
-- stands for each person.

CREATE TABLE reproofs (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    begun_by TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    opens_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    approved_by TEXT,
    approved_at INTEGER,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX reproofs_standing ON reproofs (user_id) WHERE ended_at IS NULL;
CREATE INDEX reproofs_by_age ON reproofs (begun_at);

-- The re-proofing that an invitation belongs to: it opens an account that is in use.
ALTER TABLE invites ADD COLUMN reproof_id BLOB;

-- When a person asked to close her access, and when the institution closed it.
ALTER TABLE users ADD COLUMN close_asked_at INTEGER;
ALTER TABLE users ADD COLUMN closed_at INTEGER;

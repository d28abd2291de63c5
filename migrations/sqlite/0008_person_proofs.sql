-- How often each person proved who she is of late: the limit that every node shares.

CREATE TABLE person_proofs (
    user_id BLOB NOT NULL PRIMARY KEY,
    begun_at INTEGER NOT NULL,
    proofs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_proofs_by_age ON person_proofs (begun_at);

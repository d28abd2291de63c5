-- How often each person proved who she is of late: the limit that every node shares.

CREATE TABLE person_proofs (
    user_id BYTEA NOT NULL PRIMARY KEY,
    begun_at BIGINT NOT NULL,
    proofs BIGINT NOT NULL
);
CREATE INDEX person_proofs_by_age ON person_proofs (begun_at);

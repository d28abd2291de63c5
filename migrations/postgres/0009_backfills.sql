-- How far the work has come that a migration left to be done row by row. Key is the last one done.
CREATE TABLE backfills (
    name TEXT NOT NULL PRIMARY KEY,
    key BYTEA NOT NULL,
    rows_done BIGINT NOT NULL,
    rows_all BIGINT NOT NULL,
    finished_at BIGINT
);

-- How far the work has come that a migration left to be done row by row. Key is the last one done.
CREATE TABLE backfills (
    name TEXT NOT NULL PRIMARY KEY,
    key BLOB NOT NULL,
    rows_done INTEGER NOT NULL,
    rows_all INTEGER NOT NULL,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;

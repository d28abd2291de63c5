-- Clients that are told when a session ends (back-channel logout), and whom to tell of what.

CREATE TABLE logout_receivers (
    client_id TEXT NOT NULL PRIMARY KEY,
    told_at INTEGER,
    failed_at INTEGER,
    failure TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE logouts (
    session_id BLOB NOT NULL,
    client_id TEXT NOT NULL,
    user_id BLOB NOT NULL,
    ended_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX logouts_by_due ON logouts (due_at);
CREATE INDEX logouts_by_client ON logouts (client_id, due_at);
CREATE INDEX logouts_by_age ON logouts (ended_at);

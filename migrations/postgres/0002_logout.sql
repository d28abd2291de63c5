-- Clients that are told when a session ends (back-channel logout), and whom to tell of what.

CREATE TABLE logout_receivers (
    client_id TEXT NOT NULL PRIMARY KEY,
    told_at BIGINT,
    failed_at BIGINT,
    failure TEXT
);

CREATE TABLE logouts (
    session_id BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    user_id BYTEA NOT NULL,
    ended_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX logouts_by_due ON logouts (due_at);
CREATE INDEX logouts_by_client ON logouts (client_id, due_at);
CREATE INDEX logouts_by_age ON logouts (ended_at);

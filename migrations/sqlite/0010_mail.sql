-- What people are told by mail: an outbox. A row names the audit event that it tells of; what that
-- does not say (a link, a former address) lies sealed under the person's own key.

CREATE TABLE mails (
    id BLOB NOT NULL PRIMARY KEY,
    event_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    content BLOB,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mails_by_due ON mails (due_at);
CREATE INDEX mails_by_user ON mails (user_id);
CREATE INDEX mails_by_age ON mails (created_at);

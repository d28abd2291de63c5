-- What people are told by mail: an outbox. A row names the audit event that it tells of; what that
-- does not say (a link, a former address) lies sealed under the person's own key.

CREATE TABLE mails (
    id BYTEA NOT NULL PRIMARY KEY,
    event_id BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    content BYTEA,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX mails_by_due ON mails (due_at);
CREATE INDEX mails_by_user ON mails (user_id);
CREATE INDEX mails_by_age ON mails (created_at);

-- What people and operators look up in tables that grow with every token and every consent.

-- A person's own events among those that machines make about her all day long. The query repeats the
-- condition, so that the index serves it.
CREATE INDEX audit_events_told ON audit_events (subject, id)
    WHERE subject IS NOT NULL AND kind NOT IN ('token.issued', 'token.refreshed');

CREATE INDEX audit_events_backups ON audit_events (at) WHERE kind = 'backup.made';

CREATE INDEX grants_by_client ON grants (client_id, id) WHERE revoked_at IS NULL;

-- The newest authorizations of a grant with details that the person agreed to (RFC 9396), newest first.
ALTER TABLE grants ADD COLUMN agreed TEXT;

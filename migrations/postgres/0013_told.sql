-- Which account of the machine began a re-proofing, and the audit event of which she was told by mail;
-- none when she could not be.
ALTER TABLE reproofs ADD COLUMN begun_account TEXT;
ALTER TABLE reproofs ADD COLUMN told_event BYTEA;

-- When a person was last told by mail that somebody guesses at her sign-in, and at a change in her account.
ALTER TABLE users ADD COLUMN sign_in_told_at BIGINT;
ALTER TABLE users ADD COLUMN change_told_at BIGINT;

-- When a key was blocked because its person said that it is not hers.
ALTER TABLE webauthn_credentials ADD COLUMN disputed_at BIGINT;

-- Two roles for Countersign's database, run by a superuser in that database:
--
--   countersign_owner  owns the tables; `countersign migrate` runs as it, and nothing else does
--   countersign        the server: it reads and writes rows, changes no table, and can neither change
--                      nor remove what is in the audit log
--
-- Passwords are set apart from this file (\password), so that they are in no file and no log.
-- Run it again after a migration and after a restore: it is written so that it may be. What was made
-- there is the owner's alone until then, and a server that may not read it says so.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countersign_owner') THEN
        CREATE ROLE countersign_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'countersign') THEN
        CREATE ROLE countersign LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO countersign_owner;
GRANT USAGE ON SCHEMA public TO countersign;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO countersign;
-- No rights come by themselves: a new table may be one of the audit log's.
ALTER DEFAULT PRIVILEGES FOR ROLE countersign_owner IN SCHEMA public REVOKE ALL ON TABLES FROM countersign;

-- The audit log is added to, and that is all. (What waits to be sealed is taken off its list.)
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_events', 'audit_leaves', 'audit_checkpoints', '_sqlx_migrations'] LOOP
        IF to_regclass(name) IS NOT NULL THEN
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM countersign', name);
        END IF;
    END LOOP;
END
$$;

COMMIT;

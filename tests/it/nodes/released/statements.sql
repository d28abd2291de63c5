DELETE FROM activations
DELETE FROM activations WHERE token_hash IN (SELECT token_hash FROM activations WHERE expires_at < $1 LIMIT 1000)
DELETE FROM activations WHERE user_id = $1
DELETE FROM assertion_ids WHERE id IN (SELECT id FROM assertion_ids WHERE expires_at < $1 LIMIT 1000)
DELETE FROM audit_unsealed WHERE id = $1
DELETE FROM authorizations WHERE id IN (SELECT id FROM authorizations WHERE expires_at < $1 LIMIT 1000)
DELETE FROM authorizations WHERE user_id IS NULL
DELETE FROM codes
DELETE FROM codes WHERE code_hash IN (SELECT code_hash FROM codes WHERE expires_at < $1 LIMIT 1000)
DELETE FROM devices
DELETE FROM devices WHERE token_hash IN (SELECT token_hash FROM devices WHERE seen_at < $1 LIMIT 1000)
DELETE FROM devices WHERE user_id = $1 AND token_hash <> $2
DELETE FROM feed
DELETE FROM feed WHERE at < $1
DELETE FROM interactions
DELETE FROM interactions WHERE id IN (SELECT id FROM interactions WHERE expires_at < $1 LIMIT 1000)
DELETE FROM invites
DELETE FROM invites WHERE token_hash IN (SELECT token_hash FROM invites WHERE expires_at < $1 LIMIT 1000)
DELETE FROM lockouts WHERE pool = $1
DELETE FROM lockouts WHERE pool IN (SELECT pool FROM lockouts WHERE changed_at < $1 LIMIT 1000)
DELETE FROM logout_receivers WHERE client_id = $1
DELETE FROM logouts WHERE (session_id, client_id) IN (SELECT session_id, client_id FROM logouts WHERE ended_at < $1 LIMIT 1000)
DELETE FROM logouts WHERE client_id = $1
DELETE FROM logouts WHERE session_id = $1 AND client_id = $2 AND attempts = $3
DELETE FROM meta WHERE name = 'epoch'
DELETE FROM pushed_requests
DELETE FROM pushed_requests WHERE uri_hash IN (SELECT uri_hash FROM pushed_requests WHERE expires_at < $1 LIMIT 1000)
DELETE FROM recovery_codes
DELETE FROM recovery_codes WHERE user_id = $1
DELETE FROM recovery_renewals
DELETE FROM recovery_renewals WHERE session_id = $1 AND id = $2 AND expires_at > $3
DELETE FROM recovery_renewals WHERE session_id IN (SELECT session_id FROM recovery_renewals WHERE expires_at < $1 LIMIT 1000)
DELETE FROM recovery_renewals WHERE user_id = $1
DELETE FROM recovery_sets
DELETE FROM recovery_sets WHERE user_id = $1
DELETE FROM refresh_families
DELETE FROM refresh_families WHERE id IN (SELECT id FROM refresh_families WHERE expires_at < $1 LIMIT 1000)
DELETE FROM resources WHERE uri = $1
DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE created_at < $1 LIMIT 1000)
DELETE FROM totp_factors WHERE user_id = $1
INSERT INTO activations (token_hash, invite_hash, user_id, state, version, expires_at) VALUES ($1, $2, $3, $4, 0, $5)
INSERT INTO assertion_ids (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING
INSERT INTO audit_checkpoints (size, frontier, note, created_at) VALUES ($1, $2, $3, $4)
INSERT INTO audit_events (id, at, kind, subject, leaf, personal) VALUES ($1, $2, $3, $4, $5, $6)
INSERT INTO audit_leaves (n, id, hash) VALUES ($1, $2, $3)
INSERT INTO authorizations (id, client_id, grant_id, user_id, session_id, offline, scopes, resources, acr, amr, auth_time, created_at, expires_at, claims) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
INSERT INTO authorizations (id, client_id, offline, scopes, resources, lookup, created_at, expires_at) VALUES ($1, $2, 0, $3, $4, $5, $6, $7) ON CONFLICT (lookup) DO NOTHING
INSERT INTO clients (id, document, created_at, changed_at) VALUES ($1, $2, $3, $3) ON CONFLICT (id) DO NOTHING
INSERT INTO codes (code_hash, authorization_id, client_id, binding, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
INSERT INTO devices (token_hash, user_id, created_at, seen_at) VALUES ($1, $2, $3, $3) ON CONFLICT (token_hash) DO UPDATE SET seen_at = excluded.seen_at WHERE devices.user_id = excluded.user_id
INSERT INTO feed (seq, kind, subject, at) VALUES ($1, $2, $3, $4)
INSERT INTO grants (id, client_id, user_id, scopes, resources, created_at, consented_at) VALUES ($1, $2, $3, '', '', $4, $4) ON CONFLICT (user_id, client_id) WHERE revoked_at IS NULL DO NOTHING
INSERT INTO interactions (id, token_hash, request, pushed_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
INSERT INTO invites (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)
INSERT INTO lockouts (pool, failures, consecutive, blocked_until, changed_at) VALUES ($1, 0, 1, 0, $2) ON CONFLICT (pool) DO UPDATE SET consecutive = lockouts.consecutive + 1, changed_at = $2 RETURNING consecutive
INSERT INTO lockouts (pool, failures, consecutive, blocked_until, changed_at) VALUES ($1, 1, 0, 0, $2) ON CONFLICT (pool) DO UPDATE SET failures = lockouts.failures + 1, changed_at = $2 WHERE lockouts.blocked_until <= $2 RETURNING failures
INSERT INTO logout_receivers (client_id) VALUES ($1) ON CONFLICT (client_id) DO NOTHING
INSERT INTO logouts (session_id, client_id, user_id, ended_at, attempts, due_at) SELECT DISTINCT a.session_id, a.client_id, a.user_id, CAST($2 AS BIGINT), 0, CAST($2 AS BIGINT) FROM authorizations a JOIN logout_receivers r ON r.client_id = a.client_id WHERE a.session_id = $1 AND (' ' || a.scopes || ' ') LIKE '% openid %' ON CONFLICT (session_id, client_id) DO NOTHING
INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
INSERT INTO person_keys (user_id, profile, activity) VALUES ($1, $2, $3)
INSERT INTO pushed_requests (uri_hash, client_id, request, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)
INSERT INTO recovery_renewals (session_id, id, user_id, state, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_id) DO UPDATE SET id = excluded.id, user_id = excluded.user_id, state = excluded.state, expires_at = excluded.expires_at
INSERT INTO recovery_sets (user_id, salt, created_at) VALUES ($1, $2, $3) ON CONFLICT (user_id) DO UPDATE SET salt = excluded.salt, created_at = excluded.created_at
INSERT INTO refresh_families (id, authorization_id, secret, rotates, generation, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
INSERT INTO resources (uri, document, created_at, changed_at) VALUES ($1, $2, $3, $3) ON CONFLICT (uri) DO UPDATE SET document = excluded.document, changed_at = excluded.changed_at
INSERT INTO sessions (id, token_hash, user_id, proofs, agent, address, created_at, seen_at, account_seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7)
INSERT INTO signing_keys (kid, alg, state, private_key, public_jwk, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
INSERT INTO totp_factors (user_id, secret, last_step, created_at) VALUES ($1, $2, $3, $4)
INSERT INTO users (id, name_key, state, profile, valid_from, created_at, changed_at) VALUES ($1, $2, $3, $4, 0, $5, $5) ON CONFLICT (name_key) DO NOTHING
INSERT INTO vault_keys (id, key_use, wrapped, created_at) VALUES ($1, $2, $3, $4)
SELECT 1 FROM devices WHERE token_hash = $1 AND user_id = $2 AND seen_at > $3
SELECT COUNT(*) FROM audit_unsealed
SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'countersign'
SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL
SELECT COUNT(*) FROM users WHERE state = 'active'
SELECT MAX(at) FROM audit_events WHERE kind = 'backup.made'
SELECT a.claims, g.scopes, g.claims FROM authorizations a JOIN grants g ON g.id = a.grant_id WHERE a.id = $1 AND a.claims IS NOT NULL
SELECT a.id, a.client_id, a.grant_id, a.user_id, a.session_id, a.offline, a.scopes, a.resources, a.acr, a.amr, a.auth_time, a.expires_at, COALESCE(a.revoked_at, g.revoked_at), a.created_at, u.valid_from, a.claims, g.scopes, g.claims FROM authorizations a LEFT JOIN grants g ON g.id = a.grant_id LEFT JOIN users u ON u.id = a.user_id WHERE a.id = $1
SELECT at FROM audit_events ORDER BY id DESC LIMIT 1
SELECT authorization_id, client_id, binding, expires_at, used_at FROM codes WHERE code_hash = $1
SELECT blocked_until FROM lockouts WHERE pool = $1
SELECT created_at FROM recovery_sets WHERE user_id = $1
SELECT created_at, used_at FROM totp_factors WHERE user_id = $1
SELECT current_setting('server_version'), COALESCE((SELECT s.ssl::int FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), 0)::bigint, (inet_client_addr() IS NULL)::int::bigint, (SELECT r.rolsuper::int FROM pg_roles r WHERE r.rolname = current_user)::bigint, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint, (current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off')::int::bigint, (EXISTS (SELECT 1 FROM pg_stat_replication) AND (current_setting('synchronous_standby_names') = '' OR current_setting('synchronous_commit') IN ('off', 'local')))::int::bigint
SELECT f.secret, f.rotates, f.generation, f.rotated_at, f.expires_at, a.id, a.client_id, a.grant_id, a.user_id, a.session_id, a.offline, a.scopes, a.resources, a.acr, a.amr, a.auth_time, a.expires_at, COALESCE(a.revoked_at, g.revoked_at), a.created_at, u.valid_from, a.claims, g.scopes, g.claims, u.state, s.ended_at FROM refresh_families f JOIN authorizations a ON a.id = f.authorization_id JOIN grants g ON g.id = a.grant_id JOIN users u ON u.id = a.user_id LEFT JOIN sessions s ON s.id = a.session_id WHERE f.id = $1
SELECT f.seq, f.kind, f.subject, f.at, here.standby FROM (SELECT pg_is_in_recovery()::int::bigint AS standby) here LEFT JOIN feed f ON f.seq > $1 ORDER BY f.seq
SELECT frontier, note FROM audit_checkpoints WHERE size <= $1 ORDER BY size DESC LIMIT 1
SELECT has_table_privilege(current_user, 'audit_events', 'UPDATE')::int::bigint
SELECT id FROM authorizations WHERE lookup = $1 AND revoked_at IS NULL
SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL ORDER BY id
SELECT id FROM vault_keys LIMIT 1
SELECT id, changed_at FROM clients
SELECT id, client_id, scopes, resources, created_at, consented_at, claims FROM grants WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL
SELECT id, client_id, scopes, resources, created_at, consented_at, claims FROM grants WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 500
SELECT id, document FROM clients ORDER BY id
SELECT id, document FROM clients WHERE id = $1
SELECT id, document, created_at FROM clients ORDER BY id
SELECT id, key_use, wrapped, created_at FROM vault_keys ORDER BY id
SELECT id, leaf FROM audit_events WHERE id < $1 AND id >= $2 AND subject = $4 ORDER BY id DESC LIMIT $3
SELECT id, leaf FROM audit_events WHERE id < $1 AND id >= $2 ORDER BY id DESC LIMIT $3
SELECT id, user_id, proofs, agent, created_at, seen_at, account_seen_at, address FROM sessions WHERE id = $1 AND ended_at IS NULL
SELECT id, user_id, proofs, agent, created_at, seen_at, account_seen_at, address FROM sessions WHERE token_hash = $1 AND ended_at IS NULL
SELECT id, user_id, proofs, agent, created_at, seen_at, account_seen_at, address FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND created_at > $2 ORDER BY id DESC LIMIT 100
SELECT id, user_id, state FROM recovery_renewals WHERE session_id = $1 AND expires_at > $2
SELECT invite_hash, user_id, state, version FROM activations WHERE token_hash = $1 AND expires_at > $2
SELECT kid, alg, state, private_key, public_jwk, created_at, changed_at FROM signing_keys ORDER BY created_at, kid
SELECT l.n, l.hash, e.leaf FROM audit_leaves l LEFT JOIN audit_events e ON e.id = l.id WHERE l.n >= $1 ORDER BY l.n LIMIT $2
SELECT leaf FROM audit_events ORDER BY id DESC LIMIT $1
SELECT leaf, personal FROM audit_events WHERE subject = $1 AND id > $2 AND id < $3 AND kind IN ('user.invited', 'user.activated', 'user.disabled', 'user.enabled', 'user.disputed', 'password.changed', 'password.ended', 'recovery_code.used', 'recovery_codes.replaced', 'confirmation.refused', 'sign_in.succeeded', 'sign_in.refused', 'session.ended', 'consent.given', 'consent.refused', 'grant.revoked', 'code.replayed', 'refresh.reused') ORDER BY id DESC LIMIT $4
SELECT r.told_at, r.failed_at, r.failure, (SELECT COUNT(*) FROM logouts l WHERE l.client_id = r.client_id) FROM logout_receivers r WHERE r.client_id = $1
SELECT request FROM pushed_requests WHERE uri_hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3
SELECT salt FROM recovery_sets WHERE user_id = $1
SELECT secret, last_step FROM totp_factors WHERE user_id = $1
SELECT seq, kind, subject, at FROM feed WHERE seq > $1 ORDER BY seq
SELECT session_id, client_id, user_id, ended_at, attempts FROM (SELECT session_id, client_id, user_id, ended_at, attempts, due_at, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY due_at) AS turn FROM logouts WHERE due_at <= $1) AS waiting ORDER BY turn, due_at LIMIT $2
SELECT size, frontier, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1
SELECT sqlite_version()
SELECT state FROM users WHERE id = $1
SELECT token_hash, request, pushed_hash, session_id, created_at, expires_at FROM interactions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
SELECT u.id, e.leaf FROM audit_unsealed u JOIN audit_events e ON e.id = u.id ORDER BY u.id LIMIT $1
SELECT u.id, u.state, u.profile, u.password, u.created_at, k.profile, k.activity, u.valid_from FROM users u JOIN person_keys k ON k.user_id = u.id WHERE u.id = $1
SELECT u.id, u.state, u.profile, u.password, u.created_at, k.profile, k.activity, u.valid_from FROM users u JOIN person_keys k ON k.user_id = u.id WHERE u.id > $1 ORDER BY u.id LIMIT $2
SELECT u.id, u.state, u.profile, u.password, u.created_at, k.profile, k.activity, u.valid_from FROM users u JOIN person_keys k ON k.user_id = u.id WHERE u.name_key = $1
SELECT uri, document FROM resources ORDER BY uri
SELECT user_id, expires_at, used_at FROM invites WHERE token_hash = $1
SELECT value FROM counters WHERE name = 'feed'
SELECT value FROM meta WHERE name = $1
UPDATE activations SET state = $3, version = version + 1 WHERE token_hash = $1 AND version = $2
UPDATE authorizations SET first_used_at = $2 WHERE id = $1 AND first_used_at IS NULL
UPDATE authorizations SET revoked_at = $1 WHERE revoked_at IS NULL
UPDATE authorizations SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL
UPDATE authorizations SET revoked_at = $2 WHERE session_id = $1 AND offline = 0 AND revoked_at IS NULL AND expires_at > $2 RETURNING id
UPDATE clients SET changed_at = $2 WHERE id = $1 RETURNING id, document
UPDATE clients SET document = $2, changed_at = $3 WHERE id = $1
UPDATE codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2
UPDATE counters SET value = value + 1 WHERE name = 'feed' RETURNING value
UPDATE counters SET value = value + 1000000000 WHERE name = 'feed'
UPDATE counters SET value = value WHERE name = 'resources'
UPDATE grants SET consented_at = consented_at WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL RETURNING id, client_id, scopes, resources, created_at, consented_at, claims
UPDATE grants SET revoked_at = $1 WHERE revoked_at IS NULL
UPDATE grants SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING client_id
UPDATE grants SET revoked_at = $3 WHERE revoked_at IS NULL AND id IN (SELECT id FROM grants WHERE client_id = $1 AND revoked_at IS NULL AND id > $2 ORDER BY id LIMIT 500) RETURNING id
UPDATE grants SET scopes = $2, resources = $3, consented_at = $4, claims = $5 WHERE id = $1
UPDATE interactions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
UPDATE interactions SET session_id = $2 WHERE id = $1 AND ended_at IS NULL
UPDATE invites SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
UPDATE invites SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL
UPDATE lockouts SET blocked_until = $2 WHERE pool = $1
UPDATE lockouts SET blocked_until = 0 WHERE pool = $1 AND blocked_until = $2
UPDATE lockouts SET consecutive = 0 WHERE pool = $1
UPDATE lockouts SET consecutive = consecutive - 1 WHERE pool = $1 AND consecutive > 0
UPDATE lockouts SET failures = 0, blocked_until = 0 WHERE pool = $1
UPDATE lockouts SET failures = failures - 1 WHERE pool = $1 AND failures > 0
UPDATE logout_receivers SET failed_at = $2, failure = $3 WHERE client_id = $1
UPDATE logout_receivers SET told_at = $2 WHERE client_id = $1
UPDATE logouts SET attempts = attempts + 1, due_at = $5 WHERE session_id = $1 AND client_id = $2 AND attempts = $3 AND due_at <= $4
UPDATE logouts SET due_at = $3 WHERE client_id = $1 AND due_at <= $2
UPDATE logouts SET due_at = $4 WHERE session_id = $1 AND client_id = $2 AND attempts = $3
UPDATE pushed_requests SET used_at = $2 WHERE uri_hash = $1 AND used_at IS NULL
UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL
UPDATE refresh_families SET generation = generation + 1, rotated_at = $3 WHERE id = $1 AND generation = $2
UPDATE sessions SET account_seen_at = $2, seen_at = CASE WHEN seen_at > $2 THEN seen_at ELSE $2 END WHERE id = $1 AND account_seen_at < $2
UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL RETURNING id
UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id
UPDATE sessions SET ended_at = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL
UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2
UPDATE sessions SET seen_at = seen_at WHERE id = $1 AND ended_at IS NULL
UPDATE sessions SET token_hash = $2, proofs = $4, agent = $5, address = $6, created_at = $7, seen_at = $7, account_seen_at = $7 WHERE id = $1 AND user_id = $3 AND ended_at IS NULL
UPDATE signing_keys SET state = $3, changed_at = $4 WHERE kid = $1 AND state = $2
UPDATE signing_keys SET state = 'retired', changed_at = $1 WHERE state <> 'retired'
UPDATE totp_factors SET last_step = $1 WHERE last_step < $1
UPDATE totp_factors SET last_step = $2, used_at = $3 WHERE user_id = $1 AND last_step < $2
UPDATE users SET changed_at = $2, valid_from = CASE WHEN valid_from > $3 THEN valid_from ELSE $3 END WHERE id = $1
UPDATE users SET password = $2, changed_at = $3 WHERE id = $1
UPDATE users SET password = NULL, changed_at = $2 WHERE id = $1 AND password IS NOT NULL
UPDATE users SET state = $3, changed_at = $4 WHERE id = $1 AND state = $2
UPDATE users SET state = 'active', password = $2, changed_at = $3 WHERE id = $1 AND state = 'invited'
UPDATE users SET state = 'disabled', valid_from = $3, changed_at = $2 WHERE id = $1 AND state <> 'disabled'
UPDATE users SET state = 'invited', valid_from = $3, changed_at = $2 WHERE id = $1 AND state = 'active' AND password IS NULL
UPDATE users SET state = state WHERE id = $1 AND state = 'active'
UPDATE users SET state = state WHERE id = $1 AND state = 'active' AND password = $2

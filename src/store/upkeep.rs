//! What the cleaner removes. Expiry is checked at use; this only frees space.

use std::time::Duration;

use rules::time::Timestamp;

use super::Tx;
use super::sql::Sql;
use crate::config::Lifetimes;
use crate::fault::Fault;

/// How long what has ended stays, so that a replay is still recognised as one.
const KEEP: Duration = Duration::from_hours(24);
/// How long ended sessions, devices not seen and quiet lockouts stay.
const KEEP_LONG: Duration = Duration::from_hours(90 * 24);

/// How long what nobody was told of stays: longer than anybody is still told.
const KEEP_LOGOUTS: Duration = Duration::from_hours(72);

/// How long revocations stay: longer than any token may live, against clocks that differ.
const KEEP_FEED: Duration = Lifetimes::LONGEST_ACCESS_TOKEN.saturating_add(Duration::from_hours(1));

/// How long mails stay: longer than any is still tried.
const KEEP_MAILS: Duration = Duration::from_hours(96);

/// The age is asked twice: a row that is renewed while the statement waits for it stays (`PostgreSQL`
/// looks at the row anew, and not at what chose it). The plus keeps the planner from walking through
/// everything that is old for the sake of so few.
const SWEEPS: [(Sql, Duration); 19] = [
    (
        Sql(
            "DELETE FROM feed WHERE +at < $1 AND seq IN (SELECT seq FROM feed WHERE at < $1 LIMIT 250)",
        ),
        KEEP_FEED,
    ),
    (
        Sql(
            "DELETE FROM interactions WHERE +expires_at < $1 AND id IN (SELECT id FROM interactions WHERE expires_at < $1 LIMIT 250)",
        ),
        Duration::ZERO,
    ),
    (
        Sql(
            "DELETE FROM pushed_requests WHERE +expires_at < $1 AND uri_hash IN (SELECT uri_hash FROM pushed_requests WHERE expires_at < $1 LIMIT 250)",
        ),
        KEEP,
    ),
    (
        Sql(
            "DELETE FROM codes WHERE +expires_at < $1 AND code_hash IN (SELECT code_hash FROM codes WHERE expires_at < $1 LIMIT 250)",
        ),
        KEEP,
    ),
    (
        Sql(
            "DELETE FROM assertion_ids WHERE +expires_at < $1 AND id IN (SELECT id FROM assertion_ids WHERE expires_at < $1 LIMIT 250)",
        ),
        Duration::ZERO,
    ),
    (
        Sql(
            "DELETE FROM proof_ids WHERE +expires_at < $1 AND id IN (SELECT id FROM proof_ids WHERE expires_at < $1 LIMIT 250)",
        ),
        Duration::ZERO,
    ),
    (
        Sql(
            "DELETE FROM activations WHERE +expires_at < $1 AND token_hash IN (SELECT token_hash FROM activations WHERE expires_at < $1 LIMIT 250)",
        ),
        Duration::ZERO,
    ),
    (
        Sql(
            "DELETE FROM recovery_renewals WHERE +expires_at < $1 AND session_id IN (SELECT session_id FROM recovery_renewals WHERE expires_at < $1 LIMIT 250)",
        ),
        Duration::ZERO,
    ),
    (
        Sql(
            "DELETE FROM webauthn_ceremonies WHERE +expires_at < $1 AND id IN (SELECT id FROM webauthn_ceremonies WHERE expires_at < $1 LIMIT 250)",
        ),
        Duration::ZERO,
    ),
    (
        Sql(
            "DELETE FROM invites WHERE +expires_at < $1 AND token_hash IN (SELECT token_hash FROM invites WHERE expires_at < $1 LIMIT 250)",
        ),
        KEEP_LONG,
    ),
    (
        Sql(
            "DELETE FROM lockouts WHERE +changed_at < $1 AND pool IN (SELECT pool FROM lockouts WHERE changed_at < $1 LIMIT 250)",
        ),
        KEEP_LONG,
    ),
    (
        // No limit counts longer than a day.
        Sql(
            "DELETE FROM person_proofs WHERE +begun_at < $1 AND user_id IN (SELECT user_id FROM person_proofs WHERE begun_at < $1 LIMIT 250)",
        ),
        KEEP,
    ),
    (
        Sql(
            "DELETE FROM devices WHERE +seen_at < $1 AND token_hash IN (SELECT token_hash FROM devices WHERE seen_at < $1 LIMIT 250)",
        ),
        KEEP_LONG,
    ),
    (
        Sql(
            "DELETE FROM sessions WHERE +created_at < $1 AND id IN (SELECT id FROM sessions WHERE created_at < $1 LIMIT 250)",
        ),
        KEEP_LONG,
    ),
    (
        // Long after the last try, for clients that no node knows.
        Sql(
            "DELETE FROM logouts WHERE +ended_at < $1 AND (session_id, client_id) IN (SELECT session_id, client_id FROM logouts WHERE ended_at < $1 LIMIT 250)",
        ),
        KEEP_LOGOUTS,
    ),
    (
        // Where mail is no longer sent.
        Sql(
            "DELETE FROM mails WHERE +created_at < $1 AND id IN (SELECT id FROM mails WHERE created_at < $1 LIMIT 250)",
        ),
        KEEP_MAILS,
    ),
    (
        Sql(
            "DELETE FROM reproofs WHERE +begun_at < $1 AND id IN (SELECT id FROM reproofs WHERE begun_at < $1 LIMIT 250)",
        ),
        KEEP_LONG,
    ),
    (
        Sql(
            "DELETE FROM refresh_families WHERE +expires_at < $1 AND id IN (SELECT id FROM refresh_families WHERE expires_at < $1 LIMIT 250)",
        ),
        KEEP,
    ),
    (
        Sql(
            "DELETE FROM authorizations WHERE +expires_at < $1 AND id IN (SELECT id FROM authorizations WHERE expires_at < $1 LIMIT 250)",
        ),
        KEEP,
    ),
];

/// How many kinds of rows [`sweep`] knows.
pub const KINDS: usize = SWEEPS.len();

/// How many rows one [`sweep`] removes at the most, so that none holds up the others for long.
pub const AT_ONCE: u64 = 250;

/// Removes rows of one kind whose time is long over; says how many.
pub async fn sweep(tx: &mut Tx, kind: usize, now: Timestamp) -> Result<u64, Fault> {
    match SWEEPS.get(kind) {
        Some((sql, keep)) => tx.execute(*sql, vec![now.minus(*keep).into()]).await,
        None => Ok(0),
    }
}

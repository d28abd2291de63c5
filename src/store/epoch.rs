//! A new epoch: what is done to a restored database before anybody is served from it, so that
//! nothing that was spent or ended since the backup lives again (docs/adr/0006).

use rules::time::Timestamp;

use super::Tx;
use super::feed::{EPOCH_MARGIN, What};
use super::sql::Sql;
use crate::fault::Fault;

/// What a new epoch ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Sessions that would have lived again.
    pub sessions: u64,
    /// Authorizations of apps.
    pub authorizations: u64,
    /// Standing consents.
    pub grants: u64,
    /// People who have no recovery codes any more.
    pub recovery_sets: u64,
    /// Invitations and activations on their way.
    pub invites: u64,
    /// Signing keys that were withdrawn.
    pub keys: u64,
}

/// What a new epoch does with each table; a test demands that every table has its place here.
pub const TABLES: &[(&str, &str)] = &[
    ("activations", "emptied"),
    (
        "assertion_ids",
        "kept; assertions made before the epoch are refused",
    ),
    ("audit_checkpoints", "kept"),
    ("audit_events", "kept; the restore is recorded"),
    ("audit_leaves", "kept"),
    ("audit_unsealed", "kept"),
    (
        "authorizations",
        "those of people revoked, those of clients removed",
    ),
    ("backfills", "kept; they go on where the backup was"),
    ("clients", "kept"),
    ("codes", "emptied"),
    ("counters", "kept; the feed's jumps ahead"),
    ("devices", "emptied"),
    (
        "encryption_keys",
        "emptied; new ones are made, and clients fetch them",
    ),
    ("feed", "emptied; the epoch is announced"),
    ("grants", "revoked, unless consents are kept"),
    ("interactions", "emptied"),
    ("invites", "emptied"),
    ("lockouts", "kept"),
    ("logout_receivers", "kept"),
    (
        "logouts",
        "kept: clients are told again, and of the sessions that end",
    ),
    ("mails", "emptied: what waited then was sent since"),
    ("meta", "kept; names the epoch"),
    ("person_keys", "kept"),
    ("person_proofs", "kept"),
    (
        "proof_ids",
        "kept; proofs made before the epoch are refused",
    ),
    ("pushed_requests", "emptied"),
    ("recovery_codes", "emptied"),
    ("recovery_renewals", "emptied"),
    ("recovery_sets", "emptied"),
    ("refresh_families", "emptied"),
    ("reproofs", "emptied"),
    ("resources", "kept"),
    ("sessions", "ended"),
    ("signing_keys", "retired; new ones are made"),
    ("totp_factors", "kept; steps up to the present are spent"),
    (
        "upstream_links",
        "kept; one that was removed since the backup is there again",
    ),
    ("users", "kept"),
    ("vault_keys", "kept"),
    ("webauthn_ceremonies", "emptied"),
    (
        "webauthn_credentials",
        "kept; one that was removed since the backup is there again",
    ),
];

const EPOCH: &str = "epoch";

/// Since when this database counts: whatever was issued at or before it is void.
pub async fn current(tx: &mut Tx) -> Result<Option<Timestamp>, Fault> {
    let Some(text) = super::meta::get(tx, EPOCH).await? else {
        return Ok(None);
    };
    let millis = text.parse().map(Timestamp::from_millis);
    millis
        .map(Some)
        .map_err(|_| Fault::Unreadable("meta.epoch".to_owned()))
}

/// Begins a new epoch at `now`. With `keep_consents`, people are not asked again what they granted
/// before the backup; consents that were taken back since live again then.
pub async fn begin(
    tx: &mut Tx,
    now: Timestamp,
    totp_step: i64,
    keep_consents: bool,
) -> Result<Ended, Fault> {
    // One-time artifacts on their way, and what remembers browsers and clients for themselves.
    const GONE: [Sql; 13] = [
        Sql("DELETE FROM codes"),
        Sql("DELETE FROM pushed_requests"),
        Sql("DELETE FROM interactions"),
        Sql("DELETE FROM activations"),
        Sql("DELETE FROM recovery_renewals"),
        Sql("DELETE FROM refresh_families"),
        Sql("DELETE FROM devices"),
        Sql("DELETE FROM authorizations WHERE user_id IS NULL"),
        Sql("DELETE FROM webauthn_ceremonies"),
        Sql("DELETE FROM mails"),
        Sql("DELETE FROM reproofs"),
        Sql("DELETE FROM encryption_keys"),
        Sql("DELETE FROM feed"),
    ];
    const INVITES: Sql = Sql("DELETE FROM invites");
    const SESSIONS: Sql =
        Sql("UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL RETURNING id");
    const AUTHORIZATIONS: Sql =
        Sql("UPDATE authorizations SET revoked_at = $1 WHERE revoked_at IS NULL");
    const GRANTS: Sql = Sql("UPDATE grants SET revoked_at = $1 WHERE revoked_at IS NULL");
    const STEPS: Sql = Sql("UPDATE totp_factors SET last_step = $1 WHERE last_step < $1");
    const SETS: Sql = Sql("DELETE FROM recovery_sets");
    const CODES: Sql = Sql("DELETE FROM recovery_codes");
    const KEYS: Sql =
        Sql("UPDATE signing_keys SET state = 'retired', changed_at = $1 WHERE state <> 'retired'");
    const FORGET: Sql = Sql("DELETE FROM meta WHERE name = 'epoch'");
    // Numbers that a node which still runs has seen must not come again.
    const JUMP: Sql = Sql("UPDATE counters SET value = value + 1000000000 WHERE name = 'feed'");
    for sql in GONE {
        tx.execute(sql, vec![]).await?;
    }
    let sessions = tx.all(SESSIONS, vec![now.into()]).await?;
    for row in &sessions {
        super::logouts::queue(tx, row.uuid(0)?, now).await?;
    }
    let mut ended = Ended {
        invites: tx.execute(INVITES, vec![]).await?,
        sessions: sessions.len() as u64,
        authorizations: tx.execute(AUTHORIZATIONS, vec![now.into()]).await?,
        recovery_sets: tx.execute(SETS, vec![]).await?,
        keys: tx.execute(KEYS, vec![now.into()]).await?,
        grants: 0,
    };
    tx.execute(CODES, vec![]).await?;
    tx.execute(STEPS, vec![totp_step.into()]).await?;
    if !keep_consents {
        ended.grants = tx.execute(GRANTS, vec![now.into()]).await?;
    }
    let epoch = now.plus(EPOCH_MARGIN);
    tx.execute(FORGET, vec![]).await?;
    super::meta::establish(tx, EPOCH, &epoch.millis().to_string()).await?;
    tx.execute(JUMP, vec![]).await?;
    tx.announce(What::Epoch, epoch);
    Ok(ended)
}

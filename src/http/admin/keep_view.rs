//! What is shown of backups and of the audit log.

use rules::audit::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flows::backup::Made;
use crate::flows::restore::Restored;
use crate::flows::seal_audit::Verdict;

/// A backup that was made or verified.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupView {
    /// Where it lies.
    pub file: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// Whose data it is.
    pub issuer: String,
    /// The engine it was read from.
    pub engine: String,
    /// The version of the server that made it.
    pub version: String,
    /// The version of the schema.
    pub schema_version: i64,
    /// The moment whose state it holds: RFC 3339, UTC.
    pub created_at: String,
    /// Older backups that were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// What was restored, and what ended with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoredView {
    /// The moment whose state it is: RFC 3339, UTC.
    pub created_at: String,
    /// How many rows.
    pub rows: u64,
    /// Sessions that ended.
    pub sessions_ended: u64,
    /// Authorizations of apps that ended.
    pub authorizations_ended: u64,
    /// Standing consents that ended; people are asked again.
    pub consents_ended: u64,
    /// People whose recovery codes ended.
    pub recovery_sets_ended: u64,
    /// Invitations that ended.
    pub invitations_ended: u64,
    /// Signing keys that were withdrawn.
    pub signing_keys_retired: u64,
    /// Leaves of the audit tree.
    pub audit_leaves: u64,
    /// Leaves that the given checkpoint speaks of and that are lost.
    pub audit_leaves_lost: u64,
    /// Usable accounts.
    pub active_users: u64,
    /// Clients that may act.
    pub enabled_clients: u64,
    /// Where what was there before is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_kept_as: Option<String>,
}

/// What a verification of the audit log found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditView {
    /// Whether nothing was altered.
    pub intact: bool,
    /// How many leaves were verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The first difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

impl From<Made> for BackupView {
    fn from(made: Made) -> Self {
        let shown = |path: &std::path::PathBuf| path.display().to_string();
        Self {
            file: shown(&made.file),
            bytes: made.bytes,
            rows: made.header.rows(),
            created_at: super::view::date(made.header.created_at),
            issuer: made.header.issuer,
            engine: made.header.engine,
            version: made.header.version,
            schema_version: made.header.schema,
            removed: made.removed.iter().map(shown).collect(),
        }
    }
}

impl From<Restored> for RestoredView {
    fn from(restored: Restored) -> Self {
        let ended = restored.ended;
        Self {
            created_at: super::view::date(restored.header.created_at),
            rows: restored.header.rows(),
            sessions_ended: ended.sessions,
            authorizations_ended: ended.authorizations,
            consents_ended: ended.grants,
            recovery_sets_ended: ended.recovery_sets,
            invitations_ended: ended.invites,
            signing_keys_retired: ended.keys,
            audit_leaves: restored.leaves,
            audit_leaves_lost: restored.lost_leaves,
            active_users: restored.active_users,
            enabled_clients: restored.enabled_clients,
            replaced_kept_as: restored.kept.map(|path| path.display().to_string()),
        }
    }
}

impl From<Verdict> for AuditView {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Intact { size } => Self {
                intact: true,
                size: Some(size),
                difference: None,
            },
            Verdict::Altered(difference) => Self {
                intact: false,
                size: None,
                difference: Some(difference.to_string()),
            },
        }
    }
}

/// An event as it stands in the log: the members of its leaf.
#[must_use]
pub fn event(event: &Event) -> Value {
    serde_json::from_slice(&event.leaf_bytes()).unwrap_or(Value::Null)
}

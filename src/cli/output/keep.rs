//! Backups and the audit log, for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::{counted, fields, plain, table};
use crate::http::admin::{AuditView, BackupView, RestoredView};

pub(super) fn backup(made: &BackupView) -> String {
    let mut rows = vec![
        ("Backup", made.file.clone()),
        ("Of", made.issuer.clone()),
        ("As it was", made.created_at.clone()),
        ("Rows", made.rows.to_string()),
        ("Bytes", made.bytes.to_string()),
        ("Read from", made.engine.clone()),
        (
            "Version",
            format!("{} (schema {})", made.version, made.schema_version),
        ),
    ];
    rows.extend(made.removed.iter().map(|old| ("Removed", old.clone())));
    fields(&rows)
}

pub(super) fn restored(done: &RestoredView) -> String {
    let mut rows = vec![
        ("Restored as of", done.created_at.clone()),
        ("Rows", done.rows.to_string()),
        ("Sessions ended", done.sessions_ended.to_string()),
        ("Apps signed out", done.authorizations_ended.to_string()),
        ("Consents ended", done.consents_ended.to_string()),
        ("Invitations ended", done.invitations_ended.to_string()),
        (
            "Without recovery codes",
            counted(done.recovery_sets_ended, "person", "people"),
        ),
        (
            "Signing keys retired",
            done.signing_keys_retired.to_string(),
        ),
        ("Audit events sealed", done.audit_leaves.to_string()),
    ];
    if let Some(kept) = &done.replaced_kept_as {
        rows.push(("What was there is kept", kept.clone()));
    }
    let mut out = fields(&rows);
    if done.audit_leaves_lost > 0 {
        let _ = write!(
            out,
            "\n{} after the backup: lost from this database; what you shipped off this host is the only\n\
             copy. The log says so in a backup.restored event.\n",
            counted(done.audit_leaves_lost, "audit event", "audit events")
        );
    }
    let _ = write!(
        out,
        "\nUsable: {} and {}. The backup cannot know which of them were disabled after\nit \
         was made, or which passwords and factors were changed: look through what you know of that time, \
         and\nrepeat `countersign user disable` and `countersign client disable` before you start the \
         server.\n",
        counted(done.active_users, "account", "accounts"),
        counted(done.enabled_clients, "client", "clients")
    );
    out
}

pub(super) fn verified(found: &AuditView) -> String {
    match (&found.difference, found.size) {
        (Some(difference), _) => format!("Altered: {}\n", plain(difference)),
        (None, size) => format!(
            "Intact: {}, each as it was written.\n",
            counted(size.unwrap_or(0), "sealed event", "sealed events")
        ),
    }
}

pub(super) fn events(all: &[Value]) -> String {
    let text = |event: &Value, name: &str| {
        let value = event.get(name).and_then(Value::as_str);
        value.unwrap_or("-").to_owned()
    };
    let rows = all.iter().map(|event| {
        let outcome = match event.get("reason").and_then(Value::as_str) {
            Some(reason) => format!("refused: {reason}"),
            None => "done".to_owned(),
        };
        vec![
            at(event),
            text(event, "kind"),
            outcome,
            text(event, "actor"),
            text(event, "subject"),
            text(event, "client"),
        ]
    });
    let empty = "No event fits.\n";
    let heading = ["AT", "KIND", "OUTCOME", "ACTOR", "SUBJECT", "CLIENT"];
    table(&heading, rows, empty)
}

fn at(event: &Value) -> String {
    let millis = event.get("at").and_then(Value::as_i64).unwrap_or(0);
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_| millis.to_string(), |at| at.to_string())
}

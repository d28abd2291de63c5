//! Reading the audit log. What an operator reads there is itself written down.

use rules::audit::{Actor, Event, Kind};
use rules::identity::Username;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AdminFailure, Caller, Progress, seal_audit, users};
use crate::app::App;
use crate::store::audit::{self, Filter};
use seal_audit::Verdict;

/// How many events one look shows at most.
pub const LONGEST_PAGE: u32 = 1000;
/// How many leaves one look exports at most.
pub const EXPORT_PAGE: u32 = 5000;

/// Which events are wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Of a person: name or identifier.
    pub user: Option<String>,
    /// Of a client: its `client_id`.
    pub client: Option<String>,
    /// Of a kind, or of all kinds of a family: `sign_in` for `sign_in.refused`.
    pub kind: Option<String>,
    /// Not before this moment, in milliseconds.
    pub since: Option<i64>,
    /// Before this event.
    pub before: Option<Uuid>,
    /// How many at most.
    pub limit: u32,
}

/// Events, newest first.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is no such person or kind, and when nothing was found as far
/// back as one look goes.
pub async fn list(app: &App, wanted: Wanted, caller: &Caller) -> Result<Vec<Event>, AdminFailure> {
    let subject = match &wanted.user {
        None => None,
        // An account that is gone may still be asked about by its identifier.
        Some(user) => match Uuid::parse_str(user) {
            Ok(id) if Username::parse(user).is_err() => Some(id),
            Ok(id) => Some(users::find(app, user).await.map_or(id, |user| user.id)),
            Err(_) => Some(users::find(app, user).await?.id),
        },
    };
    let kinds = kinds(wanted.kind.as_deref())?;
    let mut event = app.event(Kind::AuditRead, caller)?.by(Actor::Operator);
    if let Some(subject) = subject {
        event = event.subject(subject);
    }
    if let Some(client) = &wanted.client {
        event = event.client(client.as_str());
    }
    if let Some(kind) = &wanted.kind {
        event = event.with("kind", kind.as_str());
    }
    let filter = Filter {
        subject,
        client: wanted.client,
        kinds,
        since: wanted.since.map(Timestamp::from_millis),
        before: wanted.before,
        limit: wanted.limit.clamp(1, LONGEST_PAGE),
    };
    let event = app.pending(event, caller, None)?;
    let (events, looked_back_to) = app
        .store
        .read_at_length(move |tx| Box::pin(async move { audit::list(tx, &filter).await }))
        .await?;
    // Written down before anything is shown: nobody reads unseen.
    app.store.append(event).await?;
    match looked_back_to {
        Some(id) if events.is_empty() => Err(AdminFailure::Refused(format!(
            "nothing of the kind is among the newest events that one look goes through; older ones \
             were not looked at: go on with --before {id}"
        ))),
        _ => Ok(events),
    }
}

/// A page of sealed leaves, exactly as they were hashed into the tree, from number `from` on, and
/// the newest checkpoint.
///
/// # Errors
/// [`crate::fault::Fault`].
pub async fn export(
    app: &App,
    from: u64,
    caller: &Caller,
) -> Result<(Vec<String>, Option<String>), AdminFailure> {
    let number = i64::try_from(from)
        .map_err(|_| AdminFailure::Refused("--from is beyond every log".to_owned()))?;
    let event = app
        .event(Kind::AuditRead, caller)?
        .by(Actor::Operator)
        .with("export_from", from);
    let event = app.pending(event, caller, None)?;
    app.store.append(event).await?;
    let (leaves, note) = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let note = audit::checkpoint(tx).await?.map(|(_, _, note)| note);
                Ok((audit::leaves(tx, number, EXPORT_PAGE).await?, note))
            })
        })
        .await?;
    let mut lines = Vec::with_capacity(leaves.len());
    for (expected, (n, _, leaf)) in (number..).zip(leaves) {
        let line = leaf
            .filter(|_| n == expected)
            .and_then(|leaf| String::from_utf8(leaf).ok());
        lines.push(line.ok_or_else(|| {
            AdminFailure::Refused(format!(
                "the event of leaf {expected} is gone; `countersign audit verify` says more"
            ))
        })?);
    }
    Ok((lines, note))
}

/// Verifies the whole log, against a kept checkpoint too when there is one; the verdict is itself
/// written down.
///
/// # Errors
/// [`crate::fault::Fault`].
pub async fn verify(
    app: &App,
    kept: Option<&str>,
    caller: &Caller,
    progress: &Progress,
) -> Result<Verdict, AdminFailure> {
    let verdict = seal_audit::verify_telling(app, kept, progress).await?;
    let event = app
        .event(Kind::AuditVerified, caller)?
        .by(Actor::Operator)
        .with("against_kept", kept.is_some());
    let event = match &verdict {
        Verdict::Intact { size } => event.with("size", *size),
        Verdict::Altered(difference) => event
            .refused("altered")
            .with("difference", difference.to_string()),
    };
    let event = app.pending(event, caller, None)?;
    app.store.append(event).await?;
    Ok(verdict)
}

/// The kinds that a name means: one, or a family.
fn kinds(name: Option<&str>) -> Result<Vec<Kind>, AdminFailure> {
    let Some(name) = name else {
        return Ok(Vec::new());
    };
    let family = format!("{name}.");
    let found: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| kind.as_str() == name || kind.as_str().starts_with(&family))
        .collect();
    if found.is_empty() {
        let mut families: Vec<&str> = Kind::ALL
            .iter()
            .filter_map(|kind| kind.as_str().split('.').next())
            .collect();
        families.dedup();
        return Err(AdminFailure::Refused(format!(
            "--kind: there is no kind {name:?}; name one as docs/reference/audit-events.md lists \
             them, or a family: {}",
            families.join(", ")
        )));
    }
    Ok(found)
}

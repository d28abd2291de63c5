//! What can be known of a running installation from its database and its process: the facts that
//! `countersign check` judges. Nothing is changed, not even the schema.

use std::collections::HashMap;
use std::time::Duration;

use rules::audit::merkle::leaf_hash;
use rules::audit::note::VerifyingKey;
use rules::audit::{Checkpoint, Frontier};
use rules::protocol::{Client, ClientAuth};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{install, seal_audit};
use crate::config::Issuer;
use crate::fault::Fault;
use crate::store::inspect::{self, Engine};
use crate::store::{Store, Tx, audit, clients, keys, schema_version};
use crate::vault::Vault;

/// How many of the newest leaves of the audit log are verified.
const LEAVES: u64 = 10_000;
/// How many of them are read at once.
const PAGE: u32 = 1000;

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The moment of looking, in milliseconds.
    pub at: Timestamp,
    /// What the engine says of itself.
    pub engine: Engine,
    /// The version of the schema.
    pub schema: i64,
    /// Whose database it is; none while nothing was set up.
    pub issuer: Option<String>,
    /// Why a sealed cell could not be opened.
    pub sealed: Option<String>,
    /// The newest audit event.
    pub newest_event: Option<Timestamp>,
    /// The newest backup that the audit log tells of.
    pub newest_backup: Option<Timestamp>,
    /// How many events wait to be sealed.
    pub unsealed: u64,
    /// How the newest leaves were verified: how many, or what is wrong.
    pub audit: Option<Result<u64, String>>,
    /// The keys that sign, and those that clients encrypt to.
    pub keys: Vec<KeyFact>,
    /// The clients.
    pub clients: Vec<ClientFact>,
    /// How many files the server's process may have open.
    pub open_files: Option<u64>,
    /// How many mails were given up within the last week.
    #[serde(default)]
    pub mails_given_up: u64,
    /// Since when the oldest mail waits that still does.
    #[serde(default)]
    pub oldest_mail: Option<Timestamp>,
}

/// A key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyFact {
    /// What it signs or decrypts with.
    pub alg: String,
    /// `next`, `active`, `retiring` or `retired`.
    pub state: String,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// A client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientFact {
    /// Its identifier.
    pub id: String,
    /// Its profile, by name.
    pub profile: String,
    /// Whether it can prove who it is.
    pub confidential: bool,
    /// How many secrets are good.
    pub secrets: usize,
    /// Where people are sent back to.
    pub redirect_uris: Vec<String>,
    /// Which authorization details it may ask for.
    #[serde(default)]
    pub details_types: Vec<String>,
    /// Whether it may act.
    pub enabled: bool,
    /// When its registration last changed.
    pub changed_at: Timestamp,
}

/// How far back given up mails are counted.
const WEEK: Duration = Duration::from_hours(7 * 24);
/// How far what is stored may lie in the future before a clock is said to be wrong.
const AHEAD: Duration = Duration::from_mins(1);
/// How far the clocks of this machine and of the database's may differ, in milliseconds.
const APART: u64 = 2000;

/// What is wrong with the clock, as far as the database shows it, and what to do.
///
/// # Errors
/// [`Fault`] when the database does not answer.
pub async fn clock_trouble(store: &Store, now: Timestamp) -> Result<Option<String>, Fault> {
    let read = store.read(move |tx| Box::pin(inspect::times(tx, now)));
    let (newest, database_ahead) = read.await?;
    if let Some(newest) = newest.filter(|newest| *newest > now.plus(AHEAD)) {
        return Ok(Some(format!(
            "the newest event of the audit log lies {} seconds in the future of this machine's clock: \
             the clock is behind now, or was ahead then; until that moment new sessions and tokens may \
             count as revoked. Set it right (`timedatectl`), and see `countersign check`",
            newest.since(now).as_secs()
        )));
    }
    Ok(database_ahead
        .filter(|ahead| ahead.unsigned_abs() > APART)
        .map(|ahead| {
            format!(
                "the database's clock differs from this machine's by {} seconds; let both follow the \
                 same time server",
                ahead / 1000
            )
        }))
}

/// Looks at a database, with the vault that belongs to it when it could be opened.
///
/// # Errors
/// [`Fault`] when the database does not answer.
pub async fn look(
    store: &Store,
    vault: Result<&Vault, String>,
    issuer: &Issuer,
    now: Timestamp,
) -> Result<Facts, Fault> {
    let mut facts = Facts {
        at: now,
        open_files: open_files(),
        ..Facts::default()
    };
    let (engine, schema) = store
        .read(move |tx| Box::pin(async move { inspect::engine(tx, now).await }))
        .await?;
    facts.engine = engine;
    facts.schema = schema;
    if schema == 0 {
        return Ok(facts);
    }
    facts.issuer = install::issuer(store).await?;
    let (newest_event, newest_backup, unsealed) =
        store.read(|tx| Box::pin(inspect::audit(tx))).await?;
    facts.newest_event = newest_event;
    facts.newest_backup = newest_backup;
    facts.unsealed = unsealed;
    // An older schema may know no mail yet.
    if schema >= schema_version() {
        let week = now.minus(WEEK);
        (facts.mails_given_up, facts.oldest_mail) = store
            .read(move |tx| Box::pin(inspect::mail(tx, week)))
            .await?;
    }
    match vault {
        Err(why) => facts.sealed = Some(why),
        Ok(vault) => sealed(store, vault, issuer, &mut facts).await?,
    }
    Ok(facts)
}

/// What needs the vault to be seen.
async fn sealed(
    store: &Store,
    vault: &Vault,
    issuer: &Issuer,
    facts: &mut Facts,
) -> Result<(), Fault> {
    let stored = if facts.schema < crate::store::schema_version() {
        Ok(Vec::new())
    } else {
        store.read(|tx| Box::pin(keys::every(tx))).await
    };
    match stored {
        Ok(stored) => {
            facts.keys = stored
                .iter()
                .map(|key| KeyFact {
                    alg: key.alg.to_string(),
                    state: key.state.as_str().to_owned(),
                    changed_at: key.changed_at,
                })
                .collect();
        }
        Err(Fault::Unreadable(what)) => facts.sealed = Some(what),
        Err(fault) => return Err(fault),
    }
    let read = store
        .read(|tx| {
            Box::pin(async move { Ok((clients::all(tx).await?, inspect::client_ages(tx).await?)) })
        })
        .await;
    match read {
        Ok((all, ages)) => {
            facts.clients = all.into_iter().map(|one| client(one, &ages)).collect();
        }
        Err(Fault::Unreadable(what)) => facts.sealed = Some(what),
        Err(fault) => return Err(fault),
    }
    let key = seal_audit::checkpoint_key(issuer, vault)?;
    let keys = [key.verifying_key().clone()];
    let verified = store
        .read(move |tx| Box::pin(async move { recent(tx, &keys).await }))
        .await?;
    facts.audit = Some(verified);
    Ok(())
}

fn client(client: Client, ages: &HashMap<String, Timestamp>) -> ClientFact {
    let secrets = match &client.auth {
        ClientAuth::Secret { hashes } => hashes.len(),
        _ => 0,
    };
    ClientFact {
        profile: client.profile.as_str().to_owned(),
        confidential: client.is_confidential(),
        secrets,
        redirect_uris: client.redirect_uris,
        details_types: client.metadata.authorization_details_types,
        enabled: client.disabled_at.is_none(),
        changed_at: ages.get(&client.id).copied().unwrap_or_default(),
        id: client.id,
    }
}

/// Verifies the newest leaves: from a signed checkpoint before them to the newest one.
async fn recent(tx: &mut Tx, keys: &[VerifyingKey]) -> Result<Result<u64, String>, Fault> {
    let Some((_, _, note)) = audit::checkpoint(tx).await? else {
        return Ok(Ok(0));
    };
    let newest = match Checkpoint::open(&note, keys) {
        Ok(newest) => newest,
        Err(error) => return Ok(Err(format!("the newest checkpoint is refused: {error}"))),
    };
    let mut tree = match base(tx, keys, newest.size.saturating_sub(LEAVES)).await? {
        Ok(tree) => tree,
        Err(why) => return Ok(Err(why)),
    };
    let first = tree.size();
    while tree.size() < newest.size {
        let from = i64::try_from(tree.size()).unwrap_or(i64::MAX);
        let page = audit::leaves(tx, from, PAGE).await?;
        if page.is_empty() {
            return Ok(Err(format!("leaf {} is missing", tree.size())));
        }
        for (_, hash, event) in page {
            if tree.size() == newest.size {
                break;
            }
            let computed = event.as_deref().map(leaf_hash);
            match computed {
                Some(computed) if computed.as_slice() == hash => drop(tree.append(computed)),
                _ => {
                    return Ok(Err(format!(
                        "the event of leaf {} was changed",
                        tree.size()
                    )));
                }
            }
        }
    }
    Ok(if tree.root() == newest.root {
        Ok(newest.size - first)
    } else {
        Err("the newest leaves are not those of the signed checkpoint".to_owned())
    })
}

/// The tree as it was at the last checkpoint of at most `size` leaves.
async fn base(
    tx: &mut Tx,
    keys: &[VerifyingKey],
    size: u64,
) -> Result<Result<Frontier, String>, Fault> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let Some((frontier, note)) = inspect::checkpoint_up_to(tx, size).await? else {
        return Ok(Ok(Frontier::new()));
    };
    let refused = || "an older checkpoint is refused".to_owned();
    let Ok(signed) = Checkpoint::open(&note, keys) else {
        return Ok(Err(refused()));
    };
    Ok(Frontier::from_bytes(&frontier)
        .filter(|tree| tree.size() == signed.size && tree.root() == signed.root)
        .ok_or_else(refused))
}

/// The limit of this process.
fn open_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

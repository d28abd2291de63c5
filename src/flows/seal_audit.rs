//! Sealing the audit log: events become leaves of one Merkle tree, and each batch ends in a signed
//! checkpoint (docs/adr/0004).
//!
//! Events are sealed in the order in which they are seen, not in that of their identifiers: one
//! that commits late simply comes in a later batch, and none can escape. Two nodes may seal at
//! once: leaf numbers are unique, so one of them commits and the other's batch is undone whole.

use rules::audit::merkle::leaf_hash;
use rules::audit::note::{KeyName, SigningKey, VerifyingKey};
use rules::audit::{Checkpoint, Difference, Frontier, Hash, Verification};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Progress;
use crate::app::App;
use crate::config::Issuer;
use crate::fault::Fault;
use crate::store::{Tx, audit};
use crate::vault::Vault;

/// How many events share one checkpoint: the other writers of an `SQLite` database wait while one
/// batch is written.
pub const BATCH: u32 = 1024;
/// How many leaves are read at once when the log is verified.
const PAGE: u32 = 1000;
/// Separates the checkpoint key from everything else that is derived from the vault.
const KEY_DOMAIN: &str = "audit.checkpoint-key";

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every leaf fits its event, and the tree is the one that was signed.
    Intact {
        /// How many leaves there are.
        size: u64,
    },
    /// Something was altered; the first difference.
    Altered(Difference),
}

/// A batch, computed before its transaction.
struct Batch {
    first: i64,
    leaves: Vec<(Uuid, Hash)>,
    size: i64,
    frontier: Vec<u8>,
    note: String,
}

/// Seals up to [`BATCH`] events; how many it sealed. None, too, when another node was faster.
///
/// # Errors
/// [`Fault::Unreadable`] when the newest checkpoint is not one that this log's key has signed:
/// nothing is built upon a forged tree.
pub async fn seal(app: &App) -> Result<usize, Fault> {
    let (newest, events) = app
        .store
        .read(|tx| {
            Box::pin(async move {
                let newest = audit::checkpoint(tx).await?;
                Ok((newest, audit::unsealed(tx, BATCH).await?))
            })
        })
        .await?;
    if events.is_empty() {
        return Ok(0);
    }
    let sealed = events.len();
    let key = signing_key(app)?;
    let tree = frontier(newest, key.verifying_key())?;
    let batch = batch(tree, events, &key)?;
    let now = app.clock.now();
    let written = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !audit::seal(tx, batch.first, &batch.leaves).await? {
                    return Err(Fault::Constraint("sealed by another node".to_owned()));
                }
                audit::insert_checkpoint(tx, batch.size, batch.frontier, batch.note, now).await
            })
        })
        .await;
    match written {
        Ok(()) => Ok(sealed),
        // Another node took the same numbers or the same events; what is left comes next time.
        Err(Fault::Constraint(_)) => Ok(0),
        Err(fault) => Err(fault),
    }
}

/// The key that verifies this log's checkpoints: what an auditor is handed.
///
/// # Errors
/// [`Fault::Signing`] when the issuer makes no key name.
pub fn verifying_key(app: &App) -> Result<VerifyingKey, Fault> {
    Ok(signing_key(app)?.verifying_key().clone())
}

/// The newest checkpoint, a signed note, to be kept outside the database.
///
/// # Errors
/// [`Fault`].
pub async fn newest_checkpoint(app: &App) -> Result<Option<String>, Fault> {
    let newest = app.store.read(|tx| Box::pin(audit::checkpoint(tx))).await?;
    Ok(newest.map(|(_, _, note)| note))
}

/// Verifies the whole log: each leaf against its event, the tree against the newest checkpoint, and
/// that one's signature. Events of the last second may not be sealed yet; those it cannot judge.
///
/// # Errors
/// [`Fault`]: no verdict was reached.
pub async fn verify(app: &App) -> Result<Verdict, Fault> {
    verify_against(app, None).await
}

/// As [`verify`], and against a checkpoint that was kept outside the database: only that one shows
/// whether the whole log was put back to an earlier state.
///
/// # Errors
/// As [`verify`].
pub async fn verify_against(app: &App, kept: Option<&str>) -> Result<Verdict, Fault> {
    verify_telling(app, kept, &Progress::none()).await
}

/// As [`verify_against`], and tells how far it is.
///
/// # Errors
/// As [`verify`].
pub async fn verify_telling(
    app: &App,
    kept: Option<&str>,
    progress: &Progress,
) -> Result<Verdict, Fault> {
    let keys = [verifying_key(app)?];
    let kept = kept.map(str::to_owned);
    let progress = progress.clone();
    let compared = app
        .store
        .read_at_length(move |tx| {
            Box::pin(async move { compare(tx, kept.as_deref(), &keys, &progress).await })
        })
        .await?;
    match compared {
        Ok(size) => Ok(Verdict::Intact { size }),
        Err(difference) => Ok(Verdict::Altered(difference)),
    }
}

/// Verifies the log that a transaction sees against its newest checkpoint and a kept one.
///
/// # Errors
/// [`Fault`]: no verdict was reached.
pub(super) async fn compare(
    tx: &mut Tx,
    kept: Option<&str>,
    keys: &[VerifyingKey],
    progress: &Progress,
) -> Result<Result<u64, Difference>, Fault> {
    let Some((_, _, newest)) = audit::checkpoint(tx).await? else {
        return compare_empty(tx, kept, keys).await;
    };
    let mut verification = match Verification::begin(&newest, kept, keys) {
        Ok(verification) => verification,
        Err(difference) => return Ok(Err(difference)),
    };
    let all = Checkpoint::open(&newest, keys).map_or(0, |newest| newest.size);
    while !verification.is_complete() {
        let page = page(tx, verification.size()).await?;
        if page.is_empty() {
            break;
        }
        for (n, hash, event) in page {
            if verification.is_complete() {
                break;
            }
            let number = u64::try_from(n).unwrap_or(u64::MAX);
            if let Err(difference) = verification.leaf(number, &hash, event.as_deref()) {
                return Ok(Err(difference));
            }
        }
        progress.tell(verification.size(), all);
    }
    let leaf = verification.size();
    match verification.finish() {
        Ok(size) if is_beyond(tx, size).await? => Ok(Err(Difference::LeafBeyond { leaf })),
        verdict => Ok(verdict),
    }
}

/// A log without a checkpoint must be one without leaves.
async fn compare_empty(
    tx: &mut Tx,
    kept: Option<&str>,
    keys: &[VerifyingKey],
) -> Result<Result<u64, Difference>, Fault> {
    let leaves = page(tx, 0).await?;
    // The first leaves may have been sealed since the checkpoint was looked for.
    if !leaves.is_empty() && audit::checkpoint(tx).await?.is_none() {
        return Ok(Err(Difference::Unsigned));
    }
    Ok(match kept.map(|note| Checkpoint::open(note, keys)) {
        None => Ok(0),
        Some(Ok(kept)) if kept.size == 0 => Ok(0),
        Some(Ok(kept)) => Err(Difference::Shorter {
            kept: kept.size,
            size: 0,
        }),
        Some(Err(error)) => Err(Difference::Checkpoint(error)),
    })
}

/// Whether a leaf stands at `size` or after it that no checkpoint speaks of. Leaves commit together
/// with their checkpoint, so one that is looked for afterwards speaks of them.
async fn is_beyond(tx: &mut Tx, size: u64) -> Result<bool, Fault> {
    if page(tx, size).await?.is_empty() {
        return Ok(false);
    }
    let newest = audit::checkpoint(tx).await?;
    let known = newest.and_then(|(size, _, _)| u64::try_from(size).ok());
    Ok(known.unwrap_or(0) <= size)
}

type Leaf = (i64, Vec<u8>, Option<Vec<u8>>);

async fn page(tx: &mut Tx, from: u64) -> Result<Vec<Leaf>, Fault> {
    let from = i64::try_from(from).map_err(|_| unreadable("size"))?;
    audit::leaves(tx, from, PAGE).await
}

/// The tree so far, held against its signed checkpoint.
fn frontier(newest: Option<(i64, Vec<u8>, String)>, key: &VerifyingKey) -> Result<Frontier, Fault> {
    let Some((_, bytes, note)) = newest else {
        return Ok(Frontier::new());
    };
    let tree = Frontier::from_bytes(&bytes).ok_or_else(|| unreadable("frontier"))?;
    let signed = Checkpoint::open(&note, std::slice::from_ref(key))
        .map_err(|error| unreadable(&format!("note: {error}")))?;
    if signed.size == tree.size() && signed.root == tree.root() {
        Ok(tree)
    } else {
        Err(unreadable(
            "frontier: it is not the tree of the signed checkpoint",
        ))
    }
}

fn batch(
    mut tree: Frontier,
    events: Vec<(Uuid, Vec<u8>)>,
    key: &SigningKey,
) -> Result<Batch, Fault> {
    let number = |n: u64| i64::try_from(n).map_err(|_| unreadable("size"));
    let first = number(tree.size())?;
    let mut leaves = Vec::with_capacity(events.len());
    for (id, bytes) in events {
        let hash = leaf_hash(&bytes);
        tree.append(hash);
        leaves.push((id, hash));
    }
    let checkpoint = Checkpoint {
        origin: key.verifying_key().name().clone(),
        size: tree.size(),
        root: tree.root(),
    };
    Ok(Batch {
        first,
        leaves,
        size: number(tree.size())?,
        frontier: tree.to_bytes(),
        note: checkpoint
            .sign(key)
            .map_err(|error| Fault::Signing(error.to_string()))?,
    })
}

fn signing_key(app: &App) -> Result<SigningKey, Fault> {
    checkpoint_key(&app.config.issuer, &app.vault)
}

/// The key is derived from the vault, so it is nowhere stored and the same on every node.
pub(super) fn checkpoint_key(issuer: &Issuer, vault: &Vault) -> Result<SigningKey, Fault> {
    let seed = Zeroizing::new(vault.lookup(KEY_DOMAIN, issuer.as_str()));
    KeyName::parse(&format!("{}/audit", issuer.authority()))
        .and_then(|name| SigningKey::from_seed(name, &seed))
        .map_err(|error| Fault::Signing(error.to_string()))
}

fn unreadable(what: &str) -> Fault {
    Fault::Unreadable(format!("audit_checkpoints.{what}"))
}

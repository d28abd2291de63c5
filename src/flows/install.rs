//! Setting up a database, and recognising one that belongs to another installation.

use crate::app::NotOpened;
use crate::clock::Clock;
use crate::fault::Fault;
use crate::store::{Store, keys, meta};
use crate::vault::{RootKey, Vault};

const ISSUER: &str = "issuer";

/// Opens the vault; makes its keys when the database has none.
pub async fn vault(store: &Store, root: &RootKey, clock: &Clock) -> Result<Vault, Fault> {
    let mut wrapped = store.read(|tx| Box::pin(keys::wrapped(tx))).await?;
    if wrapped.is_empty() {
        let made = Vault::create(root, clock.now())?;
        let stored = made.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    // Of two servers that start at once on a new database, one makes the keys.
                    if meta::establish(tx, "vault", "1").await? {
                        for key in &stored {
                            keys::insert_wrapped(tx, key).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        wrapped = store.read(|tx| Box::pin(keys::wrapped(tx))).await?;
    }
    Vault::open(root, &wrapped)
}

/// Whose database it is, when that was written down.
pub async fn issuer(store: &Store) -> Result<Option<String>, Fault> {
    store.read(|tx| Box::pin(meta::get(tx, ISSUER))).await
}

/// The issuer is part of every token and of what partners configured: it is written down once, and
/// a server with another one is refused.
pub async fn check_issuer(store: &Store, issuer: &str) -> Result<Result<(), NotOpened>, Fault> {
    let ours = issuer.to_owned();
    let known = store
        .write(move |tx| {
            Box::pin(async move {
                meta::establish(tx, ISSUER, &ours).await?;
                meta::get(tx, ISSUER).await
            })
        })
        .await?;
    Ok(match known {
        Some(known) if known == issuer => Ok(()),
        known => Err(NotOpened(format!(
            "issuer: the configuration says {issuer}, but this database belongs to {}; use that \
             issuer, or another database",
            known.unwrap_or_default()
        ))),
    })
}

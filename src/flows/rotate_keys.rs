//! The life of signing keys: `next → active → retiring → retired`. A key is published long before
//! it signs, so that no cache of the JWK set is ever behind.

use rules::audit::{Actor, Kind};
use rules::jose::{Alg, SigningKey};
use rules::time::Timestamp;

use super::{AdminFailure, Caller, follow};
use crate::app::App;
use crate::fault::Fault;
use crate::store::keys::{self, KeyState, StoredKey};
use crate::store::meta;

/// What is shown of a key.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// Its state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// Makes the keys that are missing: for each algorithm one that signs and one that will.
pub async fn ensure(app: &App, algs: &[Alg]) -> Result<(), Fault> {
    let stored = app.store.read(|tx| Box::pin(keys::signing(tx))).await?;
    let mut new = Vec::new();
    for &alg in algs {
        for state in [KeyState::Active, KeyState::Next] {
            if !stored
                .iter()
                .any(|key| key.alg == alg && key.state == state)
            {
                new.push(make(app, alg, state).await?);
            }
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    match store_new(app, new, stored.is_empty(), &Caller::default()).await {
        // Another node made them at the same moment.
        Err(Fault::Constraint(_)) => Ok(()),
        stored => stored,
    }
}

/// Makes keys for algorithms that nobody asked for before; who asks for them reads the JWK set anew.
pub async fn provide(app: &App, algs: &[Alg]) -> Result<(), Fault> {
    let known = app.keys.now();
    let missing: Vec<Alg> = algs
        .iter()
        .copied()
        .filter(|alg| known.signer(*alg).is_err())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure(app, &missing).await?;
    follow::reload_keys(app).await
}

/// Every key, oldest first.
pub async fn list(app: &App) -> Result<Vec<KeyInfo>, Fault> {
    let stored = app.store.read(|tx| Box::pin(keys::signing(tx))).await?;
    Ok(stored.into_iter().map(info).collect())
}

/// The next key begins to sign, the one before it stays published until its tokens are over, and a
/// new next one is published.
pub async fn rotate(app: &App, alg: Alg, caller: &Caller) -> Result<Vec<KeyInfo>, AdminFailure> {
    let stored = app.store.read(|tx| Box::pin(keys::signing(tx))).await?;
    let find = |state| {
        let mut fitting = stored
            .iter()
            .filter(|key| key.alg == alg && key.state == state);
        fitting.next().map(|key| key.kid.clone())
    };
    let (Some(active), Some(next)) = (find(KeyState::Active), find(KeyState::Next)) else {
        return Err(AdminFailure::Refused(format!(
            "there are no {} keys to rotate; `countersign key list` shows which there are",
            alg.as_str()
        )));
    };
    let fresh = make(app, alg, KeyState::Next).await?;
    let event = app
        .event(Kind::KeyRotated, caller)?
        .by(Actor::Operator)
        .with("alg", alg.as_str())
        .with("kid", next.as_str());
    let event = app.pending(event, caller, None)?;
    let now = app.clock.now();
    let moved = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let retired =
                    keys::move_signing(tx, &active, KeyState::Active, KeyState::Retiring, now)
                        .await?;
                if !retired {
                    return Ok(false);
                }
                if !keys::move_signing(tx, &next, KeyState::Next, KeyState::Active, now).await? {
                    return Err(Fault::Constraint("the next key was moved".to_owned()));
                }
                keys::insert_signing(tx, &fresh).await?;
                tx.record(event);
                Ok(true)
            })
        })
        .await?;
    follow::reload_keys(app).await?;
    if !moved {
        return Err(AdminFailure::Refused(
            "the keys were rotated by somebody else at the same moment; look with `countersign key list`"
                .to_owned(),
        ));
    }
    Ok(list(app).await?)
}

/// Withdraws keys whose last tokens are over.
pub async fn retire(app: &App) -> Result<(), Fault> {
    let now = app.clock.now();
    let oldest = now.minus(crate::config::Lifetimes::LONGEST_ACCESS_TOKEN);
    let stored = app.store.read(|tx| Box::pin(keys::signing(tx))).await?;
    let over = |key: &StoredKey| key.state == KeyState::Retiring && key.changed_at < oldest;
    let caller = Caller::default();
    let mut retired = false;
    for key in stored.into_iter().filter(over) {
        let event = app
            .event(Kind::KeyRetired, &caller)?
            .by(Actor::Server)
            .with("kid", key.kid.as_str());
        let event = app.pending(event, &caller, None)?;
        app.store
            .write(move |tx| {
                Box::pin(async move {
                    let from = KeyState::Retiring;
                    if keys::move_signing(tx, &key.kid, from, KeyState::Retired, now).await? {
                        tx.record(event);
                    }
                    Ok(())
                })
            })
            .await?;
        retired = true;
    }
    if retired {
        follow::reload_keys(app).await?;
    }
    Ok(())
}

/// Making an RSA key takes a while: it happens on the signing threads.
async fn make(app: &App, alg: Alg, state: KeyState) -> Result<StoredKey, Fault> {
    let made = app
        .signers
        .run(move || {
            let key =
                SigningKey::generate(alg).map_err(|error| Fault::Signing(error.to_string()))?;
            let private_key = key
                .to_pkcs8()
                .map_err(|error| Fault::Signing(error.to_string()))?;
            let public_jwk = serde_json::to_string(key.public_jwk())
                .map_err(|error| Fault::Signing(error.to_string()))?;
            Ok::<_, Fault>((key.kid().to_owned(), private_key, public_jwk))
        })
        .await?;
    let (kid, private_key, public_jwk) = made?;
    let now = app.clock.now();
    Ok(StoredKey {
        kid,
        alg,
        state,
        private_key,
        public_jwk,
        created_at: now,
        changed_at: now,
    })
}

/// Of two nodes that start at once on a new database, one stores the `first` keys.
async fn store_new(
    app: &App,
    new: Vec<StoredKey>,
    first: bool,
    caller: &Caller,
) -> Result<(), Fault> {
    let mut events = Vec::new();
    for key in &new {
        let event = app
            .event(Kind::KeyCreated, caller)?
            .by(Actor::Server)
            .with("alg", key.alg.as_str())
            .with("kid", key.kid.as_str());
        events.push(app.pending(event, caller, None)?);
    }
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if first && !meta::establish(tx, "signing_keys", "1").await? {
                    return Ok(());
                }
                for key in &new {
                    keys::insert_signing(tx, key).await?;
                }
                for event in events {
                    tx.record(event);
                }
                Ok(())
            })
        })
        .await
}

fn info(key: StoredKey) -> KeyInfo {
    KeyInfo {
        kid: key.kid,
        alg: key.alg,
        state: key.state,
        created_at: key.created_at,
        changed_at: key.changed_at,
    }
}

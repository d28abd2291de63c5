//! The life of keys: `next → active → retiring → retired`. A key that signs is published long before it
//! does, so that no cache of the JWK set is ever behind; one that decrypts is known to every node before
//! it is published, and opens for a while what is still encrypted to it afterwards.

use rules::audit::{Actor, Kind};
use rules::jose::jwe::{DecryptionKey, KeyAlg};
use rules::jose::{Alg, KeyError, KeyPurpose, SigningKey};
use rules::time::Timestamp;
use zeroize::Zeroizing;

use super::{AdminFailure, Caller, follow};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::store::keys::{self, KeyState, StoredKey};
use crate::store::meta;

/// What is shown of a key.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs or decrypts with.
    pub alg: KeyPurpose,
    /// Its state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// What an installation always has: what most clients verify by, and every way to encrypt to it.
pub const ALWAYS: [KeyPurpose; 5] = [
    KeyPurpose::Sign(Alg::Es256),
    KeyPurpose::Sign(Alg::Rs256),
    KeyPurpose::Decrypt(KeyAlg::EcdhEs),
    KeyPurpose::Decrypt(KeyAlg::EcdhEsA256Kw),
    KeyPurpose::Decrypt(KeyAlg::RsaOaep256),
];

/// Makes the keys that are missing: for each algorithm one that is used and one that will be.
pub async fn ensure(app: &App, algs: &[KeyPurpose]) -> Result<(), Fault> {
    let stored = app.store.read(|tx| Box::pin(keys::every(tx))).await?;
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
    let missing: Vec<KeyPurpose> = algs
        .iter()
        .filter(|alg| known.signer(**alg).is_err())
        .map(|alg| KeyPurpose::Sign(*alg))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure(app, &missing).await?;
    follow::reload_keys(app).await
}

/// Every key, oldest first.
pub async fn list(app: &App) -> Result<Vec<KeyInfo>, Fault> {
    let stored = app.store.read(|tx| Box::pin(keys::every(tx))).await?;
    Ok(stored.into_iter().map(info).collect())
}

/// The next key takes over, and a new next one is made. The one before it stays published until its
/// tokens are over; one that was encrypted to is no longer published, and decrypts for another
/// [`Lifetimes::RETIRING_ENCRYPTION_KEY`].
pub async fn rotate(
    app: &App,
    alg: impl Into<KeyPurpose>,
    caller: &Caller,
) -> Result<Vec<KeyInfo>, AdminFailure> {
    let alg = alg.into();
    let stored = app.store.read(|tx| Box::pin(keys::every(tx))).await?;
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
                let retired = keys::advance(
                    tx,
                    (alg, &active),
                    KeyState::Active,
                    KeyState::Retiring,
                    now,
                )
                .await?;
                if !retired {
                    return Ok(false);
                }
                if !keys::advance(tx, (alg, &next), KeyState::Next, KeyState::Active, now).await? {
                    return Err(Fault::Constraint("the next key was moved".to_owned()));
                }
                keys::insert(tx, &fresh).await?;
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

/// Withdraws keys whose last tokens are over, and deletes those that nobody may encrypt to any more.
pub async fn retire(app: &App) -> Result<(), Fault> {
    let now = app.clock.now();
    let stored = app.store.read(|tx| Box::pin(keys::every(tx))).await?;
    let over = |key: &StoredKey| {
        let longest = match key.alg {
            KeyPurpose::Sign(_) => Lifetimes::LONGEST_ACCESS_TOKEN,
            KeyPurpose::Decrypt(_) => Lifetimes::RETIRING_ENCRYPTION_KEY,
        };
        key.state == KeyState::Retiring && key.changed_at < now.minus(longest)
    };
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
                    if keys::withdraw(tx, (key.alg, &key.kid), now).await? {
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
async fn make(app: &App, alg: KeyPurpose, state: KeyState) -> Result<StoredKey, Fault> {
    let made = app
        .signers
        .run(move || pair(alg).map_err(|error| Fault::Signing(error.to_string())))
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

/// A new key: its id, its private half in PKCS#8, and its public one as a JWK.
fn pair(alg: KeyPurpose) -> Result<(String, Zeroizing<Vec<u8>>, String), KeyError> {
    let json = |jwk| serde_json::to_string(&jwk).map_err(|_| KeyError::Library);
    Ok(match alg {
        KeyPurpose::Sign(alg) => {
            let key = SigningKey::generate(alg)?;
            let public = serde_json::to_value(key.public_jwk());
            (key.kid().to_owned(), key.to_pkcs8()?, json(public.ok())?)
        }
        KeyPurpose::Decrypt(alg) => {
            let key = DecryptionKey::generate(alg)?;
            let public = serde_json::to_value(key.public_jwk());
            (key.kid().to_owned(), key.to_pkcs8()?, json(public.ok())?)
        }
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
                    keys::insert(tx, key).await?;
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

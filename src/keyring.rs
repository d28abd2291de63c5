//! This server's keys, in memory: those that sign, those that verify, those that decrypt, and the JWK
//! set as it is served.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rules::jose::jwe::DecryptionKey;
use rules::jose::{Alg, Jwk, JwkSet, KeyPurpose, SigningKey};
use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::config::Lifetimes;
use crate::document::Document;
use crate::fault::Fault;
use crate::store::keys::{KeyState, StoredKey};

/// The keys.
#[derive(Default)]
pub struct KeyRing(RwLock<Arc<Keys>>);

/// One consistent picture of them.
#[derive(Default)]
pub struct Keys {
    active: HashMap<&'static str, Arc<SigningKey>>,
    published: JwkSet,
    decrypting: Vec<Decrypting>,
    document: Document,
}

struct Decrypting {
    key: Arc<DecryptionKey>,
    /// Without a `kid` few are tried: those first that are asked for most.
    turn: (u8, Reverse<Timestamp>),
    /// When it is taken no more.
    until: Option<Timestamp>,
}

impl KeyRing {
    /// The picture now.
    #[must_use]
    pub fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the picture by what is stored.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] for a key that is none.
    pub fn replace(&self, stored: &[StoredKey]) -> Result<(), Fault> {
        let unreadable =
            |key: &StoredKey| Fault::Unreadable(format!("{} key {}", key.alg, key.kid));
        let mut active = HashMap::new();
        let (mut published, mut documents, mut decrypting) = (Vec::new(), Vec::new(), Vec::new());
        for key in stored {
            if key.state == KeyState::Retired {
                continue;
            }
            let is_active = key.state == KeyState::Active;
            let mut document: Value =
                serde_json::from_str(&key.public_jwk).map_err(|_| unreadable(key))?;
            document["use"] = key.alg.public_use().into();
            document["alg"] = key.alg.as_str().into();
            document["kid"] = key.kid.clone().into();
            match key.alg {
                KeyPurpose::Sign(alg) => {
                    let jwk = Jwk::from_json(document.to_string().as_bytes());
                    published.push(jwk.map_err(|_| unreadable(key))?);
                    documents.push(document);
                    if is_active {
                        let signer = SigningKey::from_pkcs8(alg, &key.private_key);
                        let signer = signer.map_err(|_| unreadable(key))?;
                        active.insert(alg.as_str(), Arc::new(signer));
                    }
                }
                KeyPurpose::Decrypt(alg) => {
                    let private = DecryptionKey::from_pkcs8(alg, &key.private_key);
                    decrypting.push(Decrypting {
                        key: Arc::new(private.map_err(|_| unreadable(key))?),
                        turn: (turn(key.state), Reverse(key.changed_at)),
                        until: (key.state == KeyState::Retiring)
                            .then(|| key.changed_at.plus(Lifetimes::RETIRING_ENCRYPTION_KEY)),
                    });
                    if is_active {
                        documents.push(document);
                    }
                }
            }
        }
        decrypting.sort_by_key(|one| one.turn);
        let keys = Keys {
            active,
            published: JwkSet::new(published)
                .map_err(|error| Fault::Unreadable(format!("signing_keys: {error}")))?,
            decrypting,
            document: Document::new(json!({ "keys": documents }).to_string()),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }
}

/// Which keys are asked for before others.
const fn turn(state: KeyState) -> u8 {
    match state {
        KeyState::Active => 0,
        KeyState::Retiring => 1,
        KeyState::Next | KeyState::Retired => 2,
    }
}

impl Keys {
    /// The key that signs with `alg` now.
    ///
    /// # Errors
    /// [`Fault::Signing`] when there is none.
    pub fn signer(&self, alg: Alg) -> Result<Arc<SigningKey>, Fault> {
        let key = self.active.get(alg.as_str()).map(Arc::clone);
        key.ok_or_else(|| Fault::Signing(format!("no active {} key", alg.as_str())))
    }

    /// The keys that verify.
    #[must_use]
    pub const fn published(&self) -> &JwkSet {
        &self.published
    }

    /// The keys that open what was encrypted for this server, those among them that were withdrawn a
    /// short while ago.
    #[must_use]
    pub fn decrypting(&self, now: Timestamp) -> Vec<Arc<DecryptionKey>> {
        let alive = |one: &&Decrypting| one.until.is_none_or(|until| now < until);
        let keys = self.decrypting.iter().filter(alive);
        keys.map(|one| Arc::clone(&one.key)).collect()
    }

    /// The JWK set (RFC 7517 §5), ready to be sent.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }
}

//! Signing keys, in memory: those that sign, those that verify, and the JWK set as it is served.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rules::jose::{Alg, Jwk, JwkSet, SigningKey};
use serde_json::{Value, json};

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
    document: Document,
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
        let unreadable = |kid: &str| Fault::Unreadable(format!("signing_keys {kid}"));
        let mut active = HashMap::new();
        let mut published = Vec::new();
        let mut documents = Vec::new();
        for key in stored {
            if key.state == KeyState::Retired {
                continue;
            }
            let mut document: Value =
                serde_json::from_str(&key.public_jwk).map_err(|_| unreadable(&key.kid))?;
            document["use"] = "sig".into();
            document["alg"] = key.alg.as_str().into();
            document["kid"] = key.kid.clone().into();
            let jwk = Jwk::from_json(document.to_string().as_bytes())
                .map_err(|_| unreadable(&key.kid))?;
            published.push(jwk);
            documents.push(document);
            if key.state == KeyState::Active {
                let signer = SigningKey::from_pkcs8(key.alg, &key.private_key)
                    .map_err(|_| unreadable(&key.kid))?;
                active.insert(key.alg.as_str(), Arc::new(signer));
            }
        }
        let keys = Keys {
            active,
            published: JwkSet::new(published)
                .map_err(|error| Fault::Unreadable(format!("signing_keys: {error}")))?,
            document: Document::new(json!({ "keys": documents }).to_string()),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
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

    /// The JWK set (RFC 7517 §5), ready to be sent.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }
}

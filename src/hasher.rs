//! Password hashing: Argon2id (RFC 9106) on threads of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rules::identity::{Password, Weakness};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Argon2Cost;
use crate::fault::Fault;
use crate::rng;
use crate::secret::Secret;
use crate::workers::{Urgency, Workers};

/// How many hashes may wait for each thread.
const WAITING: usize = 128;

/// Hashes and verifies.
#[derive(Clone)]
pub struct Hasher {
    workers: Workers,
    argon2: Argon2<'static>,
    /// Verified against when there is no person, so that her absence takes the same time.
    decoy: Arc<Secret>,
    made: Arc<AtomicU64>,
    places: Arc<Semaphore>,
}

/// A place among those who sign in at once.
pub struct Place(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the cost is impossible or there are no threads.
    pub fn start(cost: Argon2Cost) -> Result<Self, Fault> {
        let params = Params::new(cost.memory, cost.passes, 1, Some(32)).map_err(internal)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, b"nobody", &rng::bytes::<16>()?)?;
        let waiting = WAITING * cost.threads;
        let places = Arc::new(Semaphore::new(waiting / 2));
        Ok(Self {
            workers: Workers::start("hashing", cost.threads, waiting, Urgency::Idle)?,
            argon2,
            decoy: Arc::new(decoy),
            made: Arc::default(),
            places,
        })
    }

    /// A place for one sign-in, of as many as can be served before their people give up. The other
    /// half of the queue is for those who set up an account.
    ///
    /// # Errors
    /// [`Fault::Busy`] when there is none.
    pub fn place(&self) -> Result<Place, Fault> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map(Place)
            .map_err(|_| Fault::Busy("sign-in"))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn hash(&self, password: Password) -> Result<Secret, Fault> {
        let salt = rng::bytes::<16>()?;
        let argon2 = self.argon2.clone();
        self.count();
        self.workers
            .run(move || hash(&argon2, password.reveal().as_bytes(), &salt))
            .await?
    }

    /// Whether the password is the hashed one; without a hash, no, after the same time.
    ///
    /// # Errors
    /// [`Fault::Busy`], [`Fault::Unreadable`].
    pub async fn verify(&self, password: Password, hash: Option<Secret>) -> Result<bool, Fault> {
        let argon2 = self.argon2.clone();
        let decoy = Arc::clone(&self.decoy);
        self.count();
        self.workers
            .run(move || {
                let against = hash.as_ref().unwrap_or(&decoy);
                let parsed = PasswordHash::new(against.expose())
                    .map_err(|_| Fault::Unreadable("users.password".to_owned()))?;
                let fits = argon2.verify_password(password.reveal().as_bytes(), &parsed);
                Ok(fits.is_ok() && hash.is_some())
            })
            .await?
    }

    /// 32 bytes from a recovery code and the salt of its set.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn derive(&self, code: Secret, salt: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let argon2 = self.argon2.clone();
        self.count();
        self.workers
            .run(move || {
                let mut out = vec![0; 32];
                argon2
                    .hash_password_into(code.expose().as_bytes(), &salt, &mut out)
                    .map_err(internal)?;
                Ok(out)
            })
            .await?
    }

    /// Judges a new password; slow enough to keep off the async threads.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn judge(
        &self,
        password: Password,
        context: Vec<String>,
    ) -> Result<Result<(), Weakness>, Fault> {
        self.workers
            .run(move || {
                let words: Vec<&str> = context.iter().map(String::as_str).collect();
                rules::identity::password::judge(&password, &words)
            })
            .await
    }

    /// How many hashes were made: equal work is what equal timing is tested by.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<Secret, Fault> {
    let hash = argon2
        .hash_password_with_salt(password, salt)
        .map_err(internal)?;
    Ok(Secret::new(hash.to_string()))
}

fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::Internal(error.to_string())
}

//! Password hashing: Argon2id (RFC 9106) on threads of its own.

mod memory;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use rules::identity::{Password, Weakness};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::config::Argon2Cost;
use crate::fault::Fault;
use crate::rng;
use crate::secret::Secret;
use crate::workers::{Urgency, Workers};
use memory::Memory;

/// How many hashes may wait for each thread.
const WAITING: usize = 128;
/// How many may wait to make secrets of their own.
const MAKING: usize = 256;
/// How often one person may wait for her turn.
const WAITS: usize = 64;

/// Hashes and verifies.
#[derive(Clone)]
pub struct Hasher {
    workers: Workers,
    argon2: Argon2<'static>,
    memory: Arc<Memory>,
    /// Verified against when there is no person, so that her absence takes the same time.
    decoy: Arc<Secret>,
    made: Arc<AtomicU64>,
    places: Arc<Semaphore>,
    /// Whatever is asked of it here, nobody who signs in waits for it.
    makers: Workers,
    turns: Arc<Turns>,
}

/// Who makes secrets of her own.
#[derive(Default)]
struct Turns {
    queue: Mutex<Queue>,
    over: Notify,
}

#[derive(Default)]
struct Queue {
    making: HashSet<Uuid>,
    waiting: HashMap<Uuid, usize>,
}

impl Turns {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, id: Uuid) -> Result<Wait<'_>, Fault> {
        let mut queue = self.queue();
        let waiting = queue.waiting.entry(id).or_default();
        if *waiting >= WAITS {
            return Err(Fault::Busy("making secrets"));
        }
        *waiting += 1;
        Ok(Wait { turns: self, id })
    }
}

/// Somebody waits for her turn, until this is dropped.
struct Wait<'a> {
    turns: &'a Turns,
    id: Uuid,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut waiting) = self.turns.queue().waiting.entry(self.id) {
            *waiting.get_mut() -= 1;
            if *waiting.get() == 0 {
                waiting.remove();
            }
        }
    }
}

/// A place among those who sign in at once.
pub struct Place(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

/// Somebody's turn to make secrets of her own: a password, recovery codes. She has one at a time, and
/// it is not over before all is done that was asked for in it, whether or not anybody still waits.
#[derive(Clone)]
pub struct Turn {
    hasher: Hasher,
    her: Arc<Her>,
}

/// Whose turn it is.
struct Her {
    id: Uuid,
    turns: Arc<Turns>,
}

impl Drop for Her {
    fn drop(&mut self) {
        self.turns.queue().making.remove(&self.id);
        self.turns.over.notify_waiters();
    }
}

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the cost is impossible or there are no threads.
    pub fn start(cost: Argon2Cost) -> Result<Self, Fault> {
        let params = Params::new(cost.memory, cost.passes, 1, Some(32)).map_err(internal)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let memory = Arc::new(Memory::default());
        let decoy = hash(&argon2, &memory, b"nobody", &rng::bytes::<16>()?)?;
        memory.rest();
        memory.rest();
        // More threads than processors would take turns, each with the memory of the other to fetch.
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cost.threads.min(processors);
        let waiting = WAITING * threads;
        let places = Arc::new(Semaphore::new(waiting / 2));
        Ok(Self {
            workers: Workers::start("hashing", threads, waiting, Urgency::Idle)?,
            argon2,
            memory,
            decoy: Arc::new(decoy),
            made: Arc::default(),
            places,
            makers: Workers::start("making secrets", 1, MAKING, Urgency::Idle)?,
            turns: Arc::default(),
        })
    }

    /// A place for one sign-in, of as many as can be served before their people give up.
    ///
    /// # Errors
    /// [`Fault::Busy`] when there is none.
    pub fn place(&self) -> Result<Place, Fault> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map(Place)
            .map_err(|_| Fault::Busy("sign-in"))
    }

    /// A turn for a person to make secrets of her own; the next one waits until hers is over.
    ///
    /// # Errors
    /// [`Fault::Busy`] when she waits too often already.
    pub async fn turn(&self, id: Uuid) -> Result<Turn, Fault> {
        let turns = &self.turns;
        if !turns.queue().making.insert(id) {
            let _waiting = turns.wait(id)?;
            loop {
                let mut over = std::pin::pin!(turns.over.notified());
                // From here on no end of a turn is missed.
                over.as_mut().enable();
                if turns.queue().making.insert(id) {
                    break;
                }
                over.await;
            }
        }
        let turns = Arc::clone(turns);
        Ok(Turn {
            hasher: self.clone(),
            her: Arc::new(Her { id, turns }),
        })
    }

    /// Whether the password is the hashed one; without a hash, no, after the same time.
    ///
    /// # Errors
    /// [`Fault::Busy`], [`Fault::Unreadable`].
    pub async fn verify(&self, password: Password, hash: Option<Secret>) -> Result<bool, Fault> {
        let (memory, decoy) = (Arc::clone(&self.memory), Arc::clone(&self.decoy));
        self.count();
        self.workers
            .run(move || {
                let against = hash.as_ref().unwrap_or(&decoy);
                let fits = verify(&memory, password.reveal().as_bytes(), against.expose());
                let fits = fits.ok_or_else(|| Fault::Unreadable("users.password".to_owned()))?;
                Ok(fits && hash.is_some())
            })
            .await?
    }

    /// 32 bytes from a recovery code that is typed and the salt of its set.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn derive(&self, code: Secret, salt: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.workers.run(self.derivation(code, salt)).await?
    }

    fn derivation(
        &self,
        code: Secret,
        salt: Vec<u8>,
    ) -> impl FnOnce() -> Result<Vec<u8>, Fault> + Send + 'static {
        let (argon2, memory) = (self.argon2.clone(), Arc::clone(&self.memory));
        self.count();
        move || {
            let mut out = vec![0; 32];
            let typed = (code.expose().as_bytes(), salt.as_slice());
            fill(&argon2, &memory, typed, &mut out).map_err(internal)?;
            Ok(out)
        }
    }

    /// Gives the memory back that no hash has needed since the last call.
    pub fn rest(&self) {
        self.memory.rest();
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

impl Turn {
    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn hash(&self, password: Password) -> Result<Secret, Fault> {
        let salt = rng::bytes::<16>()?;
        let of = &self.hasher;
        let (argon2, memory) = (of.argon2.clone(), Arc::clone(&of.memory));
        of.count();
        self.run(move || hash(&argon2, &memory, password.reveal().as_bytes(), &salt))
            .await?
    }

    /// 32 bytes from a new recovery code and the salt of its set.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn derive(&self, code: Secret, salt: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.run(self.hasher.derivation(code, salt)).await?
    }

    /// Judges a new password: awkward ones take longer than a hash.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub async fn judge(
        &self,
        password: Password,
        context: Vec<String>,
    ) -> Result<Result<(), Weakness>, Fault> {
        self.run(move || {
            let words: Vec<&str> = context.iter().map(String::as_str).collect();
            rules::identity::password::judge(&password, &words)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let her = Arc::clone(&self.her);
        let job = move || {
            let _hers = her;
            job()
        };
        self.hasher.makers.run(job).await
    }
}

fn hash(
    argon2: &Argon2<'_>,
    memory: &Memory,
    password: &[u8],
    salt: &[u8],
) -> Result<Secret, Fault> {
    let mut out = [0; 32];
    fill(argon2, memory, (password, salt), &mut out).map_err(internal)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(internal)?,
        salt: Some(Salt::new(salt).map_err(internal)?),
        hash: Some(Output::new(&out).map_err(internal)?),
    };
    Ok(Secret::new(hash.to_string()))
}

/// Whether the password is that of a PHC string, at the cost which that names; `None` when it is
/// none. The comparison takes the same time whatever differs ([`Output`]).
fn verify(memory: &Memory, password: &[u8], against: &str) -> Option<bool> {
    let stored = PasswordHash::new(against).ok()?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    let version = Version::try_from(stored.version?).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&stored).ok()?);
    let (salt, expected) = (stored.salt?, stored.hash?);
    let mut out = vec![0; expected.len()];
    let filled = fill(&argon2, memory, (password, &salt), &mut out);
    Some(filled.is_ok() && Output::new(&out).is_ok_and(|out| out == expected))
}

fn fill(
    argon2: &Argon2<'_>,
    memory: &Memory,
    (password, salt): (&[u8], &[u8]),
    out: &mut [u8],
) -> argon2::Result<()> {
    memory.lend(argon2.params().block_count(), |blocks| {
        argon2.hash_password_into_with_memory(password, salt, out, blocks)
    })
}

fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn cheap() -> Argon2<'static> {
        let params = Params::new(64, 1, 1, Some(32)).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    #[tokio::test]
    async fn a_turn_is_over_when_its_work_is_and_not_when_nobody_waits_for_it() {
        let cost = Argon2Cost {
            memory: 64,
            passes: 1,
            threads: 1,
        };
        let hasher = Hasher::start(cost).unwrap();
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let turn = hasher.turn(ada).await.unwrap();
        assert!(hasher.turn(ada).now_or_never().is_none(), "she waits");
        let mut waiting: Vec<_> = (0..WAITS).map(|_| Box::pin(hasher.turn(ada))).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        let one_more = hasher.turn(ada).now_or_never();
        assert!(
            matches!(one_more, Some(Err(Fault::Busy(_)))),
            "she alone is told"
        );
        assert!(hasher.turn(bob).await.is_ok());
        drop(waiting);

        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let gone = tokio::spawn({
            let turn = turn.clone();
            async move {
                turn.run(move || {
                    let _ = started.send(());
                    held.recv()
                })
                .await
            }
        });
        running.await.unwrap();
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        drop(turn);
        let next = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.turn(ada).await.is_ok() }
        });
        assert!(
            hasher.turn(ada).now_or_never().is_none(),
            "her work is not done yet"
        );
        // Meanwhile nobody who signs in waits for it.
        let anybody = hasher.verify(Password::normalise("a password"), None);
        assert!(!anybody.await.unwrap());
        release.send(()).unwrap();
        assert!(next.await.unwrap());
    }

    #[test]
    fn a_hash_is_the_one_that_the_library_makes_and_verifies() {
        use argon2::{PasswordHasher as _, PasswordVerifier as _};
        let (argon2, memory) = (cheap(), Memory::default());
        let ours = hash(&argon2, &memory, b"a password", b"sixteen bytes...").unwrap();
        let theirs = argon2.hash_password_with_salt(b"a password", b"sixteen bytes...");
        assert_eq!(ours.expose(), theirs.unwrap().to_string());
        let parsed = PasswordHash::new(ours.expose()).unwrap();
        assert!(argon2.verify_password(b"a password", &parsed).is_ok());
    }

    #[test]
    fn only_the_password_itself_fits_whatever_was_in_the_memory_before() {
        let (argon2, memory) = (cheap(), Memory::default());
        let stored = hash(&argon2, &memory, b"a password", b"sixteen bytes...").unwrap();
        for (password, fits) in [
            ("a password", true),
            ("another", false),
            ("a password", true),
        ] {
            assert_eq!(
                verify(&memory, password.as_bytes(), stored.expose()),
                Some(fits)
            );
        }
        assert_eq!(verify(&memory, b"a password", "$argon2id$v=19$m=64"), None);
        assert_eq!(verify(&memory, b"a password", "nonsense"), None);
    }

    #[test]
    fn a_hash_at_another_cost_is_verified_at_that_cost() {
        let memory = Memory::default();
        let params = Params::new(128, 2, 1, Some(32)).unwrap();
        let dearer = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let stored = hash(&dearer, &memory, b"a password", b"sixteen bytes...").unwrap();
        assert!(stored.expose().contains("m=128,t=2"));
        assert_eq!(verify(&memory, b"a password", stored.expose()), Some(true));
    }
}

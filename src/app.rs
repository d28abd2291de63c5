//! The application: what every flow is handed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use crate::client_keys::ClientKeys;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::defence::limits::Limits;
use crate::defence::{FirstUses, Refusals};
use crate::fault::Fault;
use crate::flows;
use crate::flows::client_credentials::Remembered;
use crate::flows::follow::Follower;
use crate::flows::ready::Readiness;
use crate::flows::upkeep::Cleaned;
use crate::flows::upstream::Provider;
use crate::hasher::Hasher;
use crate::keyring::KeyRing;
use crate::mail::Mailer;
use crate::outbound::Outbound;
use crate::registry::Registry;
use crate::store::{Location, Store};
use crate::trust::Trust;
use crate::vault::{RootKey, Vault};
use crate::workers::{Urgency, Workers};

/// Everything a flow needs.
pub struct App {
    /// What is set.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// The opened key hierarchy.
    pub vault: Arc<Vault>,
    /// Clients and resources, in memory.
    pub registry: Registry,
    /// Signing keys, in memory.
    pub keys: KeyRing,
    /// The time.
    pub clock: Clock,
    /// Password hashing.
    pub hasher: Hasher,
    /// RSA signing, which is slow.
    pub signers: Workers,
    /// How often who may ask.
    pub limits: Limits,
    /// Refusals, counted.
    pub refusals: Refusals,
    /// First uses of authorizations, to be written down.
    pub first_uses: FirstUses,
    /// When this node last removed what ended long ago.
    pub cleaned: Cleaned,
    /// How this node follows what others changed.
    pub follower: Follower,
    /// Whether this node can answer, as it was found last.
    pub readiness: Readiness,
    /// Who certifies clients.
    pub trust: Trust,
    /// Public keys of clients, as fetched.
    pub client_keys: ClientKeys,
    /// What the institution's own provider says of itself.
    pub provider: Provider,
    /// The one way out.
    pub outbound: Arc<Outbound>,
    /// What hands mail over; none when people are told nothing by mail.
    pub mailer: Option<Mailer>,
    /// Whose turn it is to have her data gathered: one person's at a time.
    pub exports: Arc<Semaphore>,
    /// What clients were issued for themselves.
    pub own_authorizations: Remembered,
    /// Whether this node is about to stop: it answers, but balancers should go elsewhere.
    pub leaving: Arc<AtomicBool>,
}

/// Why the application cannot be opened, as a sentence for the operator.
#[derive(Debug)]
pub struct NotOpened(pub String);

impl std::fmt::Display for NotOpened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotOpened {}

impl App {
    /// Opens an installation: connects, migrates, unseals, and reads clients and keys. A new
    /// database is set up when `root` fits nothing else: its vault and signing keys are made.
    ///
    /// # Errors
    /// [`NotOpened`], naming setting and remedy.
    pub async fn open(
        config: Config,
        root: &RootKey,
        clock: Clock,
    ) -> Result<Arc<Self>, NotOpened> {
        let outbound = Outbound::new(&config.outbound).map_err(NotOpened)?;
        let mail = config.mail.as_ref();
        let mailer = mail.map(|mail| Mailer::open(mail, config.issuer.host()));
        let mailer = mailer.transpose().map_err(NotOpened)?;
        let trust = Trust::open(config.mtls.as_ref()).map_err(NotOpened)?;
        let store = connect(&config.database).await?;
        let explain = |what: &'static str| {
            move |fault: Fault| {
                let remedy = damage(&fault).unwrap_or_default();
                NotOpened(format!("database.url: {what}: {fault}{remedy}"))
            }
        };
        store
            .migrate()
            .await
            .map_err(explain("the schema cannot be brought up to date"))?;
        let vault =
            flows::install::vault(&store, root, &clock)
                .await
                .map_err(|fault| match fault {
                    // Its sentence names the setting that it is about, and that is another.
                    Fault::Unreadable(why) if why.starts_with("vault.") => NotOpened(why),
                    fault => explain("the vault cannot be opened")(fault),
                })?;
        let vault = Arc::new(vault);
        store.unseal(Arc::clone(&vault));
        flows::install::check_issuer(&store, config.issuer.as_str())
            .await
            .map_err(explain("the installation cannot be read"))??;
        let not_started = |fault: Fault| NotOpened(fault.to_string());
        let hasher = Hasher::start(config.people.argon2).map_err(not_started)?;
        let signers =
            Workers::start("RSA signing", 2, 256, Urgency::Normal).map_err(not_started)?;
        let app = Self {
            registry: Registry::default(),
            keys: KeyRing::default(),
            limits: Limits::new(&config.limits),
            refusals: Refusals::default(),
            first_uses: FirstUses::default(),
            cleaned: Cleaned::default(),
            follower: Follower::default(),
            readiness: Readiness::default(),
            exports: Arc::new(Semaphore::new(1)),
            own_authorizations: Remembered::default(),
            leaving: Arc::default(),
            trust,
            client_keys: ClientKeys::default(),
            provider: Provider::default(),
            outbound: Arc::new(outbound),
            mailer,
            config,
            store,
            vault,
            clock,
            hasher,
            signers,
        };
        flows::rotate_keys::ensure(&app, &flows::rotate_keys::ALWAYS)
            .await
            .map_err(explain("the signing keys cannot be made"))?;
        flows::follow::load(&app)
            .await
            .map_err(explain("clients and keys cannot be read"))?;
        // A restore withdraws every key, those of clients that chose another algorithm too.
        flows::clients::provide_keys(&app)
            .await
            .map_err(explain("the signing keys cannot be made"))?;
        Ok(Arc::new(app))
    }
}

async fn connect(database: &Database) -> Result<Store, NotOpened> {
    let location = match database {
        Database::Sqlite(path) => Location::Sqlite(path),
        Database::Postgres(url) => Location::Postgres(url.expose()),
    };
    Store::connect(location).await.map_err(|fault| {
        let hint = match (&fault, database) {
            (fault, Database::Sqlite(_)) if damage(fault).is_some() => {
                damage(fault).unwrap_or_default()
            }
            (Fault::Busy(_) | Fault::Unreachable(_), _) => "",
            (_, Database::Sqlite(_)) => "; check that its folder exists and can be written",
            (_, Database::Postgres(_)) => "; check that the server runs and the URL is right",
        };
        NotOpened(format!("database.url: {fault}{hint}"))
    })
}

/// What to do about a database file that is damaged, when it is.
fn damage(fault: &Fault) -> Option<&'static str> {
    let Fault::Storage(error) = fault else {
        return None;
    };
    let text = error.to_string();
    // SQLITE_CORRUPT and SQLITE_NOTADB, in SQLite's words.
    let damaged = text.contains("malformed") || text.contains("is not a database");
    damaged.then_some(
        "; the file is damaged or is something else: keep it for later, and put the newest backup \
         in its place with `countersign restore`",
    )
}

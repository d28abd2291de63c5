//! A migrated database with its vault and signing keys, made once a process for each engine. What
//! differs from test to test, the issuer, is taken out of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::{self, Config};
use countersign::vault::RootKey;
use rules::time::Timestamp;
use sqlx::{ConnectOptions as _, Connection as _};

use super::postgres::Cluster;

/// When every test begins: 2026-06-01T12:00:00Z.
pub const START: Timestamp = Timestamp::from_secs(1_780_315_200);

/// The root key of every database of this process.
pub static ROOT: LazyLock<RootKey> = LazyLock::new(|| RootKey::generate().unwrap());

static SQLITE: LazyLock<Vec<u8>> = LazyLock::new(make_sqlite);
static POSTGRES: LazyLock<&'static str> = LazyLock::new(make_postgres);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory for one test; it goes away with the value. In memory where the machine has such a
/// place, because every commit waits for the disk.
pub struct Directory(PathBuf);

impl Directory {
    /// A new one.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let path = base.join(format!("countersign-it-{}-{}", std::process::id(), next()));
        // A process of the same number that left something behind can only be dead.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Connections close on threads of their own, and remove files while they are removed here.
        for _ in 0..40 {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Puts a copy of the `SQLite` template into the directory; returns `database.url`.
pub fn sqlite(directory: &Directory) -> String {
    let path = directory.path().join("countersign.db");
    fs::write(&path, &*SQLITE).unwrap();
    format!("sqlite:{}", path.display())
}

/// Clones the `PostgreSQL` template; returns the clone's name and `database.url`.
pub fn postgres() -> (String, String) {
    let template = *POSTGRES;
    let name = format!("test_{}", next());
    let url = Cluster::shared().create_database(&name, Some(template));
    (name, url)
}

/// A `PostgreSQL` database in which nothing is; its `database.url`.
pub fn empty_postgres() -> String {
    Cluster::shared().create_database(&format!("test_{}", next()), None)
}

/// The configuration of a server under test.
pub fn config(issuer: &str, database_url: &str, directory: &Path) -> Config {
    file(issuer, database_url, directory).check().unwrap()
}

/// The same, as written.
pub fn file(issuer: &str, database_url: &str, directory: &Path) -> config::File {
    config::File {
        issuer: issuer.to_owned(),
        server: config::ServerFile::default(),
        tls: config::TlsFile::default(),
        proxy: config::ProxyFile::default(),
        database: config::DatabaseFile {
            url: database_url.to_owned(),
            prepared_statements: true,
        },
        vault: config::VaultFile {
            root_key_file: directory.join("root.key"),
            root_key_credential: String::new(),
        },
        institution: config::InstitutionFile {
            name: "Test Bank".to_owned(),
            ..Default::default()
        },
        people: config::PeopleFile {
            argon2_memory_kib: 64,
            argon2_passes: 1,
            hashing_threads: 1,
            ..Default::default()
        },
        lifetimes: config::LifetimesFile::default(),
        // The clock stands still and all come from one address: what tests do is no flood.
        passkeys: config::PasskeysFile::default(),
        limits: config::LimitsFile::all("1000000/min"),
        log: config::LogFile::default(),
        dpop: config::DpopFile::default(),
        authorization_details: Vec::new(),
        mail: config::MailFile::default(),
        recovery: config::RecoveryFile::default(),
        upstream: config::UpstreamFile::default(),
        mtls: config::MtlsFile::default(),
        hook: config::HookFile::default(),
        outbound: config::OutboundFile {
            // Receivers of the tests listen there.
            allow: vec!["127.0.0.1".to_owned()],
            timeout_seconds: 2,
            ..Default::default()
        },
    }
}

fn next() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn make_sqlite() -> Vec<u8> {
    let directory = Directory::new();
    let path = directory.path().join("template.db");
    let url = format!("sqlite:{}", path.display());
    install(&url, directory.path(), Some(path.clone()));
    fs::read(&path).unwrap()
}

fn make_postgres() -> &'static str {
    let cluster = Cluster::shared();
    let directory = Directory::new();
    let url = cluster.create_database("template_it", None);
    install(&url, directory.path(), None);
    cluster.execute("template_it", "DELETE FROM meta WHERE name = 'issuer'");
    "template_it"
}

/// Sets a database up as the server does at its first start; on a runtime of its own, which takes
/// every connection with it when it ends.
fn install(url: &str, directory: &Path, sqlite: Option<PathBuf>) {
    let config = config("http://localhost:1", url, directory);
    let work = async move {
        let app = App::open(config, &ROOT, Clock::manual(START))
            .await
            .unwrap();
        app.store.close().await;
        drop(app);
        if let Some(path) = sqlite {
            forget_issuer(&path).await;
        }
    };
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work);
    });
    thread.join().unwrap();
}

async fn forget_issuer(path: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    for sql in [
        "DELETE FROM meta WHERE name = 'issuer'",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

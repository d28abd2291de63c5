//! A server under test: the whole application in this process, on a port that the system chose.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::{self, Config, LimitsFile};
use countersign::flows::Caller;
use countersign::http::{Front, Peer};
use countersign::server::tls::Tls;
use countersign::server::{self, Listener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::apps::{self, ClientApp, Spec};
use super::browser::Browser;
use super::certificates::{Algorithm, Authority};
use super::people::{self, Person};
use super::postgres::Held;
use super::template::{self, Directory};
use super::{Engine, Reply};

/// The API whose tokens are opaque.
pub const ACCOUNTS: &str = "https://api.bank.example/accounts";
/// The API whose tokens are JWTs.
pub const CARDS: &str = "https://api.bank.example/cards";

/// A running server, its database, and a clock that only tests move.
pub struct TestServer {
    /// The application itself; tests act through HTTP and look in here only to count.
    pub app: Arc<App>,
    /// Its issuer, `http://localhost:<port>`, or `https` when it speaks TLS.
    pub issuer: String,
    /// Its time.
    pub clock: Clock,
    /// An HTTP client that follows no redirects.
    pub http: reqwest::Client,
    /// The API behind [`ACCOUNTS`].
    pub accounts: ClientApp,
    /// The API behind [`CARDS`].
    pub cards: ClientApp,
    /// Its engine.
    pub engine: Engine,
    /// Where its files lie.
    pub directory: Directory,
    /// The name of its database, on `PostgreSQL`.
    pub database: Option<String>,
    file: config::File,
    config: Config,
    listener: TcpListener,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What a server left that stopped for good.
pub struct Left {
    /// Its issuer.
    pub issuer: String,
    /// `database.url`.
    pub url: String,
    /// Its time, in milliseconds.
    pub now: i64,
    /// Its engine.
    pub engine: Engine,
    /// The name of its database, on `PostgreSQL`.
    pub database: Option<String>,
    /// Where its files lie, the root key among them; gone with the value.
    pub directory: Directory,
}

impl TestServer {
    /// Starts one on a fresh database, with two APIs registered.
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, |_| ()).await
    }

    /// Starts one by the machine's clock, as programs of others see the time.
    pub async fn start_now(engine: Engine) -> Self {
        Self::start_at(engine, Clock::system(), |_| ()).await
    }

    /// Starts one by the machine's clock, with other settings.
    pub async fn start_now_with(engine: Engine, change: impl FnOnce(&mut config::File)) -> Self {
        Self::start_at(engine, Clock::system(), change).await
    }

    /// Starts one that speaks TLS itself, by the machine's clock; who certifies it is in
    /// [`Self::authority_file`].
    pub async fn start_over_tls(engine: Engine) -> Self {
        let authority = Authority::new();
        let mut server = Self::start_now_with(engine, |file| {
            let folder = file.vault.root_key_file.parent().unwrap();
            let files = authority.issue(folder, "localhost", Algorithm::Rsa, 2199);
            file.issuer = file.issuer.replace("http:", "https:");
            file.tls.certificate_file = Some(files.certificate);
            file.tls.key_file = Some(files.key);
        })
        .await;
        std::fs::write(server.authority_file(), authority.pem()).unwrap();
        server.http = authority.http().build().unwrap();
        server
    }

    /// The file of who certifies it, when it speaks TLS.
    pub fn authority_file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// Starts one whose limits are all one rate; what the harness itself asks is spread.
    pub async fn limited(engine: Engine, rate: &str) -> Self {
        Self::start_with(engine, |file| file.limits = LimitsFile::all(rate)).await
    }

    /// Starts one with other settings.
    pub async fn start_with(engine: Engine, change: impl FnOnce(&mut config::File)) -> Self {
        Self::start_at(engine, Clock::manual(template::START), change).await
    }

    async fn start_at(
        engine: Engine,
        clock: Clock,
        change: impl FnOnce(&mut config::File),
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = format!("http://localhost:{port}");
        let directory = Directory::new();
        let (database, url) = match engine {
            Engine::Sqlite => (None, template::sqlite(&directory)),
            Engine::Postgres => {
                let (name, url) = template::postgres();
                (Some(name), url)
            }
        };
        let mut file = template::file(&issuer, &url, directory.path());
        change(&mut file);
        let config = file.clone().check().unwrap();
        let app = App::open(config.clone(), &template::ROOT, clock.clone())
            .await
            .unwrap();
        let mut server = Self {
            http: http_client(port),
            accounts: apps::api(&app, "accounts-api").await,
            cards: apps::api(&app, "cards-api").await,
            app,
            issuer: file.issuer.clone(),
            clock,
            engine,
            directory,
            database,
            file,
            config,
            listener,
            running: None,
        };
        apps::resources(&server.app).await;
        server.serve();
        server
    }

    /// Another node of the same installation, at `127.0.0.<host>` and the same port: the same
    /// database, settings, issuer and clock.
    pub async fn node(&self, host: u8) -> Self {
        self.node_with(host, |_| ()).await
    }

    /// The same, with other settings.
    pub async fn node_with(&self, host: u8, change: impl FnOnce(&mut config::File)) -> Self {
        let address = Ipv4Addr::new(127, 0, 0, host);
        let listener = TcpListener::bind((address, self.port())).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut file = self.file.clone();
        change(&mut file);
        let config = file.clone().check().unwrap();
        let app = App::open(config.clone(), &template::ROOT, self.clock.clone())
            .await
            .unwrap();
        let mut node = Self {
            app,
            issuer: self.issuer.clone(),
            clock: self.clock.clone(),
            http: http_client_at(address, self.port()),
            accounts: self.accounts.clone(),
            cards: self.cards.clone(),
            engine: self.engine,
            directory: Directory::new(),
            database: self.database.clone(),
            file,
            config,
            listener,
            running: None,
        };
        node.serve();
        node
    }

    /// Its settings, as written.
    pub fn file(&self) -> &config::File {
        &self.file
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A column of what SQL gives, as text, from the file beside the server.
    pub async fn texts(&self, sql: &str, column: usize) -> Vec<String> {
        use sqlx::{Connection as _, Row as _};
        let path = self.directory.path().join("countersign.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut own = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let rows = sqlx::query(sql).fetch_all(&mut own).await.unwrap();
        rows.iter().map(|row| row.get(column)).collect()
    }

    /// One number of its database, read behind its back.
    pub async fn number(&self, sql: &str) -> i64 {
        use sqlx::{Connection as _, Row as _};
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Sqlite => {
                let path = self.directory.path().join("countersign.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let options = options.busy_timeout(Duration::from_secs(10));
                let mut own = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .unwrap();
                sqlx::query(sql).fetch_one(&mut own).await.unwrap().get(0)
            }
            Engine::Postgres => {
                let mut own = sqlx::PgConnection::connect(&self.file.database.url)
                    .await
                    .unwrap();
                sqlx::query(sql).fetch_one(&mut own).await.unwrap().get(0)
            }
        }
    }

    /// Runs SQL behind its back.
    pub async fn behind(&self, sql: &str) {
        use sqlx::Connection as _;
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Sqlite => {
                let path = self.directory.path().join("countersign.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let options = options.busy_timeout(Duration::from_secs(10));
                let mut own = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .unwrap();
                sqlx::raw_sql(sql).execute(&mut own).await.unwrap();
            }
            Engine::Postgres => {
                let mut own = sqlx::PgConnection::connect(&self.file.database.url)
                    .await
                    .unwrap();
                sqlx::raw_sql(sql).execute(&mut own).await.unwrap();
            }
        }
    }

    /// Holds a lock of its `PostgreSQL` behind its back.
    pub async fn hold(&self, sql: &str) -> Held {
        Held::begin(&self.file.database.url, sql).await
    }

    /// Where a path of it lies.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Its time, in whole seconds.
    pub fn now(&self) -> i64 {
        self.clock.now().secs()
    }

    /// Moves its clock.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Registers a client.
    pub async fn register(&self, spec: Spec) -> ClientApp {
        apps::register(&self.app, spec).await
    }

    /// A new browser, without a cookie.
    pub fn browser(&self) -> Browser {
        Browser::new(self.http.clone(), &self.issuer)
    }

    /// Invites a person and activates her through the pages.
    pub async fn person(&self, username: &str) -> Person {
        people::activate(self, username).await
    }

    /// GETs a path as no browser and no client.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::of(self.http.get(self.at(path))).await
    }

    /// The same server, started anew with other limits; what was counted is forgotten.
    pub async fn again_with(self, change: impl FnOnce(&mut LimitsFile)) -> Self {
        self.changed(|file| change(&mut file.limits)).await
    }

    /// The same server, started anew with other settings.
    pub async fn changed(mut self, change: impl FnOnce(&mut config::File)) -> Self {
        change(&mut self.file);
        self.config = self.file.clone().check().unwrap();
        self.restart().await
    }

    /// Stops without any farewell to the database, and opens the application anew on it.
    pub async fn restart(self) -> Self {
        self.stopped(false, async |_| ()).await.0
    }

    /// Stops properly, does something with nobody at the database, and opens the application anew.
    pub async fn restart_after<T>(self, between: impl AsyncFnOnce(&Config) -> T) -> (Self, T) {
        self.stopped(true, between).await
    }

    /// Stops for good, and leaves database and folder to whoever serves them next.
    pub async fn leave(mut self) -> Left {
        if let Some((stop, done)) = self.running.take() {
            self.http = http_client(self.port());
            let _ = stop.send(());
            done.await.unwrap();
        }
        let Self {
            app,
            issuer,
            clock,
            engine,
            directory,
            database,
            file,
            ..
        } = self;
        let old = Arc::downgrade(&app);
        app.store.close().await;
        drop(app);
        for _ in 0..500 {
            if old.strong_count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(old.strong_count(), 0, "something holds the application");
        template::ROOT
            .write_new(&directory.path().join("root.key"))
            .unwrap();
        Left {
            issuer,
            url: file.database.url,
            now: clock.now().millis(),
            engine,
            database,
            directory,
        }
    }

    async fn stopped<T>(
        mut self,
        farewell: bool,
        between: impl AsyncFnOnce(&Config) -> T,
    ) -> (Self, T) {
        if let Some((stop, done)) = self.running.take() {
            // Idle connections of the pool would keep the old application alive.
            self.http = http_client(self.port());
            let _ = stop.send(());
            done.await.unwrap();
        }
        let Self { app, config, .. } = self;
        let old = Arc::downgrade(&app);
        if farewell {
            app.store.close().await;
        }
        drop(app);
        // An SQLite file serves one server: the old one must be gone.
        for _ in 0..500 {
            if old.strong_count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(
            old.strong_count(),
            0,
            "something still holds the old application"
        );
        // Nobody may ask for it any more, and yet its last part be on its way out on another thread.
        let lock = self.directory.path().join("countersign.db.lock");
        while std::fs::File::open(&lock).is_ok_and(|lock| lock.try_lock().is_err()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let done = between(&config).await;
        let app = App::open(config.clone(), &template::ROOT, self.clock.clone())
            .await
            .unwrap();
        let mut server = Self {
            app,
            config,
            ..self
        };
        server.serve();
        (server, done)
    }

    /// The port of every node of the installation.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    fn serve(&mut self) {
        let listener =
            tokio::net::TcpListener::from_std(self.listener.try_clone().unwrap()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let tls = Tls::open(&self.config, self.clock.now()).unwrap();
        let done = if tls.is_some() {
            let listener = Listener {
                tls,
                ..Listener::from(listener)
            };
            let run = server::run(Arc::clone(&self.app), listener, stopped);
            tokio::spawn(async move { run.await.unwrap() })
        } else {
            let peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let front = Front::new(Arc::clone(&self.app));
            let service = axum::Router::new()
                .fallback(move |request: axum::extract::Request| front.answer(request))
                .layer(axum::Extension(peer));
            let serve = axum::serve(listener, service).with_graceful_shutdown(stopped);
            tokio::spawn(async move { serve.await.unwrap() })
        };
        self.running = Some((stop, done));
    }
}

/// Nobody in particular, as flows want to know.
pub fn caller() -> Caller {
    Caller::default()
}

fn http_client(port: u16) -> reqwest::Client {
    http_client_at(Ipv4Addr::LOCALHOST, port)
}

fn http_client_at(address: Ipv4Addr, port: u16) -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // Nothing here speaks TLS: no certificates need to be read.
        .tls_certs_only([])
        .resolve("localhost", SocketAddr::from((address, port)))
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

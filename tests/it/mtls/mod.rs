//! Clients with certificates (RFC 8705), handed on by a proxy (RFC 9440) and at a listener of their
//! own.

mod bound;
mod check;
mod hosts;
mod listener;
mod proxy;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use countersign::config;
use countersign::flows::clients::{self, NewAuth, NewClient};
use countersign::server::tls::Tls;
use countersign::server::{self, Listener};
use rules::jose::JwkSet;
use rules::protocol::client::CertificateSubject;
use rules::protocol::{GrantType, Metadata, Profile, Scopes};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::certificates::{Algorithm, Authority};
use crate::support::client_certificates::{Certified, ClientAuthority};
use crate::support::server::caller;
use crate::support::template::Directory;
use crate::support::{Engine, Reply, TestServer};

/// The bank's partners, and what it knows of them.
pub struct Partners {
    pub authority: ClientAuthority,
    folder: PathBuf,
    /// The folder, when it is theirs alone.
    directory: Option<Directory>,
}

impl Partners {
    /// An authority with an empty list of revocations, in files below `folder`.
    fn new(folder: &std::path::Path) -> Self {
        let partners = Self {
            authority: ClientAuthority::new(),
            folder: folder.to_owned(),
            directory: None,
        };
        std::fs::write(partners.authorities(), &partners.authority.pem).unwrap();
        partners.revoke(&[]);
        partners
    }

    fn authorities(&self) -> PathBuf {
        self.folder.join("partners-ca.pem")
    }

    fn list(&self) -> PathBuf {
        self.folder.join("partners-crl.pem")
    }

    fn revoke(&self, revoked: &[&Certified]) {
        std::fs::write(self.list(), self.authority.list(revoked, 2030)).unwrap();
    }

    /// What is set of them.
    fn settings(&self) -> config::MtlsFile {
        config::MtlsFile {
            authorities_file: Some(self.authorities()),
            revocation_files: vec![self.list()],
            ..config::MtlsFile::default()
        }
    }
}

pub fn subject(text: &str) -> NewAuth {
    NewAuth::Certificate(CertificateSubject::parse(text).unwrap(), JwkSet::default())
}

/// A client that acts for itself.
fn new(id: &str, auth: NewAuth, metadata: Metadata) -> NewClient {
    NewClient {
        id: Some(id.to_owned()),
        name: id.to_owned(),
        auth,
        redirect_uris: vec![],
        grant_types: vec![GrantType::ClientCredentials],
        scopes: Scopes::from_iter(["accounts:read"]),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata,
    }
}

/// Registers one.
async fn register(app: &countersign::app::App, id: &str, auth: NewAuth, metadata: Metadata) {
    let new = new(id, auth, metadata);
    clients::register(app, new, &caller()).await.unwrap();
}

const ASK: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

/// A server behind a proxy on this machine that ends TLS, and its partners.
async fn behind_a_proxy(engine: Engine) -> (TestServer, Partners) {
    let folder = Directory::new();
    let mut partners = Partners::new(folder.path());
    let mut settings = partners.settings();
    let server = TestServer::start_with(engine, move |file| {
        file.proxy.peers = vec!["127.0.0.1".to_owned()];
        settings.from_proxy = true;
        settings.url = Some(file.issuer.clone());
        file.mtls = settings;
    })
    .await;
    partners.directory = Some(folder);
    (server, partners)
}

/// Asks for a token in a client's name, with what the proxy says of its certificate.
async fn ask(server: &TestServer, id: &str, certificate: Option<&Certified>) -> Reply {
    let mut request = server.http.post(server.at("/token"));
    if let Some(certificate) = certificate {
        request = request.header("client-cert", certificate.header());
    }
    let form = [ASK[0], ASK[1], ("client_id", id)];
    Reply::of(request.form(&form)).await
}

/// A server, and beside it the listener that asks for certificates, with real handshakes.
pub struct Asking {
    pub server: TestServer,
    pub partners: Partners,
    /// Where certificates are presented.
    pub url: String,
    /// Who vouches for the listener.
    authority: Authority,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

impl Asking {
    /// By a clock of the tests' own.
    async fn start(engine: Engine) -> Self {
        Self::start_by(async |change| TestServer::start_with(engine, change).await).await
    }

    /// By the machine's clock, as programs of others see the time.
    pub async fn start_now(engine: Engine) -> Self {
        Self::start_by(async |change| TestServer::start_now_with(engine, change).await).await
    }

    async fn start_by(
        start: impl AsyncFnOnce(Box<dyn FnOnce(&mut config::File) + Send>) -> TestServer,
    ) -> Self {
        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let (nobodys, asking) = (bind().await.unwrap(), bind().await.unwrap());
        let address = asking.local_addr().unwrap();
        let folder = Directory::new();
        let mut partners = Partners::new(folder.path());
        let authority = Authority::new();
        let files = authority.issue(folder.path(), "localhost", Algorithm::Rsa, 2040);
        let mut settings = partners.settings();
        partners.directory = Some(folder);
        settings.listen = Some(address.to_string());
        settings.certificate_file = Some(files.certificate);
        settings.key_file = Some(files.key);
        let server = start(Box::new(move |file| file.mtls = settings)).await;
        let config = server.config();
        let tls = Tls::open_asking(config, server.clock.now())
            .unwrap()
            .unwrap();
        let listener = Listener {
            mtls: Some((asking, tls)),
            ..Listener::from(nobodys)
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        Self {
            url: config.mtls.as_ref().unwrap().url.as_str().to_owned(),
            done: tokio::spawn(server::run(Arc::clone(&server.app), listener, stopped)),
            server,
            partners,
            authority,
            stop,
        }
    }

    /// The file of the authority that vouches for the listener.
    pub fn authority_file(&self) -> PathBuf {
        let file = self.server.directory.path().join("listener-ca.pem");
        std::fs::write(&file, self.authority.pem()).unwrap();
        file
    }

    /// What speaks TLS to it, with a certificate or without.
    pub fn http(&self, certificate: Option<&Certified>) -> reqwest::Client {
        let mut client = self.authority.http();
        if let Some(certificate) = certificate {
            let identity = reqwest::Identity::from_pem(certificate.pem().as_bytes()).unwrap();
            client = client.identity(identity);
        }
        client.build().unwrap()
    }

    /// POSTs a form over a connection with this certificate.
    async fn post(&self, with: Option<&Certified>, path: &str, form: &[(&str, &str)]) -> Reply {
        let request = self.http(with).post(format!("{}{path}", self.url));
        Reply::of(request.form(form)).await
    }

    /// Ends the listener.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.done.await.unwrap().unwrap();
    }
}

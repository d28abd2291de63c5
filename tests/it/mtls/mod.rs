//! Clients with certificates (RFC 8705), handed on by a proxy (RFC 9440) and at a listener of their
//! own.

mod hosts;
mod listener;
mod proxy;
mod trust;

use std::path::PathBuf;

use countersign::config;
use countersign::flows::clients::{self, NewAuth, NewClient};
use rules::protocol::client::CertificateSubject;
use rules::protocol::{GrantType, Metadata, Profile, Scopes};

use crate::support::client_certificates::{Certified, ClientAuthority};
use crate::support::server::caller;
use crate::support::template::Directory;
use crate::support::{Engine, Reply, TestServer};

/// The bank's partners, and what it knows of them.
struct Partners {
    authority: ClientAuthority,
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

fn subject(text: &str) -> NewAuth {
    NewAuth::Certificate(CertificateSubject::parse(text).unwrap())
}

/// Registers a client that acts for itself.
async fn register(app: &countersign::app::App, id: &str, auth: NewAuth, metadata: Metadata) {
    let new = NewClient {
        id: Some(id.to_owned()),
        name: id.to_owned(),
        auth,
        redirect_uris: vec![],
        grant_types: vec![GrantType::ClientCredentials],
        scopes: Scopes::from_iter(["accounts:read"]),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata,
    };
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

//! The listener that asks for certificates, with real handshakes.

use std::sync::Arc;

use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::server::tls::Tls;
use countersign::server::{self, Listener};
use rules::protocol::Metadata;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{ASK, Partners, register, subject};
use crate::support::Reply;
use crate::support::apps;
use crate::support::certificates::{Algorithm, Authority};
use crate::support::client_certificates::{Certified, ClientAuthority};
use crate::support::template::{self, Directory};

struct Running {
    app: Arc<App>,
    authority: Authority,
    partners: Partners,
    mtls: String,
    _directory: Directory,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start() -> Self {
        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let (tcp, asking) = (bind().await.unwrap(), bind().await.unwrap());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let directory = Directory::new();
        let authority = Authority::new();
        let partners = Partners::new(directory.path());
        let issuer = format!("https://localhost:{}", port(&tcp));
        let mut file = template::file(&issuer, &template::sqlite(&directory), directory.path());
        let files = authority.issue(directory.path(), "localhost", Algorithm::Rsa, 2027);
        file.tls.certificate_file = Some(files.certificate);
        file.tls.key_file = Some(files.key);
        file.mtls = partners.settings();
        file.mtls.listen = Some(asking.local_addr().unwrap().to_string());
        let mtls = format!("https://localhost:{}", port(&asking));
        let config: Config = file.check().unwrap();
        assert_eq!(config.mtls.as_ref().unwrap().url.as_str(), mtls);
        let clock = Clock::manual(template::START);
        let app = App::open(config, &template::ROOT, clock).await.unwrap();
        apps::api(&app, "accounts-api").await;
        apps::api(&app, "cards-api").await;
        apps::resources(&app).await;
        let now = app.clock.now();
        let listener = Listener {
            tcp,
            tls: Tls::open(&app.config, now).unwrap(),
            redirect: None,
            mtls: Some((asking, Tls::open_asking(&app.config, now).unwrap().unwrap())),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let done = tokio::spawn(server::run(Arc::clone(&app), listener, async move {
            let _ = stopped.await;
        }));
        Self {
            app,
            authority,
            partners,
            mtls,
            _directory: directory,
            stop,
            done,
        }
    }

    fn client(&self, certificate: Option<&Certified>) -> reqwest::Client {
        let mut client = self.authority.http();
        if let Some(certificate) = certificate {
            let identity = reqwest::Identity::from_pem(certificate.pem().as_bytes()).unwrap();
            client = client.identity(identity);
        }
        client.build().unwrap()
    }

    async fn ask(&self, certificate: Option<&Certified>) -> Reply {
        let form = [ASK[0], ASK[1], ("client_id", "budget")];
        let request = self
            .client(certificate)
            .post(format!("{}/token", self.mtls));
        Reply::of(request.form(&form)).await
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.done.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificate_of_the_handshake_authenticates_and_no_other() {
    let running = Running::start().await;
    let subject = subject("dns:budget.example");
    register(&running.app, "budget", subject, Metadata::default()).await;
    let own = running.partners.authority.certify("budget", 2027);
    running.ask(Some(&own)).await.ok();
    // The handshake takes any certificate, and none; the client is refused by name.
    let ledgers = running.partners.authority.certify("ledger", 2027);
    let strangers = ClientAuthority::new().certify("budget", 2027);
    let own_word = Certified::self_signed("budget", 2027);
    for wrong in [None, Some(&ledgers), Some(&strangers), Some(&own_word)] {
        running.ask(wrong).await.refused(401, "invalid_client");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_counts_only_where_it_is_asked_for() {
    let running = Running::start().await;
    let subject = subject("dns:budget.example");
    register(&running.app, "budget", subject, Metadata::default()).await;
    let own = running.partners.authority.certify("budget", 2027);
    let client = running.client(Some(&own));
    // The issuer's own listener asks for none, so that no browser asks a person for one.
    let form = [ASK[0], ASK[1], ("client_id", "budget")];
    let request = client
        .post(running.app.config.issuer.at("/token"))
        .form(&form);
    Reply::of(request).await.refused(401, "invalid_client");
    // A header is nobody's word there, whatever the handshake showed.
    let request = client.post(format!("{}/token", running.mtls)).form(&form);
    let request = request.header("client-cert", own.header());
    Reply::of(request).await.refused(400, "invalid_request");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_people_open_is_there() {
    let running = Running::start().await;
    for path in [
        "/",
        "/authorize",
        "/sign-in",
        "/.well-known/openid-configuration",
    ] {
        let request = running.client(None).get(format!("{}{path}", running.mtls));
        assert_eq!(Reply::of(request).await.status, 421, "{path}");
    }
    let discovery = running
        .app
        .config
        .issuer
        .at("/.well-known/openid-configuration");
    let told = Reply::of(running.client(None).get(discovery)).await.ok();
    let token = format!("{}/token", running.mtls);
    assert_eq!(told["mtls_endpoint_aliases"]["token_endpoint"], token);
    running.stop().await;
}

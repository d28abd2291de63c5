//! The listener as it is run: `server::run` on a port that the system chose.

mod health;
mod proxy;
mod systemd;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::{Config, ProxyFile, TlsFile};
use countersign::server::tls::Tls;
use countersign::server::{self, Listener};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::certificates::{Algorithm, Authority};
use crate::support::template::{self, Directory};

/// A server with its real listener.
pub struct Running {
    pub app: Arc<App>,
    pub authority: Authority,
    pub tls: Option<Arc<Tls>>,
    pub address: SocketAddr,
    pub redirect: Option<SocketAddr>,
    pub directory: Directory,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// With a certificate for its issuer, `https://localhost:<port>`.
    pub async fn over_tls(algorithm: Algorithm) -> Self {
        Self::start(Some(algorithm), ProxyFile::default()).await
    }

    /// Over plain HTTP, behind a proxy that speaks TLS.
    async fn behind(peers: &[&str], header: &str) -> Self {
        let proxy = ProxyFile {
            peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
            header: header.to_owned(),
        };
        Self::start(None, proxy).await
    }

    async fn start(algorithm: Option<Algorithm>, proxy: ProxyFile) -> Self {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let directory = Directory::new();
        let authority = Authority::new();
        let url = template::sqlite(&directory);
        let issuer = format!("https://localhost:{}", address.port());
        let mut config = template::config(&issuer, &url, directory.path());
        config.proxy = proxy.check().unwrap();
        if let Some(algorithm) = algorithm {
            let files = authority.issue(directory.path(), "localhost", algorithm, 2027);
            config.tls = settings(&files.certificate, &files.key);
        }
        let app = App::open(config, &template::ROOT, Clock::manual(template::START))
            .await
            .unwrap();
        let tls = Tls::open(&app.config, app.clock.now()).unwrap();
        let redirect = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let redirect_address = redirect.local_addr().unwrap();
        let listener = Listener {
            tcp,
            redirect: tls.is_some().then_some(redirect),
            tls: tls.clone(),
            mtls: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let done = tokio::spawn(server::run(Arc::clone(&app), listener, async move {
            let _ = stopped.await;
        }));
        Self {
            redirect: tls.is_some().then_some(redirect_address),
            app,
            authority,
            tls,
            address,
            directory,
            stop,
            done,
        }
    }

    fn at(&self, path: &str) -> String {
        self.app.config.issuer.at(path)
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.done.await.unwrap().unwrap();
    }
}

fn settings(
    certificate: &std::path::Path,
    key: &std::path::Path,
) -> Option<countersign::config::Tls> {
    let file = TlsFile {
        certificate_file: Some(certificate.to_owned()),
        key_file: Some(key.to_owned()),
        ..TlsFile::default()
    };
    let issuer = countersign::config::Issuer::parse("https://localhost").unwrap();
    file.check(&issuer).unwrap()
}

/// The settings of a server that is never started.
fn config(directory: &Directory) -> Config {
    let url = format!("sqlite:{}", directory.path().join("none.db").display());
    template::config("https://localhost:9400", &url, directory.path())
}

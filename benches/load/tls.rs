//! TLS 1.3 between the generator and whoever is measured, when it is asked for.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::Failed;

/// What every connection is made with, and the certificate and key of the other side, as PEM; none
/// without TLS.
static MADE: OnceLock<(TlsConnector, String, String)> = OnceLock::new();

/// A connection, whatever is below it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where a certificate and its key lie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Files {
    /// The certificate, which is its own authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Files {
    /// Writes both; from now on all connections of this process trust them, and nobody else.
    pub fn write(directory: &Path) -> Result<Self, Failed> {
        if MADE.get().is_none() {
            let _ = MADE.set(make()?);
        }
        let (_, certificate, key) = MADE.get().ok_or("TLS was not set up")?;
        let files = Self {
            certificate: directory.join("tls.pem"),
            key: directory.join("tls.key"),
        };
        fs::write(&files.certificate, certificate)?;
        let mut private = fs::OpenOptions::new();
        private.write(true).create(true).truncate(true).mode(0o600);
        private.open(&files.key)?.write_all(key.as_bytes())?;
        Ok(files)
    }

    /// The part of the server's settings that names them.
    pub fn settings(&self) -> String {
        format!(
            "[tls]\ncertificate_file = '{}'\nkey_file = '{}'\n\n",
            self.certificate.display(),
            self.key.display()
        )
    }

    /// What the ceiling takes connections with.
    pub fn acceptor(&self) -> Result<TlsAcceptor, Failed> {
        let chain = vec![CertificateDer::from_pem_file(&self.certificate)?];
        let key = PrivateKeyDer::from_pem_file(&self.key)?;
        let server = ServerConfig::builder_with_protocol_versions(&[&TLS13]);
        let server = server.with_no_client_auth().with_single_cert(chain, key)?;
        Ok(TlsAcceptor::from(Arc::new(server)))
    }
}

fn make() -> Result<(TlsConnector, String, String), Failed> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone())?;
    let client = ClientConfig::builder_with_protocol_versions(&[&TLS13]);
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    Ok((connector, certificate.pem(), key.serialize_pem()))
}

/// How addresses begin.
pub fn scheme() -> &'static str {
    if MADE.get().is_some() {
        "https"
    } else {
        "http"
    }
}

/// What cookies' names begin with.
pub fn cookies() -> &'static str {
    if MADE.get().is_some() { "__Host-" } else { "" }
}

/// Speaks as is agreed on a connection that was just made.
pub async fn on(stream: TcpStream, address: SocketAddr) -> Result<Box<dyn Stream>, Failed> {
    let Some((connector, ..)) = MADE.get() else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::from(address.ip());
    Ok(Box::new(connector.connect(name, stream).await?))
}

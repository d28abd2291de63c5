//! TLS on the listener: TLS 1.3 first, TLS 1.2 with nothing but ECDHE and AES-GCM (BCP 195, RFC 9325),
//! a post-quantum hybrid key exchange where the other side knows it, session tickets whose keys
//! rotate, and no early data, which could be replayed.
//!
//! The certificate is replaced while connections run: each handshake takes the one that is current
//! then, and a certificate that is not in order leaves the old one in place.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rules::time::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs::{Ticketer, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::certificate::ClientCertificate;
use crate::config;

/// How long before its end a certificate is called old.
pub const WARN_BEFORE: Duration = Duration::from_hours(24 * 30);

/// The protocols offered: HTTP/2 and HTTP/1.1 (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The section of the listener that asks clients for certificates.
const ASKING: &str = "mtls";

/// The certificate and key that the listener presents, and how they are replaced.
pub struct Tls {
    settings: config::Tls,
    /// The issuer's host.
    host: String,
    /// A certificate of another name is a mistake; behind a proxy it may be meant.
    strict: bool,
    /// Clients are asked for a certificate.
    asks: bool,
    current: RwLock<Arc<Loaded>>,
}

/// One certificate with its key, ready for handshakes.
struct Loaded {
    config: Arc<ServerConfig>,
    about: Certificate,
}

/// What is worth telling about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, as it says itself.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// It is not for the issuer's host.
    pub of_another_name: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.certificate())
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads certificate and key, and checks that they belong together, to the issuer's host, and
    /// to this day. `None` when the listener speaks plain HTTP.
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn open(config: &config::Config, now: Timestamp) -> Result<Option<Arc<Self>>, String> {
        let Some(settings) = config.tls.clone() else {
            return Ok(None);
        };
        let strict = !config.proxy.is_configured();
        let host = config.issuer.host().to_owned();
        Self::with(settings, host, strict, now).map(Some)
    }

    /// The same for the listener that asks clients for certificates; `None` when there is none.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn open_asking(
        config: &config::Config,
        now: Timestamp,
    ) -> Result<Option<Arc<Self>>, String> {
        let Some(mtls) = &config.mtls else {
            return Ok(None);
        };
        let Some(listener) = &mtls.listener else {
            return Ok(None);
        };
        let host = mtls.url.host().to_owned();
        Self::with(listener.tls.clone(), host, true, now).map(Some)
    }

    fn with(
        settings: config::Tls,
        host: String,
        strict: bool,
        now: Timestamp,
    ) -> Result<Arc<Self>, String> {
        let asks = settings.section == ASKING;
        let loaded = load(&settings, &host, strict, now)?;
        Ok(Arc::new(Self {
            settings,
            host,
            strict,
            asks,
            current: RwLock::new(Arc::new(loaded)),
        }))
    }

    /// Whether clients are asked for a certificate.
    pub(super) const fn asks_for_certificates(&self) -> bool {
        self.asks
    }

    /// Reads the files anew. Handshakes from now on present what they hold; connections that exist
    /// go on undisturbed.
    ///
    /// # Errors
    /// As [`Tls::open`]; the old certificate stays.
    pub fn reload(&self, now: Timestamp) -> Result<Certificate, String> {
        let loaded = load(&self.settings, &self.host, self.strict, now)?;
        let about = loaded.about.clone();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(about)
    }

    /// What is presented now.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.current().about.clone()
    }

    /// For one handshake.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current().config)
    }

    fn current(&self) -> Arc<Loaded> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Certificate {
    /// Whole days until it ends; negative when it ended.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.secs() - now.secs()).div_euclid(24 * 3600)
    }

    /// Logs what an operator should do something about.
    pub fn log(&self, now: Timestamp) {
        let days = self.days_left(now);
        let (subject, serial) = (self.subject.as_str(), self.serial.as_str());
        if days < 0 {
            tracing::error!(
                subject,
                serial,
                "the certificate is over: renew it, then reload"
            );
        } else if self.not_after.secs() - now.secs() < WARN_BEFORE.as_secs().cast_signed() {
            tracing::warn!(
                subject,
                serial,
                days,
                "the certificate ends soon: renew it, then reload"
            );
        }
        if self.of_another_name {
            tracing::warn!(
                subject,
                serial,
                "the certificate is not for the issuer's host"
            );
        }
    }
}

fn load(
    settings: &config::Tls,
    host: &str,
    strict: bool,
    now: Timestamp,
) -> Result<Loaded, String> {
    let section = settings.section;
    let chain = read_chain(settings)?;
    let about = examine(&chain, settings, host, now)?;
    if strict && about.of_another_name {
        return Err(format!(
            "{section}.certificate_file: {} is for {:?} and not for {host}, which the issuer names; browsers \
             would refuse it",
            settings.certificate_file.display(),
            about.subject,
        ));
    }
    let key = read_key(settings)?;
    let versions: &[&SupportedProtocolVersion] = if settings.tls12 {
        &[&version::TLS13, &version::TLS12]
    } else {
        &[&version::TLS13]
    };
    let unusable = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(_) => format!(
            "{section}.key_file: {} is not the key of {}; the two must belong together",
            settings.key_file.display(),
            settings.certificate_file.display(),
        ),
        error => format!(
            "{section}.key_file: {} cannot be used: {error}",
            settings.key_file.display()
        ),
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)
        .map_err(unusable)?;
    let asks = section == ASKING;
    let builder = if asks {
        builder.with_client_cert_verifier(Arc::new(AnyCertificate(provider())))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    config.ignore_client_order = true;
    if asks {
        // Each connection proves its key anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        // Sealed with keys that are made anew every six hours and kept for twelve.
        config.ticketer = Ticketer::new().map_err(unusable)?;
    }
    config.max_early_data_size = 0;
    Ok(Loaded {
        config: Arc::new(config),
        about,
    })
}

/// Takes any certificate, and none: that its key is held is checked, and nothing else. Whether it is
/// the one that a client registered is decided when the client is known.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let presented: Vec<_> = std::iter::once(end_entity)
            .chain(intermediates)
            .cloned()
            .collect();
        if ClientCertificate::read(&presented).is_none() {
            return Err(CertificateError::BadEncoding.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What this listener agrees to, in its order of preference.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

fn read_chain(settings: &config::Tls) -> Result<Vec<CertificateDer<'static>>, String> {
    let (section, path) = (settings.section, &settings.certificate_file);
    let shown = path.display();
    let pem = std::fs::read(path)
        .map_err(|error| format!("{section}.certificate_file: {shown} cannot be read: {error}"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(format!(
            "{section}.certificate_file: {shown} holds no certificate; it must be PEM, the server's own \
             certificate first and then those that certify it"
        )),
        Err(error) => Err(format!(
            "{section}.certificate_file: {shown} is damaged: {error}"
        )),
    }
}

fn examine(
    chain: &[CertificateDer<'static>],
    settings: &config::Tls,
    host: &str,
    now: Timestamp,
) -> Result<Certificate, String> {
    let (section, shown) = (settings.section, settings.certificate_file.display());
    let damaged =
        || format!("{section}.certificate_file: {shown} is damaged: it is no X.509 certificate");
    let own = chain.first().ok_or_else(damaged)?;
    let (_, parsed) = X509Certificate::from_der(own).map_err(|_| damaged())?;
    let not_before = Timestamp::from_secs(parsed.validity().not_before.timestamp());
    let not_after = Timestamp::from_secs(parsed.validity().not_after.timestamp());
    if now < not_before {
        return Err(format!(
            "{section}.certificate_file: {shown} is not valid before {}; check this machine's clock, or wait",
            parsed.validity().not_before
        ));
    }
    if now > not_after {
        return Err(format!(
            "{section}.certificate_file: {shown} ended on {}; renew it",
            parsed.validity().not_after
        ));
    }
    let name = ServerName::try_from(host)
        .map_err(|_| format!("issuer: {host} is no name that a certificate could be for"))?;
    let end_entity = ParsedCertificate::try_from(own).map_err(|_| damaged())?;
    Ok(Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        serial: parsed.raw_serial_as_string(),
        not_after,
        of_another_name: verify_server_name(&end_entity, &name).is_err(),
    })
}

fn read_key(settings: &config::Tls) -> Result<PrivateKeyDer<'static>, String> {
    let (section, path) = (settings.section, &settings.key_file);
    let shown = path.display();
    let unread = |error| format!("{section}.key_file: {shown} cannot be read: {error}");
    let mode = std::fs::metadata(path)
        .map_err(unread)?
        .permissions()
        .mode();
    // A group of its own may read it, as Debian's ssl-cert does.
    if mode & 0o037 != 0 {
        return Err(format!(
            "{section}.key_file: {shown} can be read by others (mode {:04o}); run `chmod 640 {shown}`, and \
             give it to a group of the server's account alone",
            mode & 0o7777
        ));
    }
    let pem = std::fs::read(path)
        .map(zeroize::Zeroizing::new)
        .map_err(unread)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        format!(
            "{section}.key_file: {shown} holds no private key that can be read ({error}); it must be PEM, \
             PKCS#8 (`BEGIN PRIVATE KEY`), not encrypted"
        )
    })
}

//! Whom the institution trusts to certify clients (RFC 8705 §2.1): authorities, and what they took
//! back (RFC 5280 §5). Files are looked at again once a minute, so that a fresh list of revocations
//! is heeded without a reload; one that is not in order leaves the old one in place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rules::time::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::certificate::ClientCertificate;
use crate::config::Mtls;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// The authorities and their lists of revocations; empty when none are set, and then nobody can
/// authenticate by `tls_client_auth`.
#[derive(Default)]
pub struct Trust(Option<Arc<Kept>>);

/// What the files said when they were read last.
struct Kept {
    files: Files,
    current: RwLock<Arc<dyn ClientCertVerifier>>,
    /// When those that are in use had been written; held while they are read anew.
    written: Mutex<Written>,
    looked_at: Mutex<Option<Timestamp>>,
}

struct Files {
    authorities: PathBuf,
    revocations: Vec<PathBuf>,
}

/// When each file was written; none for one that cannot be looked at.
type Written = Vec<Option<SystemTime>>;

/// Why a certificate is not trusted; for the log, and, in general words, for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted(pub String);

impl Trust {
    /// Reads what is set.
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn open(settings: Option<&Mtls>) -> Result<Self, String> {
        let Some((settings, authorities)) =
            settings.and_then(|set| Some((set, set.authorities_file.clone()?)))
        else {
            return Ok(Self::default());
        };
        let files = Files {
            authorities,
            revocations: settings.revocation_files.clone(),
        };
        let written = files.written();
        let current = files.load()?;
        Ok(Self(Some(Arc::new(Kept {
            files,
            current: RwLock::new(current),
            written: Mutex::new(written),
            looked_at: Mutex::default(),
        }))))
    }

    /// Whether an authority vouches for a certificate now, and no list takes it or one of those
    /// between them back. Whoever is the first in a minute waits for a look at the files.
    ///
    /// # Errors
    /// [`Untrusted`].
    pub async fn check(
        &self,
        certificate: &ClientCertificate,
        now: Timestamp,
    ) -> Result<(), Untrusted> {
        let Some(kept) = &self.0 else {
            return Err(Untrusted(
                "no authority is set (mtls.authorities_file)".to_owned(),
            ));
        };
        if kept.is_time_to_look(now) {
            let kept = Arc::clone(kept);
            // Disks may hang; and a look that began is finished, whoever hangs up.
            let _ = tokio::task::spawn_blocking(move || kept.look()).await;
        }
        let current = kept.current.read().unwrap_or_else(PoisonError::into_inner);
        let verifier = Arc::clone(&current);
        drop(current);
        let seconds = u64::try_from(now.secs()).unwrap_or_default();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier
            .verify_client_cert(certificate.der(), certificate.chain(), at)
            .map(|_| ())
            .map_err(|error| Untrusted(error.to_string()))
    }
}

impl Kept {
    /// Once in a while; at once when the clock was set back.
    fn is_time_to_look(&self, now: Timestamp) -> bool {
        let looked_at = self.looked_at.lock();
        let mut looked_at = looked_at.unwrap_or_else(PoisonError::into_inner);
        if looked_at.is_some_and(|at| at <= now && now.since(at) < LOOK_EVERY) {
            return false;
        }
        *looked_at = Some(now);
        true
    }

    /// Reads the files anew when one of them was written since. Those that cannot be used are tried
    /// again at the next look: what was wrong, such as permissions, may end without another writing.
    fn look(&self) {
        let mut in_use = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.files.written();
        if *in_use == written {
            return;
        }
        match self.files.load() {
            Ok(verifier) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = verifier;
                *in_use = written;
                tracing::info!("authorities and lists of revocations were read anew");
            }
            Err(why) => tracing::error!(why, "the old authorities and lists of revocations stay"),
        }
    }
}

impl Files {
    fn written(&self) -> Written {
        let all = std::iter::once(&self.authorities).chain(&self.revocations);
        all.map(|path| {
            std::fs::metadata(path)
                .and_then(|about| about.modified())
                .ok()
        })
        .collect()
    }

    fn load(&self) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let setting = "mtls.authorities_file";
        let mut roots = RootCertStore::empty();
        let pem = read(setting, &self.authorities)?;
        for one in CertificateDer::pem_slice_iter(&pem) {
            let added = one.map_err(|error| error.to_string());
            let added = added.and_then(|der| roots.add(der).map_err(|error| error.to_string()));
            added.map_err(|error| damaged(setting, &self.authorities, &error))?;
        }
        if roots.is_empty() {
            return Err(damaged(
                setting,
                &self.authorities,
                "it holds no certificate",
            ));
        }
        let mut lists = Vec::new();
        for path in &self.revocations {
            lists.push(revocations(path)?);
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let has_lists = !lists.is_empty();
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        if has_lists {
            // Each certificate below those in the file is looked up in its authority's list (RFC 5280
            // §6.3): whoever is on none is not revoked; one without a list, or with one that is over,
            // cannot be judged, and is refused.
            builder = builder.with_crls(lists).enforce_revocation_expiration();
        }
        builder
            .build()
            .map_err(|error| damaged(setting, &self.authorities, &error.to_string()))
    }
}

/// An authority, or a list of revocations, and until when it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The file that it stands in.
    pub file: PathBuf,
    /// The authority, as it calls itself.
    pub name: String,
    /// Whether it is a list.
    pub is_list: bool,
    /// Its end; none when it says none.
    pub at: Option<Timestamp>,
}

/// Until when what stands in the files is good.
///
/// # Errors
/// As [`Trust::open`].
pub fn endings(settings: &Mtls) -> Result<Vec<Ending>, String> {
    let Some(authorities) = &settings.authorities_file else {
        return Ok(Vec::new());
    };
    let setting = "mtls.authorities_file";
    let mut all = Vec::new();
    for one in CertificateDer::pem_slice_iter(&read(setting, authorities)?) {
        let unusable = |error: String| damaged(setting, authorities, &error);
        let der = one.map_err(|error| unusable(error.to_string()))?;
        let parsed = X509Certificate::from_der(&der);
        let (_, parsed) = parsed.map_err(|error| unusable(error.to_string()))?;
        all.push(Ending {
            file: authorities.clone(),
            name: parsed.subject().to_string(),
            is_list: false,
            at: Some(Timestamp::from_secs(
                parsed.validity().not_after.timestamp(),
            )),
        });
    }
    for path in &settings.revocation_files {
        let der = revocations(path)?;
        let parsed = CertificateRevocationList::from_der(&der);
        let (_, list) =
            parsed.map_err(|error| damaged("mtls.revocation_files", path, &error.to_string()))?;
        let next = list.next_update();
        all.push(Ending {
            file: path.clone(),
            name: list.issuer().to_string(),
            is_list: true,
            at: next.map(|at| Timestamp::from_secs(at.timestamp())),
        });
    }
    Ok(all)
}

/// A list in PEM or DER.
fn revocations(path: &Path) -> Result<CertificateRevocationListDer<'static>, String> {
    let setting = "mtls.revocation_files";
    let bytes = read(setting, path)?;
    if bytes.first() == Some(&0x30) {
        return Ok(CertificateRevocationListDer::from(bytes));
    }
    CertificateRevocationListDer::from_pem_slice(&bytes)
        .map_err(|error| damaged(setting, path, &format!("it holds no list: {error}")))
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path)
        .map_err(|error| format!("{setting}: {} cannot be read: {error}", path.display()))
}

fn damaged(setting: &str, path: &Path, why: &str) -> String {
    format!("{setting}: {} cannot be used: {why}", path.display())
}

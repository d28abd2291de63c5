//! `demo --tls`: a certificate authority that signs one certificate, for this machine's own name, and
//! is then forgotten: its key is never written, so that it can sign nothing else.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_RSA_SHA256, date_time_ymd,
};
use rules::time::Timestamp;

/// How long the certificate is good: browsers accept none that lasts longer.
const LIFETIME: Duration = Duration::from_hours(24 * 397);
/// One that ends sooner than this is made anew.
const LEFT: Duration = Duration::from_hours(24 * 7);

/// Where the demo's certificate lies.
#[derive(Clone, Debug)]
pub struct Files {
    /// Whoever trusts this one trusts the demo.
    pub authority: PathBuf,
    /// The server's own.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    made: PathBuf,
}

impl Files {
    /// Their places in the data folder.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            authority: data.join("ca.pem"),
            certificate: data.join("certificate.pem"),
            key: data.join("certificate.key"),
            made: data.join("certificate.until"),
        }
    }

    /// Makes what is missing or old.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn ensure(&self, now: Timestamp) -> Result<(), String> {
        let until = fs::read_to_string(&self.made).ok();
        let until = until.and_then(|text| text.trim().parse::<i64>().ok());
        let all = [&self.authority, &self.certificate, &self.key];
        if until.is_some_and(|until| until > now.plus(LEFT).secs())
            && all.iter().all(|path| path.exists())
        {
            return Ok(());
        }
        let until = now.plus(LIFETIME);
        let [authority, certificate, key] = make(now, until)
            .map_err(|error| format!("the demo's certificate cannot be made: {error}"))?;
        // The mark goes last: half of it is made again.
        let until = until.secs().to_string();
        for (path, text) in [
            (&self.authority, authority),
            (&self.certificate, certificate),
            (&self.key, key),
            (&self.made, until),
        ] {
            write(path, &text)
                .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Authority, certificate and key, in PEM.
fn make(now: Timestamp, until: Timestamp) -> Result<[String; 3], rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Countersign demo");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // Whoever trusts it trusts it for this machine's own name and for nothing else.
    authority.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("localhost".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    date(&mut authority, now, until);
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let mut own = CertificateParams::new(vec!["localhost".to_owned()])?;
    own.distinguished_name.push(DnType::CommonName, "localhost");
    own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    own.use_authority_key_identifier_extension = true;
    date(&mut own, now, until);
    // What the conformance suites' rules for TLS 1.2 take (RFC 9325 §4.2).
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let issuer = Issuer::new(authority, authority_key);
    let pem = own.signed_by(&key, &issuer)?.pem();
    Ok([authority_pem, pem, key.serialize_pem()])
}

/// Says from when and until when a certificate is good.
pub(super) fn date(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let since_1970 = |at: Timestamp| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(at.secs().max(0).cast_unsigned())
    };
    (params.not_before, params.not_after) = (since_1970(from), since_1970(until));
}

/// Replaces a file, which its owner alone may read.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

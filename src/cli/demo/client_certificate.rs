//! Certificates of the demo's clients: nobody vouches for them but their own keys, which are
//! registered (RFC 8705 §2.2).

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rules::jose::JwkSet;
use rules::time::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::certificate::{date, write};
use super::seed::private_jwks;

/// A certificate is made anew at each start, by the same key.
const LIFETIME: Duration = Duration::from_hours(24 * 397);
/// The clock of whoever checks it may be behind.
const BEFORE: Duration = Duration::from_hours(1);

/// Where a client's certificate and key lie, PEM, readable by their owner alone.
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Files {
    /// The places for a client of the demo's, from the root of the file system.
    pub fn of(data: &Path, client_id: &str) -> Self {
        let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        Self {
            certificate: data.join(format!("{client_id}.pem")),
            key: data.join(format!("{client_id}.key")),
        }
    }

    /// Makes the certificate, and the key when there is none; gives what is registered.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn ensure(&self, client_id: &str, now: Timestamp) -> Result<JwkSet, String> {
        let unusable = |why: String| format!("{} cannot be used: {why}", self.key.display());
        let key = match std::fs::read_to_string(&self.key) {
            Ok(pem) => KeyPair::from_pem(&pem).map_err(|error| unusable(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = KeyPair::generate().map_err(|error| unusable(error.to_string()))?;
                write(&self.key, &made.serialize_pem())
                    .map_err(|error| unusable(error.to_string()))?;
                made
            }
            Err(error) => return Err(unusable(error.to_string())),
        };
        let pem = certificate(&key, client_id, now).map_err(|error| unusable(error.to_string()))?;
        write(&self.certificate, &pem).map_err(|error| {
            format!("{} cannot be written: {error}", self.certificate.display())
        })?;
        public(&key).ok_or_else(|| unusable("it is no key on P-256".to_owned()))
    }
}

impl Files {
    /// The key as a JWK set, the private half included: the client signs requests with it too.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn private_jwks(&self) -> Result<Value, String> {
        let unusable = |why: String| format!("{} cannot be used: {why}", self.key.display());
        let pem =
            std::fs::read_to_string(&self.key).map_err(|error| unusable(error.to_string()))?;
        let key = KeyPair::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        let der = Zeroizing::new(key.serialize_der());
        private_jwks(&STANDARD.encode(&der)).map_err(unusable)
    }
}

fn certificate(key: &KeyPair, client_id: &str, now: Timestamp) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, client_id);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    date(&mut params, now.minus(BEFORE), now.plus(LIFETIME));
    Ok(params.self_signed(key)?.pem())
}

/// The public key as a client registers it: a point that is not compressed (SEC 1 §2.3.3).
fn public(key: &KeyPair) -> Option<JwkSet> {
    let (x, y) = key.der_bytes().strip_prefix(&[4])?.split_at_checked(32)?;
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": x, "y": y }] });
    JwkSet::from_json(keys.to_string().as_bytes()).ok()
}

//! Client certificates as partners present them, and lists of those that were taken back.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rules::jose::JwkSet;
use serde_json::json;

/// An authority for clients.
pub struct ClientAuthority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    /// The value of `Client-Cert-Chain` with its certificate alone (RFC 9440 §2.3).
    pub header: String,
    serial: SerialNumber,
}

/// A certificate and its key.
pub struct Certified {
    certificate: Certificate,
    key: KeyPair,
    serial: SerialNumber,
}

/// The names of all certificates for `who`: subject `CN=<who>,O=Pocket Budget AG,C=CH`.
fn params(who: &str, until: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    // The default has a common name already.
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "CH");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Pocket Budget AG");
    params.distinguished_name.push(DnType::CommonName, who);
    let host = format!("{who}.example");
    params.subject_alt_names = vec![
        SanType::DnsName(host.clone().try_into().unwrap()),
        SanType::URI(format!("https://{host}/client").try_into().unwrap()),
        SanType::Rfc822Name(format!("ops@{host}").try_into().unwrap()),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(until, 5, 31);
    params
}

fn serial(who: &str) -> SerialNumber {
    SerialNumber::from(
        who.bytes()
            .fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte))
            >> 1,
    )
}

impl ClientAuthority {
    pub fn new() -> Self {
        Self::named("Partners of the bank", None)
    }

    /// One that this one certified.
    pub fn below(&self) -> Self {
        Self::named("Partners of the bank, issuing", Some(self))
    }

    fn named(name: &str, above: Option<&Self>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let serial = serial(name);
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().unwrap();
        let certificate = match above {
            None => params.self_signed(&key),
            Some(above) => params.signed_by(&key, &above.issuer),
        };
        let certificate = certificate.unwrap();
        Self {
            issuer: Issuer::new(params, key),
            pem: certificate.pem(),
            header: format!(":{}:", STANDARD.encode(certificate.der())),
            serial,
        }
    }

    /// A certificate for `who`, good from 2025 to the end of May of `until`.
    pub fn certify(&self, who: &str, until: i32) -> Certified {
        let mut params = params(who, until);
        let serial = serial(&format!("{who}{until}"));
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified {
            certificate,
            key,
            serial,
        }
    }

    /// The list of those that were taken back, PEM; good to the end of May of `until`.
    pub fn list(&self, revoked: &[&Certified], until: i32) -> String {
        self.list_of(revoked.iter().map(|one| &one.serial), until)
    }

    /// A list that takes an authority back.
    pub fn list_with(&self, revoked: &Self) -> String {
        self.list_of([&revoked.serial].into_iter(), 2030)
    }

    fn list_of<'s>(&self, serials: impl Iterator<Item = &'s SerialNumber>, until: i32) -> String {
        let revoked = serials.map(|serial| RevokedCertParams {
            serial_number: serial.clone(),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(until, 5, 31),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

impl Certified {
    /// One that nobody but its own key vouches for.
    pub fn self_signed(who: &str, until: i32) -> Self {
        let mut params = params(who, until);
        let serial = serial(who);
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            key,
            serial,
        }
    }

    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The value of `Client-Cert` (RFC 9440 §2.2).
    pub fn header(&self) -> String {
        format!(":{}:", STANDARD.encode(self.der()))
    }

    /// Certificate and key, as an HTTP client wants them.
    pub fn pem(&self) -> String {
        self.certificate.pem() + self.key.serialize_pem().as_str()
    }

    /// Its public key, as a client registers it.
    pub fn jwks(&self) -> JwkSet {
        let point = self.key.der_bytes();
        let (x, y) = point.strip_prefix(&[4]).unwrap().split_at(32);
        let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]});
        JwkSet::from_json(keys.to_string().as_bytes()).unwrap()
    }
}

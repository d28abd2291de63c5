//! Client certificates: what is read of them, and what is compared.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::jose::JwkSet;
use rules::protocol::client::CertificateSubject;
use rules::time::Timestamp;
use rustls_pki_types::CertificateDer;

#[path = "../../../../src/certificate.rs"]
mod certificate;

fuzz_target!(|data: &[u8]| {
    let own = CertificateDer::from(data);
    let Some(read) = certificate::ClientCertificate::read(&[own.clone(), own]) else {
        return;
    };
    assert_eq!(read.der().as_ref(), data);
    assert_eq!(read.chain().len(), 1);
    assert!(!read.has_key_of(&JwkSet::default()));
    let _ = read.is_current(Timestamp::from_secs(1_800_000_000));
    for subject in ["dn:CN=a", "dns:a.example", "uri:https://a.example", "ip:192.0.2.7", "email:a@b"] {
        let subject = CertificateSubject::parse(subject).expect("a subject");
        let _ = read.is_for(&subject);
    }
});

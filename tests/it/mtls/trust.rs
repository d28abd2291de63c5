//! Whom the institution trusts to certify clients, and what was taken back on the way there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::config::MtlsFile;
use countersign::flows::clients::NewAuth;
use rules::protocol::Metadata;

use super::{ASK, behind_a_proxy, register, subject};
use crate::support::client_certificates::{Certified, ClientAuthority};
use crate::support::template::Directory;
use crate::support::{AuthRequest, Reply, Spec, TestServer};

on_both![
    a_certificate_below_an_authority_that_was_taken_back_is_refused,
    each_authority_on_the_way_needs_a_list,
    files_that_could_not_be_used_are_tried_again,
    a_point_of_another_curve_is_not_the_registered_key,
    a_refresh_token_without_its_certificate_is_told_what_is_missing,
];

/// Writes a file with an age of its own: a file system tells it in whole ticks.
fn write(path: &Path, text: &str, written: SystemTime) {
    fs::write(path, text).unwrap();
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(written).unwrap();
}

/// An authority, one below it that certifies, and their lists.
struct House {
    root: ClientAuthority,
    issuing: ClientAuthority,
    folder: Directory,
}

impl House {
    fn new() -> Self {
        let root = ClientAuthority::new();
        let house = Self {
            issuing: root.below(),
            root,
            folder: Directory::new(),
        };
        fs::write(house.at("ca.pem"), &house.root.pem).unwrap();
        fs::write(house.at("root.crl"), house.root.list(&[], 2030)).unwrap();
        fs::write(house.at("issuing.crl"), house.issuing.list(&[], 2030)).unwrap();
        house
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A second after a file was written.
    fn later(&self, name: &str) -> SystemTime {
        let about = fs::metadata(self.at(name)).unwrap();
        about.modified().unwrap() + Duration::from_secs(1)
    }

    /// A server behind a proxy that heeds these lists, with a client of the house.
    async fn server(&self, like: &TestServer, lists: &[&str]) -> TestServer {
        let mut settings = MtlsFile {
            authorities_file: Some(self.at("ca.pem")),
            revocation_files: lists.iter().map(|name| self.at(name)).collect(),
            from_proxy: true,
            ..MtlsFile::default()
        };
        let server = TestServer::start_with(like.engine, move |file| {
            file.proxy.peers = vec!["127.0.0.1".to_owned()];
            settings.url = Some(file.issuer.clone());
            file.mtls = settings;
        })
        .await;
        let of_subject = subject("dns:budget.example");
        register(&server.app, "budget", of_subject, Metadata::default()).await;
        server
    }

    async fn ask(&self, server: &TestServer, own: &Certified) -> Reply {
        let request = server.http.post(server.at("/token"));
        let request = request
            .header("client-cert", own.header())
            .header("client-cert-chain", &self.issuing.header);
        Reply::of(request.form(&[ASK[0], ASK[1], ("client_id", "budget")])).await
    }
}

async fn a_certificate_below_an_authority_that_was_taken_back_is_refused(server: TestServer) {
    let house = House::new();
    let own = house.issuing.certify("budget", 2027);
    let server = house.server(&server, &["root.crl", "issuing.crl"]).await;
    house.ask(&server, &own).await.ok();
    let later = house.later("root.crl");
    let list = house.root.list_with(&house.issuing);
    write(&house.at("root.crl"), &list, later);
    server.advance(60);
    let refused = house.ask(&server, &own).await;
    refused.refused(401, "invalid_client");
}

async fn each_authority_on_the_way_needs_a_list(server: TestServer) {
    let house = House::new();
    let own = house.issuing.certify("budget", 2027);
    for lists in [&["issuing.crl"], &["root.crl"]] {
        let server = house.server(&server, lists).await;
        let refused = house.ask(&server, &own).await;
        refused.refused(401, "invalid_client");
    }
    // Where no list is kept, none is needed.
    let server = house.server(&server, &[]).await;
    house.ask(&server, &own).await.ok();
}

async fn files_that_could_not_be_used_are_tried_again(server: TestServer) {
    let house = House::new();
    let own = house.issuing.certify("budget", 2027);
    let server = house.server(&server, &["root.crl", "issuing.crl"]).await;
    house.ask(&server, &own).await.ok();
    let later = house.later("issuing.crl");
    write(&house.at("issuing.crl"), "nonsense", later);
    server.advance(60);
    house.ask(&server, &own).await.ok();
    // The same age as when it could not be read: as after a change of its permissions.
    let list = house.issuing.list(&[&own], 2030);
    write(&house.at("issuing.crl"), &list, later);
    server.advance(59);
    house.ask(&server, &own).await.ok();
    server.advance(1);
    let refused = house.ask(&server, &own).await;
    refused.refused(401, "invalid_client");
}

/// Another curve by name, whose points would be as long.
async fn a_point_of_another_curve_is_not_the_registered_key(server: TestServer) {
    let (server, _partners) = behind_a_proxy(server.engine).await;
    let own = Certified::self_signed("budget", 2027);
    let auth = NewAuth::SelfSigned(own.jwks());
    register(&server.app, "budget", auth, Metadata::default()).await;
    let ask = |der: &[u8]| {
        let request = server.http.post(server.at("/token"));
        let request = request.header("client-cert", format!(":{}:", STANDARD.encode(der)));
        Reply::of(request.form(&[ASK[0], ASK[1], ("client_id", "budget")]))
    };
    ask(own.der()).await.ok();
    // 1.2.840.10045.3.1.7, and 1.2.840.10045.3.1.6.
    let (p256, other) = (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", 6);
    let mut changed = own.der().to_vec();
    let found = changed.windows(p256.len()).position(|part| part == p256);
    changed[found.unwrap() + p256.len() - 1] = other;
    ask(&changed).await.refused(401, "invalid_client");
}

async fn a_refresh_token_without_its_certificate_is_told_what_is_missing(server: TestServer) {
    let (server, _partners) = behind_a_proxy(server.engine).await;
    let mut spec = Spec::public("phone");
    spec.metadata.tls_client_certificate_bound_access_tokens = true;
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let (own, other) = ["phone", "thief"]
        .map(|who| Certified::self_signed(who, 2027))
        .into();
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let code = browser.walk(&server, &request, &ada).await.code();
    let ask = |form: &[(&str, &str)], certificate: Option<&Certified>| {
        let mut request = server.http.post(server.at("/token"));
        if let Some(certificate) = certificate {
            request = request.header("client-cert", certificate.header());
        }
        let mut form = form.to_vec();
        form.push(("client_id", "phone"));
        Reply::of(request.form(&form))
    };
    let tokens = ask(&request.redemption(&app, &code), Some(&own)).await.ok();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    for wrong in [None, Some(&other)] {
        let refused = ask(&form, wrong).await;
        refused.refused(400, "invalid_grant");
        let told = refused.text("error_description");
        assert!(
            told.contains("certificate") && !told.contains("DPoP"),
            "{told}"
        );
    }
    ask(&form, Some(&own)).await.ok();
}

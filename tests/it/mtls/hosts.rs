//! A proxy with two hosts: it asks for certificates at one, and at the other, the issuer's own, it
//! hands on whatever a caller writes.

use countersign::flows::clients::NewAuth;
use rules::protocol::Metadata;

use super::{ASK, Partners, register, subject};
use crate::support::client_certificates::Certified;
use crate::support::{Reply, Spec, TestServer};

on_both![
    a_certificate_that_is_written_at_the_issuers_own_host_is_nobodys,
    a_bound_token_is_of_no_use_with_a_certificate_written_there,
];

const MTLS: &str = "mtls.bank.example";

/// The two hosts before one server.
async fn two_hosts(like: TestServer) -> (TestServer, Partners) {
    let folder = crate::support::template::Directory::new();
    let mut partners = Partners::new(folder.path());
    let mut settings = partners.settings();
    let server = TestServer::start_with(like.engine, move |file| {
        file.proxy.peers = vec!["127.0.0.1".to_owned()];
        settings.from_proxy = true;
        settings.url = Some(format!("https://{MTLS}"));
        file.mtls = settings;
    })
    .await;
    partners.directory = Some(folder);
    (server, partners)
}

/// Asks for a token; at the issuer's own host when no other is named.
async fn ask(server: &TestServer, id: &str, own: &Certified, headers: &[(&str, &str)]) -> Reply {
    let mut request = server.http.post(server.at("/token"));
    request = request.header("client-cert", own.header());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.form(&[ASK[0], ASK[1], ("client_id", id)])).await
}

async fn a_certificate_that_is_written_at_the_issuers_own_host_is_nobodys(server: TestServer) {
    let (server, partners) = two_hosts(server).await;
    let certified = partners.authority.certify("budget", 2027);
    let signed = Certified::self_signed("ledger", 2027);
    let of_subject = subject("dns:budget.example");
    register(&server.app, "budget", of_subject, Metadata::default()).await;
    let of_key = NewAuth::SelfSigned(signed.jwks());
    register(&server.app, "ledger", of_key, Metadata::default()).await;
    for (id, own) in [("budget", &certified), ("ledger", &signed)] {
        for host in [MTLS, "MTLS.bank.example:443"] {
            ask(&server, id, own, &[("host", host)]).await.ok();
        }
        for more in [
            &[][..],
            &[("x-forwarded-host", MTLS)],
            &[("forwarded", "host=mtls.bank.example")],
            &[("host", "mtls.bank.example.evil.example")],
            &[("host", "mtls.bank.example:9443")],
        ] {
            let reply = ask(&server, id, own, more).await;
            assert_eq!(reply.status, 400, "{more:?}: {}", reply.body);
            reply.refused(400, "invalid_request");
        }
    }
    // Without the header the issuer's own host answers as ever.
    let app = server.register(Spec::confidential("app")).await;
    app.client_credentials(&server, "accounts:read").await.ok();
}

async fn a_bound_token_is_of_no_use_with_a_certificate_written_there(server: TestServer) {
    let (server, partners) = two_hosts(server).await;
    let own = partners.authority.certify("budget", 2027);
    let bound = Metadata {
        tls_client_certificate_bound_access_tokens: true,
        ..Metadata::default()
    };
    register(&server.app, "budget", subject("dns:budget.example"), bound).await;
    let token = ask(&server, "budget", &own, &[("host", MTLS)]).await.ok();
    let token = token["access_token"].as_str().unwrap();
    for (host, error) in [
        (None, "invalid_request"),
        (Some(MTLS), "insufficient_scope"),
    ] {
        let mut request = server.http.get(server.at("/userinfo")).bearer_auth(token);
        request = request.header("client-cert", own.header());
        if let Some(host) = host {
            request = request.header("host", host);
        }
        assert_eq!(Reply::of(request).await.error(), error, "{host:?}");
    }
}

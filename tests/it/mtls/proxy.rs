//! Certificates that a configured proxy hands on (RFC 9440), on both databases.

use countersign::config::MtlsFile;
use countersign::flows::clients::NewAuth;
use rules::protocol::Metadata;
use serde_json::{Value, json};

use super::{ASK, ask, behind_a_proxy, register, subject};
use crate::support::client_certificates::{Certified, ClientAuthority};
use crate::support::server::ACCOUNTS;
use crate::support::{Engine, Reply, Spec, TestServer};

on_both_engines![
    a_certificate_for_the_registered_subject_authenticates,
    each_kind_of_subject_is_compared_as_it_is,
    no_certificate_another_clients_or_a_strangers_is_refused,
    an_expired_certificate_is_refused,
    a_revoked_certificate_is_refused_within_a_minute,
    a_list_of_revocations_that_is_over_lets_nobody_in,
    a_self_signed_certificate_is_known_by_its_key,
    a_certificate_is_no_way_in_for_a_client_with_a_secret,
    a_header_of_a_stranger_is_an_error,
    a_header_that_cannot_be_read_is_an_error,
    discovery_tells_where_certificates_are_presented,
    tokens_are_bound_to_the_certificate,
    a_bound_token_is_of_no_use_without_its_certificate,
    the_hook_believes_a_certificate_of_its_proxy_alone,
];

async fn a_certificate_for_the_registered_subject_authenticates(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    let dn = "dn:CN=budget,O=Pocket Budget AG,C=CH";
    register(&server.app, "budget", subject(dn), Metadata::default()).await;
    let own = partners.authority.certify("budget", 2027);
    ask(&server, "budget", Some(&own)).await.ok();
}

async fn each_kind_of_subject_is_compared_as_it_is(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    let own = partners.authority.certify("budget", 2027);
    for (id, right, wrong) in [
        (
            "dn",
            "dn:cn=BUDGET, o=pocket budget ag, c=ch",
            "dn:CN=budget,O=Pocket Budget,C=CH",
        ),
        ("dns", "dns:Budget.example", "dns:example"),
        (
            "uri",
            "uri:https://budget.example/client",
            "uri:https://budget.example/Client",
        ),
        ("ip", "ip:192.0.2.7", "ip:192.0.2.8"),
        (
            "email",
            "email:ops@BUDGET.example",
            "email:Ops@budget.example",
        ),
    ] {
        register(&server.app, id, subject(right), Metadata::default()).await;
        ask(&server, id, Some(&own)).await.ok();
        let other = format!("not-{id}");
        register(&server.app, &other, subject(wrong), Metadata::default()).await;
        ask(&server, &other, Some(&own))
            .await
            .refused(401, "invalid_client");
    }
}

async fn no_certificate_another_clients_or_a_strangers_is_refused(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    for id in ["budget", "ledger"] {
        let dns = format!("dns:{id}.example");
        register(&server.app, id, subject(&dns), Metadata::default()).await;
    }
    let ledgers = partners.authority.certify("ledger", 2027);
    // The same names, by an authority that nobody here trusts, and by nobody.
    let strangers = ClientAuthority::new().certify("budget", 2027);
    let own_word = Certified::self_signed("budget", 2027);
    ask(&server, "budget", None)
        .await
        .refused(401, "invalid_client");
    for wrong in [&ledgers, &strangers, &own_word] {
        ask(&server, "budget", Some(wrong))
            .await
            .refused(401, "invalid_client");
    }
    ask(&server, "ledger", Some(&ledgers)).await.ok();
}

async fn an_expired_certificate_is_refused(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    register(
        &server.app,
        "budget",
        subject("dns:budget.example"),
        Metadata::default(),
    )
    .await;
    let over = partners.authority.certify("budget", 2026);
    let refused = ask(&server, "budget", Some(&over)).await;
    refused.refused(401, "invalid_client");
    let over = Certified::self_signed("ledger", 2026);
    register(
        &server.app,
        "ledger",
        NewAuth::SelfSigned(over.jwks()),
        Metadata::default(),
    )
    .await;
    ask(&server, "ledger", Some(&over))
        .await
        .refused(401, "invalid_client");
}

async fn a_revoked_certificate_is_refused_within_a_minute(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    register(
        &server.app,
        "budget",
        subject("dns:budget.example"),
        Metadata::default(),
    )
    .await;
    let (old, new) = (
        partners.authority.certify("budget", 2027),
        partners.authority.certify("budget", 2028),
    );
    ask(&server, "budget", Some(&old)).await.ok();
    // A file's age is told in whole ticks of its disk: the new list must be seen to be another.
    let written = std::fs::metadata(partners.list())
        .unwrap()
        .modified()
        .unwrap();
    partners.revoke(&[&old]);
    let file = std::fs::File::options()
        .append(true)
        .open(partners.list())
        .unwrap();
    file.set_modified(written + std::time::Duration::from_secs(1))
        .unwrap();
    server.advance(60);
    ask(&server, "budget", Some(&old))
        .await
        .refused(401, "invalid_client");
    ask(&server, "budget", Some(&new)).await.ok();
    // A list that cannot be read changes nothing.
    std::fs::write(partners.list(), "nonsense").unwrap();
    file.set_modified(written + std::time::Duration::from_secs(2))
        .unwrap();
    server.advance(60);
    ask(&server, "budget", Some(&old))
        .await
        .refused(401, "invalid_client");
    ask(&server, "budget", Some(&new)).await.ok();
}

async fn a_list_of_revocations_that_is_over_lets_nobody_in(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    register(
        &server.app,
        "budget",
        subject("dns:budget.example"),
        Metadata::default(),
    )
    .await;
    let own = partners.authority.certify("budget", 2040);
    ask(&server, "budget", Some(&own)).await.ok();
    // Past the end of May 2030.
    server.advance(4 * 366 * 24 * 3600);
    ask(&server, "budget", Some(&own))
        .await
        .refused(401, "invalid_client");
}

async fn a_self_signed_certificate_is_known_by_its_key(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    let own = Certified::self_signed("budget", 2027);
    let auth = NewAuth::SelfSigned(own.jwks());
    register(&server.app, "budget", auth, Metadata::default()).await;
    ask(&server, "budget", Some(&own)).await.ok();
    // The same names under other keys, even by an authority that is trusted.
    let other = Certified::self_signed("budget", 2027);
    let certified = partners.authority.certify("budget", 2027);
    for wrong in [Some(&other), Some(&certified), None] {
        ask(&server, "budget", wrong)
            .await
            .refused(401, "invalid_client");
    }
}

async fn a_certificate_is_no_way_in_for_a_client_with_a_secret(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    let app = server.register(Spec::confidential("budget")).await;
    let own = partners.authority.certify("budget", 2027);
    ask(&server, "budget", Some(&own))
        .await
        .refused(401, "invalid_client");
    // And a secret is none for one with a certificate.
    register(
        &server.app,
        "ledger",
        subject("dns:ledger.example"),
        Metadata::default(),
    )
    .await;
    let request = server.http.post(server.at("/token"));
    let form = [
        ASK[0],
        ASK[1],
        ("client_id", "ledger"),
        ("client_secret", &app.secret),
    ];
    Reply::of(request.form(&form))
        .await
        .refused(401, "invalid_client");
}

async fn a_header_of_a_stranger_is_an_error(engine: Engine) {
    let own = Certified::self_signed("budget", 2027);
    let without = TestServer::start(engine).await;
    let elsewhere = TestServer::start_with(engine, |file| {
        file.proxy.peers = vec!["192.0.2.1".to_owned()];
        file.mtls = MtlsFile {
            from_proxy: true,
            url: Some(file.issuer.clone()),
            ..MtlsFile::default()
        };
    })
    .await;
    for server in [without, elsewhere] {
        let auth = NewAuth::SelfSigned(own.jwks());
        register(&server.app, "budget", auth, Metadata::default()).await;
        ask(&server, "budget", Some(&own))
            .await
            .refused(400, "invalid_request");
        // Whatever is asked, and whoever asks.
        let app = server.register(Spec::confidential("app")).await;
        for header in ["client-cert", "client-cert-chain"] {
            let request = server
                .http
                .post(server.at("/token"))
                .header(header, own.header());
            let request = request.header("authorization", app.basic());
            Reply::of(request.form(&ASK))
                .await
                .refused(400, "invalid_request");
        }
    }
}

async fn a_header_that_cannot_be_read_is_an_error(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    register(
        &server.app,
        "budget",
        subject("dns:budget.example"),
        Metadata::default(),
    )
    .await;
    let own = partners.authority.certify("budget", 2027);
    let form = [ASK[0], ASK[1], ("client_id", "budget")];
    for headers in [
        vec![("client-cert", "nonsense".to_owned())],
        vec![("client-cert", ":AQID:".to_owned())],
        vec![("client-cert", own.header()), ("client-cert", own.header())],
        vec![("client-cert-chain", own.header())],
        vec![
            ("client-cert", own.header()),
            ("client-cert-chain", "nonsense".to_owned()),
        ],
    ] {
        let mut request = server.http.post(server.at("/token"));
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        Reply::of(request.form(&form))
            .await
            .refused(400, "invalid_request");
    }
    let request = server.http.post(server.at("/token"));
    let request = request
        .header("client-cert", own.header())
        .header("client-cert-chain", own.header());
    Reply::of(request.form(&form)).await.ok();
}

async fn discovery_tells_where_certificates_are_presented(engine: Engine) {
    let (server, _) = behind_a_proxy(engine).await;
    let told: Value = server.get("/.well-known/openid-configuration").await.ok();
    let aliases = told["mtls_endpoint_aliases"].as_object().unwrap();
    assert_eq!(aliases["token_endpoint"], server.at("/token"));
    assert_eq!(told["tls_client_certificate_bound_access_tokens"], true);
    for (name, _) in aliases {
        assert!(
            name.ends_with("_endpoint") && told[name].is_string(),
            "{name}"
        );
    }
    assert!(!aliases.contains_key("authorization_endpoint"));
    let methods = told["token_endpoint_auth_methods_supported"]
        .as_array()
        .unwrap();
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        assert!(methods.iter().any(|one| one == method));
    }
    // Without [mtls] nothing is promised.
    let plain = TestServer::start(engine).await;
    let told: Value = plain.get("/.well-known/openid-configuration").await.ok();
    assert!(told["mtls_endpoint_aliases"].is_null());
    assert!(told["tls_client_certificate_bound_access_tokens"].is_null());
}

fn bound() -> Metadata {
    Metadata {
        tls_client_certificate_bound_access_tokens: true,
        ..Metadata::default()
    }
}

async fn tokens_are_bound_to_the_certificate(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    register(
        &server.app,
        "budget",
        subject("dns:budget.example"),
        bound(),
    )
    .await;
    let own = partners.authority.certify("budget", 2027);
    let token = ask(&server, "budget", Some(&own)).await.ok();
    assert_eq!(token["token_type"], "Bearer");
    let token = token["access_token"].as_str().unwrap();
    let seen = server.accounts.introspect(&server, token).await;
    let expected = rules::protocol::Thumbprint::of_certificate(own.der()).to_string();
    assert_eq!(seen["cnf"], json!({"x5t#S256": expected}));
}

async fn a_bound_token_is_of_no_use_without_its_certificate(engine: Engine) {
    let (server, partners) = behind_a_proxy(engine).await;
    let own = partners.authority.certify("budget", 2027);
    // A client that authenticates by another way connects with the certificate all the same.
    let app = server
        .register(Spec::confidential("app").metadata(bound()))
        .await;
    let without = app.client_credentials(&server, "accounts:read").await;
    without.refused(400, "invalid_request");
    let request = server.http.post(server.at("/token"));
    let request = request
        .header("authorization", app.basic())
        .header("client-cert", own.header());
    let token = Reply::of(request.form(&ASK)).await.ok();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let other = partners.authority.certify("ledger", 2027);
    for (certificate, error) in [
        (None, "invalid_token"),
        (Some(&other), "invalid_token"),
        // It holds; but the token is for an API.
        (Some(&own), "insufficient_scope"),
    ] {
        let mut request = server.http.get(server.at("/userinfo")).bearer_auth(&token);
        if let Some(certificate) = certificate {
            request = request.header("client-cert", certificate.header());
        }
        let reply = Reply::of(request).await;
        assert_eq!(reply.error(), error, "{}", reply.body);
        let challenge = reply.header("www-authenticate");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
    }
}

async fn the_hook_believes_a_certificate_of_its_proxy_alone(engine: Engine) {
    let folder = crate::support::template::Directory::new();
    let partners = super::Partners::new(folder.path());
    let own = partners.authority.certify("budget", 2027);
    let other = partners.authority.certify("ledger", 2027);
    for believed in [true, false] {
        let mut settings = partners.settings();
        let server = TestServer::start_with(engine, move |file| {
            file.proxy.peers = vec!["127.0.0.1".to_owned()];
            file.hook.peers = vec!["127.0.0.1".to_owned()];
            file.hook.client_certificates = believed;
            settings.from_proxy = true;
            settings.url = Some(file.issuer.clone());
            file.mtls = settings;
        })
        .await;
        register(
            &server.app,
            "budget",
            subject("dns:budget.example"),
            bound(),
        )
        .await;
        let token = ask(&server, "budget", Some(&own)).await.ok();
        let token = token["access_token"].as_str().unwrap();
        for certificate in [None, Some(&other), Some(&own)] {
            let mut request = server.http.get(server.at("/verify")).bearer_auth(token);
            request = request.header("x-countersign-resource", ACCOUNTS);
            if let Some(certificate) = certificate {
                request = request.header("client-cert", certificate.header());
            }
            let reply = Reply::of(request).await;
            if believed && certificate.is_some_and(|one| one.der() == own.der()) {
                assert_eq!(reply.status, 200, "{}", reply.body);
                continue;
            }
            assert_eq!(reply.status, 401, "{}", reply.body);
            assert_eq!(reply.error(), "invalid_token");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert_eq!(reply.header("x-countersign-client"), "");
        }
    }
}

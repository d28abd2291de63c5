//! Other settings, other keys, and another Countersign as the provider.

use countersign::config::UpstreamFile;
use rules::protocol::client::Profile;

use super::{TRUSTED, UNTRUSTED, action, half_way, linked};
use crate::support::people::PASSWORD;
use crate::support::provider::{Provider, link_in, names, of, pem};
use crate::support::template::Directory;
use crate::support::{AuthRequest, Browser, Engine, Person, Spec, TestServer};

on_both_engines![
    a_countersign_is_a_provider_for_another,
    a_key_takes_the_place_of_a_secret,
    who_signed_in_there_lately_comes_in_where_it_is_set,
    without_the_setting_nothing_is_there,
    a_provider_that_is_set_no_more_opens_nothing,
];

/// Signs in at the provider, and gives the path that leads back.
async fn at(provider: &TestServer, browser: &mut Browser, who: &Person, asked: &str) -> String {
    let page = browser.get(asked).await;
    let answer = browser.go_on(provider, page, who).await;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["code", "state", "iss"] {
        query.append_pair(name, answer.get(name));
    }
    format!("/upstream/callback?{}", query.finish())
}

/// Their clocks show the same.
fn in_step(one: &TestServer, other: &TestServer) {
    for (early, late) in [(one, other), (other, one)] {
        let ahead = late.now() - early.now();
        early.advance(u64::try_from(ahead).unwrap_or(0));
    }
}

async fn a_countersign_is_a_provider_for_another(engine: Engine) {
    let provider = TestServer::start(engine).await;
    let files = Directory::new();
    let key = rules::jose::SigningKey::generate(rules::jose::Alg::Es256).unwrap();
    std::fs::write(files.path().join("key.pem"), pem(&key)).unwrap();
    let server = TestServer::start_with(engine, |file| {
        file.upstream = UpstreamFile {
            issuer: Some(provider.issuer.clone()),
            client_id: "branch".to_owned(),
            private_key_file: Some(files.path().join("key.pem")),
            name: names(),
            trusted_acr: vec!["urn:countersign:acr:2fa".to_owned()],
            ..UpstreamFile::default()
        };
        // The provider's name leads to this machine.
        file.outbound.allow = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    })
    .await;
    let callback = server.at("/upstream/callback");
    let mut spec = Spec::with_key("branch").redirect(&[&callback]);
    spec.profile = Profile::Oauth21;
    spec.key = Some(key);
    provider.register(spec).await;
    let there = provider.person("ada-at-the-bank").await;
    let here = server.person("ada").await;
    let mut over_there = provider.browser();
    let mut browser = server.browser();
    browser.sign_in(&server, &here).await;
    let code = here.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post("/account/upstream/link", &form).await;
    let asked = link_in(&page);
    let back = at(&provider, &mut over_there, &there, &asked).await;
    in_step(&server, &provider);
    let page = browser.get(&back).await;
    assert_eq!(page.location(), "/account?linked", "{}", page.body);
    let mut other = server.browser();
    let page = other.get("/sign-in/upstream").await;
    let asked = page.location().to_owned();
    let back = at(&provider, &mut over_there, &there, &asked).await;
    in_step(&server, &provider);
    let page = other.get(&back).await;
    assert_eq!(page.location(), "/account", "{}", page.body);
    assert!(other.is_signed_in().await);
}

async fn a_key_takes_the_place_of_a_secret(engine: Engine) {
    let provider = Provider::start().await;
    let server = provider
        .server(engine, |file| {
            file.upstream.client_secret_file = None;
            file.upstream.private_key_file = Some(provider.key_file());
        })
        .await;
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    provider.walk(&server, &mut browser, TRUSTED).await;
    assert!(browser.is_signed_in().await);
}

async fn who_signed_in_there_lately_comes_in_where_it_is_set(engine: Engine) {
    let provider = Provider::start().await;
    let server = provider
        .server(engine, |file| file.upstream.max_age_minutes = 60)
        .await;
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    for (ago, status) in [(3500, 200), (3700, 400)] {
        browser.post("/sign-out", &[]).await;
        let page = browser.begin(&server, &request).await;
        let form = action(&page, "/interaction/").unwrap();
        let (interaction, _) = form.rsplit_once('/').unwrap();
        let there = format!("{interaction}/upstream");
        let asked = provider.sent(&mut browser, &there).await;
        assert_eq!(of(&asked, "max_age"), "3600");
        assert_eq!(of(&asked, "prompt"), "");
        let back = provider.answer(&server, &asked, TRUSTED, |claims| {
            claims["auth_time"] = (server.now() - ago).into();
        });
        let page = browser.open(&back).await;
        assert_eq!(page.status, status, "{}", page.body);
        assert_eq!(page.form("/consent").is_some(), status == 200);
        // That was for an app: her account asks who is there now.
        assert!(!browser.is_signed_in().await);
    }
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    assert_eq!(of(&asked, "prompt"), "login");
    provider.walk(&server, &mut browser, TRUSTED).await;
    assert!(browser.is_signed_in().await);
    server.advance(301);
    assert!(!browser.is_signed_in().await);
}

async fn without_the_setting_nothing_is_there(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    for path in ["/sign-in/upstream", "/upstream/callback?state=x&code=y"] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    browser.sign_in(&server, &ada).await;
    assert_eq!(browser.get("/account/upstream").await.status, 404);
    let page = browser.get("/account").await;
    assert!(!page.body.contains("/account/upstream"), "{}", page.body);
}

async fn a_provider_that_is_set_no_more_opens_nothing(engine: Engine) {
    let provider = Provider::start().await;
    let server = provider.server(engine, |_| ()).await;
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    let mut waiting = server.browser();
    let factor = half_way(&server, &provider, &mut waiting).await;
    let server = server
        .changed(|file| file.upstream = UpstreamFile::default())
        .await;
    let (mut browser, mut waiting) = (browser.led_to(&server), waiting.led_to(&server));
    assert_eq!(browser.get(&back).await.status, 404);
    let code = ada.next_code(&server);
    let page = waiting.post(&factor, &[("code", &code)]).await;
    assert_eq!(page.status, 410, "{}", page.body);
    // She signs in here, as before, and what she linked stays.
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
    let links = "SELECT COUNT(*) FROM upstream_links";
    assert_eq!(server.number(links).await, 1);
}

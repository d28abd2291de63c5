//! Only she herself links, after a fresh proof, and what is somebody's is nobody else's.

use super::{TRUSTED, events, linked, sessions, signed_in};
use crate::mail::{delivered, subjects};
use crate::recovery::reproof;
use crate::support::authenticator::person_with;
use crate::support::people::PASSWORD;
use crate::support::provider::{Provider, link_in};
use crate::support::smtp::{Got, Smtp};
use crate::support::{Engine, TestServer};

on_both_upstream![
    without_a_fresh_proof_nothing_is_linked,
    what_somebody_has_is_nobody_elses,
    a_code_links_nothing_where_there_is_a_passkey,
    a_link_is_made_in_its_own_session,
    a_link_that_is_removed_opens_nothing,
    a_link_ends_with_a_dispute,
    a_link_ends_with_a_reproofing,
    what_is_linked_is_in_the_data,
];

on_both_engines![she_is_told_by_mail_of_a_link_and_its_end];

const LINK: &str = "/account/upstream/link";

async fn without_a_fresh_proof_nothing_is_linked(server: TestServer, provider: Provider) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    for form in [
        vec![],
        vec![("current", PASSWORD)],
        vec![("current", PASSWORD), ("code", "000000")],
    ] {
        let page = browser.post(LINK, &form).await;
        assert!(page.status >= 400, "{form:?}");
        assert!(!page.body.contains(&provider.issuer), "{}", page.body);
    }
    // Neither does somebody who is not signed in.
    let mut stranger = server.browser();
    let page = stranger.post(LINK, &[("current", PASSWORD)]).await;
    assert!(page.location().starts_with("/sign-in"), "{}", page.body);
    assert_eq!(
        server.number("SELECT COUNT(*) FROM upstream_links").await,
        0
    );
}

async fn what_somebody_has_is_nobody_elses(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let bob = server.person("bob").await;
    let mut browser = signed_in(&server, &bob).await;
    let code = bob.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = provider
        .link(&server, &mut browser, (&form, TRUSTED.0))
        .await;
    let page = browser.follow(page).await;
    assert_eq!(page.status, 409, "{}", page.body);
    assert_eq!(
        server.number("SELECT COUNT(*) FROM upstream_links").await,
        1
    );
    let mut elsewhere = server.browser();
    let page = provider.walk(&server, &mut elsewhere, TRUSTED).await;
    assert!(page.body.contains("ada"), "{}", page.body);
}

async fn a_code_links_nothing_where_there_is_a_passkey(server: TestServer, provider: Provider) {
    let (ada, _) = person_with(&server, "ada", "passkey").await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post(LINK, &form).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(!page.body.contains(&provider.issuer), "{}", page.body);
}

async fn a_link_is_made_in_its_own_session(server: TestServer, provider: Provider) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post(LINK, &form).await;
    let back = provider.answer(&server, &link_in(&page), TRUSTED, |_| ());
    browser.post("/sign-out", &[]).await;
    let bob = server.person("bob").await;
    browser.sign_in(&server, &bob).await;
    let page = browser.get(&back).await;
    assert_eq!(page.status, 410, "{}", page.body);
    assert_eq!(
        server.number("SELECT COUNT(*) FROM upstream_links").await,
        0
    );
}

async fn a_link_that_is_removed_opens_nothing(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut other = server.browser();
    provider.walk(&server, &mut other, TRUSTED).await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post("/account/upstream/unlink", &form).await;
    assert_eq!(page.location(), "/account?unlinked", "{}", page.body);
    assert!(browser.is_signed_in().await && !other.is_signed_in().await);
    let page = provider.walk(&server, &mut other, TRUSTED).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert_eq!(events(&server, "upstream.unlinked").await, 1);
    assert_eq!(sessions(&server).await, 1);
}

async fn she_is_told_by_mail_of_a_link_and_its_end(engine: Engine) {
    let (provider, smtp) = (Provider::start().await, Smtp::start().await);
    let server = provider.server(engine, |file| smtp.configure(file)).await;
    let told = async || {
        let letters = delivered(&server, &smtp).await;
        let to = |got: &&Got| got.to == "ada@mail.example";
        let hers: Vec<_> = letters.iter().filter(to).cloned().collect();
        subjects(&hers)
    };
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let linked = "A sign-in from elsewhere was linked".to_owned();
    assert!(told().await.contains(&linked));
    let mut browser = signed_in(&server, &ada).await;
    told().await;
    let code = ada.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    browser.post("/account/upstream/unlink", &form).await;
    assert_eq!(
        told().await,
        ["The link with a sign-in from elsewhere was removed"]
    );
}

async fn a_link_ends_with_a_dispute(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    // However long she has had it: she makes it anew in a minute.
    server.advance(30 * 24 * 3600);
    let mut browser = signed_in(&server, &ada).await;
    let page = browser.get("/account/not-me").await;
    assert!(page.body.contains("Staff Login"), "{}", page.body);
    browser.post("/account/not-me", &[]).await;
    assert_eq!(
        server.number("SELECT COUNT(*) FROM upstream_links").await,
        0
    );
    assert_eq!(events(&server, "upstream.unlinked").await, 1);
}

async fn a_link_ends_with_a_reproofing(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let links = "SELECT COUNT(*) FROM upstream_links";
    let link = reproof::link(&server).await;
    assert_eq!(
        server.number(links).await,
        1,
        "until its last step it goes on"
    );
    reproof::recover(&server, &ada, &link).await;
    assert_eq!(server.number(links).await, 0);
    let mut browser = server.browser();
    let page = provider.walk(&server, &mut browser, TRUSTED).await;
    assert_eq!(page.status, 403, "{}", page.body);
}

async fn what_is_linked_is_in_the_data(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post("/account/data", &form).await;
    let data: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    let links = &data["factors"]["linked_sign_ins"];
    assert_eq!(links[0]["provider"], provider.issuer);
    assert!(links[0]["linked_at"].is_string(), "{links}");
    assert!(!page.body.contains(TRUSTED.0), "{}", page.body);
}

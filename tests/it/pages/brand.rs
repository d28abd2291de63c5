//! The institution's own name, logo, colours and languages.

use crate::support::template::Directory;
use crate::support::{Engine, TestServer};

const SVG: &str =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 4\"><path d=\"M0 0h9v4z\"/></svg>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logo_and_colours_are_served_from_an_address_that_changes_with_them() {
    let files = Directory::new();
    let logo = files.path().join("any-name");
    std::fs::write(&logo, SVG).unwrap();
    let server = TestServer::start_with(Engine::Sqlite, |file| {
        file.institution.logo = Some(logo);
        file.institution.action_colour = "#123A7A".to_owned();
    })
    .await;
    let plain = TestServer::start(Engine::Sqlite).await;
    let mut browser = server.browser();
    let page = browser.get("/sign-in").await;
    let href = attribute(&page.body, "<img class=\"logo\" src=\"");
    assert!(page.body.contains("alt=\"Test Bank\""), "{}", page.body);
    let picture = browser.get(&href).await;
    assert_eq!((picture.status, picture.body.as_str()), (200, SVG));
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert_eq!(picture.header("x-content-type-options"), "nosniff");
    let policy = picture.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(picture.header("cache-control").contains("immutable"));

    let sheet = attribute(&page.body, "<link rel=\"stylesheet\" href=\"");
    let css = browser.get(&sheet).await;
    assert!(css.body.contains("--action: #123A7A;"), "{}", css.body);
    let page = plain.browser().get("/sign-in").await;
    assert_ne!(
        attribute(&page.body, "<link rel=\"stylesheet\" href=\""),
        sheet
    );
    assert!(!page.body.contains("<img"), "{}", page.body);
    assert_eq!(plain.browser().get("/static/logo.svg").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_that_is_left_out_is_not_spoken() {
    let server = TestServer::start_with(Engine::Sqlite, |file| {
        file.institution.language = "de".to_owned();
        file.institution.languages = vec!["de".to_owned()];
    })
    .await;
    let mut browser = server.browser();
    browser.post("/language", &[("lang", "en")]).await;
    let asked = server.http.get(server.at("/sign-in"));
    let page = browser.send(asked.header("accept-language", "en")).await;
    assert!(page.body.contains("<html lang=\"de\""), "{}", page.body);
    assert!(
        !page.body.contains("action=\"/language\""),
        "nothing to choose"
    );
}

/// What follows `begin`, up to the next quote.
fn attribute(body: &str, begin: &str) -> String {
    let rest = body
        .split(begin)
        .nth(1)
        .unwrap_or_else(|| panic!("{begin} in {body}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_names_the_institutions_pages_for_developers() {
    let server = TestServer::start_with(Engine::Sqlite, |file| {
        file.institution.documentation_uri = Some("https://developers.bank.example".to_owned());
        file.institution.terms_uri = Some("https://developers.bank.example/terms".to_owned());
    })
    .await;
    let told = server.get("/.well-known/openid-configuration").await.ok();
    assert_eq!(
        told["service_documentation"],
        "https://developers.bank.example"
    );
    assert_eq!(told["op_tos_uri"], "https://developers.bank.example/terms");
    assert!(
        told.get("op_policy_uri").is_none(),
        "what is not set is not named"
    );
}

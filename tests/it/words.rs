//! The texts: none is left over, and the language of a page is the one that was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Browser, Page, TestServer};

on_both![
    the_browsers_language_is_spoken,
    a_chosen_language_stays,
    a_choice_leads_back_to_our_own_pages_only,
];

/// The messages of the reference language: file and key.
fn messages() -> Vec<(PathBuf, String)> {
    let mut messages = Vec::new();
    for file in files("locales/en", "ftl") {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let key = line.split_once(" =").map(|(key, _)| key);
            let is_key = |key: &&str| key.starts_with(|c: char| c.is_ascii_lowercase());
            if let Some(key) = key.filter(is_key) {
                messages.push((file.clone(), key.to_owned()));
            }
        }
    }
    messages
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_message_is_left_over() {
    let users = files("templates", "html")
        .into_iter()
        .chain(files("src", "rs"));
    let code: String = users
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let left: Vec<_> = messages()
        .into_iter()
        .filter(|(_, key)| !code.contains(&format!(".{}(", key.replace('-', "_"))))
        .collect();
    assert!(left.is_empty(), "nothing shows these: {left:?}");
}

async fn the_browsers_language_is_spoken(server: TestServer) {
    let mut browser = server.browser();
    for (asked, lang, said) in [
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Benutzername"),
        ("fr, en;q=0.5, de;q=0.4", "en", "User name"),
        ("fr", "en", "User name"),
    ] {
        let page = ask(&mut browser, &server, asked).await;
        let opening = format!("<html lang=\"{lang}\" dir=\"ltr\">");
        assert!(page.body.contains(&opening), "{asked}: {}", page.body);
        assert!(page.body.contains(said), "{asked}: {}", page.body);
        assert_eq!(page.header("cache-control"), "no-store");
    }
}

async fn a_chosen_language_stays(server: TestServer) {
    let mut browser = server.browser();
    let form = [("lang", "de"), ("back", "/sign-in")];
    let chosen = browser.post("/language", &form).await;
    assert_eq!((chosen.status, chosen.location()), (303, "/sign-in"));
    let page = ask(&mut browser, &server, "en").await;
    assert!(page.body.contains("Benutzername"), "{}", page.body);

    let unknown = browser.post("/language", &[("lang", "tlh")]).await;
    assert_eq!(unknown.status, 303);
    let page = ask(&mut browser, &server, "en").await;
    assert!(page.body.contains("Benutzername"), "{}", page.body);
}

async fn a_choice_leads_back_to_our_own_pages_only(server: TestServer) {
    let mut browser = server.browser();
    for back in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "",
    ] {
        let form = [("lang", "en"), ("back", back)];
        let page = browser.post("/language", &form).await;
        assert_eq!((page.status, page.location()), (303, "/about"), "{back}");
    }
    // A form's answer leads back to the page of the form.
    let refused = browser.post("/sign-in", &[("username", "ada")]).await;
    let back = "name=\"back\" value=\"/sign-in\"";
    assert!(refused.body.contains(back), "{}", refused.body);
    let elsewhere = Some("https://evil.example");
    let foreign = browser
        .post_from("/language", &[("lang", "de")], elsewhere)
        .await;
    assert_eq!(foreign.status, 403);
}

async fn ask(browser: &mut Browser, server: &TestServer, accept: &str) -> Page {
    let address = server.issuer.clone() + "/sign-in";
    let request = server.http.get(address).header("accept-language", accept);
    browser.send(request).await
}

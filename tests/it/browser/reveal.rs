//! The button that shows a password to whoever types it.

use crate::support::chrome::Chrome;
use crate::support::people::PASSWORD;
use crate::support::{Engine, TestServer};

const SHOW: &str = "Show password: Password";

async fn kind(chrome: &Chrome, field: &str) -> bool {
    chrome.shows(&format!("#{field}[type=text]")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_shown_and_hidden_again_and_nothing_is_sent() {
    let server = TestServer::start(Engine::Sqlite).await;
    let ada = server.person("ada").await;
    let chrome = Chrome::start().await;
    chrome.open(&server.at("/sign-in")).await;
    chrome.fill("username", "ada").await;
    chrome.fill("password", PASSWORD).await;
    assert!(!kind(&chrome, "password").await);
    let sent = chrome.url().await;
    for shown in [true, false, true] {
        chrome.press(SHOW).await;
        assert_eq!(kind(&chrome, "password").await, shown);
        let pressed = format!("[data-reveal=password][aria-pressed={shown}]");
        assert!(chrome.shows(&pressed).await);
        assert!(chrome.has_focus("[data-reveal=password]").await);
        assert_eq!(chrome.value("password").await, PASSWORD);
    }
    assert_eq!(chrome.url().await, sent);
    assert!(
        chrome
            .shows("#password[spellcheck=false][autocapitalize=none]")
            .await
    );
    // It is what is typed that is sent, whatever is shown.
    chrome.fill("code", &ada.next_code(&server)).await;
    chrome.press("Sign in").await;
    chrome.heading("Hello, ada Example").await;
    // Each field has a button of its own, that says whose it is.
    chrome.open(&server.at("/account/password")).await;
    for (field, name) in [
        ("current", "Current password"),
        ("password", "New password"),
        ("repeat", "The same password again"),
    ] {
        let said = chrome.text(&format!("[data-reveal={field}]")).await;
        assert!(said.starts_with("Show password"), "{said}");
        chrome.press(&format!("Show password: {name}")).await;
        assert!(kind(&chrome, field).await);
    }
    assert_eq!(chrome.violations().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_script_there_is_no_button() {
    let server = TestServer::start(Engine::Sqlite).await;
    let ada = server.person("ada").await;
    let chrome = Chrome::without_javascript().await;
    chrome.open(&server.at("/sign-in")).await;
    assert!(!chrome.shows("[data-reveal]").await);
    chrome.fill("username", "ada").await;
    chrome.fill("password", PASSWORD).await;
    chrome.fill("code", &ada.next_code(&server)).await;
    chrome.press("Sign in").await;
    chrome.heading("Hello, ada Example").await;
}

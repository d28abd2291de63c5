//! What took too long, in a real browser: questions to a device that nobody answers in time, and
//! account pages that were left alone.

use super::passkeys::{signed_in_at, to_new};
use crate::support::chrome::{Chrome, Device};
use crate::support::people::PASSWORD;
use crate::support::{Engine, Person, TestServer};

/// Account pages that wait longer than a question does.
fn patient(file: &mut countersign::config::File) {
    file.people.account_idle_minutes = 30;
}

/// A person with a passkey on her phone, signed in; the account pages wait longer than a question.
async fn with_passkey() -> (TestServer, Chrome, String) {
    let server = TestServer::start_with(Engine::Sqlite, patient).await;
    let (chrome, ada) = signed_in_at(&server).await;
    let phone = chrome.authenticator(&Device::phone()).await;
    to_new(&server, &chrome, &ada, "kind-passkey").await;
    chrome.press("Create it now").await;
    chrome.see("[role=status]", "It is added").await;
    (server, chrome, phone)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_too_late_is_explained_and_asked_for_anew() {
    let (server, chrome, _) = with_passkey().await;
    chrome.open(&server.at("/account/close")).await;
    chrome.hesitates().await;
    chrome.press("Use a passkey instead").await;
    chrome.asks().await;
    server.advance(301);
    chrome.answers().await;
    chrome.see("[role=alert]", "more than five minutes").await;
    chrome.press("Use a passkey instead").await;
    chrome.see("[role=status]", "close").await;
    assert_eq!(chrome.violations().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_made_too_late_is_explained_and_made_anew() {
    let server = TestServer::start_with(Engine::Sqlite, patient).await;
    let (chrome, ada) = signed_in_at(&server).await;
    chrome.authenticator(&Device::phone()).await;
    to_new(&server, &chrome, &ada, "kind-passkey").await;
    chrome.hesitates().await;
    chrome.press("Create it now").await;
    chrome.asks().await;
    server.advance(301);
    chrome.answers().await;
    chrome.see("[role=alert]", "more than five minutes").await;
    chrome.heading("Add a passkey or security key").await;
    chrome.forget_cookies().await;
    chrome.no_authenticators().await;
    chrome.authenticator(&Device::phone()).await;
    super::passkeys::sign_in(&server, &chrome, &ada).await;
    to_new(&server, &chrome, &ada, "kind-passkey").await;
    chrome.press("Create it now").await;
    chrome.see("[role=status]", "It is added").await;
}

/// The browser itself gives up: `NotAllowedError` (Web Authentication Level 3 §5.1.4).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_nobody_touches_is_given_up_with_a_word() {
    let (server, chrome, phone) = with_passkey().await;
    chrome.open(&server.at("/account/close")).await;
    chrome.hurry().await;
    chrome.touches(&phone, false).await;
    chrome.press("Use a passkey instead").await;
    chrome
        .see("[data-failed]", "No passkey or security key answered")
        .await;
    chrome.touches(&phone, true).await;
    chrome.press("Use a passkey instead").await;
    chrome.see("[role=status]", "close").await;
}

async fn again(server: &TestServer, chrome: &Chrome, ada: &Person) {
    chrome
        .see(".lead", "You did not use your account pages")
        .await;
    chrome.fill("username", &ada.username).await;
    chrome.fill("password", PASSWORD).await;
    chrome.fill("code", &ada.next_code(server)).await;
    chrome.press("Sign in").await;
}

/// PSD2 RTS Art. 4(3)(d).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_five_idle_minutes_she_comes_back_to_where_she_was() {
    let server = TestServer::start(Engine::Sqlite).await;
    let (chrome, ada) = signed_in_at(&server).await;
    let here = server.at("/account/sessions?page=1");
    chrome.open(&here).await;
    chrome.heading("Where you are signed in").await;
    server.advance(299);
    chrome.reload().await;
    chrome.heading("Where you are signed in").await;
    server.advance(300);
    chrome.reload().await;
    again(&server, &chrome, &ada).await;
    chrome.heading("Where you are signed in").await;
    assert_eq!(chrome.url().await, here);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_five_idle_minutes_nothing_is_lost_that_she_typed() {
    let server = TestServer::start(Engine::Sqlite).await;
    let (chrome, ada) = signed_in_at(&server).await;
    chrome.open(&server.at("/account/passkeys/add")).await;
    chrome.choose("kind-key").await;
    chrome.fill("name", "Ada’s & Bea’s key + spare.").await;
    chrome.fill("current", PASSWORD).await;
    chrome.fill("code", &ada.next_code(&server)).await;
    server.advance(300);
    chrome.press("Go on").await;
    again(&server, &chrome, &ada).await;
    chrome.heading("Add a passkey or security key").await;
    assert_eq!(chrome.value("name").await, "Ada’s & Bea’s key + spare.");
    assert!(chrome.shows("#kind-key:checked").await);
    // But no secret.
    assert_eq!(chrome.value("current").await, "");
    assert!(!chrome.url().await.contains("herons"));
}

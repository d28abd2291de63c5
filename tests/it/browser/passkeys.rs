//! Passkeys and security keys in a real browser, with virtual authenticators of every kind.

use crate::support::chrome::{Chrome, Device};
use crate::support::people::PASSWORD;
use crate::support::{Engine, Person, TestServer};

/// A server, a browser, and a person who is signed in in it.
async fn signed_in() -> (TestServer, Chrome, Person) {
    let server = TestServer::start(Engine::Sqlite).await;
    let (chrome, ada) = signed_in_at(&server).await;
    (server, chrome, ada)
}

/// A browser, and a person who is signed in in it.
pub(super) async fn signed_in_at(server: &TestServer) -> (Chrome, Person) {
    let ada = server.person("ada").await;
    let chrome = Chrome::start().await;
    sign_in(server, &chrome, &ada).await;
    (chrome, ada)
}

/// Signs a person in with password and code.
pub(super) async fn sign_in(server: &TestServer, chrome: &Chrome, person: &Person) {
    chrome.open(&server.at("/sign-in")).await;
    chrome.fill("username", &person.username).await;
    chrome.fill("password", PASSWORD).await;
    chrome.fill("code", &person.next_code(server)).await;
    chrome.press("Sign in").await;
    let hello = format!("Hello, {} Example", person.username);
    chrome.heading(&hello).await;
}

/// Goes to the page on which the device makes a key.
pub(super) async fn to_new(server: &TestServer, chrome: &Chrome, ada: &Person, kind: &str) {
    chrome.open(&server.at("/account/passkeys/add")).await;
    chrome.choose(kind).await;
    chrome.fill("current", PASSWORD).await;
    chrome.fill("code", &ada.next_code(server)).await;
    chrome.press("Go on").await;
    let heading = if kind == "kind-key" {
        "Add your security key"
    } else {
        "Create your passkey"
    };
    chrome.heading(heading).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_made_and_signs_in() {
    let (server, chrome, ada) = signed_in().await;
    let phone = chrome.authenticator(&Device::phone()).await;
    to_new(&server, &chrome, &ada, "kind-passkey").await;
    chrome.press("Create it now").await;
    chrome.see("[role=status]", "It is added").await;

    // She turns away first: nothing happens, and the page says so.
    chrome.forget_cookies().await;
    chrome.unlocks(&phone, false).await;
    chrome.open(&server.at("/sign-in")).await;
    chrome.press("Sign in with a passkey").await;
    chrome
        .see("[data-failed]", "No passkey or security key answered")
        .await;
    chrome.unlocks(&phone, true).await;
    chrome.press("Sign in with a passkey").await;
    chrome.heading("Hello, ada Example").await;
    assert_eq!(chrome.violations().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_security_key_stands_in_the_place_of_the_code() {
    let (server, chrome, ada) = signed_in().await;
    let stick = Device {
        verifies: true,
        ..Device::key()
    };
    chrome.authenticator(&stick).await;
    to_new(&server, &chrome, &ada, "kind-key").await;
    chrome.press("Create it now").await;
    chrome.see("[role=status]", "It is added").await;

    chrome.forget_cookies().await;
    chrome.open(&server.at("/sign-in")).await;
    chrome.fill("username", "ada").await;
    chrome.fill("password", PASSWORD).await;
    chrome
        .press("Use a security key in place of the code")
        .await;
    chrome.heading("Hello, ada Example").await;
}

/// Chromium stores no key on a device that cannot ask for a PIN.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_verifies_nobody_is_refused_with_a_word() {
    let (server, chrome, ada) = signed_in().await;
    chrome.authenticator(&Device::key()).await;
    to_new(&server, &chrome, &ada, "kind-key").await;
    chrome.press("Create it now").await;
    chrome
        .see("[data-failed]", "No passkey or security key answered")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_stores_nothing_is_refused_with_a_word() {
    let (server, chrome, ada) = signed_in().await;
    let old = Device {
        stores: false,
        ..Device::key()
    };
    chrome.authenticator(&old).await;
    to_new(&server, &chrome, &ada, "kind-key").await;
    chrome.press("Create it now").await;
    chrome
        .see("[data-failed]", "No passkey or security key answered")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_devices_the_one_that_knows_her_answers() {
    let (server, chrome, ada) = signed_in().await;
    let stick = Device {
        verifies: true,
        ..Device::key()
    };
    chrome.authenticator(&stick).await;
    to_new(&server, &chrome, &ada, "kind-passkey").await;
    chrome.press("Create it now").await;
    chrome.see("[role=status]", "It is added").await;
    chrome.forget_cookies().await;
    chrome.authenticator(&Device::phone()).await;
    // The form offers passkeys by itself, and the device that knows her answers unasked.
    chrome.open(&server.at("/sign-in")).await;
    chrome.heading("Hello, ada Example").await;
}

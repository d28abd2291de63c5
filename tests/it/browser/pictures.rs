//! The pictures of the pages, for the README and the guides.

use std::path::{Path, PathBuf};

use super::demo::Demo;
use super::journey::{PASSWORD, choose_password};
use crate::support::chrome::Chrome;

/// A desktop's page and a phone's, in CSS pixels; what is longer makes the picture longer.
const DESKTOP: (u32, u32) = (1280, 720);
const PHONE: (u32, u32) = (390, 720);

/// Writes them into the folder that `PICTURES` names, over what is there:
/// `PICTURES=docs/pages cargo test --test it screenshots_for_the_readme -- --ignored`.
/// Without it they go below `target`, because no two runs make quite the same ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is for making pictures"]
async fn screenshots_for_the_readme() {
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    let mut ada = demo.ada();

    chrome.open(&demo.partner("/")).await;
    chrome.press("Connect your bank").await;
    chrome.heading("Sign in").await;
    chrome.fill("username", &ada.username).await;
    take(&chrome, "sign-in").await;
    ada.sign_in(&chrome).await;
    chrome.heading("Share accounts with Pocket Budget?").await;
    chrome
        .tick("See your transactions of the last 90 days")
        .await;
    take(&chrome, "consent").await;
    chrome.press("Share accounts").await;
    chrome.heading("Hello, Ada Lovelace").await;
    take(&chrome, "pocket-budget").await;
    chrome.open(&demo.bank("/account")).await;
    chrome.heading("Hello, Ada Lovelace").await;
    take(&chrome, "account").await;
    chrome.open(&demo.told("/invitation/link")).await;
    chrome.press("Begin").await;
    chrome.heading("Choose a password").await;
    choose_password(&chrome, PASSWORD).await;
    chrome.heading("Connect your authenticator app").await;
    take(&chrome, "activation").await;
}

/// `<name>.png`, `<name>-phone.png` (twice as fine) and `<name>-dark.png`.
async fn take(chrome: &Chrome, name: &str) {
    let file = |ending: &str| folder().join(format!("{name}{ending}.png"));
    chrome.prefer("dark").await;
    chrome.picture(&file("-dark"), DESKTOP, 1).await;
    chrome.prefer("light").await;
    chrome.picture(&file(""), DESKTOP, 1).await;
    chrome.picture(&file("-phone"), PHONE, 2).await;
}

fn folder() -> PathBuf {
    let below_target = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let folder = std::env::var_os("PICTURES").map_or_else(below_target, PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

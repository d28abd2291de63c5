//! Every page fits the narrowest phone.

use super::demo::Demo;
use super::journey::{PASSWORD, choose_password, take_key};
use crate::support::chrome::Chrome;

/// The narrowest page that must not scroll sideways, in CSS pixels (WCAG 2.2, 1.4.10).
const NARROWEST: u32 = 320;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_scrolls_sideways_on_the_narrowest_phone() {
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    let mut ada = demo.ada();
    chrome.resize(NARROWEST, 640, 2).await;

    chrome.open(&demo.partner("/")).await;
    fits(&chrome, "Pocket Budget").await;
    chrome.press("Connect your bank").await;
    chrome.heading("Sign in").await;
    fits(&chrome, "sign-in").await;
    ada.sign_in_with(&chrome, "not a code").await;
    chrome.see(".summary", "").await;
    fits(&chrome, "sign-in with a verdict").await;
    ada.sign_in(&chrome).await;
    chrome.heading("Share accounts with Pocket Budget?").await;
    fits(&chrome, "consent").await;
    chrome
        .tick("See your transactions of the last 90 days")
        .await;
    chrome.press("Share accounts").await;
    chrome.heading("Hello, Ada Lovelace").await;
    chrome.press("What just happened").await;
    fits(&chrome, "Pocket Budget's accounts").await;

    chrome.open(&demo.bank("/account")).await;
    chrome.heading("Hello, Ada Lovelace").await;
    fits(&chrome, "account").await;
    chrome.press("Stop sharing with Pocket Budget").await;
    chrome.heading("Stop sharing with Pocket Budget?").await;
    fits(&chrome, "stop sharing").await;
    chrome.open(&demo.bank("/about")).await;
    fits(&chrome, "about").await;

    chrome.open(&demo.told("/invitation/link")).await;
    fits(&chrome, "invitation").await;
    chrome.press("Begin").await;
    chrome.heading("Choose a password").await;
    fits(&chrome, "password").await;
    choose_password(&chrome, PASSWORD).await;
    chrome.heading("Connect your authenticator app").await;
    let mut phone = take_key(&chrome).await;
    fits(&chrome, "authenticator app").await;
    chrome.fill("code", &phone.code()).await;
    chrome.press("Connect app").await;
    chrome.heading("Save your recovery codes").await;
    fits(&chrome, "recovery codes").await;
    chrome.open(&demo.partner("/phone?still")).await;
    fits(&chrome, "the demo's phone").await;
}

async fn fits(chrome: &Chrome, page: &str) {
    let (width, _) = chrome.extent().await;
    assert!(width <= NARROWEST, "{page} is {width} pixels wide");
}

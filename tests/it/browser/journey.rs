//! The journeys: sharing and stopping, activating, two tabs, no JavaScript.

use super::demo::{Authenticator, Demo, Person};
use crate::support::chrome::Chrome;

/// A password that the policy accepts.
pub const PASSWORD: &str = "quilted harvest odd lamp 77";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_shares_accounts_and_stops_sharing() {
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    let mut ada = demo.ada();

    chrome.open(&demo.partner("/")).await;
    chrome.press("Connect your bank").await;
    chrome.heading("Sign in").await;
    assert!(chrome.url().await.starts_with(&demo.bank("/interaction/")));
    assert_eq!(
        chrome.title().await,
        "Sign in to continue to Pocket Budget – Harbour Bank"
    );

    // One verdict for all three fields; what is no secret is kept.
    let code = ada.phone.code();
    let guess = Person {
        username: ada.username.clone(),
        password: "copper lantern vivid marsh 42".to_owned(),
        phone: Authenticator::new(String::new()),
    };
    guess.sign_in_with(&chrome, &code).await;
    let verdict = chrome.see(".summary", "").await;
    assert_eq!(
        verdict,
        "These details don’t match. Check your password and enter a new code."
    );
    assert!(
        chrome.has_focus(".summary").await,
        "the verdict has the focus"
    );
    assert!(
        chrome.title().await.starts_with("Error: "),
        "{}",
        chrome.title().await
    );
    assert_eq!(chrome.value("username").await, ada.username);
    assert_eq!(chrome.value("password").await, "");
    assert_eq!(chrome.value("code").await, "");

    // The wrong password did not spend the code.
    ada.sign_in_with(&chrome, &code).await;
    chrome.heading("Share accounts with Pocket Budget?").await;
    assert_eq!(
        chrome.title().await,
        "Share accounts with Pocket Budget? – Harbour Bank"
    );
    let page = chrome.text("main").await;
    for said in [
        "See your accounts and balances",
        "It gets nothing that is not listed here",
        "Signed in as Ada Lovelace",
    ] {
        assert!(page.contains(said), "{said} on {page}");
    }
    assert!(
        !chrome
            .is_ticked("See your transactions of the last 90 days")
            .await,
        "nothing is ticked for her"
    );
    chrome
        .tick("See your transactions of the last 90 days")
        .await;
    chrome.press("Share accounts").await;

    chrome.heading("Hello, Ada Lovelace").await;
    assert_eq!(chrome.url().await, demo.partner("/accounts"));
    let accounts = chrome.text("#accounts").await;
    for shown in ["€2,480.35", "NL25 FAKE 0000 0000 01", "Corner Bakery"] {
        assert!(accounts.contains(shown), "{shown} on {accounts}");
    }
    assert!(!chrome.shows("#introspection").await);
    chrome.press("What just happened").await;
    let strip = chrome.see("#what-just-happened", "\"active\": true").await;
    for told in [
        "pocket-budget",
        "accounts:read",
        "transactions:read",
        "token.issued",
    ] {
        assert!(strip.contains(told), "{told} on {strip}");
    }

    chrome.press("Manage what you share at Harbour Bank").await;
    chrome.heading("Hello, Ada Lovelace").await;
    assert_eq!(chrome.url().await, demo.bank("/account"));
    let apps = chrome.see("section", "Connected apps").await;
    for shown in [
        "Pocket Budget",
        "See your accounts and balances",
        "See your transactions of the last 90 days",
    ] {
        assert!(apps.contains(shown), "{shown} on {apps}");
    }
    chrome.press("Stop sharing with Pocket Budget").await;
    chrome.heading("Stop sharing with Pocket Budget?").await;
    chrome.press("Stop sharing").await;
    chrome.see(".notice", "Sharing has stopped").await;
    let apps = chrome.see("section", "Connected apps").await;
    assert!(!apps.contains("Pocket Budget"), "{apps}");

    chrome.open(&demo.partner("/accounts")).await;
    chrome.heading("Your bank says you stopped sharing").await;
    chrome.press("What just happened").await;
    let strip = chrome.see("#what-just-happened", "grant.revoked").await;
    assert!(
        strip.contains("\"active\": false"),
        "the API was told to refuse: {strip}"
    );
    assert_eq!(chrome.violations().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_person_activates_her_account() {
    let demo = Demo::start();
    let chrome = Chrome::start().await;

    chrome.open(&demo.told("/invitation/link")).await;
    chrome.heading("Welcome, Grace Hopper").await;
    chrome.press("Begin").await;

    chrome.heading("Choose a password").await;
    assert_eq!(chrome.value("username").await, "grace");
    choose_password(&chrome, "password1234").await;
    chrome
        .see(".summary", "Please choose another password.")
        .await;
    assert_eq!(
        chrome.value("password").await,
        "",
        "a refused password is not sent back"
    );
    choose_password(&chrome, PASSWORD).await;

    chrome.heading("Choose your second factor").await;
    let mut phone = take_key(&chrome).await;
    chrome.fill("code", &phone.code()).await;
    chrome.press("Connect app").await;

    chrome.heading("Save your recovery codes").await;
    let codes = chrome.texts(".codes code").await;
    assert_eq!(codes.len(), 10, "{codes:?}");
    let asked = asked_code(&chrome, &codes).await;
    chrome.fill("confirm", &asked).await;
    chrome.press("Finish set-up").await;

    chrome.heading("Your sign-in is ready").await;
    chrome.press("Go to your account").await;
    chrome.heading("Sign in").await;
    let grace = Person {
        username: "grace".to_owned(),
        password: PASSWORD.to_owned(),
        phone,
    };
    // The code that was typed to prove that they are saved is still good.
    grace.sign_in_with(&chrome, &asked).await;
    chrome.heading("Hello, Grace Hopper").await;
    chrome.see("section", "9 left").await;

    chrome.press("Sign out").await;
    chrome.heading("You are signed out").await;
    chrome.press("Sign in again").await;
    grace.sign_in_with(&chrome, &asked).await;
    chrome.see(".summary", "These details don’t match.").await;

    chrome.open(&demo.told("/invitation/link")).await;
    chrome.heading("This invitation can’t be used").await;
    assert_eq!(chrome.violations().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_do_not_disturb_one_another() {
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    let mut ada = demo.ada();

    chrome.open(&demo.partner("/")).await;
    chrome.press("Connect your bank").await;
    chrome.heading("Sign in").await;
    let (first, second) = chrome.second_tab().await;
    chrome.open(&demo.partner("/")).await;
    chrome.press("Connect your bank").await;
    chrome.heading("Sign in").await;

    // Each gets as far as the question before either is answered.
    chrome.show(&first).await;
    ada.sign_in(&chrome).await;
    chrome.heading("Share accounts with Pocket Budget?").await;
    chrome.show(&second).await;
    ada.sign_in(&chrome).await;
    chrome.heading("Share accounts with Pocket Budget?").await;

    chrome.show(&first).await;
    chrome
        .tick("See your transactions of the last 90 days")
        .await;
    chrome.press("Share accounts").await;
    chrome.see("#accounts", "Corner Bakery").await;
    chrome.show(&second).await;
    chrome.press("Share accounts").await;
    chrome.see("#accounts", "€2,480.35").await;
    assert_eq!(chrome.url().await, demo.partner("/accounts"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_and_consenting_need_no_javascript() {
    let demo = Demo::start();
    let chrome = Chrome::without_javascript().await;
    chrome
        .open("data:text/html,<title>off</title><script>document.title='on'</script>")
        .await;
    assert_eq!(chrome.title().await, "off");

    demo.ada().connect(&chrome, &demo).await;
    chrome.press("Share accounts").await;
    chrome.heading("Hello, Ada Lovelace").await;
    chrome.see("main", "You share balances only.").await;
}

/// Fills in the first step of an activation, and sends it.
pub async fn choose_password(chrome: &Chrome, password: &str) {
    chrome.fill("password", password).await;
    chrome.fill("repeat", password).await;
    chrome.press("Save password").await;
}

/// Reads the key beside the QR code, as somebody does who types it.
pub async fn take_key(chrome: &Chrome) -> Authenticator {
    chrome.press("Type the key instead").await;
    let key = chrome.see(".key", "").await;
    let groups: Vec<&str> = key.split_whitespace().collect();
    assert!(
        groups.len() == 8 && groups.iter().all(|group| group.len() == 4),
        "{key}"
    );
    Authenticator::new(groups.concat())
}

/// The code that the last step of an activation asks for.
async fn asked_code(chrome: &Chrome, codes: &[String]) -> String {
    let label = chrome.text("label[for=confirm]").await;
    let number = label
        .strip_prefix("Type code number ")
        .unwrap_or_else(|| panic!("{label}"));
    codes[number.parse::<usize>().unwrap() - 1].clone()
}

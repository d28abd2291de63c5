//! A walk past every page of the bank, in one language, looking at each.

use std::collections::BTreeSet;

use countersign::words::Lang;

use super::demo::{Authenticator, Demo, Person};
use super::journey::PASSWORD;
use crate::support::chrome::Chrome;

/// Who stands before each page of the walk.
pub trait Visitor {
    /// Looks at the page that is open.
    async fn look(&mut self, chrome: &Chrome, name: &'static str);
}

/// Walks past every page.
pub async fn walk(lang: Lang, visitor: &mut impl Visitor) {
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    chrome.open(&demo.bank("/about")).await;
    if lang != Lang::default() {
        // Chosen in the footer, it stays for all that follows.
        chrome.press(&lang.words().language_name()).await;
    }
    chrome.heading(&lang.words().about_link()).await;
    visitor.look(&chrome, "about").await;
    share(&demo, &chrome, lang, visitor).await;
    manage(&demo, &chrome, lang, visitor).await;
    activate(&demo, &chrome, lang, visitor).await;
    fail(&demo, &chrome, lang, visitor).await;
    assert_eq!(chrome.violations().await, [""; 0]);
}

async fn share(demo: &Demo, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    let mut ada = demo.ada();
    chrome.open(&demo.partner("/")).await;
    chrome.press("Connect your bank").await;
    chrome.heading(&say.sign_in()).await;
    chrome.fill("username", &ada.username).await;
    visitor.look(chrome, "sign-in").await;
    sign_in(chrome, lang, &ada, "not a code").await;
    chrome.see(".summary", "").await;
    visitor.look(chrome, "sign-in-refused").await;
    let code = ada.phone.code();
    sign_in(chrome, lang, &ada, &code).await;
    let things = match lang {
        Lang::De => "Konten",
        Lang::En => "accounts",
    };
    let question = say.consent_share_with("Pocket Budget", things);
    chrome.heading(&question).await;
    chrome.tick_first().await;
    visitor.look(chrome, "consent").await;
    chrome.press(&say.consent_share(things)).await;
    chrome.heading("Hello, Ada Lovelace").await;
}

async fn sign_in(chrome: &Chrome, lang: Lang, who: &Person, code: &str) {
    chrome.fill("username", &who.username).await;
    chrome.fill("password", &who.password).await;
    chrome.fill("code", code).await;
    chrome.press(&lang.words().sign_in()).await;
}

async fn manage(demo: &Demo, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    chrome.open(&demo.bank("/account")).await;
    chrome.heading(&say.account_hello("Ada Lovelace")).await;
    visitor.look(chrome, "account").await;
    let stop = format!(
        "{} {}",
        say.account_stop(),
        say.account_stop_with("Pocket Budget")
    );
    chrome.press(&stop).await;
    chrome.heading(&say.stop_title("Pocket Budget")).await;
    visitor.look(chrome, "stop-sharing").await;
    chrome.press(&say.account_stop()).await;
    chrome.see("[role=status]", &say.account_stopped()).await;
    visitor.look(chrome, "account-no-apps").await;
    chrome.open(&demo.bank("/sign-out")).await;
    chrome.heading(&say.sign_out_title()).await;
    visitor.look(chrome, "sign-out").await;
    chrome.press(&say.sign_out()).await;
    chrome.heading(&say.signed_out()).await;
    visitor.look(chrome, "signed-out").await;
}

async fn activate(demo: &Demo, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    chrome.open(&demo.told("/invitation/link")).await;
    chrome.heading(&say.activate_welcome("Grace Hopper")).await;
    visitor.look(chrome, "activation").await;
    chrome.press(&say.activate_begin()).await;
    chrome.heading(&say.activate_password()).await;
    visitor.look(chrome, "activation-1").await;
    choose(chrome, lang, "password1234").await;
    chrome.see(".summary", &say.activate_password_weak()).await;
    visitor.look(chrome, "activation-1-refused").await;
    choose(chrome, lang, PASSWORD).await;
    chrome.heading(&say.activate_app()).await;
    visitor.look(chrome, "activation-2").await;
    chrome.press(&say.activate_app_type()).await;
    let key = chrome.see(".key", "").await;
    visitor.look(chrome, "activation-2-key").await;
    let mut phone = Authenticator::new(key.split_whitespace().collect());
    chrome.fill("code", &phone.code()).await;
    chrome.press(&say.activate_app_connect()).await;
    chrome.heading(&say.activate_codes()).await;
    visitor.look(chrome, "activation-3").await;
    let codes = chrome.texts(".codes code").await;
    let label = chrome.text("label[for=confirm]").await;
    let asked = (1..=codes.len()).find(|n| label == say.activate_codes_confirm(*n));
    let asked = asked.unwrap_or_else(|| panic!("{label}"));
    chrome.fill("confirm", &codes[asked - 1]).await;
    chrome.press(&say.activate_codes_finish()).await;
    chrome.heading(&say.activate_done()).await;
    visitor.look(chrome, "activation-done").await;
    chrome.open(&demo.told("/invitation/link")).await;
    chrome.heading(&say.activate_over()).await;
    visitor.look(chrome, "invitation-over").await;
}

async fn choose(chrome: &Chrome, lang: Lang, password: &str) {
    chrome.fill("password", password).await;
    chrome.fill("repeat", password).await;
    chrome.press(&lang.words().activate_save_password()).await;
}

async fn fail(demo: &Demo, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    for (address, heading, name) in [
        ("/nowhere", say.not_found(), "not-found"),
        (
            "/authorize?client_id=nobody",
            say.bad_request(),
            "bad-request",
        ),
        ("/interaction/none", say.gone(), "gone"),
        ("/token", say.wrong_method(), "wrong-method"),
    ] {
        chrome.open(&demo.bank(address)).await;
        chrome.heading(&heading).await;
        visitor.look(chrome, name).await;
    }
}

/// The pages that every walk passes.
pub fn expected() -> BTreeSet<&'static str> {
    BTreeSet::from([
        "about",
        "account",
        "account-no-apps",
        "activation",
        "activation-1",
        "activation-1-refused",
        "activation-2",
        "activation-2-key",
        "activation-3",
        "activation-done",
        "bad-request",
        "consent",
        "gone",
        "invitation-over",
        "not-found",
        "sign-in",
        "sign-in-refused",
        "sign-out",
        "signed-out",
        "stop-sharing",
        "wrong-method",
    ])
}

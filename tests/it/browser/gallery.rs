//! A walk past every page of the bank, in one language, looking at each.

mod elsewhere;

use std::collections::BTreeSet;

use countersign::words::Lang;

use super::demo::{Authenticator, Demo, Person};
use super::journey::PASSWORD;
use crate::support::chrome::{Chrome, Device};

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
    let mut ada = demo.ada();
    share(&demo, &chrome, lang, (&mut ada, visitor)).await;
    go_on(&demo, &chrome, lang, visitor).await;
    let codes = protect(&demo, &chrome, lang, (&mut ada, visitor)).await;
    manage(&demo, &chrome, lang, visitor).await;
    dispute(&demo, &chrome, lang, (&ada, &codes, visitor)).await;
    activate(&demo, &chrome, lang, visitor).await;
    fail(&demo, &chrome, lang, visitor).await;
    explain(&demo, &chrome, lang, visitor).await;
    elsewhere::confirm_payment(&chrome, lang, visitor).await;
    elsewhere::come_through(&chrome, lang, visitor).await;
    elsewhere::read_letters(&chrome, lang, visitor).await;
    elsewhere::confirm_address(&chrome, lang, visitor).await;
    assert_eq!(chrome.violations().await, [""; 0]);
}

async fn share(
    demo: &Demo,
    chrome: &Chrome,
    lang: Lang,
    (ada, visitor): (&mut Person, &mut impl Visitor),
) {
    let say = lang.words();
    chrome.open(&demo.partner("/")).await;
    chrome.press("Connect your bank").await;
    chrome.heading(&say.sign_in()).await;
    chrome.fill("username", &ada.username).await;
    visitor.look(chrome, "sign-in").await;
    sign_in(chrome, lang, ada, "not a code").await;
    chrome.see(".summary", "").await;
    visitor.look(chrome, "sign-in-refused").await;
    let code = ada.phone.code();
    sign_in(chrome, lang, ada, &code).await;
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

/// Somebody is signed in already, and the app asks for claims one by one.
async fn go_on(demo: &Demo, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    const APP: &str = "Pocket Budget for phones";
    let say = lang.words();
    let claims = r#"{"userinfo": {"birthdate": null, "email": {"essential": true}}}"#;
    let challenge = "c".repeat(43);
    let parameters = [
        ("response_type", "code"),
        ("client_id", "pocket-budget-phone"),
        ("redirect_uri", &demo.partner("/callback")),
        ("scope", "openid"),
        ("prompt", "select_account"),
        ("claims", claims),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let request = reqwest::Url::parse_with_params(&demo.bank("/authorize"), parameters).unwrap();
    chrome.open(request.as_str()).await;
    chrome.heading(&say.choose_title(APP)).await;
    visitor.look(chrome, "choose").await;
    chrome.press(&say.choose_go_on("Ada Lovelace")).await;
    chrome.heading(&say.consent_sign_in_to(APP)).await;
    chrome.see(".asks", &say.claim_birthdate()).await;
    visitor.look(chrome, "consent-claims").await;
}

/// Fills in the sign-in page, and sends it.
pub async fn sign_in(chrome: &Chrome, lang: Lang, who: &Person, code: &str) {
    chrome.fill("username", &who.username).await;
    chrome.fill("password", &who.password).await;
    chrome.fill("code", code).await;
    chrome.press(&lang.words().sign_in()).await;
}

/// What is kept safe, and how; gives new recovery codes.
async fn protect(
    demo: &Demo,
    chrome: &Chrome,
    lang: Lang,
    (ada, visitor): (&mut Person, &mut impl Visitor),
) -> Vec<String> {
    let say = lang.words();
    for (path, heading, name) in [
        ("apps", say.account_apps(), "apps"),
        ("sessions", say.account_devices(), "sessions"),
        ("activity", say.activity_title(), "activity"),
        ("not-me", say.not_me(), "not-me"),
        ("app", say.app_new(), "app"),
        ("data", say.data_download(), "data"),
        ("close", say.close_access(), "close"),
        ("password", say.change_password(), "password"),
    ] {
        chrome.open(&demo.bank(&format!("/account/{path}"))).await;
        chrome.heading(&heading).await;
        visitor.look(chrome, name).await;
    }
    for (id, text) in [
        ("current", ada.password.as_str()),
        ("code", "not a code"),
        ("password", PASSWORD),
        ("repeat", PASSWORD),
    ] {
        chrome.fill(id, text).await;
    }
    chrome.press(&say.change_password_save()).await;
    chrome.see(".summary", &say.sign_in_refused()).await;
    visitor.look(chrome, "password-refused").await;
    chrome.open(&demo.bank("/account/recovery-codes")).await;
    chrome.heading(&say.new_codes()).await;
    visitor.look(chrome, "recovery-codes").await;
    chrome.fill("current", &ada.password).await;
    chrome.fill("code", &ada.phone.code()).await;
    chrome.press(&say.new_codes_make()).await;
    chrome.heading(&say.new_codes_save()).await;
    visitor.look(chrome, "recovery-codes-new").await;
    let codes = confirm_codes(chrome, lang).await;
    chrome.press(&say.new_codes_use()).await;
    chrome.see("[role=status]", &say.new_codes_done()).await;
    care(demo, chrome, lang, (&ada.password, &codes, visitor)).await;
    add_passkey(demo, chrome, lang, (&ada.password, &codes, visitor)).await;
    codes
}

/// Another authenticator app, which she then does not take, and the wish to close, which she takes back.
async fn care(
    demo: &Demo,
    chrome: &Chrome,
    lang: Lang,
    (password, codes, visitor): (&str, &[String], &mut impl Visitor),
) {
    let say = lang.words();
    chrome.open(&demo.bank("/account/app")).await;
    chrome.fill("current", password).await;
    chrome.fill("code", &codes[codes.len() - 2]).await;
    chrome.press(&say.app_new_make()).await;
    chrome.see(".qr", "").await;
    visitor.look(chrome, "app-new").await;
    chrome.open(&demo.bank("/account/close")).await;
    chrome.fill("current", password).await;
    chrome.fill("code", &codes[codes.len() - 3]).await;
    chrome.press(&say.close_ask()).await;
    chrome.see("[role=status]", &say.close_noted()).await;
    chrome.open(&demo.bank("/account/close")).await;
    chrome.heading(&say.close_access()).await;
    visitor.look(chrome, "close-asked").await;
    chrome.press(&say.close_take_back()).await;
    chrome.see("[role=status]", &say.close_taken_back()).await;
}

/// A passkey of her own, with a recovery code for the proof.
async fn add_passkey(
    demo: &Demo,
    chrome: &Chrome,
    lang: Lang,
    (password, codes, visitor): (&str, &[String], &mut impl Visitor),
) {
    let say = lang.words();
    let phone = chrome.authenticator(&Device::phone()).await;
    chrome.open(&demo.bank("/account/passkeys/add")).await;
    chrome.heading(&say.passkey_add()).await;
    visitor.look(chrome, "passkey-add").await;
    chrome.fill("name", "Pixel").await;
    chrome.fill("current", password).await;
    chrome
        .fill("code", codes.last().map_or("", String::as_str))
        .await;
    chrome.press(&say.passkey_go_on()).await;
    chrome.heading(&say.passkey_new()).await;
    visitor.look(chrome, "passkey-new").await;
    chrome.press(&say.passkey_create()).await;
    chrome.see("[role=status]", &say.passkey_added()).await;
    chrome.press(&say.passkey_manage()).await;
    chrome.heading("Pixel").await;
    visitor.look(chrome, "passkey").await;
    use_passkey(demo, chrome, lang, (&phone, visitor)).await;
    chrome.no_authenticators().await;
}

/// The app asks for what only a passkey opens; and she signs in with it, though not at first.
async fn use_passkey(
    demo: &Demo,
    chrome: &Chrome,
    lang: Lang,
    (phone, visitor): (&str, &mut impl Visitor),
) {
    let say = lang.words();
    chrome.open(&demo.partner("/accounts")).await;
    chrome.press("Card number of Current account").await;
    chrome.heading(&say.step_up_title()).await;
    visitor.look(chrome, "step-up").await;
    chrome.press(&say.step_up_passkey()).await;
    chrome.heading("Hello, Ada Lovelace").await;
    chrome.open(&demo.bank("/sign-out")).await;
    chrome.press(&say.sign_out()).await;
    chrome.heading(&say.signed_out()).await;
    chrome.unlocks(phone, false).await;
    chrome.open(&demo.bank("/sign-in")).await;
    chrome.press(&say.sign_in_with_passkey()).await;
    chrome.see("[data-failed]", &say.passkey_failed()).await;
    visitor.look(chrome, "sign-in-passkey").await;
    chrome.unlocks(phone, true).await;
    chrome.press(&say.sign_in_with_passkey()).await;
    chrome.heading(&say.account_hello("Ada Lovelace")).await;
}

/// Types the one of the codes on the page that it asks for; gives them all.
async fn confirm_codes(chrome: &Chrome, lang: Lang) -> Vec<String> {
    let say = lang.words();
    let codes = chrome.texts(".codes code").await;
    let label = chrome.text("label[for=confirm]").await;
    let asked = (1..=codes.len()).find(|n| label == say.activate_codes_confirm(*n));
    let asked = asked.unwrap_or_else(|| panic!("{label}"));
    chrome.fill("confirm", &codes[asked - 1]).await;
    codes
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
    let asked = "/end_session?client_id=pocket-budget";
    chrome.open(&demo.bank(asked)).await;
    chrome.see("main", &say.logout_asked()).await;
    visitor.look(chrome, "sign-out-asked").await;
    let refused = "/end_session?id_token_hint=none";
    chrome.open(&demo.bank(refused)).await;
    chrome.heading(&say.logout_failed()).await;
    visitor.look(chrome, "sign-out-failed").await;
    chrome.open(&demo.bank("/sign-out")).await;
    chrome.heading(&say.sign_out_title()).await;
    visitor.look(chrome, "sign-out").await;
    chrome.press(&say.sign_out()).await;
    chrome.heading(&say.signed_out()).await;
    visitor.look(chrome, "signed-out").await;
}

/// She signs in with a recovery code, and says that something was not she.
async fn dispute(
    demo: &Demo,
    chrome: &Chrome,
    lang: Lang,
    (ada, codes, visitor): (&Person, &[String], &mut impl Visitor),
) {
    let say = lang.words();
    chrome.press(&say.signed_out_again()).await;
    sign_in(chrome, lang, ada, &codes[0]).await;
    chrome.heading(&say.account_hello("Ada Lovelace")).await;
    visitor.look(chrome, "account-recovered").await;
    chrome.open(&demo.bank("/account/not-me")).await;
    chrome.press(&say.not_me_yes()).await;
    chrome.heading(&say.disputed()).await;
    visitor.look(chrome, "disputed").await;
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
    chrome.heading(&say.activate_factor()).await;
    visitor.look(chrome, "activation-2").await;
    chrome.press(&say.activate_app_type()).await;
    let key = chrome.see(".key", "").await;
    visitor.look(chrome, "activation-2-key").await;
    let mut phone = Authenticator::new(key.split_whitespace().collect());
    chrome.fill("code", &phone.code()).await;
    chrome.press(&say.activate_app_connect()).await;
    chrome.heading(&say.activate_codes()).await;
    visitor.look(chrome, "activation-3").await;
    confirm_codes(chrome, lang).await;
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

/// What developers read, and what they get who come too often.
async fn explain(demo: &Demo, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    chrome.open(&demo.bank("/errors")).await;
    chrome.heading(&say.errors_title()).await;
    visitor.look(chrome, "errors").await;
    chrome.press("invalid_client").await;
    chrome.heading("invalid_client").await;
    visitor.look(chrome, "error").await;
    let guess = demo.bank("/invite/guess");
    // While a browser opens the page, the limit lets one more through: then they try again.
    for _ in 0..20 {
        exhaust(&guess).await;
        chrome.open(&guess).await;
        if chrome.texts("h1").await.contains(&say.limits_title()) {
            break;
        }
    }
    chrome.heading(&say.limits_title()).await;
    visitor.look(chrome, "too-many").await;
}

/// Somebody in her network tries invitations out, until that is limited.
async fn exhaust(guess: &str) {
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) {
        assert!(statuses.len() < 200, "{statuses:?}");
        statuses.push(reqwest::get(guess).await.unwrap().status().as_u16());
    }
}

/// The pages that every walk passes.
pub fn expected() -> BTreeSet<&'static str> {
    BTreeSet::from([
        "about",
        "account",
        "account-address",
        "account-details",
        "account-no-apps",
        "account-recovered",
        "account-recovery",
        "account-recovery-approved",
        "account-recovery-cancelled",
        "activation",
        "activation-1",
        "activation-1-refused",
        "activation-2",
        "activation-2-key",
        "activation-3",
        "activation-done",
        "activity",
        "address",
        "address-over",
        "app",
        "app-new",
        "apps",
        "bad-request",
        "choose",
        "close",
        "close-asked",
        "consent",
        "consent-claims",
        "consent-details",
        "data",
        "disputed",
        "error",
        "errors",
        "gone",
        "invitation-over",
        "mail-invitation",
        "mail-sign-in",
        "not-found",
        "not-me",
        "passkey",
        "passkey-add",
        "passkey-new",
        "password",
        "password-refused",
        "recovery-codes",
        "recovery-codes-new",
        "sessions",
        "sign-in",
        "sign-in-passkey",
        "sign-in-refused",
        "sign-out",
        "sign-out-asked",
        "sign-out-failed",
        "signed-out",
        "step-up",
        "stop-sharing",
        "too-many",
        "upstream-beside",
        "upstream-link",
        "upstream-link-go",
        "upstream-sign-in",
        "upstream-unlink",
        "upstream-unlinked",
        "wrong-method",
    ])
}

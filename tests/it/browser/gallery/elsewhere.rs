//! Pages of servers with more settings than the demo's, and the letters that they send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::flows::users::{self, NewUser, UserEdit};
use countersign::words::{Lang, isolate};
use serde_json::{Map, json};

use super::Visitor;
use crate::fapi::details;
use crate::mail::delivered;
use crate::recovery::reproof;
use crate::support::chrome::Chrome;
use crate::support::people;
use crate::support::provider::Provider;
use crate::support::server::caller;
use crate::support::smtp::Smtp;
use crate::support::{AuthRequest, Engine, Spec, TestServer};

/// She comes through the institution's own provider, another site to her browser: linked, then not
/// believed, then believed.
pub async fn come_through(chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    const NAME: &str = "Staff Login";
    const WHO: &str = "ada-at-the-bank";
    let say = lang.words();
    let provider = Provider::start().await;
    let server = TestServer::start_now_with(Engine::Sqlite, |file| {
        file.upstream = provider.settings();
        file.recovery.wait_hours = 0;
    })
    .await;
    let ada = server.person("ada").await;
    // The language was chosen before: to a browser, another port is the same site.
    chrome.open(&server.at("/sign-in")).await;
    chrome.heading(&say.sign_in()).await;
    visitor.look(chrome, "upstream-sign-in").await;
    provider.present(WHO, "urn:bank:mfa");
    chrome.press(&say.upstream_sign_in(NAME)).await;
    chrome.see(".summary", &say.upstream_unlinked(NAME)).await;
    visitor.look(chrome, "upstream-unlinked").await;
    for (id, text) in [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", ada.recovery_codes[0].as_str()),
    ] {
        chrome.fill(id, text).await;
    }
    chrome.press(&say.sign_in()).await;
    chrome.heading(&say.account_hello("ada Example")).await;
    chrome.open(&server.at("/account/upstream")).await;
    chrome.heading(&say.upstream_account(NAME)).await;
    visitor.look(chrome, "upstream-link").await;
    chrome.fill("current", &ada.password).await;
    chrome.fill("code", &ada.recovery_codes[1]).await;
    chrome.press(&say.upstream_account_link()).await;
    chrome.see("main", &say.upstream_link_then(NAME)).await;
    visitor.look(chrome, "upstream-link-go").await;
    chrome.press(&say.upstream_link_go(NAME)).await;
    chrome.see("[role=status]", &say.upstream_linked()).await;
    chrome.open(&server.at("/account/upstream")).await;
    chrome.heading(&say.upstream_unlink(NAME)).await;
    visitor.look(chrome, "upstream-unlink").await;
    chrome.open(&server.at("/sign-out")).await;
    chrome.press(&say.sign_out()).await;
    chrome.heading(&say.signed_out()).await;
    provider.present(WHO, "urn:bank:password");
    chrome.open(&server.at("/sign-in")).await;
    chrome.press(&say.upstream_sign_in(NAME)).await;
    chrome.heading(&say.upstream_beside()).await;
    visitor.look(chrome, "upstream-beside").await;
    chrome.fill("code", &ada.recovery_codes[2]).await;
    chrome.press(&say.sign_in()).await;
    chrome.heading(&say.account_hello("ada Example")).await;
    object(&server, chrome, lang, visitor).await;
}

/// An app asks for a payment (RFC 9396); afterwards it stands at the app, on her account page.
pub async fn confirm_payment(chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    let server = TestServer::start_now_with(Engine::Sqlite, |file| {
        let mut payment = details::payment_type();
        payment.without_scope = true;
        file.authorization_details = vec![payment];
    })
    .await;
    let ada = server.person("ada").await;
    let spec = Spec::confidential("budget");
    let back = server.at("/about");
    let mut spec = spec.redirect(&[&back]);
    spec.metadata.authorization_details_types = vec!["payment".to_owned()];
    let app = server.register(spec).await;
    let mut payment = details::payment("Corner Bakery", "9.50");
    payment["purpose"] = "4711".into();
    let request = AuthRequest::new(&app, "openid")
        .with("authorization_details", &json!([payment]).to_string());
    chrome.open(&request.url(&server)).await;
    chrome.heading(&say.sign_in()).await;
    for (id, text) in [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", ada.recovery_codes[0].as_str()),
    ] {
        chrome.fill(id, text).await;
    }
    chrome.press(&say.sign_in()).await;
    chrome.see(".asks", "Corner Bakery").await;
    visitor.look(chrome, "consent-details").await;
    chrome.press(&say.consent_confirm()).await;
    chrome.heading(&say.about_link()).await;
    chrome.open(&server.at("/account")).await;
    chrome.see(".rows", "Corner Bakery").await;
    visitor.look(chrome, "account-details").await;
}

/// Two operators want to let somebody set up her sign-in anew; she reads it, and cancels it.
async fn object(server: &TestServer, chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    let page = server.at("/account");
    reproof::begin(server, "Olga").await.unwrap();
    chrome.open(&page).await;
    chrome.see("#recovery", &say.recovery_standing()).await;
    visitor.look(chrome, "account-recovery").await;
    reproof::approve(server, "Otto").await.unwrap();
    chrome.open(&page).await;
    let approved = say.recovery_standing_approved();
    chrome.see("main", &approved).await;
    visitor.look(chrome, "account-recovery-approved").await;
    chrome.press(&say.recovery_cancel()).await;
    let cancelled = say.recovery_cancelled();
    chrome.see("[role=status]", &cancelled).await;
    visitor.look(chrome, "account-recovery-cancelled").await;
}

/// Letters, as a mail program shows them: an invitation, and what is told of a sign-in.
pub async fn read_letters(chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    let say = lang.words();
    let smtp = Smtp::start().await;
    let server = smtp.server(Engine::Sqlite).await;
    let ada = server.person("ada").await;
    let locale = || Map::from_iter([("locale".to_owned(), lang.tag().into())]);
    let edit = UserEdit {
        claims: locale(),
        removed: Vec::new(),
    };
    users::set(&server.app, "ada", edit, &caller())
        .await
        .unwrap();
    delivered(&server, &smtp).await;
    let mut claims = people::claims("grace");
    claims.extend(locale());
    let new = NewUser {
        username: "grace".to_owned(),
        claims,
    };
    users::invite(&server.app, new, &caller()).await.unwrap();
    let invitation = delivered(&server, &smtp).await;
    server.browser().sign_in(&server, &ada).await;
    let sign_in = delivered(&server, &smtp).await;
    for (letters, name, who) in [
        (invitation, "mail-invitation", "grace Example"),
        (sign_in, "mail-sign-in", "ada Example"),
    ] {
        let [letter] = letters.as_slice() else {
            panic!("{letters:?}");
        };
        // Around it is the mail program's own page.
        let html = letter.html().replacen("<div ", "<div role=\"main\" ", 1);
        let html = STANDARD.encode(html);
        chrome.open(&format!("data:text/html;base64,{html}")).await;
        chrome.see("body", &say.mail_hello(isolate(who))).await;
        visitor.look(chrome, name).await;
    }
}

/// She confirms a new address by a link that goes there.
pub async fn confirm_address(chrome: &Chrome, lang: Lang, visitor: &mut impl Visitor) {
    const LINK: &str = "/account/address?link=";
    let say = lang.words();
    let smtp = Smtp::start().await;
    let server = TestServer::start_now_with(Engine::Sqlite, |file| smtp.configure(file)).await;
    let ada = server.person("ada").await;
    let edit = UserEdit {
        claims: Map::from_iter([("email".to_owned(), "new@mail.example".into())]),
        removed: Vec::new(),
    };
    users::set(&server.app, "ada", edit, &caller())
        .await
        .unwrap();
    chrome.open(&server.at("/sign-in")).await;
    for (id, text) in [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", ada.recovery_codes[0].as_str()),
    ] {
        chrome.fill(id, text).await;
    }
    chrome.press(&say.sign_in()).await;
    chrome.see("#address", &say.address_title()).await;
    visitor.look(chrome, "account-address").await;
    delivered(&server, &smtp).await;
    chrome.press(&say.address_confirm()).await;
    chrome.see("[role=status]", &say.address_sent()).await;
    let letters = delivered(&server, &smtp).await;
    let letter = letters.first().unwrap().text();
    let (_, link) = letter.split_once(LINK).unwrap();
    let link = link.split_whitespace().next().unwrap();
    chrome.open(&server.at(&format!("{LINK}{link}"))).await;
    chrome.heading(&say.address_confirm()).await;
    visitor.look(chrome, "address").await;
    chrome.press(&say.address_confirm()).await;
    chrome.see("[role=status]", &say.address_confirmed()).await;
    chrome.open(&server.at(&format!("{LINK}{link}"))).await;
    chrome.heading(&say.address_over()).await;
    visitor.look(chrome, "address-over").await;
}

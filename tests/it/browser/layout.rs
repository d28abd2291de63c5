//! Every page, in every language, by day and by night: it fits, it is light, everybody can use it,
//! and it speaks one language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use countersign::words::Lang;
use serde_json::Value;

use super::demo::Demo;
use super::gallery::{self, Visitor};
use crate::support::chrome::Chrome;

/// Windows that must not scroll sideways, in CSS pixels: the narrowest (WCAG 2.2, 1.4.10), a desktop
/// at 200 % (1.4.4), a tablet, a desktop.
const WINDOWS: [(u32, u32, u32); 4] =
    [(320, 640, 2), (640, 400, 2), (768, 1024, 1), (1280, 900, 1)];

/// The largest page, in bytes: what arrives in the first round trip.
const LARGEST: u64 = 14 * 1024;

/// Looks at everything.
struct Inspector {
    lang: Lang,
    axe: String,
    /// What each page says.
    said: BTreeMap<&'static str, BTreeSet<String>>,
    complaints: Vec<String>,
}

impl Inspector {
    async fn walk(lang: Lang) -> Self {
        let mut this = Self {
            lang,
            axe: axe(),
            said: BTreeMap::new(),
            complaints: Vec::new(),
        };
        gallery::walk(lang, &mut this).await;
        let seen: BTreeSet<_> = this.said.keys().copied().collect();
        assert_eq!(seen, gallery::expected());
        assert!(
            this.complaints.is_empty(),
            "{lang:?}:\n{}",
            this.complaints.join("\n")
        );
        this
    }
}

impl Visitor for Inspector {
    async fn look(&mut self, chrome: &Chrome, name: &'static str) {
        let mut complain = |what: String| self.complaints.push(format!("{name}: {what}"));
        for (width, height, scale) in WINDOWS {
            chrome.resize(width, height, scale).await;
            let (wide, _) = chrome.extent().await;
            if wide > width {
                complain(format!("is {wide} pixels wide in a window of {width}"));
            }
        }
        for scheme in ["light", "dark"] {
            chrome.prefer(scheme).await;
            for violation in chrome.axe(&self.axe).await {
                complain(format!("{scheme}: {violation}"));
            }
        }
        let [bytes, lang, fetched] = chrome.page().await;
        if bytes.as_u64().is_none_or(|bytes| bytes > LARGEST) {
            complain(format!("is {bytes} bytes large"));
        }
        if lang != self.lang.tag() {
            complain(format!("says that it is in {lang}"));
        }
        if fetched != Value::Array(Vec::new()) {
            complain(format!("fetches from elsewhere: {fetched}"));
        }
        self.said.insert(name, chrome.said().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_and_is_accessible_in_english_and_in_german() {
    let english = Inspector::walk(Lang::En).await;
    let german = Inspector::walk(Lang::De).await;
    // What says the same in both is a name, a number, what a client registered, or was forgotten.
    let names = [
        "Account information, BaFin 123456",
        "Pocket Budget Example Ltd",
        "privacy@pocket-budget.example",
        "new@mail.example",
        "Ada Lovelace",
        "ada Example",
        "Code",
        "Name",
        "Passkey",
        "Pixel",
        "Deutsch",
        "English",
        "Grace Hopper",
        "Harbour Bank",
        "Staff Login",
        "Test Bank",
        "HB",
        "H",
        "Corner Bakery",
        "EUR",
        "The app budget",
        "purpose",
        "Pocket Budget for phones",
        "Pocket Budget",
        "Website",
        "ada",
        "grace",
        "Authenticator",
        "Browser",
        "Chrome",
        "localhost",
        "http://",
        "privacy@",
        "BaFin",
        "OK",
        "UTC",
        "RFC",
        "FAPI",
        "OpenID Connect Core",
        "invalid_client",
        "Ltd",
    ];
    let mut forgotten = Vec::new();
    for (name, said) in &german.said {
        for text in said.intersection(&english.said[name]) {
            let mut rest = text.clone();
            for name in names {
                rest = rest.replace(name, "");
            }
            if rest
                .split(|c: char| !c.is_alphabetic())
                .any(|word| word.len() > 2)
            {
                forgotten.push(format!("{name}: {text}"));
            }
        }
    }
    assert!(
        forgotten.is_empty(),
        "the same in both languages:\n{}",
        forgotten.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pocket_budget_fits_the_narrowest_phone() {
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    let (width, height, scale) = WINDOWS[0];
    chrome.resize(width, height, scale).await;
    for address in ["/", "/phone?still"] {
        chrome.open(&demo.partner(address)).await;
        let (wide, _) = chrome.extent().await;
        assert!(wide <= width, "{address} is {wide} pixels wide");
    }
    demo.ada().connect(&chrome, &demo).await;
    chrome.press("Share accounts").await;
    chrome.heading("Hello, Ada Lovelace").await;
    chrome.press("What just happened").await;
    let (wide, _) = chrome.extent().await;
    assert!(wide <= width, "the accounts are {wide} pixels wide");
}

/// In the language that the browser likes best; the bank goes on in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pocket_budget_speaks_german_on_the_narrowest_phone() {
    let demo = Demo::start();
    let chrome = Chrome::speaking("de-DE,de").await;
    let say = Lang::De.words();
    let (width, height, scale) = WINDOWS[0];
    chrome.resize(width, height, scale).await;
    let axe = axe();
    let check = async |at: &str| {
        let (wide, _) = chrome.extent().await;
        assert!(wide <= width, "{at} is {wide} pixels wide");
        assert_eq!(chrome.axe(&axe).await, [""; 0], "{at}");
        assert_eq!(chrome.page().await[1], "de", "{at}");
    };
    chrome.open(&demo.partner("/")).await;
    chrome.heading("Wissen, was Sie ausgeben können").await;
    check("home").await;
    chrome.press("Bank verbinden").await;
    chrome.heading(&say.sign_in()).await;
    assert_eq!(chrome.page().await[1], "de");
    let mut ada = demo.ada();
    let code = ada.phone.code();
    gallery::sign_in(&chrome, Lang::De, &ada, &code).await;
    chrome
        .heading(&say.consent_share_with("Pocket Budget", "Konten"))
        .await;
    chrome.tick_first().await;
    chrome.press(&say.consent_share("Konten")).await;
    chrome.heading("Guten Tag, Ada Lovelace").await;
    let accounts = chrome.text("#accounts").await;
    assert!(
        accounts.contains("2.480,35") && accounts.contains("−8,40"),
        "{accounts}"
    );
    chrome.press("Was gerade geschehen ist").await;
    check("accounts").await;
    chrome.press("Harbour Bank trennen").await;
    chrome.heading("Ihre Bank ist getrennt").await;
    check("disconnected").await;
}

/// Deque's accessibility rules, as tests/clients/install fetches them.
fn axe() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new(root.join("tests/clients/install")).status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "tests/clients/install failed; run tests/run"
    );
    std::fs::read_to_string(root.join("tests/npm/node_modules/axe-core/axe.min.js")).unwrap()
}

//! The pictures of the pages, for the README and the guides.

use std::path::{Path, PathBuf};

use countersign::words::Lang;

use super::gallery::{self, Visitor};
use crate::support::chrome::Chrome;

/// A desktop's page and a phone's, in CSS pixels; what is longer makes the picture longer.
const DESKTOP: (u32, u32) = (1280, 720);
const PHONE: (u32, u32) = (390, 720);

/// The pages that are shown: by night, on a phone and by day; on a phone and by day; by day alone.
/// All pictures together stay below 3 MB.
const SHOWN: [&[&str]; 3] = [
    &["activation", "consent", "sign-in"],
    &[
        "about",
        "account",
        "activation-1",
        "activation-2",
        "activation-done",
        "bad-request",
        "choose",
        "gone",
        "invitation-over",
        "not-found",
        "sign-out",
        "signed-out",
        "stop-sharing",
    ],
    &[
        "activation-1-refused",
        "activation-2-key",
        "activation-3",
        "activity",
        "disputed",
        "not-me",
        "password",
        "sign-in-refused",
        "upstream-beside",
        "upstream-link",
        "upstream-sign-in",
    ],
];

/// Writes them into the folder that `PICTURES` names, over what is there:
/// `PICTURES=docs/pages cargo test --test it screenshots_for_the_readme -- --ignored`.
/// Without it they go below `target`, because no two runs make quite the same ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is for making pictures"]
async fn screenshots_for_the_readme() {
    gallery::walk(Lang::En, &mut Photographer { lang: Lang::En }).await;
    gallery::walk(Lang::De, &mut Photographer { lang: Lang::De }).await;
}

/// Takes the pictures.
struct Photographer {
    lang: Lang,
}

impl Visitor for Photographer {
    async fn look(&mut self, chrome: &Chrome, name: &'static str) {
        if self.lang == Lang::default() {
            take(chrome, name).await;
        } else if matches!(name, "consent" | "sign-in") {
            let name = format!("{name}-{}", self.lang.tag());
            picture(chrome, &name, "light", DESKTOP).await;
        }
    }
}

/// By day `<name>.png`; of what most people see on telephones `<name>-phone.png` too, and of a few
/// pages `<name>-dark.png`.
async fn take(chrome: &Chrome, name: &str) {
    let [by_night, on_a_phone, by_day] = SHOWN;
    let shown = |names: &[&str]| names.contains(&name);
    if shown(by_night) {
        picture(chrome, &format!("{name}-dark"), "dark", DESKTOP).await;
    }
    if shown(by_night) || shown(on_a_phone) {
        picture(chrome, &format!("{name}-phone"), "light", PHONE).await;
    }
    if shown(by_night) || shown(on_a_phone) || shown(by_day) {
        picture(chrome, name, "light", DESKTOP).await;
    }
}

async fn picture(chrome: &Chrome, name: &str, scheme: &str, size: (u32, u32)) {
    chrome.prefer(scheme).await;
    chrome.picture(&file(name), size, 1).await;
}

fn file(name: &str) -> PathBuf {
    let below_target = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let folder = std::env::var_os("PICTURES").map_or_else(below_target, PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}.png"))
}

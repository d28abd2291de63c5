//! The pictures of the pages, for the README and the guides.

use std::path::{Path, PathBuf};

use countersign::words::Lang;

use super::gallery::{self, Visitor};
use crate::support::chrome::Chrome;

/// A desktop's page and a phone's, in CSS pixels; what is longer makes the picture longer.
const DESKTOP: (u32, u32) = (1280, 720);
const PHONE: (u32, u32) = (390, 720);

/// Every page is shown by day; these also on a phone and by night, and these also on a phone. All
/// pictures together stay below 8 MB.
const BY_NIGHT: [&str; 3] = ["activation", "consent", "sign-in"];
const ON_A_PHONE: [&str; 6] = [
    "account",
    "activation-1",
    "activation-2",
    "sign-out",
    "step-up",
    "stop-sharing",
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
    let by_night = BY_NIGHT.contains(&name);
    if by_night {
        picture(chrome, &format!("{name}-dark"), "dark", DESKTOP).await;
    }
    if by_night || ON_A_PHONE.contains(&name) {
        picture(chrome, &format!("{name}-phone"), "light", PHONE).await;
    }
    picture(chrome, name, "light", DESKTOP).await;
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

//! The pictures of the pages, for the README and the guides.

use std::path::{Path, PathBuf};

use countersign::words::Lang;

use super::demo::Demo;
use super::gallery::{self, Visitor};
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
    gallery::walk(Lang::En, &mut Photographer { lang: Lang::En }).await;
    gallery::walk(Lang::De, &mut Photographer { lang: Lang::De }).await;
    let demo = Demo::start();
    let chrome = Chrome::start().await;
    demo.ada().connect(&chrome, &demo).await;
    chrome.tick_first().await;
    chrome.press("Share accounts").await;
    chrome.heading("Hello, Ada Lovelace").await;
    take(&chrome, "pocket-budget").await;
}

/// Takes a picture of each page.
struct Photographer {
    lang: Lang,
}

impl Visitor for Photographer {
    async fn look(&mut self, chrome: &Chrome, name: &'static str) {
        let minor = ["-refused", "-key", "-no-apps", "wrong-method"];
        if self.lang == Lang::default() && minor.iter().any(|end| name.ends_with(end)) {
            chrome.prefer("light").await;
            chrome.picture(&file(name), DESKTOP, 1).await;
        } else if self.lang == Lang::default() {
            take(chrome, name).await;
        } else if matches!(name, "consent" | "sign-in") {
            let name = format!("{name}-{}", self.lang.tag());
            chrome.prefer("light").await;
            chrome.picture(&file(&name), DESKTOP, 1).await;
        }
    }
}

/// `<name>.png`, `<name>-phone.png` and `<name>-dark.png`.
async fn take(chrome: &Chrome, name: &str) {
    chrome.prefer("dark").await;
    chrome
        .picture(&file(&format!("{name}-dark")), DESKTOP, 1)
        .await;
    chrome.prefer("light").await;
    chrome.picture(&file(name), DESKTOP, 1).await;
    chrome
        .picture(&file(&format!("{name}-phone")), PHONE, 1)
        .await;
}

fn file(name: &str) -> PathBuf {
    let below_target = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let folder = std::env::var_os("PICTURES").map_or_else(below_target, PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}.png"))
}

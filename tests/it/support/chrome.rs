//! A real browser, driven over `WebDriver`, and programs that end with the test that started them.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::common::log::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, WindowHandle};

use super::template::Directory;

/// For how long a page may keep a test waiting, and how often it looks.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(40));

/// What makes Chromium run as root, without a display and without a word to the outside.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // It ends when the driver does, however the driver ended.
    "--remote-debugging-pipe",
];

/// A program that ends when this value goes, or when the whole test process does: a shell waits
/// for the end of its standard input, which the system brings about either way.
pub struct Tied {
    shell: Child,
    leash: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Tied {
    /// Starts it.
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        let script = "\"$0\" \"$@\" < /dev/null & exec >&- 2>&-; read -r _; kill $!; wait $!";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            leash: shell.stdin.take(),
            stdout: BufReader::new(shell.stdout.take().unwrap()),
            shell,
        }
    }

    /// The next line of its standard output; `None` when it has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line).unwrap();
        (read > 0).then_some(line)
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        drop(self.leash.take());
        let _ = self.shell.wait();
        // What it started in turn (a driver its browser) holds standard output open to the end.
        let _ = std::io::copy(&mut self.stdout, &mut std::io::sink());
    }
}

/// What a virtual authenticator can do.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a capability")]
pub struct Device {
    /// It is part of the machine, and not plugged in.
    pub built_in: bool,
    /// It stores what it made, and finds it by itself.
    pub stores: bool,
    /// It can verify the person.
    pub verifies: bool,
    /// The person turns away when it asks her.
    pub refuses: bool,
}

impl Device {
    /// A phone or laptop with a fingerprint.
    pub const fn phone() -> Self {
        Self {
            built_in: true,
            stores: true,
            verifies: true,
            refuses: false,
        }
    }

    /// A security key without a PIN.
    pub const fn key() -> Self {
        Self {
            built_in: false,
            stores: true,
            verifies: false,
            refuses: false,
        }
    }
}

/// A browser with a profile of its own, and the page that it shows.
pub struct Chrome {
    // Ending the driver ends the browser too; asking for that first would only take longer.
    driver: ManuallyDrop<WebDriver>,
    /// Whether virtual authenticators take the place of real ones.
    plugged: AtomicBool,
    _process: Tied,
    _profile: Directory,
}

impl Chrome {
    /// Opens one.
    pub async fn start() -> Self {
        Self::with_preferences(json!({})).await
    }

    /// Opens one in which JavaScript is switched off.
    pub async fn without_javascript() -> Self {
        let blocked = "profile.managed_default_content_settings.javascript";
        Self::with_preferences(json!({ blocked: 2 })).await
    }

    /// Opens one that likes a language best, such as `de-DE,de`.
    pub async fn speaking(languages: &str) -> Self {
        let preferences = ["intl.accept_languages", "intl.selected_languages"];
        let preferences = preferences.map(|name| (name.to_owned(), languages.into()));
        Self::with_preferences(Value::Object(preferences.into_iter().collect())).await
    }

    async fn with_preferences(preferences: Value) -> Self {
        let browser = find(
            &["chromium", "chromium-browser", "google-chrome"],
            "chromium",
        );
        let driver = find(&["chromedriver"], "chromium-driver");
        let profile = Directory::new();
        let (process, port) = start_driver(&driver);

        let mut wanted = ChromeCapabilities::new();
        wanted.set_binary(browser.to_str().unwrap()).unwrap();
        for flag in FLAGS {
            wanted.add_arg(flag).unwrap();
        }
        let folder = format!("--user-data-dir={}", profile.path().display());
        wanted.add_arg(&folder).unwrap();
        wanted.add_arg("--window-size=1280,900").unwrap();
        wanted
            .add_experimental_option("prefs", preferences)
            .unwrap();
        wanted
            .set_browser_log_level(LoggingPrefsLogLevel::All)
            .unwrap();
        let session = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await;
        Self {
            driver: ManuallyDrop::new(
                session.unwrap_or_else(|e| panic!("{} does not start: {e}", browser.display())),
            ),
            plugged: AtomicBool::new(false),
            _process: process,
            _profile: profile,
        }
    }

    /// Goes to an address.
    pub async fn open(&self, url: &str) {
        self.driver
            .goto(url)
            .await
            .unwrap_or_else(|e| panic!("{url}: {e}"));
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().into()
    }

    /// What the tab says.
    pub async fn title(&self) -> String {
        self.driver.title().await.unwrap()
    }

    /// Waits for the page with this first-level heading.
    pub async fn heading(&self, text: &str) {
        let by = By::XPath(format!("//h1[normalize-space()={}]", quoted(text)));
        self.element(by, text).await;
    }

    /// Waits for an element whose text contains `part`; gives the whole text.
    pub async fn see(&self, css: &str, part: &str) -> String {
        let with = part.to_owned();
        let contains = move |text: &str| text.contains(&with);
        let query = self.driver.query(By::Css(css)).wait(PATIENCE.0, PATIENCE.1);
        match query.and_displayed().with_text(contains).first().await {
            Ok(found) => found.text().await.unwrap(),
            Err(error) => panic!(
                "{css} with {part:?}: {error}; on {}",
                self.described().await
            ),
        }
    }

    /// The text of an element that is there.
    pub async fn text(&self, css: &str) -> String {
        self.element(By::Css(css), css).await.text().await.unwrap()
    }

    /// The texts of all such elements, shown or not.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for found in self.driver.find_all(By::Css(css)).await.unwrap() {
            texts.push(found.prop("textContent").await.unwrap().unwrap_or_default());
        }
        texts
    }

    /// Whether there is such an element, and it shows.
    pub async fn shows(&self, css: &str) -> bool {
        let query = self.driver.query(By::Css(css)).nowait();
        query.and_displayed().exists().await.unwrap()
    }

    /// Whether the keyboard's focus is on such an element.
    pub async fn has_focus(&self, css: &str) -> bool {
        let focused = format!("{css}:focus");
        self.driver
            .query(By::Css(focused))
            .nowait()
            .exists()
            .await
            .unwrap()
    }

    /// Types into the field with this id, in place of what it holds.
    pub async fn fill(&self, id: &str, text: &str) {
        let field = self.element(By::Id(id), id).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses the radio button with this id.
    pub async fn choose(&self, id: &str) {
        self.element(By::Id(id), id).await.click().await.unwrap();
    }

    /// What the field with this id holds.
    pub async fn value(&self, id: &str) -> String {
        let field = self.element(By::Id(id), id).await;
        field.value().await.unwrap().unwrap_or_default()
    }

    /// Whether the check box with this label is ticked.
    pub async fn is_ticked(&self, label: &str) -> bool {
        self.box_of(label).await.is_selected().await.unwrap()
    }

    /// Ticks the check box with this label, or takes the tick away.
    pub async fn tick(&self, label: &str) {
        self.box_of(label).await.click().await.unwrap();
    }

    /// Ticks the first check box.
    pub async fn tick_first(&self) {
        let by = By::Css("input[type=checkbox]");
        self.element(by, "a check box").await.click().await.unwrap();
    }

    /// What the accessibility rules of axe-core, given as their source, find on the page.
    pub async fn axe(&self, source: &str) -> Vec<String> {
        self.driver.execute(source, vec![]).await.unwrap();
        let run = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then(
                found => done(found.violations.flatMap(v => v.nodes.map(
                    n => `${v.id}: ${n.failureSummary} ${n.html}`))),
                error => done([String(error)]))";
        let found = self.driver.execute_async(run, vec![]).await.unwrap();
        found.convert().unwrap()
    }

    /// How many bytes of HTML the page is, its language, and what it fetched from other origins.
    pub async fn page(&self) -> [Value; 3] {
        let script = "const [page] = performance.getEntriesByType('navigation');
            const fetched = performance.getEntriesByType('resource').map(r => r.name);
            return [page.decodedBodySize, document.documentElement.lang,
                fetched.filter(url => new URL(url).origin !== location.origin)]";
        let found = self.driver.execute(script, vec![]).await.unwrap();
        found.convert().unwrap()
    }

    /// The texts on the page, shown or spoken; not what is said to be code, a value or another
    /// language.
    pub async fn said(&self) -> BTreeSet<String> {
        let script = "const texts = [document.title];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode())
                if (!walker.currentNode.parentElement.closest('code, body [dir=ltr], body [lang]'))
                    texts.push(walker.currentNode.data);
            for (const name of ['aria-label', 'alt', 'title', 'placeholder'])
                for (const e of document.querySelectorAll(`[${name}]`)) texts.push(e.getAttribute(name));
            return texts.map(text => text.trim()).filter(text => text)";
        let found = self.driver.execute(script, vec![]).await.unwrap();
        found.convert().unwrap()
    }

    async fn box_of(&self, label: &str) -> WebElement {
        let text = quoted(label);
        let path = format!("//input[@type='checkbox'][@id=//label[normalize-space()={text}]/@for]");
        self.element(By::XPath(path), label).await
    }

    /// Presses the button, link or summary that says exactly this, hidden words included.
    pub async fn press(&self, label: &str) {
        let text = quoted(label);
        let of = |tag: &str| format!("//{tag}[normalize-space()={text}]");
        let path = [of("button"), of("a"), of("summary")].join(" | ");
        let found = self.element(By::XPath(path), label).await;
        found
            .click()
            .await
            .unwrap_or_else(|e| panic!("{label:?}: {e}"));
    }

    /// Opens a second tab and shows it; gives back the first.
    pub async fn second_tab(&self) -> (WindowHandle, WindowHandle) {
        let first = self.driver.window().await.unwrap();
        let second = self.driver.new_tab().await.unwrap();
        self.show(&second).await;
        (first, second)
    }

    /// Shows a tab.
    pub async fn show(&self, tab: &WindowHandle) {
        self.driver.switch_to_window(tab.clone()).await.unwrap();
    }

    /// Makes the page as large as asked, in CSS pixels, and `scale` times as fine.
    pub async fn resize(&self, width: u32, height: u32, scale: u32) {
        let size = json!({
            "width": width,
            "height": height,
            "deviceScaleFactor": scale,
            "mobile": width < 600,
        });
        self.command("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// Prefers `light` or `dark` from now on, without colours that fade from one to the other.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let media = json!({ "features": features });
        self.command("Emulation.setEmulatedMedia", media).await;
    }

    /// How wide and high the page is with everything on it, in CSS pixels.
    pub async fn extent(&self) -> (u32, u32) {
        let script = "const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]";
        self.driver
            .execute(script, vec![])
            .await
            .unwrap()
            .convert()
            .unwrap()
    }

    /// Writes a picture of the whole page, without scroll bars.
    pub async fn picture(&self, path: &Path, (width, height): (u32, u32), scale: u32) {
        let hidden = json!({ "hidden": true });
        self.command("Emulation.setScrollbarsHidden", hidden).await;
        self.resize(width, height, scale).await;
        // A page may use the height that it is given to stretch.
        for _ in 0..2 {
            let (_, whole) = self.extent().await;
            self.resize(width, whole, scale).await;
        }
        self.driver.screenshot(path).await.unwrap();
    }

    /// What the browser had to say about violated content security policies, so far.
    pub async fn violations(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.unwrap();
        let messages = log.into_iter().map(|entry| entry.message);
        messages
            .filter(|message| message.contains("Content Security Policy"))
            .collect()
    }

    /// Plugs in a virtual authenticator; gives its name.
    pub async fn authenticator(&self, device: &Device) -> String {
        // Enabling it again would unplug what is there.
        if !self.plugged.swap(true, Ordering::Relaxed) {
            let enable = json!({ "enableUI": false });
            self.command("WebAuthn.enable", enable).await;
        }
        let options = json!({ "options": {
            "protocol": "ctap2",
            "transport": if device.built_in { "internal" } else { "usb" },
            "hasResidentKey": device.stores,
            "hasUserVerification": device.verifies,
            "isUserVerified": device.verifies && !device.refuses,
            "automaticPresenceSimulation": true,
        }});
        let added = self
            .command("WebAuthn.addVirtualAuthenticator", options)
            .await;
        added["authenticatorId"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether the person touches and unlocks a device from now on.
    pub async fn unlocks(&self, authenticator: &str, unlocks: bool) {
        let who = json!({ "authenticatorId": authenticator, "isUserVerified": unlocks });
        self.command("WebAuthn.setUserVerified", who).await;
    }

    /// Whether she touches a device when it asks.
    pub async fn touches(&self, authenticator: &str, touches: bool) {
        let who = json!({ "authenticatorId": authenticator, "enabled": touches });
        self.command("WebAuthn.setAutomaticPresenceSimulation", who)
            .await;
    }

    /// From now on a device of this page is asked only when [`Self::answers`] says so.
    pub async fn hesitates(&self) {
        let script = "for (const name of ['get', 'create']) {
                const ask = CredentialsContainer.prototype[name];
                CredentialsContainer.prototype[name] = async function (options) {
                    await new Promise(go => { window.answers = go; });
                    return ask.call(this, options);
                };
            }";
        self.driver.execute(script, vec![]).await.unwrap();
    }

    /// Waits until the page is about to ask a device.
    pub async fn asks(&self) {
        let script = "const done = arguments[arguments.length - 1];
            const look = () => window.answers ? done(true) : setTimeout(look, 20);
            look()";
        self.driver.execute_async(script, vec![]).await.unwrap();
    }

    /// The device that is waited for is asked.
    pub async fn answers(&self) {
        let script = "window.answers()";
        self.driver.execute(script, vec![]).await.unwrap();
    }

    /// The page gives devices as little time as the browser allows.
    pub async fn hurry(&self) {
        let script = "const get = CredentialsContainer.prototype.get;
            CredentialsContainer.prototype.get = function (options) {
                options.publicKey.timeout = 1;
                return get.call(this, options);
            }";
        self.driver.execute(script, vec![]).await.unwrap();
    }

    /// Unplugs all of them.
    pub async fn no_authenticators(&self) {
        self.command("WebAuthn.disable", json!({})).await;
        self.plugged.store(false, Ordering::Relaxed);
    }

    /// Forgets every cookie.
    pub async fn forget_cookies(&self) {
        self.command("Network.clearBrowserCookies", json!({})).await;
    }

    async fn command(&self, method: &str, parameters: Value) -> Value {
        let sent = self.driver.cdp().send_raw(method, parameters).await;
        sent.unwrap_or_else(|e| panic!("{method}: {e}"))
    }

    /// Waits for an element to show.
    async fn element(&self, by: By, what: &str) -> WebElement {
        let query = self.driver.query(by).wait(PATIENCE.0, PATIENCE.1);
        match query.and_displayed().first().await {
            Ok(found) => found,
            Err(error) => panic!("{what:?}: {error}; on {}", self.described().await),
        }
    }

    /// Where it is, and what stands there.
    async fn described(&self) -> String {
        let body = match self.driver.find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        format!("{}:\n{body}", self.url().await)
    }
}

/// Text as `XPath` writes it.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "{text}");
    format!("\"{text}\"")
}

/// Starts the driver on a port that the system chooses.
fn start_driver(program: &Path) -> (Tied, u16) {
    let mut process = Tied::start(program, &["--port=0"]);
    let mut said = String::new();
    while let Some(line) = process.line() {
        let started = line.split("started successfully on port ").nth(1);
        if let Some(port) = started.and_then(|rest| rest.trim().trim_end_matches('.').parse().ok())
        {
            return (process, port);
        }
        said += &line;
    }
    panic!("{} does not start: {said}", program.display());
}

fn find(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let mut found = files.filter(|file| file.is_file());
    found.next().unwrap_or_else(|| {
        panic!(
            "{} is missing, which the tests in a browser need; tests/run installs it, or: \
             apt-get install -y --no-install-recommends {package}",
            names[0]
        )
    })
}

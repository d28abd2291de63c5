//! `countersign demo`, as a visitor meets it: the binary on ports and a folder of its own, walked
//! over HTTP like a browser without JavaScript.

mod fapi;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

/// A running demo.
struct Demo {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    told: Value,
}

impl Demo {
    fn start(data: &Path, base: u16) -> Self {
        Self::start_with(data, base, &[])
    }

    fn start_with(data: &Path, base: u16, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("demo")
            .args(more)
            .args(["--json", "--data"])
            .arg(data)
            .args(["--port-base", &base.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let told = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Self {
            child,
            stdout,
            told,
        }
    }

    /// What `--json` told, by its JSON pointer (RFC 6901).
    fn told(&self, pointer: &str) -> String {
        let value = self.told.pointer(pointer);
        let text = value.and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{pointer} in {}", self.told))
            .to_owned()
    }

    fn partner(&self, path: &str) -> String {
        self.told("/urls/partner") + path
    }

    fn issuer(&self, path: &str) -> String {
        self.told("/issuer") + path
    }

    /// Stops it as a terminal or a service manager does.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert!(
            self.child.wait().unwrap().success(),
            "the demo stops in good order"
        );
        let mut more = String::new();
        self.stdout.read_to_string(&mut more).unwrap();
        assert_eq!(
            more, "",
            "nothing but the JSON object is on standard output"
        );
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("countersign-it-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Four free ports in a row, below those that the system gives to connections: a demo that starts
/// again finds them free.
fn free_base() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
        let base = 20_000 + u16::try_from(step % 3000).unwrap() * 4;
        let bind = |next: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, base + next));
        if (0..4).all(|next| bind(next).is_ok()) {
            return base;
        }
    }
}

/// A browser: it keeps cookies by host, follows redirects, and names its origin when it posts.
struct Visitor {
    http: reqwest::Client,
    cookies: BTreeMap<(String, String), String>,
}

/// Where a visitor ended up.
struct Page {
    url: Url,
    status: StatusCode,
    html: String,
}

impl Visitor {
    fn new() -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self::with(http)
    }

    fn with(http: reqwest::Client) -> Self {
        Self {
            http,
            cookies: BTreeMap::new(),
        }
    }

    async fn get(&mut self, url: &str) -> Page {
        self.go(Method::GET, Url::parse(url).unwrap(), vec![]).await
    }

    async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        let form = form
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        self.go(Method::POST, Url::parse(url).unwrap(), form.collect())
            .await
    }

    /// Sends the form of a page whose action contains `part`.
    async fn submit(&mut self, page: &Page, part: &str, form: &[(&str, &str)]) -> Page {
        let mut actions = page
            .html
            .split("action=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let action = actions
            .find(|action| action.contains(part))
            .unwrap_or_else(|| panic!("no form for {part} on {}:\n{}", page.url, page.html));
        let url = page.url.join(action).unwrap();
        self.post(url.as_str(), form).await
    }

    async fn go(
        &mut self,
        mut method: Method,
        mut url: Url,
        mut form: Vec<(String, String)>,
    ) -> Page {
        for _ in 0..10 {
            let host = url.host_str().unwrap().to_owned();
            let cookies = self.cookies.iter().filter(|((of, _), _)| *of == host);
            let cookies: Vec<String> = cookies
                .map(|((_, name), value)| format!("{name}={value}"))
                .collect();
            let mut request = self.http.request(method.clone(), url.clone());
            if !cookies.is_empty() {
                request = request.header(COOKIE, cookies.join("; "));
            }
            if method == Method::POST {
                request = request
                    .header(ORIGIN, url.origin().ascii_serialization())
                    .form(&form);
            }
            let response = request.send().await.unwrap();
            for set in response.headers().get_all(SET_COOKIE) {
                self.keep(&host, set.to_str().unwrap());
            }
            let status = response.status();
            let Some(location) = response.headers().get(LOCATION) else {
                let html = response.text().await.unwrap();
                return Page { url, status, html };
            };
            assert_eq!(status, StatusCode::SEE_OTHER, "{url}");
            url = url.join(location.to_str().unwrap()).unwrap();
            if !matches!(url.host_str(), Some("localhost" | "127.0.0.1")) {
                let html = String::new();
                return Page { url, status, html };
            }
            method = Method::GET;
            form.clear();
        }
        panic!("too many redirects, the last to {url}");
    }

    fn keep(&mut self, host: &str, set: &str) {
        let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let key = (host.to_owned(), name.to_owned());
        if value.is_empty() || attributes.contains("Max-Age=0") {
            self.cookies.remove(&key);
        } else {
            self.cookies.insert(key, value.to_owned());
        }
    }

    /// The code that the phone shows for an account.
    async fn code(&mut self, demo: &Demo, slug: &str) -> String {
        let phone = self.get(&demo.partner("/phone")).await;
        let after = phone
            .html
            .split(&format!("id=\"code-{slug}\" data-code=\""))
            .nth(1);
        after.unwrap_or_else(|| panic!("{}", phone.html))[..6].to_owned()
    }

    /// From the partner's button to the bank's consent page.
    async fn sign_in(&mut self, demo: &Demo) -> Page {
        self.sign_in_with(demo, &demo.told("/people/0/password"))
            .await
    }

    async fn sign_in_with(&mut self, demo: &Demo, password: &str) -> Page {
        let sign_in = self.post(&demo.partner("/connect"), &[]).await;
        assert!(
            sign_in
                .url
                .as_str()
                .starts_with(&demo.issuer("/interaction/")),
            "{}",
            sign_in.url
        );
        self.prove(demo, &sign_in, password).await
    }

    /// From the bank's sign-in page to its consent page.
    async fn prove(&mut self, demo: &Demo, sign_in: &Page, password: &str) -> Page {
        let name = demo.told("/people/0/username");
        let code = self.code(demo, &name).await;
        let form = [
            ("username", name.as_str()),
            ("password", password),
            ("code", &code),
        ];
        self.submit(sign_in, "/sign-in", &form).await
    }
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_connects_her_bank_stops_sharing_and_the_api_refuses() {
    let folder = Folder::new("demo-walk");
    let demo = Demo::start(&folder.0, free_base());
    let mut ada = Visitor::new();
    let home = ada.get(&demo.partner("/")).await;
    assert!(home.html.contains("Connect your bank"), "{}", home.html);

    let consent = ada.sign_in(&demo).await;
    assert!(
        consent.html.contains("See your accounts and balances"),
        "{}",
        consent.html
    );
    let yes = [("decision", "allow"), ("scope", "transactions:read")];
    let accounts = ada.submit(&consent, "/consent", &yes).await;
    assert_eq!(accounts.url.as_str(), demo.partner("/accounts"));
    for shown in [
        "Hello, Ada Lovelace",
        "€2,480.35",
        "NL25 FAKE 0000 0000 01",
        "Corner Bakery",
    ] {
        assert!(
            accounts.html.contains(shown),
            "{shown} on {}",
            accounts.html
        );
    }
    // The strip tells all that the issue is about, but no token.
    for told in [
        "What just happened",
        "pocket-budget",
        "accounts:read",
        "active",
        "token.issued",
    ] {
        assert!(accounts.html.contains(told), "{told} on {}", accounts.html);
    }
    let shown = accounts.html.split("cs_at_").nth(1).unwrap();
    assert!(
        shown.find('…').unwrap() < 10,
        "no more than the beginning of a token is shown"
    );
    let phone = ada.get(&demo.partner("/phone")).await;
    assert!(
        phone.html.contains("data-spent"),
        "a used code is marked: {}",
        phone.html
    );

    let account = ada.get(&demo.issuer("/account")).await;
    assert!(account.html.contains("Pocket Budget"), "{}", account.html);
    ada.submit(&account, "/account/apps/", &[]).await;
    let refused = ada.get(&demo.partner("/accounts")).await;
    assert!(
        refused.html.contains("Your bank says you stopped sharing"),
        "{}",
        refused.html
    );
    assert_eq!(count(&refused.html, "grant.revoked"), 1, "{}", refused.html);

    // She is still signed in at her bank, and says no this time.
    let consent = ada.post(&demo.partner("/connect"), &[]).await;
    let denied = ada
        .submit(&consent, "/consent", &[("decision", "deny")])
        .await;
    assert!(
        denied.html.contains("Nothing was shared"),
        "{}",
        denied.html
    );
    demo.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_mails_is_in_the_mailbox() {
    let folder = Folder::new("demo-mail");
    let demo = Demo::start(&folder.0, free_base());
    let mut ada = Visitor::new();
    // Her browser is a new one, and she connects an app: she is told of both.
    let consent = ada.sign_in(&demo).await;
    let yes = [("decision", "allow"), ("scope", "transactions:read")];
    ada.submit(&consent, "/consent", &yes).await;
    let subjects = ["New sign-in to your account", "You connected Pocket Budget"];
    let mut again = tokio::time::interval(Duration::from_millis(100));
    let arrived = async {
        loop {
            again.tick().await;
            let page = ada.get(&demo.partner("/phone?still")).await;
            let there = |subject: &&str| page.html.contains(&format!(">{subject}</h3>"));
            if subjects.iter().all(there) {
                return page;
            }
        }
    };
    let page = tokio::time::timeout(Duration::from_secs(30), arrived).await;
    let page = page.expect("both mails come");
    for shown in [
        "To ada@people.example".to_owned(),
        "Someone signed in to your account with a browser".to_owned(),
        "This wasn’t me".to_owned(),
        format!("<a href=\"{}\"", demo.issuer("/account")),
        "id=\"invite-grace\"".to_owned(),
    ] {
        assert!(page.html.contains(&shown), "{shown} on {}", page.html);
    }
    // Of the two texts of a mail the plain one is shown.
    assert!(!page.html.contains("&#60;p"), "{}", page.html);
    demo.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_curl_lines_work_when_pasted() {
    let folder = Folder::new("demo-curl");
    let demo = Demo::start(&folder.0, free_base());
    let api = demo.told("/urls/api") + "/accounts";
    let again = format!(
        "curl -sS -o /dev/null -w 'again: %{{http_code}}\\n' -H \"Authorization: Bearer $TOKEN\" {api}"
    );
    let [get, call, revoke] = [0, 1, 2].map(|n| demo.told(&format!("/curl/{n}")));
    let script = [get, call, revoke, again].join("\n");
    let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    for line in ["NL25FAKE0000000001", "revoked: 200", "again: 401"] {
        assert!(
            out.contains(line),
            "{line} in {out}{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    let anybody = Visitor::new().http.get(&api).send().await.unwrap();
    let challenge = anybody.headers()["www-authenticate"].to_str().unwrap();
    let told = challenge.strip_prefix("Bearer realm=\"accounts\", resource_metadata=\"");
    // RFC 9728 §5.1: an app that knows the API alone finds its way to tokens.
    let metadata = told.unwrap().trim_end_matches('"');
    let metadata = Visitor::new().http.get(metadata).send().await.unwrap();
    let metadata: serde_json::Value = metadata.json().await.unwrap();
    assert_eq!(metadata["resource"], api.as_str());
    assert_eq!(metadata["authorization_servers"][0], demo.told("/issuer"));
    demo.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_survives_a_restart_and_invites_the_next_person() {
    let folder = Folder::new("demo-restart");
    let base = free_base();
    let demo = Demo::start(&folder.0, base);
    let (people, clients) = (demo.told["people"].clone(), demo.told["clients"].clone());
    assert_eq!(demo.told("/invitation/username"), "grace");

    let mut grace = Visitor::new();
    let greeting = grace.get(&demo.told("/invitation/link")).await;
    let password = grace.submit(&greeting, "/invite/", &[]).await;
    let chosen = "quilted-harvest-odd-lamp-77";
    let factor = grace
        .submit(
            &password,
            "/activate/password",
            &[("password", chosen), ("repeat", chosen)],
        )
        .await;
    // Her phone is the demo's: it takes the key in as any authenticator app would.
    let shown = factor.html.split("class=\"key\"").nth(1).unwrap();
    let shown = shown.split("</dd>").next().unwrap();
    let key: String = shown
        .split("<span>")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .collect();
    let added = grace
        .post(
            &demo.partner("/phone"),
            &[("label", "grace"), ("key", &key)],
        )
        .await;
    assert_eq!(added.status, StatusCode::OK, "{key:?} on {}", factor.html);
    let code = grace.code(&demo, "added-0").await;
    let codes = grace
        .submit(&factor, "/activate/factor", &[("code", &code)])
        .await;
    assert!(
        codes.url.as_str().ends_with("/activate") && codes.status.is_success(),
        "{}",
        codes.html
    );
    let confirmed = asked_code(&codes.html);
    let done = grace
        .submit(&codes, "/activate/codes", &[("confirm", &confirmed)])
        .await;
    assert!(done.status.is_success(), "{}", done.html);
    demo.stop();

    let demo = Demo::start(&folder.0, base);
    assert_eq!(
        (&demo.told["people"], &demo.told["clients"]),
        (&people, &clients)
    );
    assert_eq!(demo.told("/invitation/username"), "hedy");
    let mut ada = Visitor::new();
    let consent = ada.sign_in(&demo).await;
    assert!(consent.html.contains("Pocket Budget"), "{}", consent.html);
    demo.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_of_an_older_demo_is_brought_up_to_date() {
    let folder = Folder::new("demo-older");
    let base = free_base();
    let demo = Demo::start(&folder.0, base);
    let issuer = demo.told("/issuer");
    demo.stop();
    let settings = folder.0.join("countersign.toml");
    let text = format!(
        "issuer = \"{issuer}\"\n[database]\nurl = \"sqlite:{0}/countersign.db\"\n\
         [vault]\nroot_key_file = \"{0}/root.key\"\n",
        folder.0.display()
    );
    std::fs::write(&settings, text).unwrap();
    for line in [
        "client set pocket-budget --name Older --clear contacts",
        "resource set http://127.0.0.1:PORT/accounts --name Older",
    ] {
        let line = line.replace("PORT", &(base + 2).to_string());
        let set = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("--config")
            .arg(&settings)
            .args(line.split(' '))
            .output()
            .unwrap();
        assert!(
            set.status.success(),
            "{}",
            String::from_utf8_lossy(&set.stderr)
        );
    }
    // As if she had changed it on her account page.
    let notes = folder.0.join("demo.json");
    let mut written: Value = serde_json::from_slice(&std::fs::read(&notes).unwrap()).unwrap();
    let password = written["people"]["ada"]["password"].take();
    written["people"]["ada"]["password"] = "not-hers-any-more".into();
    std::fs::write(&notes, written.to_string()).unwrap();

    let demo = Demo::start(&folder.0, base);
    assert_eq!(demo.told["people"][0]["password"], Value::Null);
    let mut ada = Visitor::new();
    let password = password.as_str().unwrap();
    let consent = ada.sign_in_with(&demo, password).await;
    assert!(consent.html.contains("Pocket Budget"), "{}", consent.html);
    assert!(!consent.html.contains("Older"), "{}", consent.html);
    assert!(consent.html.contains("privacy@pocket-budget.example"));
    demo.stop();
}

/// The recovery code that the page asks for: "Type code number 3".
fn asked_code(html: &str) -> String {
    let codes: Vec<&str> = html
        .split("<code dir=\"ltr\">")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .collect();
    let label = html.split("for=\"confirm\">").nth(1).unwrap();
    let number: String = label
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    codes[number.parse::<usize>().unwrap() - 1].to_owned()
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let folder = Folder::new("demo-port");
    let base = free_base();
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 2)).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["demo", "--port-base", &base.to_string(), "--data"])
        .arg(&folder.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    let port = (base + 2).to_string();
    assert!(
        said.contains(&port) && said.contains("--port-base"),
        "{said}"
    );
    assert!(
        !folder.0.exists(),
        "nothing is written before the ports are taken"
    );
}

#[test]
fn over_tls_the_lines_it_prints_trust_its_own_authority_alone() {
    let folder = Folder::new("demo-tls");
    let demo = Demo::start_with(&folder.0, free_base(), &["--tls"]);
    assert!(demo.told("/issuer").starts_with("https://localhost:"));
    assert!(Path::new(&demo.told("/ca_file")).is_file());
    let lines: Vec<String> = (0..3).map(|n| demo.told(&format!("/curl/{n}"))).collect();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &lines.join("\n")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("\"accounts\""), "{said}");
    assert!(said.ends_with("revoked: 200\n"), "{said}");
    // Without the authority nobody is trusted.
    let stranger = Command::new("curl")
        .args(["--silent", &demo.issuer("/jwks")])
        .status()
        .unwrap();
    assert!(!stranger.success());
    demo.stop();
}

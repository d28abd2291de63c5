//! The guides: their code is that of files that tests run, their links lead somewhere, and the
//! tutorial's commands are typed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use countersign::clock::Clock;

use crate::support::browser::{Browser, Page, consent};
use crate::support::people::{self, PASSWORD};
use crate::support::template::Directory;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The guides' files.
fn guides() -> Vec<PathBuf> {
    let mut all = vec![root().join("docs/tutorial.md")];
    for folder in ["docs/partners", "docs/apis"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        all.extend(entries.map(|entry| entry.unwrap().path()));
    }
    all.sort();
    all
}

/// A fenced block: what stands in the line before it, its language, its text.
struct Block {
    before: String,
    language: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut before = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            all.push(Block {
                before: std::mem::take(&mut before),
                language: language.to_owned(),
                text: inside.join("\n"),
            });
        } else if !line.is_empty() {
            line.clone_into(&mut before);
        }
    }
    all
}

#[test]
fn the_code_of_guides_is_that_of_files_that_tests_run() {
    let mut checked = 0;
    for guide in guides() {
        let text = fs::read_to_string(&guide).unwrap();
        let shown = guide.display();
        for block in blocks(&text) {
            if ["text", "sh"].contains(&block.language.as_str()) {
                continue;
            }
            let target = block.before.split("](").nth(1);
            let target = target.and_then(|rest| rest.split(')').next());
            let target = target.unwrap_or_else(|| panic!("{shown}: no file: {}", block.text));
            let file = guide.parent().unwrap().join(target);
            let code = fs::read_to_string(&file).unwrap();
            assert!(
                code.contains(&block.text),
                "{shown} does not show what is in {target}: {}",
                block.text
            );
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn links_of_guides_lead_to_files() {
    for guide in guides() {
        let text = fs::read_to_string(&guide).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#', ' ']).next().unwrap();
            if target.starts_with("https://") || target.is_empty() {
                continue;
            }
            let there = guide.parent().unwrap().join(target);
            assert!(there.exists(), "{} points to {target}", guide.display());
        }
    }
}

/// A reader's shell.
struct Shell {
    child: Child,
    typed: ChildStdin,
    printed: BufReader<std::process::ChildStdout>,
    ports: [u16; 2],
    _directory: Directory,
}

impl Shell {
    fn new() -> Self {
        let directory = Directory::new();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_countersign"), bin.join("countersign")).unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut child = Command::new("bash")
            .current_dir(directory.path())
            .env("PATH", format!("{}:{path}", bin.display()))
            .env_remove("COUNTERSIGN_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ports = [listener(), listener()].map(|one| one.local_addr().unwrap().port());
        Self {
            typed: child.stdin.take().unwrap(),
            printed: BufReader::new(child.stdout.take().unwrap()),
            child,
            ports,
            _directory: directory,
        }
    }

    /// Types a block; gives what it printed.
    fn run(&mut self, block: &str) -> String {
        let [server, app] = self.ports.map(|port| port.to_string());
        let block = block.replace("9400", &server).replace("8080", &app);
        writeln!(
            self.typed,
            "{block}\nended=$?; echo; echo \"end of block: $ended\""
        )
        .unwrap();
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.printed.read_line(&mut line).unwrap(), 0, "{printed}");
            if let Some(code) = line.strip_prefix("end of block: ") {
                assert_eq!(code.trim(), "0", "{block}: {printed}");
                return printed;
            }
            printed.push_str(&line);
        }
    }

    fn wait_for_the_server(&self) {
        for _ in 0..600 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[0])).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not listen");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = writeln!(self.typed, "kill $(jobs -p) 2> /dev/null; exit");
        let _ = self.child.wait();
    }
}

/// A code of an authenticator, so many steps from now.
fn code(secret: &str, steps: u64) -> String {
    let now = u64::try_from(Clock::system().now().secs()).unwrap();
    people::code_at(secret, now + 30 * steps)
}

/// Opens an invitation and goes through all of it; gives the authenticator's secret.
async fn activate(browser: &mut Browser, link: &str) -> String {
    let page = people::to_factor(browser, link).await;
    let secret = people::secret(&page);
    let action = page.form("/activate/factor").unwrap();
    let page = browser.post(&action, &[("code", &code(&secret, 0))]).await;
    let page = browser.follow(page).await;
    let codes = people::recovery_codes(&page);
    let rest = page.body.split("Type code number ").nth(1).unwrap();
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let asked = &codes[number.parse::<usize>().unwrap() - 1];
    let action = page.form("/activate/codes").unwrap();
    let page = browser.post(&action, &[("confirm", asked)]).await;
    let page = browser.follow(page).await;
    assert_eq!(page.status, 200, "{}", page.body);
    secret
}

/// Signs in and agrees; gives the code in the address bar.
async fn agree(browser: &mut Browser, address: &str, secret: &str) -> String {
    let mut page: Page = browser.open(address).await;
    if let Some(action) = page.form("/sign-in") {
        let code = code(secret, 1);
        let form = [
            ("username", "ada"),
            ("password", PASSWORD),
            ("code", code.as_str()),
        ];
        page = browser.post(&action, &form).await;
        page = browser.follow(page).await;
    }
    let action = page
        .form("/consent")
        .unwrap_or_else(|| panic!("{}", page.body));
    let page = browser.post(&action, &consent(&page)).await;
    let page = browser.follow(page).await;
    let bar = page.location();
    let code = bar.split("code=").nth(1).unwrap_or_else(|| panic!("{bar}"));
    code.split('&').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tutorial_leads_to_a_token() {
    let tutorial = fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let mut shell = Shell::new();
    let issuer = format!("http://localhost:{}", shell.ports[0]);
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let mut browser = Browser::new(http, &issuer);
    let mut secret = String::new();
    let mut printed = Vec::new();
    for block in blocks(&tutorial) {
        let text = if block.language == "text" {
            assert!(block.text.starts_with("CODE="));
            let asked: &String = printed.last().unwrap();
            let address = asked.split_whitespace().last().unwrap();
            let code = agree(&mut browser, address, &secret).await;
            format!("CODE={code}")
        } else {
            block.text
        };
        let said = shell.run(&text);
        if text.contains("countersign serve") {
            shell.wait_for_the_server();
            let link = said
                .split_whitespace()
                .find(|word| word.contains("/invite/"))
                .unwrap();
            secret = activate(&mut browser, &link[issuer.len()..]).await;
        }
        printed.push(said);
    }
    let said = |word: &str| {
        let found = printed.iter().find(|said| said.contains(word));
        found.unwrap_or_else(|| panic!("{word}: {printed:?}"))
    };
    assert!(said("\"active\":true").contains("\"client_id\":\"pocket-budget\""));
    assert!(said("\"active\":false").contains("false"));
    assert!(said("Pocket Budget AB").contains("status_since"));
    said("is removed");
}

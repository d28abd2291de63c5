//! The demo, started for one test, and the people in it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use countersign::clock::Clock;
use serde_json::Value;

use crate::support::chrome::{Chrome, Tied};
use crate::support::people::code_at;
use crate::support::template::Directory;

/// The length of a time step of an authenticator app, in seconds (RFC 6238 §5.2).
const STEP: u64 = 30;

/// A running demo.
pub struct Demo {
    told: Value,
    _process: Tied,
    _data: Directory,
}

impl Demo {
    /// Starts one, on ports and with data of its own.
    pub fn start() -> Self {
        // Between finding free ports and taking them, somebody else may.
        let started = (0..5).find_map(|_| Self::try_start());
        started.expect("the demo starts")
    }

    fn try_start() -> Option<Self> {
        let directory = Directory::new();
        let data = directory.path().join("demo");
        let (data, base) = (data.to_str().unwrap(), free_base().to_string());
        let arguments = ["demo", "--json", "--data", data, "--port-base", &base];
        let mut process = Tied::start(Path::new(env!("CARGO_BIN_EXE_countersign")), &arguments);
        let line = process.line()?;
        Some(Self {
            told: serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}")),
            _process: process,
            _data: directory,
        })
    }

    /// What it told, by its JSON pointer (RFC 6901).
    pub fn told(&self, pointer: &str) -> String {
        let text = self.told.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{pointer} in {}", self.told))
            .to_owned()
    }

    /// An address at Pocket Budget.
    pub fn partner(&self, path: &str) -> String {
        self.told("/urls/partner") + path
    }

    /// An address at the bank.
    pub fn bank(&self, path: &str) -> String {
        self.told("/issuer") + path
    }

    /// The one who can sign in from the start.
    pub fn ada(&self) -> Person {
        Person {
            username: self.told("/people/0/username"),
            password: self.told("/people/0/password"),
            phone: Authenticator::new(self.told("/people/0/totp_secret")),
        }
    }
}

/// Somebody who signs in.
pub struct Person {
    /// Her name.
    pub username: String,
    /// Her password.
    pub password: String,
    /// Her authenticator app.
    pub phone: Authenticator,
}

impl Person {
    /// Fills in the sign-in page, and sends it.
    pub async fn sign_in(&mut self, chrome: &Chrome) {
        let code = self.phone.code();
        self.sign_in_with(chrome, &code).await;
    }

    /// The same with a given code.
    pub async fn sign_in_with(&self, chrome: &Chrome, code: &str) {
        chrome.fill("username", &self.username).await;
        chrome.fill("password", &self.password).await;
        chrome.fill("code", code).await;
        chrome.press("Sign in").await;
    }

    /// From Pocket Budget's first page to the bank's consent page.
    pub async fn connect(&mut self, chrome: &Chrome, demo: &Demo) {
        chrome.open(&demo.partner("/")).await;
        chrome.press("Connect your bank").await;
        chrome.heading("Sign in").await;
        self.sign_in(chrome).await;
        chrome.heading("Share accounts with Pocket Budget?").await;
    }
}

/// An authenticator app that never shows a code twice. A server takes the code of the next step
/// too, because clocks differ, so that two in a row need no waiting.
pub struct Authenticator {
    secret: String,
    spent: u64,
}

impl Authenticator {
    /// One that holds a secret, in base32.
    pub fn new(secret: String) -> Self {
        Self { secret, spent: 0 }
    }

    /// A code that is good and was not given out before.
    pub fn code(&mut self) -> String {
        let now = u64::try_from(Clock::system().now().secs()).unwrap() / STEP;
        let step = now.max(self.spent + 1);
        assert!(step <= now + 1, "too many codes within {STEP} seconds");
        self.spent = step;
        code_at(&self.secret, step * STEP)
    }
}

/// Three ports in a row that are free.
fn free_base() -> u16 {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    loop {
        let first = bind(0).unwrap();
        let base = first.local_addr().unwrap().port();
        if base < 65_000 && bind(base + 1).is_ok() && bind(base + 2).is_ok() {
            return base;
        }
    }
}

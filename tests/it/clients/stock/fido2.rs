//! Yubico's python-fido2 as a person's browser and authenticator: what it reads of the questions, and
//! what it signs, is its own. Its server judges the authenticator that the other tests use.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::program;
use crate::pages::passkeys::{count_events, refused};
use crate::support::authenticator::{Authenticator, challenge, options, present, to_new};
use crate::support::{Browser, Engine, Page, Person, TestServer};

on_both![
    a_person_registers_and_signs_in_with_a_passkey,
    a_person_signs_in_with_password_and_security_key,
    an_answer_for_another_site_is_refused,
    a_passkey_that_did_not_verify_is_refused,
    a_key_that_did_not_verify_is_no_passkey,
    a_counter_that_goes_backwards_blocks_the_key,
    the_authenticator_of_these_tests_is_right_for_its_server,
];
on_both_engines![a_statement_that_the_new_key_signed_is_taken];

/// The program.
struct Device {
    child: Child,
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
    origin: String,
}

impl Device {
    fn of(server: &TestServer) -> Self {
        let mut command = program::command("fido2_device.py");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            asked: child.stdin.take().unwrap(),
            told: BufReader::new(child.stdout.take().unwrap()),
            child,
            origin: server.issuer.clone(),
        }
    }

    /// Tells it one thing; what it says.
    fn tell(&mut self, what: &Value) -> Value {
        writeln!(self.asked, "{what}").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
    }

    /// Does something with options; `lies` is merged into what it is told.
    fn does(&mut self, what: &str, options: &Value, lies: &Value) -> Value {
        let mut told = json!({"do": what, "options": options, "origin": self.origin});
        let lies = lies.as_object().unwrap().clone();
        told.as_object_mut().unwrap().extend(lies);
        self.tell(&told)
    }

    /// Registers a key in a browser that is signed in.
    async fn register(
        &mut self,
        (server, browser): (&TestServer, &mut Browser),
        person: &Person,
        (kind, lies): (&str, Value),
    ) -> Page {
        let page = to_new(browser, server, person, kind).await;
        let made = self.does("create", &options(&page), &lies).to_string();
        browser
            .post("/account/passkeys/new", &[("credential", &made)])
            .await
    }

    /// A person who registered a key of it.
    async fn person(&mut self, server: &TestServer, kind: &str) -> Person {
        let ada = server.person("ada").await;
        let mut browser = server.browser();
        browser.sign_in(server, &ada).await;
        let bound = self
            .register((server, &mut browser), &ada, (kind, json!({})))
            .await;
        assert_eq!(bound.location(), "/account?passkey", "{}", bound.body);
        ada
    }

    /// Signs in with the passkey.
    async fn sign_in(&mut self, browser: &mut Browser, lies: Value) -> Page {
        let asked = challenge(browser, "passkey").await;
        let answer = self.does("answer", &asked.options, &lies).to_string();
        present(browser, "/sign-in", &asked.ceremony, &answer).await
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signed_in(page: &Page) {
    let seen = (page.status, page.location());
    assert_eq!(seen, (303, "/account"), "{}", page.body);
}

async fn a_person_registers_and_signs_in_with_a_passkey(server: TestServer) {
    let mut device = Device::of(&server);
    device.person(&server, "passkey").await;
    for _ in 0..2 {
        let mut browser = server.browser();
        signed_in(&device.sign_in(&mut browser, json!({})).await);
        assert!(browser.is_signed_in().await);
    }
}

async fn a_person_signs_in_with_password_and_security_key(server: TestServer) {
    let mut device = Device::of(&server);
    let ada = device.person(&server, "security_key").await;
    let mut browser = server.browser();
    let asked = challenge(&mut browser, "key").await;
    let answer = device.does("answer", &asked.options, &json!({"verifies": false}));
    let answer = answer.to_string();
    let form = [
        ("username", ada.username.as_str()),
        ("password", &ada.password),
        ("ceremony", &asked.ceremony),
        ("credential", &answer),
        ("proof", "key"),
    ];
    signed_in(&browser.post("/sign-in", &form).await);
}

async fn an_answer_for_another_site_is_refused(server: TestServer) {
    let mut device = Device::of(&server);
    device.person(&server, "passkey").await;
    // An honest browser asks no authenticator for another site's key.
    let mut browser = server.browser();
    let asked = challenge(&mut browser, "passkey").await;
    let elsewhere = json!({"origin": "https://evil.example"});
    let answer = device.does("answer", &asked.options, &elsewhere);
    assert!(answer["refused"].is_string(), "{answer}");
    for lies in [
        json!({"lies": true, "origin": "https://evil.example"}),
        json!({"site": "evil.example"}),
    ] {
        refused(&device.sign_in(&mut server.browser(), lies).await);
    }
    signed_in(&device.sign_in(&mut server.browser(), json!({})).await);
}

async fn a_passkey_that_did_not_verify_is_refused(server: TestServer) {
    let mut device = Device::of(&server);
    device.person(&server, "passkey").await;
    let lazy = json!({"verifies": false});
    refused(&device.sign_in(&mut server.browser(), lazy).await);
    signed_in(&device.sign_in(&mut server.browser(), json!({})).await);
}

async fn a_key_that_did_not_verify_is_no_passkey(server: TestServer) {
    let mut device = Device::of(&server);
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let lazy = ("passkey", json!({"verifies": false}));
    let page = device.register((&server, &mut browser), &ada, lazy).await;
    assert_eq!(page.status, 400, "{}", page.body);
    refused(&device.sign_in(&mut server.browser(), json!({})).await);
}

async fn a_counter_that_goes_backwards_blocks_the_key(server: TestServer) {
    let mut device = Device::of(&server);
    device.person(&server, "passkey").await;
    let forwards = json!({"counter": 10});
    signed_in(&device.sign_in(&mut server.browser(), forwards).await);
    server.advance(1);
    for counter in [4, 100] {
        let lies = json!({"counter": counter});
        refused(&device.sign_in(&mut server.browser(), lies).await);
    }
    assert_eq!(count_events(&server, "passkey.blocked").await, 1);
}

/// Packed self attestation (Web Authentication Level 3 §8.2).
async fn a_statement_that_the_new_key_signed_is_taken(engine: Engine) {
    let direct = |file: &mut countersign::config::File| file.passkeys.attestation = "direct".into();
    let server = TestServer::start_with(engine, direct).await;
    let mut device = Device::of(&server);
    device.person(&server, "passkey").await;
    signed_in(&device.sign_in(&mut server.browser(), json!({})).await);
}

async fn the_authenticator_of_these_tests_is_right_for_its_server(server: TestServer) {
    let mut device = Device::of(&server);
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = to_new(&mut browser, &server, &ada, "passkey").await;
    let created = options(&page);
    let mut ours = Authenticator::new(&server);
    let parsed = |text: String| {
        // What a browser calls what extensions gave.
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().remove("extensions");
        value
    };
    let made = parsed(ours.create(&created));
    let asked = challenge(&mut browser, "passkey").await.options;
    let mut told = json!({"do": "judge", "created": created, "made": made, "asked": asked});
    told["answer"] = parsed(ours.answer(&asked));
    let judged = device.tell(&told);
    assert_eq!(judged["counter"], 1, "{judged}");
    // It refuses what this server refuses.
    ours.verifies = false;
    let lazy = parsed(ours.answer(&asked));
    ours.verifies = true;
    ours.origin = "https://evil.example".to_owned();
    let elsewhere = parsed(ours.answer(&asked));
    for wrong in [lazy, elsewhere] {
        told["answer"] = wrong;
        let judged = device.tell(&told);
        assert!(judged["refused"].is_string(), "{judged}");
    }
}

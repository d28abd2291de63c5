//! A list of stolen names and passwords is tried from many addresses, while people sign in as every day.
//! Half of the passwords are right.

use countersign::config::LimitsFile;

use super::support::{Got, post};
use crate::support::people::PASSWORD;
use crate::support::{Browser, Engine, Person, TestServer};

/// How much there is of everything.
#[derive(Clone, Copy)]
struct Scale {
    people: usize,
    /// Half of the addresses that the list is tried from: one for somebody, one for nobody.
    addresses: usize,
    /// How often each pair of somebody and nobody is tried.
    pairs: usize,
}

const SMALL: Scale = Scale {
    people: 20,
    addresses: 50,
    pairs: 300,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_stolen_passwords_gains_nothing_and_hurts_nobody_on_sqlite() {
    simulate(Engine::Sqlite, SMALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_stolen_passwords_gains_nothing_and_hurts_nobody_on_postgres() {
    simulate(Engine::Postgres, SMALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten thousand attempts take minutes; tests/run --full"]
async fn ten_thousand_attempts_against_a_thousand_people_gain_nothing_and_hurt_nobody() {
    let scale = Scale {
        people: 1000,
        addresses: 250,
        pairs: 5000,
    };
    simulate(Engine::Sqlite, scale).await;
}

async fn simulate(engine: Engine, scale: Scale) {
    let server = TestServer::start_with(engine, |file| file.limits = LimitsFile::default()).await;
    let mut people: Vec<(Person, Browser)> = Vec::new();
    for n in 0..scale.people {
        let person = server.person(&format!("person{n:04}")).await;
        let mut browser = server.browser();
        browser.sign_in(&server, &person).await;
        assert!(browser.is_signed_in().await);
        people.push((person, browser));
        server.advance(60);
    }
    let mut gained = 0;
    for n in 0..scale.pairs {
        let who = n % scale.people;
        let password = if n % 2 == 0 {
            PASSWORD
        } else {
            "wrong password entirely"
        };
        let known = format!("person{who:04}");
        let unknown = format!("nobody{who:04}");
        let mut seen = Vec::new();
        for (name, network) in [(&known, 100), (&unknown, 101)] {
            let from = format!("198.51.{network}.{}", 1 + n % scale.addresses);
            let work = || (server.app.hasher.made(), server.app.store.statements());
            let before = work();
            let got = attempt(&server, &from, name, password).await;
            gained += u32::from(got.status == 303);
            let after = work();
            let did = (after.0 - before.0, after.1 - before.1);
            seen.push((got.status, said(&got, name), did));
        }
        assert_eq!(seen[0], seen[1], "attempt {n} tells who exists");
        if n % 5 == 0 {
            let (person, browser) = &people[(n / 5) % scale.people];
            server.advance(30);
            let code = person.code(&server);
            let form = [
                ("username", person.username.as_str()),
                ("password", PASSWORD),
                ("code", &code),
            ];
            let from = format!("203.0.113.{}", 1 + (n / 5) % scale.people.min(250));
            let got = post(&server, &from, ("/sign-in", Some(browser)), &form).await;
            assert_eq!(
                got.status, 303,
                "{} was kept out: {}",
                person.username, got.body
            );
        }
    }
    assert_eq!(gained, 0);
}

async fn attempt(server: &TestServer, from: &str, name: &str, password: &str) -> Got {
    let form = [
        ("username", name),
        ("password", password),
        ("code", "000000"),
    ];
    post(server, from, ("/sign-in", None), &form).await
}

/// The page, without what is this request's own.
fn said(got: &Got, name: &str) -> String {
    let id = got.header("x-request-id");
    let body = got.body.replace(name, "NAME");
    if id.is_empty() {
        body
    } else {
        body.replace(id, "ID")
    }
}

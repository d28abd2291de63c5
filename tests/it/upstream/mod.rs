//! Signing in through the institution's own provider.

/// Makes two tests of each named function, which takes a server and the provider of its people.
macro_rules! on_both_upstream {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::Engine;
            use crate::support::provider::Provider;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let provider = Provider::start().await;
                super::$name(provider.server(Engine::Sqlite, |_| ()).await, provider).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let provider = Provider::start().await;
                super::$name(provider.server(Engine::Postgres, |_| ()).await, provider).await;
            }
        }
    )*};
}

mod attacks;
mod elsewhere;
mod linking;
mod outages;
mod signing_in;

use crate::support::people::{PASSWORD, Person};
use crate::support::provider::Provider;
use crate::support::{Browser, Page, TestServer};

/// Somebody whom the provider is believed about, and not.
const TRUSTED: (&str, &str) = ("ada-at-the-bank", "urn:bank:mfa");
const UNTRUSTED: (&str, &str) = ("ada-at-the-bank", "urn:bank:password");

/// A person who linked what she has there.
async fn linked(server: &TestServer, provider: &Provider, name: &str, subject: &str) -> Person {
    let person = server.person(name).await;
    let mut browser = server.browser();
    browser.sign_in(server, &person).await;
    let code = person.next_code(server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = provider.link(server, &mut browser, (&form, subject)).await;
    assert_eq!(page.location(), "/account?linked", "{}", page.body);
    person
}

/// Comes back from there without being believed; where a factor of ours is asked for.
async fn half_way(server: &TestServer, provider: &Provider, browser: &mut Browser) -> String {
    let page = provider.walk(server, browser, UNTRUSTED).await;
    assert!(!browser.is_signed_in().await);
    let factor = action(&page, "/sign-in/upstream/");
    factor.unwrap_or_else(|| panic!("{}", page.body))
}

/// The action of the form that begins so.
fn action(page: &Page, beginning: &str) -> Option<String> {
    let mut actions = page.body.split("action=\"").skip(1);
    let found = actions.find(|rest| rest.starts_with(beginning))?;
    found.split('"').next().map(str::to_owned)
}

/// How many events of a kind there are.
async fn events(server: &TestServer, kind: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit_events WHERE kind = '{kind}'");
    server.number(&sql).await
}

/// How many sessions there are that go on.
async fn sessions(server: &TestServer) -> i64 {
    let sql = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    server.number(sql).await
}

async fn signed_in(server: &TestServer, person: &Person) -> Browser {
    let mut browser = server.browser();
    browser.sign_in(server, person).await;
    browser
}

//! Walks of people with passkeys: bound, used, copied and removed.

use super::account::surely;
use super::people::{self, SCOPE, SESSIONS, enter, onward, type_in};
use super::visitor::Visitor;
use super::world::World;
use crate::support::authenticator::{Authenticator, Challenge, options};
use crate::support::browser::consent;
use crate::support::{Answer, AuthRequest};

const ADD: &str = "/account/passkeys/add";
const NEW: &str = "/account/passkeys/new";

/// An account whose first factor is a passkey.
pub async fn activated(w: &mut World) {
    let (mut person, link) = people::invited(w).await;
    let mut device = Authenticator::at(w.issuer());
    people::set_up(w, &mut person, &link, Some(&mut device)).await;
    enter_by(w, &mut device).await;
}

/// Another passkey from its making to its removal: it is whole, or it is not there.
pub async fn bound_and_removed(w: &mut World) {
    let mut passkey = w.passkey.take().unwrap();
    let before = [events(w, "added").await, events(w, "removed").await];
    let mut b = enter_by(w, &mut passkey).await;
    let mut another = Authenticator::at(w.issuer());
    another.counter = 10;
    let path = bind(w, &mut b, &mut passkey, &mut another).await;
    let name = w.name("renamed");
    surely(w, &mut b, &format!("{path}/rename"), &[("name", &name)]).await;
    assert!(b.open(w, "/account").await.body.contains(&name));
    enter_by(w, &mut another).await;
    copied(w, &mut another).await;
    for _ in 0..2 {
        if b.open(w, &path).await.status == 404 {
            break;
        }
        let proof = answer(w, &mut b, "passkey", &mut passkey).await;
        let remove = format!("{path}/remove");
        w.act("flows/judge/passkey.rs:");
        if b.submit(w, &remove, &fields(&proof)).await.is_none() {
            b = enter_by(w, &mut passkey).await;
        }
    }
    assert_eq!(b.open(w, &path).await.status, 404, "it is removed");
    let after = [events(w, "added").await, events(w, "removed").await];
    assert_eq!(after, before.map(|times| times + 1), "each once");
    w.passkey = Some(passkey);
}

/// Adds a key and its name; gives the path of its page.
async fn bind(
    w: &mut World,
    b: &mut Visitor,
    passkey: &mut Authenticator,
    another: &mut Authenticator,
) -> String {
    let name = w.name("another");
    for _ in 0..3 {
        let account = b.open(w, "/account").await;
        let after = account.body.split(&name).nth(1);
        let link = after.and_then(|rest| rest.split("href=\"").nth(1));
        if let Some(path) = link.and_then(|rest| rest.split('"').next()) {
            return path.to_owned();
        }
        let proof = answer(w, b, "passkey", passkey).await;
        let wanted = [("kind", "passkey"), ("name", name.as_str())];
        let form = [&wanted[..], &fields(&proof)].concat();
        if b.submit(w, ADD, &form).await.is_none() {
            // The session's new cookie may be lost with the answer.
            *b = enter_by(w, passkey).await;
        }
        let page = b.open(w, NEW).await;
        if page.body.contains("data-options") {
            let made = another.create(&options(&page));
            b.submit(w, NEW, &[("credential", &made)]).await;
        }
    }
    panic!("no other key");
}

/// A copy of a key answers: that is noticed, and told once.
async fn copied(w: &mut World, copy: &mut Authenticator) {
    let before = events(w, "blocked").await;
    for _ in 0..2 {
        w.advance(1);
        copy.counter = 5;
        let mut b = w.visitor();
        let proof = answer(w, &mut b, "passkey", copy).await;
        b.post(w, "/sign-in", &fields(&proof)).await;
        assert!(!b.is_signed_in(w).await, "a copy lets somebody in");
    }
    assert_eq!(events(w, "blocked").await - before, 1);
}

/// An app asks for more than a password and a code: a key is the missing step.
pub async fn stepped_up(w: &mut World) {
    let mut passkey = w.passkey.take().unwrap();
    let (client, bea, mut b) = (w.web.clone(), w.bea.clone(), w.visitor());
    enter(w, &mut b, &bea).await;
    let request = AuthRequest::new(&client, SCOPE).with("acr_values", "phr");
    let address = url::Url::parse_with_params("http://x/authorize", request.pairs()).unwrap();
    let address = format!("/authorize?{}", address.query().unwrap());
    let mut page = b.open(w, &address).await;
    for _ in 0..6 {
        let next = if let Some(action) = page.form("/step-up") {
            let proof = answer(w, &mut b, "key", &mut passkey).await;
            b.submit(w, &action, &fields(&proof)).await
        } else if let Some(action) = page.form("/sign-in") {
            // The session's new cookie was lost with an answer.
            match type_in(w, &mut b, &action, &bea).await {
                Some(page) => Some(onward(w, &mut b, page).await),
                None => None,
            }
        } else if let Some(action) = page.form("/consent") {
            b.submit(w, &action, &consent(&page)).await
        } else {
            break;
        };
        page = match next {
            Some(page) => page,
            None => b.open(w, &address).await,
        };
    }
    let answer = Answer::of(&page);
    assert!(!answer.get("code").is_empty() || w.died(), "{}", page.body);
    w.passkey = Some(passkey);
}

/// Signs in with a passkey alone, in a new browser. The same answer once more begins no second session.
async fn enter_by(w: &mut World, passkey: &mut Authenticator) -> Visitor {
    for _ in 0..2 {
        let mut b = w.visitor();
        let proof = answer(w, &mut b, "passkey", passkey).await;
        let mut other = b.clone();
        let before = w.count(SESSIONS).await;
        let told = b.post(w, "/sign-in", &fields(&proof)).await;
        other.post(w, "/sign-in", &fields(&proof)).await.unwrap();
        let begun = w.count(SESSIONS).await - before;
        assert!(begun <= 1, "one answer began {begun} sessions");
        if told.is_some() {
            assert_eq!(begun, 1, "the session that she was told of");
            assert!(b.is_signed_in(w).await);
            return b;
        }
    }
    panic!("nobody is let in");
}

/// What a device answers to a new challenge: the fields of a form.
async fn answer(
    w: &mut World,
    b: &mut Visitor,
    proof: &'static str,
    device: &mut Authenticator,
) -> [(&'static str, String); 3] {
    let form = [("proof", proof)];
    let page = match b.post(w, "/passkeys/ask", &form).await {
        Some(page) => page,
        None => b.post(w, "/passkeys/ask", &form).await.unwrap(),
    };
    let asked = Challenge::of(&page);
    [
        ("credential", device.answer(&asked.options)),
        ("ceremony", asked.ceremony),
        ("proof", proof.to_owned()),
    ]
}

fn fields<'a>(proof: &'a [(&'static str, String); 3]) -> [(&'a str, &'a str); 3] {
    proof.each_ref().map(|(name, text)| (*name, text.as_str()))
}

/// How often it was written down that a key was `added`, `blocked`, `removed`.
async fn events(w: &World, what: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit_events WHERE kind = 'passkey.{what}'");
    w.count(&sql).await
}

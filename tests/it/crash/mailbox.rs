//! Walks of people whom a link reaches by mail.

use countersign::flows::users::UserEdit;
use countersign::http::admin::AdminCommand;
use serde_json::{Map, json};

use super::people::{enter, somebody};
use super::visitor::Visitor;
use super::world::World;
use crate::support::Person;

const CONFIRMED: &str = "SELECT COUNT(*) FROM audit_events WHERE kind = 'address.confirmed'";

/// She confirms her new address: once, and surely when she was told so.
pub async fn confirmed(w: &mut World) {
    let person = somebody(w).await;
    let address = format!("{}@new.example", person.username);
    let edit = UserEdit {
        claims: Map::from_iter([("email".to_owned(), json!(address))]),
        removed: Vec::new(),
    };
    let user = person.username.clone();
    w.surely(AdminCommand::UserSet { user, edit }).await;
    let mut b = w.visitor();
    enter(w, &mut b, &person).await;
    let before = w.count(CONFIRMED).await;
    for _ in 0..3 {
        let link = ask(w, &mut b, &person, &address).await;
        for _ in 0..2 {
            let form = [("link", link.as_str())];
            let told = b.post(w, "/account/address/confirm", &form).await;
            let count = w.count(CONFIRMED).await - before;
            assert!(count <= 1, "one link confirmed {count} times");
            if let Some(page) = told {
                let done = page.location() == "/account?address";
                assert!(!done || count == 1, "she was told that it is confirmed");
                assert!(done || count == 1, "a good link: {}", page.body);
            }
        }
        if w.count(CONFIRMED).await == before + 1 {
            let page = b.open(w, "/account").await;
            assert!(page.form("/account/address").is_none(), "it is confirmed");
            return;
        }
    }
    panic!("nothing is confirmed");
}

/// What the link says that she asks for, again when the answer was lost.
async fn ask(w: &mut World, b: &mut Visitor, person: &Person, address: &str) -> String {
    const LINK: &str = "/account/address?link=";
    for _ in 0..2 {
        if let Some(page) = b.post(w, "/account/address", &[]).await {
            let to = page.location();
            assert!(["/account?sent", "/account?lately"].contains(&to), "{to}");
            break;
        }
    }
    let letter = w.letter(address, LINK);
    // It may have taken long.
    if !b.is_signed_in(w).await {
        enter(w, b, person).await;
    }
    let text = letter.text();
    let (_, rest) = text.split_once(LINK).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

//! Walks of people who lost something, and of one who leaves.

use countersign::http::admin::{AdminCommand, AdminReply, ReProofStep};

use super::account::{VERDICT, inside, surely};
use super::people::{enter, lets_in, set_up, somebody};
use super::visitor::Visitor;
use super::world::World;
use crate::support::{Person, people};

const APP: &str = "/account/app";
const DAY: u64 = 24 * 3600;

/// She connects another app: exactly one of the two is hers afterwards.
pub async fn app_replaced(w: &mut World) {
    let (mut b, ada) = inside(w).await;
    w.act(VERDICT);
    let new = begin_app(w, &mut b, &ada).await;
    let code = w.next_code(&new);
    let confirm = format!("{APP}/confirm");
    let told = b.submit(w, &confirm, &[("code", &code)]).await.is_some();
    let is_new = lets_in(w, &new).await;
    assert!(is_new || !told, "she was told that the new app counts");
    assert_ne!(is_new, lets_in(w, &ada).await, "one of them");
    if is_new {
        w.ada = new;
    }
}

/// She, with the key that waits for its first code.
async fn begin_app(w: &mut World, b: &mut Visitor, ada: &Person) -> Person {
    for _ in 0..2 {
        let code = w.next_code(ada);
        let form = [("current", ada.password.as_str()), ("code", code.as_str())];
        if b.submit(w, APP, &form).await.is_none() {
            // The session's new cookie may be lost with the answer.
            *b = inside(w).await.0;
        }
        let page = b.open(w, APP).await;
        if page.body.contains("secret=") {
            return Person {
                totp_secret: people::secret(&page),
                ..ada.clone()
            };
        }
    }
    panic!("no key of an app");
}

/// Two operators let her in again, after she and one of them cancelled it: everything from before ends with
/// the last step, and not before.
pub async fn reproofed(w: &mut World) {
    let old = somebody(w).await;
    let mut b = w.visitor();
    enter(w, &mut b, &old).await;
    let step = |by: &str, step| AdminCommand::UserReProof {
        user: old.username.clone(),
        by: by.to_owned(),
        step,
    };
    w.surely(step("Olga", ReProofStep::Begin)).await;
    surely(w, &mut b, "/account/recovery/cancel", &[]).await;
    w.surely(step("Olga", ReProofStep::Begin)).await;
    w.surely(step("Otto", ReProofStep::Cancel)).await;
    let standing = "SELECT COUNT(*) FROM reproofs WHERE ended_at IS NULL";
    assert_eq!(w.count(standing).await, 0, "it was cancelled and stands");
    let mut link = None;
    for _ in 0..2 {
        w.surely(step("Olga", ReProofStep::Begin)).await;
        w.advance(DAY);
        if let Some(reply) = w.surely(step("Otto", ReProofStep::Approve)).await {
            let AdminReply::Invite(invited) = reply else {
                panic!("no link: {reply:?}");
            };
            let path = invited.link.0.expose().strip_prefix(w.issuer()).unwrap();
            link = Some(path.to_owned());
            break;
        }
        // It was approved, and its link is lost.
        w.surely(step("Otto", ReProofStep::Cancel)).await;
    }
    let link = link.unwrap();
    enter(w, &mut b, &old).await;
    let mut new = old.clone();
    w.act("flows/activate.rs:");
    set_up(w, &mut new, &link, None).await;
    assert!(lets_in(w, &new).await, "what she was shown lets her in");
    assert!(!b.is_signed_in(w).await, "a session from before");
    assert!(!lets_in(w, &old).await, "the app from before");
    let page = b.open(w, &link).await;
    assert!(page.form(&link).is_none(), "the link is good again");
}

/// She asks to close her access and takes it back; the institution closes it.
pub async fn closed(w: &mut World) {
    const ASKED: &str = "SELECT COUNT(*) FROM users \
        WHERE close_asked_at IS NOT NULL AND closed_at IS NULL";
    let person = somebody(w).await;
    let mut b = w.visitor();
    enter(w, &mut b, &person).await;
    w.act(VERDICT);
    for _ in 0..2 {
        let code = w.next_code(&person);
        let form = [("current", person.password.as_str()), ("code", &code)];
        if b.submit(w, "/account/close", &form).await.is_none() {
            b = w.visitor();
            enter(w, &mut b, &person).await;
        }
        if w.count(ASKED).await == 1 {
            break;
        }
    }
    assert_eq!(w.count(ASKED).await, 1, "she asked for it");
    surely(w, &mut b, "/account/close/take-back", &[]).await;
    assert_eq!(w.count(ASKED).await, 0, "she took it back");
    let user = person.username.clone();
    w.surely(AdminCommand::UserClose { user }).await;
    assert!(!b.is_signed_in(w).await, "a session of somebody who left");
    assert!(!lets_in(w, &person).await, "somebody who left");
}

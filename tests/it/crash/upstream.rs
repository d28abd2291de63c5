//! Walks of somebody who comes through the institution's own provider: linked, believed, not believed
//! and unlinked.

use super::account::VERDICT;
use super::people::{SESSIONS, enter};
use super::visitor::Visitor;
use super::world::World;
use crate::support::Person;
use crate::support::provider::link_in;

const LINK: &str = "/account/upstream/link";
const UNLINK: &str = "/account/upstream/unlink";
const LINKS: &str = "SELECT COUNT(*) FROM upstream_links";
const USED: &str = "SELECT COUNT(*) FROM audit_events WHERE kind = 'upstream.used'";

/// Who she is there, when two factors are vouched for, and when one is.
const TWO: (&str, &str) = ("eva-at-the-bank", "urn:bank:mfa");
const ONE: (&str, &str) = ("eva-at-the-bank", "urn:bank:password");

/// She links what she has there: it is linked when she was told so, and an answer links once.
pub async fn linked(w: &mut World) {
    let (mut b, eva) = inside(w).await;
    unlink(w, &mut b, &eva).await;
    w.act(VERDICT);
    link(w, &mut b, &eva).await;
}

/// The provider is believed: its answer begins one session, or none.
pub async fn believed(w: &mut World) {
    let (mut b, eva) = inside(w).await;
    link(w, &mut b, &eva).await;
    w.act(VERDICT);
    for _ in 0..4 {
        let (mut b, back) = answered(w, TWO).await;
        let mut other = b.clone();
        let before = counted(w).await;
        let told = b.get(w, &back).await;
        other.get(w, &back).await.unwrap();
        if begun(w, before, told.is_some()).await {
            assert!(b.is_signed_in(w).await);
            return;
        }
    }
    panic!("nobody is let in");
}

/// It is not believed: a code of hers beside it begins one session, or none.
pub async fn not_believed(w: &mut World) {
    let (mut b, eva) = inside(w).await;
    link(w, &mut b, &eva).await;
    w.act(VERDICT);
    for _ in 0..4 {
        let (mut b, back) = answered(w, ONE).await;
        let Some(page) = b.get(w, &back).await else {
            continue;
        };
        let factor = page.location().to_owned();
        assert!(factor.starts_with("/sign-in/upstream/"), "{}", page.body);
        assert!(!b.is_signed_in(w).await, "by one factor");
        let code = w.next_code(&eva);
        let mut other = b.clone();
        let before = counted(w).await;
        let told = b.post(w, &factor, &[("code", &code)]).await;
        other.post(w, &factor, &[("code", &code)]).await.unwrap();
        if begun(w, before, told.is_some()).await {
            assert!(b.is_signed_in(w).await);
            return;
        }
    }
    panic!("nobody is let in");
}

/// She removes the link: it opens nothing when she was told so.
pub async fn unlinked(w: &mut World) {
    let (mut b, eva) = inside(w).await;
    link(w, &mut b, &eva).await;
    w.act(VERDICT);
    unlink(w, &mut b, &eva).await;
    let (mut b, back) = answered(w, TWO).await;
    b.get(w, &back).await;
    assert!(!b.is_signed_in(w).await, "by what was unlinked");
}

/// She, signed in. Nobody else's failures are counted where hers are.
async fn inside(w: &mut World) -> (Visitor, Person) {
    let (mut b, eva) = (w.visitor(), w.eva.clone());
    enter(w, &mut b, &eva).await;
    (b, eva)
}

/// A browser that was sent there, and what the provider answers through it.
async fn answered(w: &mut World, who: (&str, &str)) -> (Visitor, String) {
    let mut b = w.visitor();
    let page = b.open(w, "/sign-in/upstream").await;
    let asked = page.location();
    assert!(asked.starts_with(&w.provider.issuer), "{}", page.body);
    let back = w.provider.answer_at(asked, who, w.now());
    (b, back)
}

/// How many sessions there are, and how often the log says that a link was used.
async fn counted(w: &World) -> [i64; 2] {
    [w.count(SESSIONS).await, w.count(USED).await]
}

/// Whether she was let in and told so; what she presented twice began one session at most, and the log
/// says so.
async fn begun(w: &World, before: [i64; 2], told: bool) -> bool {
    let after = counted(w).await;
    let [begun, used] = [0, 1].map(|of| after[of] - before[of]);
    assert!(begun <= 1, "one answer began {begun} sessions");
    assert_eq!(begun, used, "sessions, and events of the link's use");
    assert!(begun == 1 || !told, "the session that she was told of");
    told
}

/// She has a link afterwards.
async fn link(w: &mut World, b: &mut Visitor, eva: &Person) {
    for _ in 0..4 {
        if w.count(LINKS).await == 1 {
            return;
        }
        let code = w.next_code(eva);
        let form = [("current", eva.password.as_str()), ("code", &code)];
        let Some(page) = b.post(w, LINK, &form).await else {
            // The session's new cookie may be lost with the answer.
            *b = inside(w).await.0;
            continue;
        };
        assert_eq!(page.status, 200, "{}", page.body);
        let back = w.provider.answer_at(&link_in(&page), TWO, w.now());
        let told = b.get(w, &back).await;
        b.get(w, &back).await;
        assert!(w.count(LINKS).await <= 1, "an answer links once");
        if let Some(page) = told {
            assert_eq!(page.location(), "/account?linked", "{}", page.body);
            assert_eq!(w.count(LINKS).await, 1, "she was told that it is linked");
        }
    }
    panic!("nothing is linked");
}

/// She has none afterwards.
async fn unlink(w: &mut World, b: &mut Visitor, eva: &Person) {
    for _ in 0..2 {
        if w.count(LINKS).await == 0 {
            return;
        }
        let code = w.next_code(eva);
        let form = [("current", eva.password.as_str()), ("code", &code)];
        match b.post(w, UNLINK, &form).await {
            Some(page) => {
                assert_eq!(page.location(), "/account?unlinked", "{}", page.body);
                assert_eq!(w.count(LINKS).await, 0, "she was told that it is gone");
            }
            None => *b = inside(w).await.0,
        }
    }
    assert_eq!(w.count(LINKS).await, 0, "it is removed");
}

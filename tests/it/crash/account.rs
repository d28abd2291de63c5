//! Walks of a signed-in person on her account pages, and how sessions end.

use super::people::{enter, lets_in, tokens};
use super::visitor::Visitor;
use super::world::World;
use crate::support::people::{asked_code, recovery_codes};
use crate::support::{Page, Person};

/// Where commits what is done after a password and a code.
pub const VERDICT: &str = "flows/judge/case.rs:";
const CODES: &str = "/account/recovery-codes";

/// She, signed in.
pub async fn inside(w: &mut World) -> (Visitor, Person) {
    let (mut b, ada) = (w.visitor(), w.ada.clone());
    enter(w, &mut b, &ada).await;
    (b, ada)
}

/// Submits a form, and once more when the answer was lost.
pub async fn surely(w: &mut World, b: &mut Visitor, action: &str, form: &[(&str, &str)]) -> Page {
    match b.submit(w, action, form).await {
        Some(page) => page,
        None => b.submit(w, action, form).await.unwrap(),
    }
}

/// She changes her password: exactly one of the two is hers afterwards.
pub async fn password_changed(w: &mut World) {
    let (mut b, ada) = inside(w).await;
    let new = w.name("eleven loud plovers glide");
    let code = w.next_code(&ada);
    let form = [
        ("current", ada.password.as_str()),
        ("code", &code),
        ("password", &new),
        ("repeat", &new),
    ];
    w.act(VERDICT);
    let told = b.submit(w, "/account/password", &form).await.is_some();
    let changed = Person {
        password: new,
        ..ada.clone()
    };
    let is_new = lets_in(w, &changed).await;
    assert!(is_new || !told, "she was told that her password is changed");
    assert_ne!(is_new, lets_in(w, &ada).await, "one of them");
    if is_new {
        w.ada = changed;
    }
}

/// She makes new recovery codes: one whole set is hers afterwards, the old or the new.
pub async fn codes_replaced(w: &mut World) {
    let (mut b, ada) = inside(w).await;
    w.act(VERDICT);
    let page = begin_codes(w, &mut b, &ada).await;
    let new = Person {
        recovery_codes: recovery_codes(&page),
        ..ada.clone()
    };
    assert_eq!(new.recovery_codes.len(), 10, "{}", page.body);
    let asked = asked_code(&page, &new);
    let confirm = format!("{CODES}/confirm");
    let told = b.submit(w, &confirm, &[("confirm", &asked)]).await;
    let mut good = Vec::new();
    for (which, code) in [("old", &ada.recovery_codes), ("new", &new.recovery_codes)] {
        // The last: one that was not used by an earlier walk.
        let spare = code.last().unwrap();
        let mut other = w.visitor();
        other.open(w, "/sign-in").await;
        w.advance(30);
        let form = [
            ("username", ada.username.as_str()),
            ("password", ada.password.as_str()),
            ("code", spare),
        ];
        other.post(w, "/sign-in", &form).await.unwrap();
        if other.is_signed_in(w).await {
            good.push(which);
        }
    }
    assert!(
        good == ["new"] || (good == ["old"] && told.is_none()),
        "{good:?}"
    );
    w.ada.recovery_codes = if good == ["new"] {
        new.recovery_codes
    } else {
        ada.recovery_codes
    };
    w.ada.recovery_codes.pop();
    assert!(!w.ada.recovery_codes.is_empty(), "too many walks");
}

async fn begin_codes(w: &mut World, b: &mut Visitor, ada: &Person) -> Page {
    for _ in 0..2 {
        let code = w.next_code(ada);
        let form = [("current", ada.password.as_str()), ("code", code.as_str())];
        if b.submit(w, CODES, &form).await.is_none() {
            // The session's new cookie may be lost with the answer.
            *b = inside(w).await.0;
        }
        let page = b.open(w, CODES).await;
        if !recovery_codes(&page).is_empty() {
            return page;
        }
    }
    panic!("no set of codes");
}

/// She keeps the codes that she has.
pub async fn codes_kept(w: &mut World) {
    let (mut b, ada) = inside(w).await;
    begin_codes(w, &mut b, &ada).await;
    surely(w, &mut b, &format!("{CODES}/cancel"), &[]).await;
    let page = b.open(w, CODES).await;
    assert!(recovery_codes(&page).is_empty(), "{}", page.body);
}

/// She stops sharing with an app.
pub async fn sharing_stopped(w: &mut World) {
    let client = w.web.clone();
    let (mut b, _) = inside(w).await;
    tokens(w, &mut b, &client).await;
    // All of them: she may share with others from earlier walks.
    while let Some(action) = b.open(w, "/account/apps").await.form("/stop") {
        surely(w, &mut b, &action, &[]).await;
    }
    let alive = std::mem::take(&mut w.alive);
    w.ended.extend(alive);
    // Nothing of the same second is void by mistake.
    w.advance(10);
}

/// She ends another session, then all of them.
pub async fn sessions_ended(w: &mut World) {
    let (mut here, _) = inside(w).await;
    let (mut there, _) = inside(w).await;
    let page = here.open(w, "/account/sessions").await;
    let others = page.body.split("action=\"").skip(1);
    let mut ends = others
        .filter_map(|rest| rest.split('"').next())
        .filter(|action| action.ends_with("/end") && !action.ends_with("/sessions/end"));
    let action = ends.next().unwrap().to_owned();
    surely(w, &mut here, &action, &[]).await;
    surely(w, &mut here, "/account/sessions/end", &[]).await;
    assert!(!here.is_signed_in(w).await && !there.is_signed_in(w).await);
}

/// An app signs her out, and hears of it.
pub async fn signed_out(w: &mut World) {
    let client = w.web.clone();
    let (mut b, _) = inside(w).await;
    let gone = w.gone.clone();
    tokens(w, &mut b, &gone).await;
    let tokens = tokens(w, &mut b, &client).await;
    let heard = w.receiver.got().len();
    let asked = [
        ("id_token_hint", tokens.id.as_str()),
        ("post_logout_redirect_uri", "https://web.example/out"),
    ];
    let address = url::Url::parse_with_params("http://x/end_session", asked).unwrap();
    let page = b
        .open(w, &format!("/end_session?{}", address.query().unwrap()))
        .await;
    assert!(
        page.location().starts_with("https://web.example/out"),
        "{}",
        page.body
    );
    assert!(!b.is_signed_in(w).await);
    w.surely_tick("logouts");
    // A lease of a process that died runs out first.
    w.advance(600);
    w.surely_tick("logouts");
    assert!(w.receiver.got().len() > heard, "the app was not told");
    let waiting = "SELECT COUNT(*) FROM logouts WHERE client_id = 'web'";
    assert_eq!(w.count(waiting).await, 0, "the app is told again");
    // Their time was over by then.
    w.alive.clear();
}

/// "This wasn't me": everything ends, also when the answer is lost.
pub async fn disputed(w: &mut World) {
    let client = w.web.clone();
    let (mut b, _) = inside(w).await;
    tokens(w, &mut b, &client).await;
    let page = b.open(w, "/account/not-me").await;
    let stop: Vec<String> = page
        .body
        .split("name=\"stop-")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|id| format!("stop-{id}"))
        .collect();
    let form: Vec<_> = stop.iter().map(|name| (name.as_str(), "on")).collect();
    surely(w, &mut b, "/account/not-me", &form).await;
    assert!(!b.is_signed_in(w).await);
    let alive = std::mem::take(&mut w.alive);
    w.ended.extend(alive);
    w.advance(10);
}

//! Walks of people and their apps: invited, activated, signed in, asked, and what apps get of it.

use countersign::http::admin::{AdminCommand, AdminReply, Answer as Told};
use serde_json::Value;

use super::visitor::Visitor;
use super::world::World;
use crate::support::authenticator::Authenticator;
use crate::support::browser::consent;
use crate::support::people::{self, PASSWORD};
use crate::support::{Answer, AuthRequest, ClientApp, Page, Person, Tokens};

pub const SCOPE: &str = "openid offline_access accounts:read";
pub const SESSIONS: &str = "SELECT COUNT(*) FROM sessions";

/// Signs a person in outside any app's request. An answer that was lost is asked for again with the
/// same code, as a person does: it is good once, before or after.
pub async fn enter(w: &mut World, b: &mut Visitor, person: &Person) {
    b.open(w, "/sign-in").await;
    if let Some(page) = type_in(w, b, "/sign-in", person).await {
        assert_eq!(page.status, 303, "{}", page.body);
    } else {
        let code = w.next_code(person);
        b.submit(w, "/sign-in", &typed(person, &code))
            .await
            .unwrap();
    }
    assert!(signed_in(w, b).await);
}

/// Types name, password and a fresh code. When the answer was lost the same code is tried in another
/// browser; then `None`, with this browser as it was.
pub async fn type_in(
    w: &mut World,
    b: &mut Visitor,
    action: &str,
    person: &Person,
) -> Option<Page> {
    let code = w.next_code(person);
    let before = w.count(SESSIONS).await;
    let form = typed(person, &code);
    let page = b.post(w, action, &form).await;
    if page.is_none() {
        let mut other = w.visitor();
        other.open(w, "/sign-in").await;
        other.post(w, "/sign-in", &form).await.unwrap();
        let begun = w.count(SESSIONS).await - before;
        assert_eq!(begun, 1, "one code began {begun} sessions");
    }
    page
}

fn typed<'a>(person: &'a Person, code: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("username", &person.username),
        ("password", &person.password),
        ("code", code),
    ]
}

async fn signed_in(w: &mut World, b: &mut Visitor) -> bool {
    b.open(w, "/account").await.status == 200 && b.is_signed_in(w).await
}

/// Asks for a code, through sign-in and consent, and anew when it was lost with its answer.
pub async fn code(w: &mut World, b: &mut Visitor, client: &ClientApp) -> (AuthRequest, String) {
    let ada = w.ada.clone();
    for _ in 0..3 {
        let request = AuthRequest::new(client, SCOPE);
        let pairs: Vec<_> = request.pairs().into_iter().skip(1).collect();
        let pushed = w.surely_post(client, "/par", &pairs).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let short = [
            ("client_id", client.id.as_str()),
            ("request_uri", pushed.text("request_uri")),
        ];
        let address = url::Url::parse_with_params("http://x/authorize", short).unwrap();
        let address = format!("/authorize?{}", address.query().unwrap());
        let mut page = b.open(w, &address).await;
        for _ in 0..5 {
            let next = if let Some(action) = page.form("/sign-in") {
                let page = type_in(w, b, &action, &ada).await;
                match page {
                    Some(page) => Some(onward(w, b, page).await),
                    None => None,
                }
            } else if let Some(action) = page.form("/consent") {
                let given = consent(&page);
                b.submit(w, &action, &given).await
            } else {
                break;
            };
            page = match next {
                Some(page) => page,
                None => b.open(w, &address).await,
            };
        }
        let answer = Answer::of(&page);
        if !answer.get("code").is_empty() {
            assert_eq!(answer.get("state"), request.get("state"));
            return (request, answer.code());
        }
        assert!(w.died(), "no code: {} {}", page.status, page.body);
    }
    panic!("no code at all");
}

pub async fn onward(w: &mut World, b: &mut Visitor, page: Page) -> Page {
    let to = page.location().to_owned();
    if to.starts_with('/') || to.starts_with(&format!("{}/", w.issuer())) {
        return b.open(w, &to).await;
    }
    page
}

/// Redeems a code, and once more when the answer was lost; `None` when it was spent by then.
async fn redeem(
    w: &mut World,
    client: &ClientApp,
    (request, code): &(AuthRequest, String),
) -> Option<Tokens> {
    let form = request.redemption(client, code);
    if let Some(reply) = w.post(client, "/token", &form).await {
        return Some(Tokens::of(&reply.ok()));
    }
    let again = w.post(client, "/token", &form).await.unwrap();
    if again.status == 200 {
        return Some(Tokens::of(&again.ok()));
    }
    again.refused(400, "invalid_grant");
    None
}

/// Tokens, from the request to the redemption.
pub async fn tokens(w: &mut World, b: &mut Visitor, client: &ClientApp) -> Tokens {
    for _ in 0..2 {
        let asked = code(w, b, client).await;
        if let Some(tokens) = redeem(w, client, &asked).await {
            w.alive.push(tokens.access.clone());
            return tokens;
        }
    }
    panic!("two codes in a row were lost");
}

/// Refreshes; an answer that was lost comes again.
async fn refresh(w: &mut World, client: &ClientApp, token: &str) -> Tokens {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let reply = w.surely_post(client, "/token", &form).await;
    let tokens = Tokens::of(&reply.ok());
    w.alive.push(tokens.access.clone());
    tokens
}

/// Everything that was good until now is not any more.
fn all_ended(w: &mut World) {
    let alive = std::mem::take(&mut w.alive);
    w.ended.extend(alive);
}

/// An app that keeps no secret: its refresh tokens rotate.
pub async fn rotating(w: &mut World) {
    let client = w.phone.clone();
    let mut b = w.visitor();
    let first = tokens(w, &mut b, &client).await;
    let second = refresh(w, &client, &first.refresh).await;
    let again = refresh(w, &client, &first.refresh).await;
    assert_eq!(second.refresh, again.refresh, "a repeat gives the same");
    let third = refresh(w, &client, &second.refresh).await;
    assert_ne!(third.refresh, second.refresh);
    w.compare().await;
    // A superseded one ends everything, and does so though the answer is lost.
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.refresh.as_str()),
    ];
    let reused = w.surely_post(&client, "/token", &form).await;
    reused.refused(400, "invalid_grant");
    all_ended(w);
}

/// An app with a secret, which refreshes, reads who she is, and revokes.
pub async fn confidential(w: &mut World) {
    let client = w.web.clone();
    let mut b = w.visitor();
    let first = tokens(w, &mut b, &client).await;
    let second = refresh(w, &client, &first.refresh).await;
    let userinfo = w.request("GET", "/userinfo").bearer_auth(&second.access);
    assert_eq!(w.send(userinfo).await.unwrap().status, 200);
    let revoked = w
        .surely_post(&client, "/revoke", &[("token", &first.access)])
        .await;
    assert_eq!(revoked.status, 200);
    w.alive.retain(|token| *token != first.access);
    w.ended.push(first.access);
    w.compare().await;
    // With the session and the consent that stand, nobody is asked.
    let silent = tokens(w, &mut b, &client).await;
    let revoked = w
        .surely_post(&client, "/revoke", &[("token", &second.refresh)])
        .await;
    assert_eq!(revoked.status, 200);
    w.alive.retain(|token| *token == silent.access);
    w.ended.push(second.access);
}

/// A code that is presented twice ends what it gave.
pub async fn replayed(w: &mut World) {
    let client = w.web.clone();
    let mut b = w.visitor();
    let asked = code(w, &mut b, &client).await;
    if let Some(tokens) = redeem(w, &client, &asked).await {
        w.alive.push(tokens.access);
    }
    let form = asked.0.redemption(&client, &asked.1);
    let reply = w.surely_post(&client, "/token", &form).await;
    reply.refused(400, "invalid_grant");
    all_ended(w);
}

/// She turns back.
pub async fn turned_back(w: &mut World) {
    let client = w.web.clone();
    let mut b = w.visitor();
    let request = AuthRequest::new(&client, SCOPE);
    let address = url::Url::parse_with_params("http://x/authorize", request.pairs()).unwrap();
    let address = format!("/authorize?{}", address.query().unwrap());
    let page = b.open(w, &address).await;
    let action = page.form("/cancel").unwrap();
    let back = match b.post(w, &action, &[]).await {
        Some(page) => page,
        None => b.post(w, &action, &[]).await.unwrap(),
    };
    let answer = Answer::of(&back);
    assert!(
        answer.error() == "access_denied" || w.died(),
        "{}",
        back.body
    );
    assert_eq!(answer.get("code"), "");
}

/// An app asks which account it shall be, and an old sign-in is not new enough for it.
pub async fn chosen(w: &mut World) {
    let client = w.web.clone();
    let (ada, mut b) = (w.ada.clone(), w.visitor());
    enter(w, &mut b, &ada).await;
    // Long enough that using the session is written down.
    w.advance(120);
    let request = AuthRequest::new(&client, SCOPE).with("prompt", "select_account");
    let address = url::Url::parse_with_params("http://x/authorize", request.pairs()).unwrap();
    let address = format!("/authorize?{}", address.query().unwrap());
    let mut page = b.open(w, &address).await;
    for _ in 0..4 {
        let next = if let Some(action) = page.form("/go-on") {
            let session = hidden(&page, "session");
            b.submit(w, &action, &[("session", &session)]).await
        } else if let Some(action) = page.form("/consent") {
            let given = consent(&page);
            b.submit(w, &action, &given).await
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
}

fn hidden(page: &Page, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let rest = page.body.split(mark.as_str()).nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Wrong passwords are counted, and the right one counts all the same.
pub async fn mistyped(w: &mut World) {
    let (ada, mut b) = (w.ada.clone(), w.visitor());
    b.open(w, "/sign-in").await;
    let wrong = Person {
        password: "wrong password entirely".to_owned(),
        ..ada.clone()
    };
    let before = w.count(SESSIONS).await;
    for _ in 0..2 {
        let code = w.next_code(&ada);
        b.post(w, "/sign-in", &typed(&wrong, &code)).await;
    }
    assert_eq!(w.count(SESSIONS).await, before, "a wrong password");
    enter(w, &mut b, &ada).await;
}

/// Whether what somebody has lets her in, in a new browser.
pub async fn lets_in(w: &mut World, person: &Person) -> bool {
    let mut b = w.visitor();
    b.open(w, "/sign-in").await;
    let code = w.next_code(person);
    b.post(w, "/sign-in", &typed(person, &code)).await.unwrap();
    b.is_signed_in(w).await
}

/// An account from its invitation to its first sign-in.
pub async fn activated(w: &mut World) {
    somebody(w).await;
}

/// Somebody new, with an app. Whatever was lost: she can sign in, with what she was shown.
pub async fn somebody(w: &mut World) -> Person {
    let (mut person, link) = invited(w).await;
    set_up(w, &mut person, &link, None).await;
    let mut b = w.visitor();
    enter(w, &mut b, &person).await;
    person
}

/// Invites somebody new; gives the path of her link, too.
pub async fn invited(w: &mut World) -> (Person, String) {
    let username = w.name("person");
    let add = AdminCommand::UserAdd {
        username: username.clone(),
        claims: people::claims(&username),
    };
    let reply = if let Some(reply) = w.surely(add).await {
        reply
    } else {
        // It was made, and its link is lost: the operator makes another.
        let user = username.clone();
        match w.command(AdminCommand::UserInvite { user }).await {
            Some(Told::Done(reply)) => reply,
            other => panic!("{other:?}"),
        }
    };
    let AdminReply::Invite(invited) = reply else {
        panic!("no invitation: {reply:?}");
    };
    let person = Person {
        username,
        password: PASSWORD.to_owned(),
        totp_secret: String::new(),
        recovery_codes: Vec::new(),
        id: invited.user_id,
    };
    let link = invited.link.0.expose().strip_prefix(w.issuer()).unwrap();
    (person, link.to_owned())
}

/// Goes through the ceremony that a link opens, with an app or with the passkey of a device.
pub async fn set_up(
    w: &mut World,
    person: &mut Person,
    link: &str,
    mut device: Option<&mut Authenticator>,
) {
    let mut b = w.visitor();
    let mut page = match b.submit(w, link, &[]).await {
        Some(page) => page,
        None => b.submit(w, link, &[]).await.unwrap(),
    };
    for _ in 0..6 {
        let next = if let Some(action) = page.form("/activate/password") {
            let form = [("password", PASSWORD), ("repeat", PASSWORD)];
            b.submit(w, &action, &form).await
        } else if let Some(action) = page.form("/activate/factor") {
            if let Some(device) = &mut device {
                bind_device(w, &mut b, device).await
            } else {
                person.totp_secret = people::secret(&page);
                let code = w.next_code(person);
                b.submit(w, &action, &[("code", &code)]).await
            }
        } else if let Some(action) = page.form("/activate/codes") {
            person.recovery_codes = people::recovery_codes(&page);
            let asked = people::asked_code(&page, person);
            b.submit(w, &action, &[("confirm", &asked)]).await
        } else {
            break;
        };
        page = match next {
            Some(page) => page,
            None => b.open(w, "/activate").await,
        };
    }
}

async fn bind_device(w: &mut World, b: &mut Visitor, device: &mut Authenticator) -> Option<Page> {
    let asked = b.post(w, "/activate/passkey/ask", &[]).await?;
    let asked: Value = serde_json::from_str(&asked.body).unwrap();
    let made = device.create(&asked["publicKey"]);
    b.submit(w, "/activate/passkey", &[("credential", &made)])
        .await
}

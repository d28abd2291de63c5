//! What people are told of, and what they are not.

use countersign::flows::reproof::Told;
use countersign::flows::users::{self, NewUser, UserEdit};
use countersign::flows::{AdminFailure, close, reproof};
use countersign::jobs::mails;
use countersign::store::users::UserState;
use serde_json::{Map, json};

use super::{delivered, subjects, waiting};
use crate::support::authenticator::person_with;
use crate::support::people::{self, PASSWORD};
use crate::support::server::caller;
use crate::support::smtp::{Got, Manner, Smtp};
use crate::support::{Spec, TestServer};

on_both_mailed![
    an_invitation_brings_its_link,
    what_concerns_her_safety_is_told,
    a_known_browser_is_not_told_of,
    guessing_is_told_once_a_block,
    a_stranger_who_knows_the_password_is_told_of,
    nobody_without_an_address_is_written_to,
    a_former_address_is_told_too,
    whoever_changes_the_address_does_not_hide_a_new_sign_in,
    a_stranger_in_her_account_is_told_of,
    she_is_told_of_guessing_once_a_day,
    the_wish_to_close_and_its_end_are_told,
    an_invitation_ends_when_its_address_was_wrong,
    an_invitation_ends_with_the_account,
    an_earlier_invitation_is_not_sent_any_more,
    she_is_not_let_in_before_she_was_told,
    a_key_that_she_disputes_is_told_with_its_reason,
    an_account_that_was_set_up_is_never_opened_by_a_mail,
    she_is_told_in_her_language,
];

on_both![nothing_is_written_down_without_a_mail_server];

async fn an_invitation_brings_its_link(server: TestServer, smtp: Smtp) {
    let (id, path) = people::invite(&server, "ada").await;
    let letters = delivered(&server, &smtp).await;
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    assert_eq!(letter.to, "ada@mail.example");
    assert_eq!(letter.header("To"), "\"ada Example\" <ada@mail.example>");
    assert_eq!(letter.header("Subject"), "Set up your sign-in");
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    let link = server.at(&path);
    assert!(letter.text().contains(&link), "{}", letter.text());
    assert!(letter.html().contains(&format!("href=\"{link}\"")));
    people::go_through(&server, "ada", id, &path).await;
}

async fn what_concerns_her_safety_is_told(server: TestServer, smtp: Smtp) {
    let ada = server.person("ada").await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Set up your sign-in", "Your sign-in is ready"]);
    let mut browser = server.browser();
    let client = server.register(Spec::confidential("budget")).await;
    browser.code_flow(&server, &client, &ada, "openid").await;
    let letters = delivered(&server, &smtp).await;
    let told = subjects(&letters);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&"New sign-in to your account".to_owned()));
    let text = letters
        .iter()
        .find(|got| got.header("Subject").starts_with("New sign-in"));
    let text = text.unwrap().text();
    for known in [
        "ada Example",
        "Firefox on Linux",
        "127.0.0.1",
        &server.at("/account"),
    ] {
        assert!(text.contains(known), "{known}: {text}");
    }
    server.advance(30);
    let (code, new) = (ada.code(&server), "eleven loud plovers 3 glide");
    let form = [
        ("current", PASSWORD),
        ("code", code.as_str()),
        ("password", new),
        ("repeat", new),
    ];
    browser.post("/account/password", &form).await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Your password was changed"]);
    let mut other = server.browser();
    other.try_sign_in("ada", new, &ada.recovery_codes[3]).await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(
        told,
        ["A recovery code was used", "New sign-in to your account"]
    );
    other.post("/account/not-me", &[]).await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Everything is stopped"]);
}

async fn a_known_browser_is_not_told_of(server: TestServer, smtp: Smtp) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    delivered(&server, &smtp).await;
    browser.post("/sign-out", &[]).await;
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
    assert_eq!(waiting(&server).await, 0);
    // A mistake of her own, in a browser that is known.
    browser.try_sign_in("ada", PASSWORD, "000000").await;
    assert_eq!(waiting(&server).await, 0);
}

async fn guessing_is_told_once_a_block(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    delivered(&server, &smtp).await;
    for username in ["ada", "dora"] {
        for _ in 0..8 {
            let mut stranger = server.browser();
            stranger
                .try_sign_in(username, "wrong password entirely", "000000")
                .await;
        }
    }
    let letters = delivered(&server, &smtp).await;
    assert_eq!(subjects(&letters), ["Failed attempts to sign in"]);
    assert_eq!(letters[0].to, "ada@mail.example");
}

async fn a_stranger_who_knows_the_password_is_told_of(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    delivered(&server, &smtp).await;
    let mut stranger = server.browser();
    stranger
        .try_sign_in("ada", "wrong password entirely", "000000")
        .await;
    assert_eq!(waiting(&server).await, 0);
    stranger.try_sign_in("ada", PASSWORD, "000000").await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Failed attempts to sign in"]);
}

async fn nobody_without_an_address_is_written_to(server: TestServer, smtp: Smtp) {
    let new = NewUser {
        username: "ada".to_owned(),
        claims: Map::new(),
    };
    users::invite(&server.app, new, &caller()).await.unwrap();
    assert!(delivered(&server, &smtp).await.is_empty());
    assert_eq!(waiting(&server).await, 0);
    assert!(smtp.commands().is_empty(), "{:?}", smtp.commands());
}

async fn a_former_address_is_told_too(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    delivered(&server, &smtp).await;
    let edit = UserEdit {
        claims: Map::from_iter([("email".to_owned(), json!("new@mail.example"))]),
        removed: Vec::new(),
    };
    users::set(&server.app, "ada", edit, &caller())
        .await
        .unwrap();
    let letters = delivered(&server, &smtp).await;
    let mut to: Vec<_> = letters.iter().map(|got| got.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["ada@mail.example", "new@mail.example"]);
    assert_eq!(
        letters[0].header("Subject"),
        "Your e-mail address was changed"
    );
    assert_ne!(
        letters[0].header("Message-ID"),
        letters[1].header("Message-ID")
    );
    // Another claim is nobody's business.
    let edit = UserEdit {
        claims: Map::from_iter([("nickname".to_owned(), json!("Countess"))]),
        removed: Vec::new(),
    };
    users::set(&server.app, "ada", edit, &caller())
        .await
        .unwrap();
    assert_eq!(waiting(&server).await, 0);
}

async fn an_account_that_was_set_up_is_never_opened_by_a_mail(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    delivered(&server, &smtp).await;
    // As after a hundred failures in a row.
    server.behind("UPDATE users SET password = NULL").await;
    let invited = users::reinvite(&server.app, "ada", &caller()).await;
    drop(invited);
    let letters = delivered(&server, &smtp).await;
    assert!(letters.iter().all(|got| !got.raw.contains("/invite/")));
}

async fn she_is_told_in_her_language(server: TestServer, smtp: Smtp) {
    let mut claims = people::claims("ada");
    claims.insert("locale".to_owned(), json!("de-CH"));
    let new = NewUser {
        username: "ada".to_owned(),
        claims,
    };
    users::invite(&server.app, new, &caller()).await.unwrap();
    let letters = delivered(&server, &smtp).await;
    assert_eq!(
        letters[0].header("Subject"),
        "Richten Sie Ihre Anmeldung ein"
    );
    assert!(letters[0].html().contains("lang=\"de\""));
}

async fn nothing_is_written_down_without_a_mail_server(server: TestServer) {
    let ada = server.person("ada").await;
    server.browser().sign_in(&server, &ada).await;
    for _ in 0..6 {
        let mut stranger = server.browser();
        stranger.try_sign_in("ada", PASSWORD, "000000").await;
    }
    assert_eq!(waiting(&server).await, 0);
}

async fn moved(server: &TestServer, address: &str) -> users::Changed {
    let edit = UserEdit {
        claims: Map::from_iter([("email".to_owned(), json!(address))]),
        removed: Vec::new(),
    };
    users::set(&server.app, "ada", edit, &caller())
        .await
        .unwrap()
}

fn to(letters: &[Got]) -> Vec<&str> {
    let mut to: Vec<_> = letters.iter().map(|got| got.to.as_str()).collect();
    to.sort_unstable();
    to
}

/// One operator changes the address and lets somebody in; a second one approves it in good faith.
async fn whoever_changes_the_address_does_not_hide_a_new_sign_in(server: TestServer, smtp: Smtp) {
    let ada = server.person("ada").await;
    delivered(&server, &smtp).await;
    let both = ["ada@mail.example", "evil@mail.example"];
    moved(&server, both[1]).await;
    assert_eq!(to(&delivered(&server, &smtp).await), both);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.get("/account/activity").await;
    assert!(page.body.contains("the e-mail address that we write to"));
    delivered(&server, &smtp).await;
    reproof::begin(&server.app, "ada", "olga", &caller())
        .await
        .unwrap();
    // Another change, before anything is sent.
    moved(&server, "worse@mail.example").await;
    let letters = delivered(&server, &smtp).await;
    let begun = letters
        .into_iter()
        .filter(|got| got.header("Subject").starts_with("Someone asked"));
    assert_eq!(to(&begun.collect::<Vec<_>>()), both);
    server.advance(24 * 3600);
    let approved = reproof::approve(&server.app, "ada", ("otto", false), &caller())
        .await
        .unwrap();
    assert!(approved.moved_at.is_some());
    assert_eq!(approved.told, Told::Sent);
    let letters = delivered(&server, &smtp).await;
    assert_eq!(to(&letters).len(), 3, "{:?}", to(&letters));
    server.advance(31 * 24 * 3600);
    reproof::begin(&server.app, "ada", "olga", &caller())
        .await
        .unwrap();
    let letters = delivered(&server, &smtp).await;
    assert_eq!(to(&letters), ["worse@mail.example"]);
}

async fn a_stranger_in_her_account_is_told_of(server: TestServer, smtp: Smtp) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    delivered(&server, &smtp).await;
    for n in 0..8 {
        let wrong = [("current", PASSWORD), ("code", "000000")];
        browser.post("/account/data", &wrong).await;
        server.advance(n);
    }
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Failed attempts to change your account"]);
    let not_sent = "SELECT COUNT(*) FROM audit_events WHERE kind = 'mail.not_sent'";
    assert_eq!(server.number(not_sent).await, 0);
}

async fn she_is_told_of_guessing_once_a_day(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    delivered(&server, &smtp).await;
    let flood = async || {
        for _ in 0..6 {
            for _ in 0..6 {
                let mut stranger = server.browser();
                let page = stranger
                    .try_sign_in("ada", "wrong entirely", "000000")
                    .await;
                assert_eq!(page.status / 100, 4, "{}", page.body);
            }
            server.advance(3600);
        }
    };
    flood().await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Failed attempts to sign in"]);
    server.advance(24 * 3600);
    flood().await;
    assert_eq!(delivered(&server, &smtp).await.len(), 1);
}

async fn the_wish_to_close_and_its_end_are_told(server: TestServer, smtp: Smtp) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    browser.post("/account/close", &form).await;
    delivered(&server, &smtp).await;
    browser.post("/account/close/take-back", &[]).await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Your access stays open"]);
    close::close(&server.app, "ada", &caller()).await.unwrap();
    let letters = delivered(&server, &smtp).await;
    assert_eq!(subjects(&letters), ["Your access is closed"]);
    assert_eq!(letters[0].to, "ada@mail.example");
    let text = letters[0].text();
    assert!(
        text.contains("ada Example") && !text.contains("/account"),
        "{text}"
    );
    assert_eq!(waiting(&server).await, 0);
}

async fn an_invitation_ends_when_its_address_was_wrong(server: TestServer, smtp: Smtp) {
    let (_, link) = people::invite(&server, "ada").await;
    let changed = moved(&server, "right@mail.example").await;
    assert!(changed.uninvited);
    assert_eq!(server.browser().get(&link).await.status, 410);
    assert!(
        delivered(&server, &smtp).await.is_empty(),
        "nothing to the wrong one"
    );
    let again = users::reinvite(&server.app, "ada", &caller()).await;
    assert!(again.is_ok());
    assert_eq!(to(&delivered(&server, &smtp).await), ["right@mail.example"]);
}

async fn an_invitation_ends_with_the_account(server: TestServer, smtp: Smtp) {
    let (_, link) = people::invite(&server, "ada").await;
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    let enabled = users::enable(&server.app, "ada", &caller()).await.unwrap();
    assert_eq!(enabled.state, UserState::Invited);
    assert_eq!(server.browser().get(&link).await.status, 410);
    assert!(delivered(&server, &smtp).await.is_empty());
}

async fn an_earlier_invitation_is_not_sent_any_more(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    let link = users::reinvite(&server.app, "ada", &caller()).await;
    let link = link.unwrap().link;
    let letters = delivered(&server, &smtp).await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].text().contains(link.expose()));
}

async fn she_is_not_let_in_before_she_was_told(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    delivered(&server, &smtp).await;
    smtp.answer(Manner::Answers("MAIL", "550 5.7.1 not from you"));
    let approve =
        async |although| reproof::approve(&server.app, "ada", ("otto", although), &caller()).await;
    reproof::begin(&server.app, "ada", "olga", &caller())
        .await
        .unwrap();
    mails::tick(&server.app).await.unwrap();
    server.advance(24 * 3600);
    let Err(AdminFailure::Refused(why)) = approve(false).await else {
        panic!("she does not know of it");
    };
    assert!(why.contains("--untold"), "{why}");
    let refused = "SELECT COUNT(*) FROM audit_events WHERE kind = 'recovery.refused'";
    assert_eq!(server.number(refused).await, 1);
    assert_eq!(approve(true).await.unwrap().told, Told::Waiting);
    // One that was given up, and one that there was no way for.
    reproof::cancel(&server.app, "ada", "olga", &caller())
        .await
        .unwrap();
    smtp.answer(Manner::Answers("RCPT", "550 5.1.1 unknown"));
    reproof::begin(&server.app, "ada", "olga", &caller())
        .await
        .unwrap();
    assert!(delivered(&server, &smtp).await.is_empty());
    server.advance(24 * 3600);
    assert_eq!(approve(false).await.unwrap().told, Told::NotSent);
}

async fn a_key_that_she_disputes_is_told_with_its_reason(server: TestServer, smtp: Smtp) {
    let (ada, _) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    delivered(&server, &smtp).await;
    let page = browser.get("/account/not-me").await;
    let key = page.body.split("name=\"block-").nth(1).unwrap();
    let key = format!("block-{}", key.split('"').next().unwrap());
    browser.post("/account/not-me", &[(&key, "yes")]).await;
    let told = subjects(&delivered(&server, &smtp).await);
    assert_eq!(told, ["Everything is stopped"], "and of no copy");
    browser.sign_in(&server, &ada).await;
    let page = browser.get("/account/activity").await;
    assert!(page.body.contains("You blocked a passkey"), "{}", page.body);
}

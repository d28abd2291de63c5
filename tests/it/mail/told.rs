//! What people are told of, and what they are not.

use countersign::flows::users::{self, NewUser, UserEdit};
use serde_json::{Map, json};

use super::{delivered, subjects, waiting};
use crate::support::people::{self, PASSWORD};
use crate::support::server::caller;
use crate::support::smtp::Smtp;
use crate::support::{Spec, TestServer};

on_both_mailed![
    an_invitation_brings_its_link,
    what_concerns_her_safety_is_told,
    a_known_browser_is_not_told_of,
    guessing_is_told_once_a_block,
    a_stranger_who_knows_the_password_is_told_of,
    nobody_without_an_address_is_written_to,
    a_former_address_is_told_too,
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

//! People, and those who would be them.

use super::support::{Got, get, post};
use crate::support::people::PASSWORD;
use crate::support::{AuthRequest, Browser, Person, Spec, TestServer, race};

on_both![successful_proofs_of_one_person_are_limited_wherever_they_are_counted];

on_both_limited!["10/min";
    authorization_requests_are_limited_by_address,
    the_floods_of_one_address_write_no_more_interactions_than_its_limit,
    sign_in_forms_are_limited_by_address_before_anything_is_hashed,
    looks_at_invitations_are_limited,
    pages_are_limited_and_say_so_calmly,
    failed_sign_ins_for_any_names_are_cut_off,
    sign_ins_that_succeed_are_no_failures,
    fifty_wrong_sign_ins_at_once_are_ten_at_most,
    a_browser_that_she_used_before_is_not_hurt_by_strangers_beside_her,
    a_forged_device_cookie_opens_nothing,
    a_flood_of_wrong_sign_ins_writes_no_flood_of_events,
];

async fn typed(server: &TestServer, from: &str, name: &str, browser: Option<&Browser>) -> Got {
    let form = [
        ("username", name),
        ("password", "wrong password entirely"),
        ("code", "000000"),
    ];
    post(server, from, ("/sign-in", browser), &form).await
}

async fn right(server: &TestServer, from: &str, ada: &Person, browser: Option<&Browser>) -> Got {
    server.advance(30);
    let code = ada.code(server);
    let form = [
        ("username", ada.username.as_str()),
        ("password", PASSWORD),
        ("code", &code),
    ];
    post(server, from, ("/sign-in", browser), &form).await
}

async fn successful_proofs_of_one_person_are_limited_wherever_they_are_counted(server: TestServer) {
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut server = server
        .again_with(|limits| limits.proofs_per_person = "3/h".to_owned())
        .await;
    for _ in 0..3 {
        assert_eq!(right(&server, "192.0.2.1", &ada, None).await.status, 303);
    }
    for round in 0..2 {
        // From wherever it comes, and right or wrong: nobody learns which.
        let from = format!("192.0.2.{}", 10 + round);
        assert_ne!(right(&server, &from, &ada, None).await.status, 303);
        assert_eq!(right(&server, &from, &bea, None).await.status, 303);
        // Another node counts in the same place: nothing of it is in memory.
        server = server.restart().await;
    }
    server.advance(3600);
    assert_eq!(right(&server, "192.0.2.1", &ada, None).await.status, 303);
}

async fn authorization_requests_are_limited_by_address(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let url = AuthRequest::new(&app, "openid").url(&server);
    let path = url.strip_prefix(&server.issuer).unwrap();
    for _ in 0..10 {
        assert_eq!(get(&server, "192.0.2.1", path).await.status, 303);
    }
    let turned_away = get(&server, "192.0.2.1", path).await;
    let wait = turned_away.wait("authorize_per_address");
    assert!(turned_away.header("content-type").starts_with("text/html"));
    assert_eq!(get(&server, "192.0.2.2", path).await.status, 303);
    server.advance(wait);
    assert_eq!(get(&server, "192.0.2.1", path).await.status, 303);
}

async fn the_floods_of_one_address_write_no_more_interactions_than_its_limit(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let url = AuthRequest::new(&app, "openid").url(&server);
    let path = url.strip_prefix(&server.issuer).unwrap();
    let mut opened = 0;
    for n in 0..200 {
        let from = format!("2001:db8:5:6:7::{n:x}");
        opened += u32::from(get(&server, &from, path).await.status == 303);
    }
    assert_eq!(opened, 10);
}

async fn sign_in_forms_are_limited_by_address_before_anything_is_hashed(server: TestServer) {
    server.advance(600);
    for n in 0..10 {
        typed(&server, "192.0.2.66", &format!("name{n}"), None).await;
    }
    let before = server.app.hasher.made();
    let turned_away = typed(&server, "192.0.2.66", "ada", None).await;
    turned_away.wait("sign_in_per_address");
    assert_eq!(server.app.hasher.made(), before);
}

async fn looks_at_invitations_are_limited(server: TestServer) {
    for n in 0..10 {
        let got = get(&server, "192.0.2.66", &format!("/invite/guess{n}")).await;
        assert_eq!(got.status, 410);
    }
    get(&server, "192.0.2.66", "/invite/guess")
        .await
        .wait("invitations_per_address");
}

async fn pages_are_limited_and_say_so_calmly(server: TestServer) {
    for _ in 0..10 {
        assert_eq!(get(&server, "192.0.2.66", "/sign-in").await.status, 200);
    }
    let page = get(&server, "192.0.2.66", "/sign-in").await;
    page.wait("pages_per_address");
    assert!(page.body.contains("<h1"), "{}", page.body);
    assert!(page.body.contains("wait"), "{}", page.body);
    // The style sheet of that page arrives.
    assert_eq!(
        get(&server, "192.0.2.66", "/static/countersign.css")
            .await
            .status,
        200
    );
}

/// Failures alone are limited tightly; forms may come often.
async fn loose_forms(server: TestServer) -> TestServer {
    server
        .again_with(|limits| limits.sign_in_per_address = "10000/min".to_owned())
        .await
}

async fn failed_sign_ins_for_any_names_are_cut_off(server: TestServer) {
    let server = loose_forms(server).await;
    for n in 0..10 {
        let page = typed(&server, "192.0.2.66", &format!("name{n}"), None).await;
        assert_eq!(page.status, 400);
    }
    let before = server.app.hasher.made();
    let page = typed(&server, "192.0.2.66", "another", None).await;
    let wait = page.wait("sign_in_failures_per_address");
    assert_eq!(server.app.hasher.made(), before);
    assert_eq!(
        typed(&server, "192.0.2.67", "another", None).await.status,
        400
    );
    server.advance(wait);
    assert_eq!(
        typed(&server, "192.0.2.66", "another", None).await.status,
        400
    );
}

async fn sign_ins_that_succeed_are_no_failures(server: TestServer) {
    let ada = server.person("ada").await;
    let server = server
        .again_with(|limits| {
            limits.sign_in_per_address = "10000/min".to_owned();
            // None comes back in the time that this test takes.
            limits.sign_in_failures_per_address = "3/24h".to_owned();
        })
        .await;
    for _ in 0..10 {
        let page = right(&server, "192.0.2.1", &ada, None).await;
        assert_eq!(page.status, 303, "{}", page.body);
    }
}

async fn fifty_wrong_sign_ins_at_once_are_ten_at_most(server: TestServer) {
    let server = std::sync::Arc::new(loose_forms(server).await);
    let before = server.app.hasher.made();
    let statuses = race(50, |n| {
        let server = std::sync::Arc::clone(&server);
        async move {
            typed(&server, "192.0.2.66", &format!("name{n}"), None)
                .await
                .status
        }
    })
    .await;
    assert!(server.app.hasher.made() - before <= 10);
    let turned_away = statuses.iter().filter(|status| **status == 429).count();
    assert!(turned_away >= 40, "{statuses:?}");
}

async fn a_browser_that_she_used_before_is_not_hurt_by_strangers_beside_her(server: TestServer) {
    let ada = server.person("ada").await;
    let mut hers = server.browser();
    hers.sign_in(&server, &ada).await;
    let server = server
        .again_with(|limits| {
            limits.sign_in_per_address = "10000/min".to_owned();
            limits.sign_in_failures_per_address = "10/24h".to_owned();
        })
        .await;
    for n in 0..20 {
        typed(&server, "192.0.2.66", &format!("name{n}"), None).await;
    }
    let elsewhere = right(&server, "192.0.2.66", &ada, None).await;
    assert_eq!(elsewhere.status, 429, "a browser like any other waits");
    let page = right(&server, "192.0.2.66", &ada, Some(&hers)).await;
    assert_eq!(page.status, 303, "{}", page.body);
    // Her cookie is good for her own name only.
    assert_eq!(
        typed(&server, "192.0.2.66", "bob", Some(&hers))
            .await
            .status,
        429
    );
}

async fn a_forged_device_cookie_opens_nothing(server: TestServer) {
    let server = loose_forms(server).await;
    for n in 0..10 {
        typed(&server, "192.0.2.66", &format!("name{n}"), None).await;
    }
    let before = server.app.hasher.made();
    let mut forger = server.browser();
    for n in 0..20 {
        forger
            .cookies
            .insert("cs-device".to_owned(), format!("forged{n}"));
        let page = typed(&server, "192.0.2.66", &format!("name{n}"), Some(&forger)).await;
        page.wait("sign_in_failures_per_address");
    }
    assert_eq!(server.app.hasher.made(), before);
}

async fn a_flood_of_wrong_sign_ins_writes_no_flood_of_events(server: TestServer) {
    let ada = server.person("ada").await;
    let server = server
        .again_with(|limits| {
            *limits = countersign::config::LimitsFile::all("1000000/min");
        })
        .await;
    let _ = server.app.refusals.take();
    for n in 0..150 {
        typed(&server, &format!("192.0.2.{n}"), &format!("name{n}"), None).await;
    }
    typed(&server, "192.0.2.200", "ada", None).await;
    let counted = server.app.refusals.take();
    let of = |subject| {
        let found = counted
            .iter()
            .find(|(refused, _)| refused.reason == "not_right" && refused.subject == subject);
        found.map_or(0, |(_, n)| *n)
    };
    assert_eq!(of(None), 30, "all beyond 120 are counted: {counted:?}");
    assert_eq!(
        of(Some(ada.id)),
        1,
        "about whom they were is kept: {counted:?}"
    );
    server.advance(60);
    typed(&server, "192.0.2.201", "another", None).await;
    assert!(
        server.app.refusals.take().is_empty(),
        "the next minute has events again"
    );
}

//! What is to be told waits in the database: it is tried again, given up, and never told twice.

use std::sync::Arc;
use std::time::Duration;

use countersign::clock::Clock;
use countersign::flows::{Progress, clients};
use countersign::jobs::logouts;
use rules::protocol::Metadata;

use super::{app, pending, signed_in, standing, tick};
use crate::support::receiver::{Manner, Receiver};
use crate::support::server::caller;
use crate::support::{Spec, TestServer, jwt, race};

on_both![
    a_failure_is_tried_again_later_and_later_and_then_no_more,
    a_refusal_is_final,
    a_redirect_is_not_followed,
    a_body_without_an_end_holds_nothing_up,
    a_receiver_that_hangs_is_given_up_on,
    an_address_inside_is_never_called,
    fifty_ticks_at_once_tell_once,
    what_was_leased_by_a_server_that_died_is_told_later,
    a_client_that_cannot_be_reached_holds_nobody_up,
    a_client_with_much_to_be_told_takes_no_turns_of_others,
    a_disabled_client_is_told_nothing_more,
    the_operator_sees_how_it_goes,
];

async fn a_failure_is_tried_again_later_and_later_and_then_no_more(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    receiver.status(500);
    browser.post("/sign-out", &[]).await;
    let start = server.now();
    let mut waits = Vec::new();
    let mut last = start;
    for _ in 0..24 * 60 * 2 + 10 {
        let before = receiver.got().len();
        tick(&server).await;
        if receiver.got().len() > before {
            waits.push(server.now() - last);
            last = server.now();
        }
        if pending(&server, "app").await == 0 {
            break;
        }
        server.advance(30);
    }
    assert_eq!(waits.len(), 8, "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    assert!(last - start < 24 * 3600);
    let standing = standing(&server, "app").await;
    assert_eq!(standing.failure.as_deref(), Some("answered 500"));
    assert_eq!((standing.pending, standing.told_at), (0, None));
    // Each attempt is a token of its own, good when it is sent.
    let last_token = receiver.got().last().unwrap().token().to_owned();
    let claims = jwt::verify(&server, &last_token).await.claims;
    assert_eq!(claims["iat"], last);
}

async fn a_refusal_is_final(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    let said =
        r#"{"error":"invalid_request","error_description":"ada\u001b is unknown"}"#.to_owned();
    receiver.answer(Manner::Says(400, said));
    browser.post("/sign-out", &[]).await;
    for _ in 0..4 {
        tick(&server).await;
        server.advance(3600);
    }
    assert_eq!(receiver.got().len(), 1);
    let standing = standing(&server, "app").await;
    assert_eq!(standing.pending, 0);
    let failure = standing.failure.as_deref();
    assert_eq!(failure, Some("answered 400: invalid_request"));
}

async fn a_redirect_is_not_followed(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let elsewhere = Receiver::start().await;
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    receiver.answer(Manner::Redirects(elsewhere.uri.clone()));
    browser.post("/sign-out", &[]).await;
    tick(&server).await;
    assert_eq!(receiver.got().len(), 1);
    assert!(elsewhere.got().is_empty());
    let failure = standing(&server, "app").await.failure;
    assert_eq!(failure.as_deref(), Some("answered 307"));
    receiver.status(204);
    server.advance(30);
    tick(&server).await;
    assert_eq!(pending(&server, "app").await, 0);
    assert!(standing(&server, "app").await.told_at.is_some());
}

async fn a_body_without_an_end_holds_nothing_up(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    for (status, failure) in [(200, None), (400, Some("answered 400"))] {
        let (mut browser, _) = signed_in(&server, &app, &ada).await;
        receiver.answer(Manner::Endless(status));
        browser.post("/sign-out", &[]).await;
        tick(&server).await;
        let standing = standing(&server, "app").await;
        assert_eq!(standing.pending, 0, "{status}");
        let said = standing.failure.unwrap_or_default();
        assert!(
            said.len() < 400 && said.starts_with(failure.unwrap_or("")),
            "{said}"
        );
    }
}

async fn a_receiver_that_hangs_is_given_up_on(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    receiver.answer(Manner::Hangs);
    browser.post("/sign-out", &[]).await;
    tick(&server).await;
    let standing = standing(&server, "app").await;
    assert_eq!(standing.failure.as_deref(), Some("no answer within 2 s"));
    assert_eq!(standing.pending, 1);
}

async fn an_address_inside_is_never_called(server: TestServer) {
    let ada = server.person("ada").await;
    for (id, uri) in [
        ("metadata", "https://169.254.169.254/latest"),
        ("private", "https://10.0.0.1/logout"),
        ("mapped", "https://[::ffff:192.168.0.1]/logout"),
    ] {
        let spec = Spec::confidential(id).metadata(Metadata {
            backchannel_logout_uri: Some(uri.to_owned()),
            ..Metadata::default()
        });
        let app = server.register(spec).await;
        let (mut browser, _) = signed_in(&server, &app, &ada).await;
        browser.post("/sign-out", &[]).await;
        tick(&server).await;
        let failure = standing(&server, id).await.failure.unwrap();
        assert!(failure.starts_with("not allowed: "), "{failure}");
    }
}

async fn fifty_ticks_at_once_tell_once(server: TestServer) {
    let ada = server.person("ada").await;
    let (one, to_one) = app(&server, "one", None).await;
    let (two, to_two) = app(&server, "two", None).await;
    let (mut browser, _) = signed_in(&server, &one, &ada).await;
    browser
        .code_flow(&server, &two, &ada, "openid accounts:read")
        .await;
    browser.post("/sign-out", &[]).await;
    let app = Arc::clone(&server.app);
    let ticks = race(50, |_| {
        let app = Arc::clone(&app);
        async move { logouts::tick(&app).await }
    })
    .await;
    assert!(ticks.iter().all(Result::is_ok), "{ticks:?}");
    assert_eq!((to_one.got().len(), to_two.got().len()), (1, 1));
}

async fn what_was_leased_by_a_server_that_died_is_told_later(server: TestServer) {
    use countersign::store::logouts as outbox;
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    browser.post("/sign-out", &[]).await;
    let now = server.clock.now();
    let leased = server
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let found = outbox::due(tx, now, 10).await?.remove(0);
                let until = now.plus(Duration::from_mins(2));
                countersign::store::outbox::lease(tx, found, (now, until)).await
            })
        })
        .await
        .unwrap();
    assert!(leased.is_some());
    // The server dies here, before it calls.
    drop(browser);
    let server = server.restart().await;
    tick(&server).await;
    assert!(receiver.got().is_empty(), "it is somebody's for now");
    server.advance(121);
    tick(&server).await;
    assert_eq!(receiver.got().len(), 1);
    // The dead server's late result changes nothing.
    let late = server
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                outbox::settle(tx, &leased.unwrap(), &outbox::Ended::Told, now).await
            })
        })
        .await
        .unwrap();
    assert!(!late);
}

async fn a_client_with_much_to_be_told_takes_no_turns_of_others(server: TestServer) {
    use countersign::store::logouts as outbox;
    let ada = server.person("ada").await;
    let (busy, _) = app(&server, "busy", None).await;
    let (other, _) = app(&server, "other", None).await;
    for _ in 0..3 {
        let (mut browser, _) = signed_in(&server, &busy, &ada).await;
        browser.post("/sign-out", &[]).await;
    }
    let (mut browser, _) = signed_in(&server, &other, &ada).await;
    browser.post("/sign-out", &[]).await;
    let now = server.clock.now();
    let due = server
        .app
        .store
        .read(move |tx| Box::pin(outbox::due(tx, now, 2)))
        .await
        .unwrap();
    let mut clients: Vec<_> = due.into_iter().map(|waiting| waiting.client_id).collect();
    clients.sort();
    assert_eq!(clients, ["busy", "other"]);
}

async fn a_client_that_cannot_be_reached_holds_nobody_up(server: TestServer) {
    let ada = server.person("ada").await;
    let (gone, to_gone) = app(&server, "gone", None).await;
    let (well, to_well) = app(&server, "well", None).await;
    let mut browsers = Vec::new();
    for _ in 0..6 {
        let (mut browser, _) = signed_in(&server, &gone, &ada).await;
        browser
            .code_flow(&server, &well, &ada, "openid accounts:read")
            .await;
        browsers.push(browser);
    }
    to_gone.answer(Manner::Hangs);
    for browser in &mut browsers {
        browser.post("/sign-out", &[]).await;
    }
    let started = Clock::system();
    let began = started.monotonic();
    tick(&server).await;
    let took = started.monotonic().saturating_sub(began);
    assert_eq!(to_well.got().len(), 6);
    assert!(to_gone.got().len() <= 4, "no queue of hanging calls");
    assert!(took < Duration::from_secs(15), "{took:?}");
    tick(&server).await;
    assert!(to_gone.got().len() <= 4, "it is left alone for a while");
    to_gone.status(200);
    server.advance(121);
    tick(&server).await;
    assert_eq!(pending(&server, "gone").await, 0);
}

async fn a_disabled_client_is_told_nothing_more(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    browser.post("/sign-out", &[]).await;
    clients::disable(&server.app, "app", &caller())
        .await
        .unwrap();
    tick(&server).await;
    clients::enable(&server.app, "app", &caller())
        .await
        .unwrap();
    tick(&server).await;
    assert!(receiver.got().is_empty());
    server.advance(10);
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    browser.post("/sign-out", &[]).await;
    tick(&server).await;
    assert_eq!(receiver.got().len(), 1);
}

async fn the_operator_sees_how_it_goes(server: TestServer) {
    use countersign::http::admin::{AdminCommand, AdminReply, execute};
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let show = async || {
        let command = AdminCommand::ClientShow {
            id: "app".to_owned(),
        };
        let done = execute(&server.app, command, &caller(), &Progress::none()).await;
        match done.unwrap() {
            AdminReply::Client(client) => client.backchannel_logout.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let fresh = show().await;
    assert_eq!((fresh.pending, fresh.last_told_at), (0, None));
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    receiver.status(503);
    browser.post("/sign-out", &[]).await;
    tick(&server).await;
    let failing = show().await;
    assert_eq!(failing.pending, 1);
    assert_eq!(failing.last_failure.as_deref(), Some("answered 503"));
    assert!(failing.last_failed_at.is_some());
    receiver.status(200);
    server.advance(30);
    tick(&server).await;
    let well = show().await;
    assert_eq!(well.pending, 0);
    assert!(well.last_told_at.is_some());
}

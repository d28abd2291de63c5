//! Following the feed: in pages, past what was missed, and in spite of what cannot be read at once.

use countersign::flows::{AdminFailure, clients, follow};
use countersign::jobs;
use futures_util::FutureExt as _;

use crate::support::server::{ACCOUNTS, CARDS, caller};
use crate::support::{ClientApp, Engine, Spec, TestServer};

on_both![
    what_was_taken_in_stays_when_a_later_page_cannot_be_read,
    what_was_removed_unread_is_made_up_for,
    a_database_that_went_back_is_read_anew,
    a_change_that_could_not_be_read_back_is_read_later,
];

/// Nobody's token.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// An app with a token.
async fn app_with_token(server: &TestServer) -> (ClientApp, String) {
    let app = server.register(Spec::confidential("app")).await;
    let given = app.client_credentials(server, "accounts:read").await.ok();
    let token = given["access_token"].as_str().unwrap().to_owned();
    assert!(server.accounts.sees(server, &token).await);
    server.advance(10);
    (app, token)
}

/// A change of another node, at the number after the last one.
fn change(kind: &str, subject: &str, server: &TestServer) -> String {
    let now = server.clock.now().millis();
    format!(
        "UPDATE counters SET value = value + 1 WHERE name = 'feed'; \
         INSERT INTO feed (seq, kind, subject, at) \
         SELECT value, '{kind}', '{subject}', {now} FROM counters WHERE name = 'feed';"
    )
}

async fn what_was_taken_in_stays_when_a_later_page_cannot_be_read(server: TestServer) {
    let (_app, token) = app_with_token(&server).await;
    let resource = change("resource", CARDS, &server);
    let broken = change("token", "broken", &server);
    let epoch = change("client_epoch", "app", &server);
    server
        .behind(&format!(
            "DELETE FROM resources WHERE uri = '{CARDS}'; {resource} \
             WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 25000) \
             INSERT INTO feed (seq, kind, subject, at) SELECT c.value + n, 'token', '{NOBODY}', 0 \
             FROM many, counters c WHERE c.name = 'feed'; \
             UPDATE counters SET value = value + 25000 WHERE name = 'feed'; {broken} {epoch}"
        ))
        .await;
    follow::poll(&server.app).await.unwrap_err();
    // The pages before are not needed any more.
    let before =
        "DELETE FROM feed WHERE seq <= (SELECT value FROM counters WHERE name = 'feed') - 6000";
    server.behind(before).await;
    let repaired = format!("UPDATE feed SET subject = '{NOBODY}' WHERE subject = 'broken'");
    server.behind(&repaired).await;
    follow::poll(&server.app).await.unwrap();
    assert!(server.app.registry.now().resource(CARDS).is_none());
    assert!(!server.accounts.sees(&server, &token).await);
}

async fn what_was_removed_unread_is_made_up_for(server: TestServer) {
    let forget = "DELETE FROM feed";
    // Once with, and once without anything after what is missing.
    for after in [String::new(), change("token", NOBODY, &server)] {
        let uri = if after.is_empty() { CARDS } else { ACCOUNTS };
        assert!(server.app.registry.now().resource(uri).is_some());
        let missed = change("resource", uri, &server);
        let gone = format!("DELETE FROM resources WHERE uri = '{uri}'; {missed} {forget}; {after}");
        server.behind(&gone).await;
        follow::poll(&server.app).await.unwrap();
        assert!(server.app.registry.now().resource(uri).is_none(), "{uri}");
    }
    // A feed that is empty because it is old tells of nothing missed.
    server.behind(forget).await;
    let unreadable = "UPDATE clients SET id = 'unreadable' WHERE id = 'cards-api'";
    server.behind(unreadable).await;
    follow::poll(&server.app).await.unwrap();
}

async fn a_database_that_went_back_is_read_anew(server: TestServer) {
    let (_app, token) = app_with_token(&server).await;
    let lose = |id: &str| {
        format!(
            "DELETE FROM clients WHERE id = '{id}'; \
             DELETE FROM feed WHERE seq = (SELECT value FROM counters WHERE name = 'feed'); \
             UPDATE counters SET value = value - 1 WHERE name = 'feed';"
        )
    };
    server.register(Spec::confidential("lost")).await;
    follow::poll(&server.app).await.unwrap();
    server.behind(&lose("lost")).await;
    follow::poll(&server.app).await.unwrap();
    assert!(server.app.registry.client("lost").is_none());
    // The same, and it went on from there to the same number.
    server.register(Spec::confidential("lost-too")).await;
    follow::poll(&server.app).await.unwrap();
    let other = change("client_epoch", "app", &server);
    let overtaken = format!("{} {other}", lose("lost-too"));
    server.behind(&overtaken).await;
    follow::poll(&server.app).await.unwrap();
    assert!(server.app.registry.client("lost-too").is_none());
    assert!(!server.accounts.sees(&server, &token).await);
}

async fn a_change_that_could_not_be_read_back_is_read_later(server: TestServer) {
    server.register(Spec::confidential("other")).await;
    for (id, again) in [("one", false), ("two", true)] {
        let app = server.register(Spec::confidential(id)).await;
        app.client_credentials(&server, "accounts:read").await.ok();
        let rename = |from, to| format!("UPDATE clients SET id = '{to}' WHERE id = '{from}'");
        server.behind(&rename("other", "unreadable")).await;
        let failed = clients::disable(&server.app, id, &caller()).await;
        assert!(matches!(failed, Err(AdminFailure::Fault(_))), "{failed:?}");
        server.behind(&rename("unreadable", "other")).await;
        if again {
            let refused = clients::disable(&server.app, id, &caller()).await;
            assert!(matches!(refused, Err(AdminFailure::Refused(_))));
        } else {
            jobs::follow::tick(&server.app).await.unwrap();
        }
        let reply = app.client_credentials(&server, "accounts:read").await;
        reply.refused(401, "invalid_client");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_slept_looks_before_it_answers() {
    let server = TestServer::start(Engine::Postgres).await;
    let (_app, token) = app_with_token(&server).await;
    assert!(server.accounts.sees(&server, &token).await);
    let epoch = change("client_epoch", "app", &server);
    server.behind(&epoch).await;
    server.clock.step(std::time::Duration::from_mins(1));
    assert!(!server.accounts.sees(&server, &token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_takes_long_makes_answers_late_and_is_no_outage() {
    let server = TestServer::start(Engine::Postgres).await;
    server.advance(1);
    let mut held = server
        .hold("LOCK TABLE feed IN ACCESS EXCLUSIVE MODE")
        .await;
    let app = &*server.app;
    let mut one = Box::pin(follow::fresh(app));
    let mut two = Box::pin(follow::fresh(app));
    // The first looks; the second comes meanwhile, and waits.
    assert!((&mut one).now_or_never().is_none());
    assert!((&mut two).now_or_never().is_none());
    let slow = async {
        held.is_waited_for(1).await;
        server.advance(1);
        held.let_go().await;
    };
    let (one, two, ()) = tokio::join!(one, two, slow);
    one.unwrap();
    two.unwrap();
}

//! Her data to take along, and closing for good.

use countersign::flows::users::{self, UserEdit};
use countersign::http::admin::{AdminCommand, AdminReply, ReProofStep};
use serde_json::{Map, Value};

use super::{events, operate};
use crate::support::people::{PASSWORD, Person};
use crate::support::{Browser, Spec, TestServer};

on_both![
    her_data_is_whole_and_holds_no_secret,
    her_data_is_for_a_fresh_proof_only,
    she_asks_to_close_and_takes_it_back,
    closing_ends_everything_and_erases_who_she_was,
    what_is_closed_stays_closed,
    what_apps_asked_about_her_is_forgotten_with_her,
    evidence_goes_too_where_it_is_so_configured,
];

async fn signed_in(server: &TestServer, person: &Person) -> Browser {
    let mut browser = server.browser();
    browser.sign_in(server, person).await;
    browser
}

async fn prove(
    server: &TestServer,
    browser: &mut Browser,
    ada: &Person,
    path: &str,
) -> crate::support::Page {
    let code = ada.next_code(server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    browser.post(path, &form).await
}

fn close() -> AdminCommand {
    AdminCommand::UserClose {
        user: "ada".to_owned(),
    }
}

async fn her_data_is_whole_and_holds_no_secret(server: TestServer) {
    let ada = server.person("ada").await;
    let client = server.register(Spec::confidential("budget")).await;
    let mut browser = server.browser();
    browser.code_flow(&server, &client, &ada, "openid").await;
    let page = prove(&server, &mut browser, &ada, "/account/data").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.header("content-type"), "application/json");
    assert!(page.header("content-disposition").starts_with("attachment"));
    let data: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(data["account"]["username"], "ada");
    assert_eq!(data["account"]["claims"]["email"], "ada@mail.example");
    assert_eq!(data["factors"]["password"], true);
    assert_eq!(data["factors"]["recovery_codes"]["left"], 10);
    assert!(data["factors"]["authenticator_app"]["connected_at"].is_string());
    assert_eq!(data["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(data["connected_apps"][0]["client_id"], "budget");
    let happened = data["activity"].as_array().unwrap();
    assert!(happened.iter().any(|one| one["what"] == "consent.given"));
    for secret in [ada.totp_secret.as_str(), "argon2", "$", PASSWORD, "cs_"] {
        assert!(!page.body.contains(secret), "{secret}");
    }
    assert!(browser.is_signed_in().await);
    assert_eq!(events(&server, "data.exported").await, 1);
}

async fn her_data_is_for_a_fresh_proof_only(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    for form in [
        vec![],
        vec![("current", PASSWORD), ("code", "000000")],
        vec![("current", PASSWORD), ("code", "")],
    ] {
        let page = browser.post("/account/data", &form).await;
        assert!(page.status >= 400 && !page.body.contains("ada@mail.example"));
    }
    let page = server.browser().post("/account/data", &[]).await;
    assert_eq!(page.status, 303);
    let page = browser.get("/account/data").await;
    assert!(page.form("/account/data").is_some());
    assert_eq!(events(&server, "data.exported").await, 0);
}

async fn she_asks_to_close_and_takes_it_back(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = browser.post("/account/close", &[]).await;
    assert!(page.status >= 400);
    let page = prove(&server, &mut browser, &ada, "/account/close").await;
    assert_eq!(page.location(), "/account?close");
    assert_eq!(events(&server, "close.asked").await, 1);
    let shown = async |server: &TestServer| {
        let user = "ada".to_owned();
        match operate(server, AdminCommand::UserShow { user }).await {
            Ok(AdminReply::User(user)) => user,
            other => panic!("{other:?}"),
        }
    };
    assert!(shown(&server).await.close_asked_at.is_some());
    let page = browser.get("/account/close").await;
    let action = page.form("/take-back").unwrap();
    browser.post(&action, &[]).await;
    browser.post(&action, &[]).await;
    assert_eq!(events(&server, "close.taken_back").await, 1);
    assert!(shown(&server).await.close_asked_at.is_none());
    assert!(browser.is_signed_in().await);
}

async fn closing_ends_everything_and_erases_who_she_was(server: TestServer) {
    let ada = server.person("ada").await;
    let client = server.register(Spec::confidential("budget")).await;
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(&server, &client, &ada, "openid offline_access")
        .await;
    let AdminReply::User(closed) = operate(&server, close()).await.unwrap() else {
        panic!("no user");
    };
    assert!(closed.closed_at.is_some());
    assert_eq!(closed.state, "closed");
    assert!(closed.claims.is_empty() && !closed.username.contains("ada"));
    assert!(!browser.is_signed_in().await);
    server.advance(30);
    assert!(!signed_in(&server, &ada).await.is_signed_in().await);
    let refreshed = client.refresh(&server, &tokens.refresh).await;
    assert_eq!(refreshed.status, 400);
    for (table, left) in [
        ("totp_factors", 0),
        ("recovery_codes", 0),
        ("webauthn_credentials", 0),
        ("devices", 0),
        ("grants WHERE revoked_at IS NULL", 0),
        ("sessions WHERE ended_at IS NULL", 0),
        ("invites WHERE used_at IS NULL", 0),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(server.number(&sql).await, left, "{table}");
    }
    let sql = "SELECT COUNT(*) FROM audit_events WHERE kind = 'sign_in.succeeded' AND personal IS NOT NULL";
    assert_eq!(server.number(sql).await, 1, "evidence stays");
    assert_eq!(events(&server, "user.closed").await, 1);
}

async fn what_is_closed_stays_closed(server: TestServer) {
    let ada = server.person("ada").await;
    operate(&server, close()).await.unwrap();
    let id = ada.id.to_string();
    let user = || id.clone();
    for command in [
        AdminCommand::UserClose { user: user() },
        AdminCommand::UserEnable { user: user() },
        AdminCommand::UserInvite { user: user() },
        AdminCommand::UserSet {
            user: user(),
            edit: UserEdit {
                claims: Map::from_iter([("email".to_owned(), "x@mail.example".into())]),
                removed: Vec::new(),
            },
        },
        AdminCommand::UserReProof {
            user: user(),
            by: "Olga".to_owned(),
            step: ReProofStep::Begin,
        },
    ] {
        assert!(operate(&server, command).await.is_err());
    }
    // Her name is free; who takes it is somebody else.
    let again = server.person("ada").await;
    assert_ne!(again.id, ada.id);
    assert!(users::find(&server.app, "ada").await.is_ok());
}

async fn evidence_goes_too_where_it_is_so_configured(server: TestServer) {
    let server = TestServer::start_with(server.engine, |file| {
        file.people.close_keeps_activity = false;
    })
    .await;
    let ada = server.person("ada").await;
    signed_in(&server, &ada).await;
    let before = server.app.store.read(|tx| {
        let id = ada.id;
        Box::pin(async move { countersign::store::users::find(tx, id).await })
    });
    let before = before.await.unwrap().unwrap();
    operate(&server, close()).await.unwrap();
    let id = ada.id;
    let happened = server
        .app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let user = countersign::store::users::find(tx, id).await?.unwrap();
                let span = countersign::store::audit::Span {
                    since: rules::time::Timestamp::default(),
                    before: None,
                    limit: 100,
                };
                let all = countersign::store::audit::of_subject(tx, id, span).await?;
                Ok((user, all))
            })
        })
        .await
        .unwrap();
    let (user, all) = happened;
    assert!(all.iter().any(|one| one.personal(&before.keys).is_some()));
    assert!(all.iter().all(|one| one.personal(&user.keys).is_none()));
}

async fn what_apps_asked_about_her_is_forgotten_with_her(server: TestServer) {
    let ada = server.person("ada").await;
    let client = server.register(Spec::confidential("budget")).await;
    let mut browser = server.browser();
    browser.code_flow(&server, &client, &ada, "openid").await;
    server
        .behind("UPDATE authorizations SET claims = id, details = id")
        .await;
    operate(&server, close()).await.unwrap();
    let count = async |column: &str| {
        let sql = format!("SELECT COUNT(*) FROM authorizations WHERE {column} IS NOT NULL");
        server.number(&sql).await
    };
    assert_eq!((count("claims").await, count("details").await), (0, 1));
}

//! After a restore nothing that was spent or ended since the backup lives again.

use countersign::flows::{clients, seal_audit, users};
use countersign::jobs;
use rules::audit::Kind;
use rules::jose::Alg;

use super::{Change, make, restored};
use crate::support::browser::consent;
use crate::support::server::caller;
use crate::support::{AuthRequest, Page, Spec, TestServer, jwt, people};

on_both![
    what_was_issued_before_is_void,
    what_was_on_its_way_is_over,
    spent_factors_stay_spent,
    an_assertion_is_not_taken_a_second_time,
    an_invitation_that_was_used_is_not_good_again,
    consents_are_asked_anew_unless_they_are_kept,
    what_is_registered_works_again,
    a_client_that_chose_another_algorithm_gets_its_tokens_again,
    the_log_tells_of_the_restore_and_goes_on,
    an_epoch_outlives_restarts,
    every_table_has_its_place_in_a_new_epoch,
];

async fn what_was_issued_before_is_void(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let public = server.register(Spec::public("public")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let early = browser.code_flow(&server, &app, &ada, scope).await;
    let rotating = browser
        .code_flow(&server, &public, &ada, "openid accounts:read")
        .await;
    let jwt_token = browser
        .code_flow(&server, &app, &ada, "openid cards:read")
        .await;
    let own = app.client_credentials(&server, "accounts:read").await.ok();
    let own = own["access_token"].as_str().unwrap().to_owned();
    let file = make(&server, "one").await;
    // After the backup: rotated, and issued anew.
    let rotated = public.refresh(&server, &rotating.refresh).await.ok();
    let rotated = rotated["refresh_token"].as_str().unwrap().to_owned();
    let late = browser.code_flow(&server, &app, &ada, scope).await;
    for token in [&early.access, &late.access, &own] {
        assert!(server.accounts.sees(&server, token).await);
    }
    assert!(server.cards.sees(&server, &jwt_token.access).await);

    let change = Change::replacing(&server);
    let (server, done) = restored(server, &file, change).await;
    assert!(done.ended.authorizations >= 3, "{done:?}");
    for token in [&early.access, &late.access, &own] {
        assert!(!server.accounts.sees(&server, token).await);
    }
    assert!(!server.cards.sees(&server, &jwt_token.access).await);
    for (client, token) in [
        (&app, &early.refresh),
        (&app, &late.refresh),
        (&public, &rotating.refresh),
        (&public, &rotated),
    ] {
        let refused = client.refresh(&server, token).await;
        refused.refused(400, "invalid_grant");
    }
    assert!(!browser.is_signed_in().await);
    // What is issued from now on is good.
    let own = app.client_credentials(&server, "accounts:read").await.ok();
    let own = own["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, own).await);
}

async fn what_was_on_its_way_is_over(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let mut browser = server.browser();
    let answer = browser.walk(&server, &request, &ada).await;
    let code = answer.code();
    let pushed = AuthRequest::new(&app, "openid").pushed(&server, &app).await;
    let waiting = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    let action = waiting.form("/consent").unwrap();
    let file = make(&server, "one").await;
    request.redeem(&server, &app, &code).await;

    let change = Change::replacing(&server);
    let (server, _) = restored(server, &file, change).await;
    let replayed = request.try_redeem(&server, &app, &code).await;
    replayed.refused(400, "invalid_grant");
    let page = server.browser().begin(&server, &pushed).await;
    assert!(page.form("/sign-in").is_none(), "{}", page.body);
    let page = browser.post(&action, &consent(&waiting)).await;
    assert!(!page.location().contains("code="), "{page:?}");
}

async fn spent_factors_stay_spent(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(60);
    let file = make(&server, "one").await;
    let code = ada.code(&server);
    let recovery = ada.recovery_codes[0].clone();
    assert!(signs_in(&server, &ada, &code).await);
    assert!(signs_in(&server, &ada, &recovery).await);
    let soon = ada.code_at(u64::try_from(server.now()).unwrap() + 30);

    let change = Change::replacing(&server);
    let (server, done) = restored(server, &file, change).await;
    assert_eq!(done.ended.recovery_sets, 1);
    for spent in [&code, &recovery, &ada.recovery_codes[1], &soon] {
        assert!(!signs_in(&server, &ada, spent).await, "{spent}");
    }
    server.advance(60);
    assert!(signs_in(&server, &ada, &ada.code(&server)).await);
}

async fn signs_in(server: &TestServer, ada: &people::Person, code: &str) -> bool {
    let mut browser = server.browser();
    browser.open("/sign-in").await;
    let _: Page = browser
        .try_sign_in(&ada.username, &ada.password, code)
        .await;
    browser.is_signed_in().await
}

async fn an_assertion_is_not_taken_a_second_time(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let file = make(&server, "one").await;
    let mut timeless = app.claims(&server);
    for claim in ["iat", "nbf"] {
        timeless.as_object_mut().unwrap().remove(claim);
    }
    timeless["exp"] = (server.now() + 600).into();
    let used = [
        app.assertion(&app.claims(&server)),
        app.assertion(&timeless),
    ];
    for assertion in &used {
        with_assertion(&server, assertion).await.ok();
    }
    let change = Change::replacing(&server);
    let (server, _) = restored(server, &file, change).await;
    for assertion in &used {
        let refused = with_assertion(&server, assertion).await;
        refused.refused(401, "invalid_client");
        assert!(
            refused.text("error_description").contains("restored"),
            "{refused:?}"
        );
    }
    let fresh = app.assertion(&app.claims(&server));
    with_assertion(&server, &fresh).await.ok();
}

async fn with_assertion(server: &TestServer, assertion: &str) -> crate::support::Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "accounts:read"),
        ("client_assertion_type", jwt::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    crate::support::Reply::of(server.http.post(server.at("/token")).form(&form)).await
}

async fn an_invitation_that_was_used_is_not_good_again(server: TestServer) {
    let (id, link) = people::invite(&server, "ada").await;
    let file = make(&server, "one").await;
    people::go_through(&server, "ada", id, &link).await;
    let change = Change::replacing(&server);
    let (server, done) = restored(server, &file, change).await;
    assert_eq!(done.ended.invites, 1);
    let mut stranger = server.browser();
    let page = stranger.post(&link, &[]).await;
    let page = stranger.follow(page).await;
    assert!(page.form("/activate/password").is_none(), "{}", page.body);
    // A new invitation is.
    users::reinvite(&server.app, "ada", &caller())
        .await
        .unwrap();
}

async fn consents_are_asked_anew_unless_they_are_kept(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let file = make(&server, "one").await;
    let change = Change {
        keep_consents: true,
        ..Change::replacing(&server)
    };
    let (server, kept) = restored(server, &file, change).await;
    assert_eq!(kept.ended.grants, 0);
    server.advance(60);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let page = browser.begin(&server, &request).await;
    assert!(page.location().contains("code="), "{page:?}");

    let change = Change::replacing(&server);
    let (server, done) = restored(server, &file, change).await;
    assert_eq!(done.ended.grants, 1);
    server.advance(60);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/consent").is_some(), "{page:?}");
}

async fn what_is_registered_works_again(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let file = make(&server, "one").await;
    let late = server.register(Spec::confidential("late")).await;
    let change = Change::replacing(&server);
    let (server, done) = restored(server, &file, change).await;
    assert_eq!(done.active_users, 1);
    assert_eq!(done.enabled_clients, 3);
    server.advance(60);
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid offline_access accounts:read")
        .await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh).await.ok();
    let unknown = late.client_credentials(&server, "accounts:read").await;
    unknown.refused(401, "invalid_client");
    let keys = server.get("/jwks").await;
    assert_eq!(keys.status, 200);
}

async fn a_client_that_chose_another_algorithm_gets_its_tokens_again(server: TestServer) {
    let mut apps = Vec::new();
    for (id, alg) in [("one", Alg::Ps256), ("two", Alg::EdDsa)] {
        let mut spec = Spec::confidential(id);
        spec.alg = Some(alg);
        apps.push((server.register(spec).await, alg));
    }
    clients::disable(&server.app, "two", &caller())
        .await
        .unwrap();
    let ada = server.person("ada").await;
    let file = make(&server, "backup").await;
    let change = Change::replacing(&server);
    let (server, _) = restored(server, &file, change).await;
    clients::enable(&server.app, "two", &caller())
        .await
        .unwrap();
    server.advance(60);
    for (app, alg) in &apps {
        let mut browser = server.browser();
        let tokens = browser.code_flow(&server, app, &ada, "openid").await;
        let id_token = jwt::verify(&server, &tokens.id).await;
        assert_eq!(format!("{:?}", id_token.header.alg), alg.as_str());
    }
}

async fn the_log_tells_of_the_restore_and_goes_on(server: TestServer) {
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    let file = make(&server, "one").await;
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    let shipped = seal_audit::newest_checkpoint(&server.app).await.unwrap();
    let change = Change {
        checkpoint: shipped,
        ..Change::replacing(&server)
    };
    let (server, done) = restored(server, &file, change).await;
    // The backup itself was recorded, and is lost with what came after.
    assert_eq!(done.lost_leaves, 1);
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    let verdict = seal_audit::verify(&server.app).await.unwrap();
    let seal_audit::Verdict::Intact { size } = verdict else {
        panic!("{verdict:?}");
    };
    assert!(size > done.leaves);
    let wanted = countersign::flows::read_audit::Wanted {
        kind: Some("backup.restored".to_owned()),
        limit: 10,
        ..Default::default()
    };
    let told = countersign::flows::read_audit::list(&server.app, wanted, &caller())
        .await
        .unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kind, Kind::BackupRestored);
    assert_eq!(told[0].detail["tree_size"], done.leaves);
    assert_eq!(told[0].detail["lost_tree_size"], done.leaves + 1);
    assert_eq!(told[0].detail["operator"], "uid=0(root)");
}

async fn every_table_has_its_place_in_a_new_epoch(server: TestServer) {
    let snapshot = server.app.store.snapshot().await.unwrap();
    let mut tables: Vec<_> = snapshot
        .tables()
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    tables.sort_unstable();
    let decided: Vec<_> = countersign::store::epoch::TABLES
        .iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(
        tables, decided,
        "decide in src/store/epoch.rs and docs/adr/0006"
    );
}

async fn an_epoch_outlives_restarts(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let file = make(&server, "one").await;
    let own = app.client_credentials(&server, "accounts:read").await.ok();
    let own = own["access_token"].as_str().unwrap().to_owned();
    let change = Change::replacing(&server);
    let (server, _) = restored(server, &file, change).await;
    let server = server.restart().await;
    assert!(!server.accounts.sees(&server, &own).await);
}

//! What changes when a registration changes: at once, and for what is on its way too.

use countersign::flows::clients::{self, ClientEdit, NewAuth, NewClient};
use countersign::flows::resources::{self, ResourceEdit};
use countersign::flows::{AdminFailure, follow};
use countersign::store;
use rules::protocol::{GrantType, Metadata, Profile, Scopes};
use serde_json::{Value, json};

use crate::support::server::{ACCOUNTS, caller};
use crate::support::{AuthRequest, ClientApp, Engine, Reply, Spec, TestServer, Tokens};

on_both![
    a_scope_that_is_taken_away_ends_at_once,
    a_scope_that_is_given_back_is_asked_for_again,
    a_request_on_its_way_does_not_outlive_its_scope,
    a_redirect_uri_that_is_taken_away_gets_no_code_and_redeems_none,
    a_grant_type_that_is_taken_away_cannot_be_used,
    what_is_not_named_stays,
    metadata_is_set_and_cleared,
    a_change_that_does_not_fit_is_refused,
    of_two_changes_at_once_none_is_lost_unseen,
    an_old_registration_that_would_be_refused_today_can_be_stopped,
    a_removed_client_can_do_nothing,
    a_removed_clients_consents_end_and_are_not_inherited,
    the_id_of_a_removed_client_is_never_given_again,
    an_apis_client_is_not_removed_under_it,
    the_register_has_everybody,
    a_removed_resource_takes_its_tokens_along,
    a_resource_is_changed_in_part,
    of_two_changes_of_a_resource_at_once_none_is_lost,
    what_a_resource_is_called_elsewhere_stays_until_it_is_named,
];

const SCOPE: &str = "openid profile offline_access accounts:read transactions:read";

fn scopes(text: &str) -> ClientEdit {
    ClientEdit {
        scopes: Some(Scopes::parse(text).unwrap()),
        ..ClientEdit::default()
    }
}

async fn set(server: &TestServer, id: &str, edit: ClientEdit) -> clients::Changed {
    clients::set(&server.app, id, edit, &caller())
        .await
        .unwrap()
}

/// The sentence of a change that must be refused.
async fn refused(server: &TestServer, id: &str, edit: ClientEdit) -> String {
    sentence(clients::set(&server.app, id, edit, &caller()).await)
}

fn sentence<T>(result: Result<T, AdminFailure>) -> String {
    match result {
        Err(AdminFailure::Refused(why)) => why,
        Err(AdminFailure::Fault(fault)) => panic!("{fault}"),
        Ok(_) => panic!("it was not refused"),
    }
}

async fn connected(server: &TestServer) -> (ClientApp, Tokens) {
    connected_for(server, SCOPE).await
}

async fn connected_for(server: &TestServer, scope: &str) -> (ClientApp, Tokens) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server.browser().code_flow(server, &app, &ada, scope).await;
    (app, tokens)
}

async fn a_scope_that_is_taken_away_ends_at_once(server: TestServer) {
    let (app, tokens) = connected(&server).await;
    set(
        &server,
        "app",
        scopes("openid offline_access accounts:read"),
    )
    .await;
    // The token that is out there has less, at the API and at userinfo.
    let told = server.accounts.introspect(&server, &tokens.access).await;
    assert_eq!(told["scope"], "accounts:read", "{told}");
    let userinfo = server
        .http
        .get(server.at("/userinfo"))
        .bearer_auth(&tokens.access);
    let person = Reply::of(userinfo).await.ok();
    assert!(person.get("name").is_none(), "{person}");
    // So has the one that a refresh gives, and what was taken away cannot be asked for.
    let renewed = app.refresh(&server, &tokens.refresh).await.ok();
    assert_eq!(renewed["scope"], "accounts:read offline_access openid");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
        ("scope", "transactions:read"),
    ];
    app.token(&server, &form)
        .await
        .refused(400, "invalid_scope");
    // Nothing is left for the API at all.
    set(&server, "app", scopes("openid offline_access")).await;
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    let renewed = renewed["access_token"].as_str().unwrap();
    assert!(!server.accounts.sees(&server, renewed).await);
}

async fn a_scope_that_is_given_back_is_asked_for_again(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let other = server.register(Spec::confidential("other")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser.code_flow(&server, &app, &ada, SCOPE).await;
    let others = browser.code_flow(&server, &other, &ada, SCOPE).await;
    set(
        &server,
        "app",
        scopes("openid profile offline_access accounts:read"),
    )
    .await;
    server.advance(1);
    set(&server, "app", scopes(SCOPE)).await;
    // Neither the token nor what it is renewed by has it again.
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    server.advance(1);
    let renewed = app.refresh(&server, &tokens.refresh).await.ok();
    assert_eq!(
        renewed["scope"],
        "accounts:read offline_access openid profile"
    );
    let access = renewed["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, access).await);
    // What stood all the time is not asked for, and this is.
    let request = AuthRequest::new(&app, "openid profile accounts:read");
    let page = browser.begin(&server, &request).await;
    assert!(page.location().contains("code="), "{page:?}");
    let request = AuthRequest::new(&app, SCOPE);
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/consent").is_some(), "{page:?}");
    let code = browser.go_on(&server, page, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    let told = server.accounts.introspect(&server, &tokens.access).await;
    assert_eq!(told["scope"], "accounts:read transactions:read", "{told}");
    assert!(server.accounts.sees(&server, &others.access).await);
}

async fn a_request_on_its_way_does_not_outlive_its_scope(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, SCOPE);
    let pushed = request.pushed(&server, &app).await;
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    let (mut other, answered) = (server.browser(), AuthRequest::new(&app, SCOPE));
    let code = other.walk(&server, &answered, &ada).await.code();

    set(&server, "app", scopes("openid accounts:read")).await;
    // The page that is open, the request that was pushed, and the code that was given.
    let answer = browser.go_on(&server, page, &ada).await;
    assert!(
        answer.to.is_empty() && answer.page.status >= 400,
        "{answer:?}"
    );
    let page = server.browser().begin(&server, &pushed).await;
    assert_eq!(page.status, 400, "{}", page.body);
    let tokens = answered.redeem(&server, &app, &code).await;
    assert_eq!(tokens.scope, "accounts:read openid");
}

async fn a_redirect_uri_that_is_taken_away_gets_no_code_and_redeems_none(server: TestServer) {
    let uris = ["https://app.example/leaks", "https://app.example/cb"];
    let app = server
        .register(Spec::confidential("app").redirect(&uris))
        .await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    let edit = ClientEdit {
        redirect_uris: Some(vec![uris[1].to_owned()]),
        ..ClientEdit::default()
    };
    set(&server, "app", edit).await;
    let answer = browser.go_on(&server, page, &ada).await;
    assert!(answer.to.is_empty(), "{answer:?}");
    request
        .try_redeem(&server, &app, &code)
        .await
        .refused(400, "invalid_grant");
    let page = server.browser().begin(&server, &request).await;
    assert_eq!(page.status, 400);
}

async fn a_grant_type_that_is_taken_away_cannot_be_used(server: TestServer) {
    let (app, tokens) = connected(&server).await;
    let edit = ClientEdit {
        grant_types: Some(vec![GrantType::AuthorizationCode]),
        ..ClientEdit::default()
    };
    set(&server, "app", edit).await;
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "unauthorized_client");
    app.client_credentials(&server, "accounts:read")
        .await
        .refused(400, "unauthorized_client");
}

async fn what_is_not_named_stays(server: TestServer) {
    let (app, tokens) = connected(&server).await;
    let edit = ClientEdit {
        name: Some("Pocket Budget Pro".to_owned()),
        ..ClientEdit::default()
    };
    let changed = set(&server, "app", edit).await;
    assert_eq!(changed.before.name, "The app app");
    assert_eq!(changed.after.name, "Pocket Budget Pro");
    assert_eq!(changed.after.scopes, changed.before.scopes);
    assert!(server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh).await.ok();
    assert!(
        refused(&server, "app", ClientEdit::default())
            .await
            .contains("nothing")
    );
}

fn metadata(value: Value) -> ClientEdit {
    let Value::Object(metadata) = value else {
        unreachable!()
    };
    ClientEdit {
        metadata,
        ..ClientEdit::default()
    }
}

async fn metadata_is_set_and_cleared(server: TestServer) {
    server.register(Spec::confidential("app")).await;
    let given = json!({
        "legal_entity": "Pocket Budget AB", "hosting_country": "SE",
        "contacts": ["security@budget.example"], "policy_uri": "https://budget.example/privacy",
    });
    let changed = set(&server, "app", metadata(given)).await;
    let now = changed.after.metadata;
    assert_eq!(now.legal_entity.as_deref(), Some("Pocket Budget AB"));
    assert_eq!(now.contacts, ["security@budget.example"]);
    let changed = set(
        &server,
        "app",
        metadata(json!({ "legal_entity": null, "licence": "AISP, FI 4711" })),
    )
    .await;
    let now = changed.after.metadata;
    assert_eq!(now.legal_entity, None);
    assert_eq!(now.licence.as_deref(), Some("AISP, FI 4711"));
    assert_eq!(now.hosting_country.as_deref(), Some("SE"));
}

async fn a_change_that_does_not_fit_is_refused(server: TestServer) {
    server.register(Spec::confidential("app")).await;
    let name = |name: &str| ClientEdit {
        name: Some(name.to_owned()),
        ..ClientEdit::default()
    };
    let redirect = |uris: Vec<String>| ClientEdit {
        redirect_uris: Some(uris),
        ..ClientEdit::default()
    };
    for (edit, word) in [
        (name(" "), "name"),
        (name("a\u{1b}[2J"), "control"),
        (redirect(vec![]), "redirect URI"),
        (redirect(vec!["http://app.example/cb".to_owned()]), "https"),
        (metadata(json!({ "hosting_country": "Sweden" })), "ISO 3166"),
        (metadata(json!({ "contacts": "one" })), "metadata"),
        (metadata(json!({ "no_such_member": "one" })), "nothing"),
    ] {
        let why = refused(&server, "app", edit).await;
        assert!(why.contains(word), "{word}: {why}");
    }
    assert!(
        refused(&server, "nobody", name("x"))
            .await
            .contains("nobody")
    );
    let still = clients::find(&server.app, "app").await.unwrap();
    assert_eq!(still.name, "The app app");
}

async fn of_two_changes_at_once_none_is_lost_unseen(server: TestServer) {
    server.register(Spec::confidential("app")).await;
    let app = server.app.clone();
    let done = crate::support::race(50, |n| {
        let app = app.clone();
        async move {
            let edit = ClientEdit {
                name: Some(format!("Name {n}")),
                ..ClientEdit::default()
            };
            clients::set(&app, "app", edit, &caller()).await.ok()
        }
    })
    .await;
    let mut done: Vec<_> = done.into_iter().flatten().collect();
    assert!(!done.is_empty());
    // Each saw what the one before it left: the changes make one chain.
    let last = clients::find(&server.app, "app").await.unwrap().name;
    let mut name = "The app app".to_owned();
    while name != last {
        let next = done.iter().position(|one| one.before.name == name);
        name = done.swap_remove(next.unwrap()).after.name;
    }
    assert!(done.is_empty(), "{done:?}");
}

async fn an_old_registration_that_would_be_refused_today_can_be_stopped(server: TestServer) {
    let (app, tokens) = connected(&server).await;
    let mut old = clients::find(&server.app, &app.id).await.unwrap();
    old.name = "a\u{1b}[2J".to_owned();
    let store = &server.app.store;
    store
        .write(move |tx| {
            Box::pin(async move {
                store::clients::update(tx, &old, rules::time::Timestamp::from_secs(1)).await
            })
        })
        .await
        .unwrap();
    clients::disable(&server.app, &app.id, &caller())
        .await
        .unwrap();
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    // It may not act again before it is put right.
    let why = sentence(clients::enable(&server.app, &app.id, &caller()).await);
    assert!(why.contains("control characters"), "{why}");
    let named = ClientEdit {
        name: Some("App".to_owned()),
        ..ClientEdit::default()
    };
    set(&server, &app.id, named).await;
    clients::enable(&server.app, &app.id, &caller())
        .await
        .unwrap();
}

async fn remove(server: &TestServer, id: &str) -> clients::Removed {
    clients::remove(&server.app, id, &caller()).await.unwrap()
}

async fn a_removed_client_can_do_nothing(server: TestServer) {
    let (app, tokens) = connected(&server).await;
    let own = app.client_credentials(&server, "accounts:read").await.ok();
    let ada = server.person("eve").await;
    let request = AuthRequest::new(&app, SCOPE);
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;

    remove(&server, "app").await;
    for token in [
        tokens.access.as_str(),
        own["access_token"].as_str().unwrap(),
    ] {
        assert!(!server.accounts.sees(&server, token).await);
    }
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(401, "invalid_client");
    request
        .try_redeem(&server, &app, &code)
        .await
        .refused(401, "invalid_client");
    app.client_credentials(&server, "accounts:read")
        .await
        .refused(401, "invalid_client");
    let answer = browser.go_on(&server, page, &ada).await;
    assert!(answer.to.is_empty(), "{answer:?}");
    assert_eq!(server.browser().begin(&server, &request).await.status, 400);

    // Nothing brings it back.
    let app = &server.app;
    for why in [
        sentence(clients::enable(app, "app", &caller()).await),
        sentence(clients::disable(app, "app", &caller()).await),
        sentence(clients::rotate_secret(app, "app", &caller()).await),
        refused(&server, "app", scopes("openid")).await,
        sentence(clients::remove(app, "app", &caller()).await),
    ] {
        assert!(why.contains("removed"), "{why}");
    }
    let left = clients::find(app, "app").await.unwrap();
    assert!(left.scopes.is_empty() && left.redirect_uris.is_empty());
    assert!(
        clients::list(app)
            .await
            .unwrap()
            .iter()
            .all(|one| one.id != "app")
    );
    // Another node, or this one after a restart, knows it too.
    let server = server.restart().await;
    assert!(!server.accounts.sees(&server, &tokens.access).await);
}

async fn a_removed_clients_consents_end_and_are_not_inherited(server: TestServer) {
    let (_, _) = connected(&server).await;
    let eve = server.person("eve").await;
    let other = server.register(Spec::confidential("other")).await;
    let mut browser = server.browser();
    let kept = browser.code_flow(&server, &other, &eve, SCOPE).await;
    let removed = remove(&server, "app").await;
    assert_eq!(removed.grants_ended, 1);
    // The other app's stands.
    assert!(server.accounts.sees(&server, &kept.access).await);
    let page = browser.get("/account").await;
    assert!(page.body.contains("The app other"), "{}", page.body);
    assert!(!page.body.contains("The app app"));
}

fn anew(id: &str) -> NewClient {
    NewClient {
        id: Some(id.to_owned()),
        name: "Somebody else".to_owned(),
        auth: NewAuth::Secret,
        redirect_uris: vec![],
        grant_types: vec![GrantType::ClientCredentials],
        scopes: Scopes::from_iter(["accounts:read"]),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata: Metadata::default(),
    }
}

async fn the_id_of_a_removed_client_is_never_given_again(server: TestServer) {
    server.register(Spec::confidential("app")).await;
    remove(&server, "app").await;
    server.advance(400 * 24 * 3600);
    let why = sentence(clients::register(&server.app, anew("app"), &caller()).await);
    assert!(
        why.contains("removed") && why.contains("choose another"),
        "{why}"
    );
}

async fn an_apis_client_is_not_removed_under_it(server: TestServer) {
    let why = sentence(clients::remove(&server.app, "accounts-api", &caller()).await);
    assert!(why.contains("resource set"), "{why}");
    resources::remove(&server.app, ACCOUNTS, &caller())
        .await
        .unwrap();
    remove(&server, "accounts-api").await;
    // And a client that is gone gets no API.
    let edit = ResourceEdit {
        client_id: Some("accounts-api".to_owned()),
        ..ResourceEdit::default()
    };
    let cards = "https://api.bank.example/cards";
    let why = sentence(resources::set(&server.app, cards, edit, &caller()).await);
    assert!(why.contains("removed"), "{why}");
}

async fn the_register_has_everybody(server: TestServer) {
    for id in ["a", "b", "c"] {
        server.register(Spec::confidential(id)).await;
        server.advance(60);
    }
    clients::disable(&server.app, "b", &caller()).await.unwrap();
    server.advance(60);
    remove(&server, "c").await;
    let all = clients::register_of_all(&server.app).await.unwrap();
    let of = |id: &str| all.iter().find(|one| one.client.id == id).unwrap();
    let status = |id: &str| of(id).status().0.as_str();
    assert_eq!(
        [status("a"), status("b"), status("c")],
        ["enabled", "disabled", "removed"]
    );
    assert_eq!(of("a").status().1, of("a").registered_at);
    assert!(of("b").status().1 > of("b").registered_at);
    assert_eq!(of("c").status().1.secs(), server.now());
    assert_eq!(of("c").authentication(), "-");
    assert_eq!(of("accounts-api").resources, [ACCOUNTS]);
}

async fn a_removed_resource_takes_its_tokens_along(server: TestServer) {
    let (app, tokens) = connected(&server).await;
    resources::remove(&server.app, ACCOUNTS, &caller())
        .await
        .unwrap();
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    let renewed = app.refresh(&server, &tokens.refresh).await.ok();
    assert_eq!(renewed["scope"], "offline_access openid profile");
    let why = sentence(resources::remove(&server.app, ACCOUNTS, &caller()).await);
    assert!(why.contains("resource list"), "{why}");
    follow::load(&server.app).await.unwrap();
    assert!(server.app.registry.now().resource(ACCOUNTS).is_none());
}

async fn a_resource_is_changed_in_part(server: TestServer) {
    let edit = ResourceEdit {
        access_token_lifetime: Some(60),
        ..ResourceEdit::default()
    };
    let changed = resources::set(&server.app, ACCOUNTS, edit, &caller())
        .await
        .unwrap();
    assert_eq!(changed.before.access_token_lifetime, 300);
    assert_eq!(changed.after.scopes.len(), 2);
    let edit = ResourceEdit {
        scopes: Some(changed.after.scopes[..1].to_vec()),
        ..ResourceEdit::default()
    };
    let (_, tokens) = connected_for(&server, "openid accounts:read transactions:read").await;
    resources::set(&server.app, ACCOUNTS, edit, &caller())
        .await
        .unwrap();
    let told = server.accounts.introspect(&server, &tokens.access).await;
    assert_eq!(told["scope"], "accounts:read");
}

async fn of_two_changes_of_a_resource_at_once_none_is_lost(server: TestServer) {
    let named = ResourceEdit {
        name: Some("Balances".to_owned()),
        ..ResourceEdit::default()
    };
    let shorter = ResourceEdit {
        access_token_lifetime: Some(60),
        ..ResourceEdit::default()
    };
    let hold = "UPDATE counters SET value = value WHERE name = 'resources'";
    let held = match server.engine {
        Engine::Postgres => Some(server.hold(hold).await),
        Engine::Sqlite => None,
    };
    let caller = caller();
    // Both have read what is there before either may write.
    let (one, two, ()) = tokio::join!(
        resources::set(&server.app, ACCOUNTS, named, &caller),
        resources::set(&server.app, ACCOUNTS, shorter, &caller),
        async {
            if let Some(mut held) = held {
                held.is_waited_for(2).await;
                held.let_go().await;
            }
        },
    );
    let all = resources::list(&server.app).await.unwrap();
    let now = all.iter().find(|one| one.uri == ACCOUNTS).unwrap();
    assert_eq!(one.is_ok(), now.name == "Balances");
    assert_eq!(two.is_ok(), now.access_token_lifetime == 60);
    for refused in [one, two].into_iter().filter(Result::is_err) {
        let why = sentence(refused);
        assert!(why.contains("at the same moment"), "{why}");
    }
}

async fn what_a_resource_is_called_elsewhere_stays_until_it_is_named(server: TestServer) {
    let set = async |edit| {
        let changed = resources::set(&server.app, ACCOUNTS, edit, &caller()).await;
        changed.map(|changed| changed.after)
    };
    let one = |key: &str, text: &str| [(key.to_owned(), text.to_owned())].into();
    let titled = set(ResourceEdit {
        names: one("de", "Konten"),
        scope_titles: [("accounts:read".to_owned(), one("de", "Ihre Konten sehen"))].into(),
        read_only: Some(true),
        ..ResourceEdit::default()
    });
    let mut after = titled.await.unwrap();
    assert!(after.read_only && after.name_in("de") == "Konten");
    // The scopes named anew, by their plain titles alone.
    for scope in &mut after.scopes {
        scope.titles.clear();
    }
    let scopes = Some(after.scopes);
    let edit = ResourceEdit {
        scopes,
        ..ResourceEdit::default()
    };
    let after = set(edit).await.unwrap();
    let scope = after.scopes.iter().find(|one| one.name == "accounts:read");
    assert_eq!(scope.unwrap().title_in("de"), "Ihre Konten sehen");
    assert!(after.read_only && after.name_in("de") == "Konten");
    let edit = ResourceEdit {
        names: one("de", ""),
        ..ResourceEdit::default()
    };
    assert!(set(edit).await.unwrap().names.is_empty());
    let edit = ResourceEdit {
        scope_titles: [("nothing".to_owned(), one("de", "Nichts"))].into(),
        ..ResourceEdit::default()
    };
    assert!(sentence(set(edit).await).contains("nothing"));
}

//! Details that need no scope, and details that a client gets for itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::File;
use countersign::flows::clients::{self, ClientEdit};
use countersign::flows::read_audit::{self, Wanted};
use serde_json::{Value, json};

use super::{
    DetailsFile, app_with, card_type, hook, page, payment, payment_type, refreshed, refused, text,
    tokens, words,
};
use crate::fapi::{Partner, userinfo};
use crate::support::server::{ACCOUNTS, CARDS, caller};
use crate::support::{Engine, Reply, TestServer, jwt};

on_both_with_types![
    details_alone_are_a_whole_request_and_their_token_has_no_scope,
    the_hook_lets_in_what_details_open_and_tells_the_api,
    with_openid_alone_details_bring_their_api_and_an_id_token,
    details_alone_for_a_jwt_stand_in_it_without_a_scope,
    details_that_open_no_api_are_no_request,
    a_scope_that_is_left_out_leaves_the_details,
    a_type_that_is_taken_away_leaves_a_token_for_details_nothing,
    a_client_gets_for_itself_what_no_person_need_agree_to,
    a_client_gets_nothing_for_itself_that_is_a_persons_to_give,
    what_a_client_gets_for_itself_is_told_to_the_log_by_type_alone,
];

async fn start(engine: Engine) -> TestServer {
    TestServer::start_with(engine, |file: &mut File| {
        file.authorization_details = vec![
            without_scope(payment_type()),
            without_scope(card_type()),
            open_type("report", &[ACCOUNTS]),
            open_type("export", &[CARDS]),
            open_type("note", &[]),
        ];
        file.hook.peers = vec!["127.0.0.1".to_owned()];
    })
    .await
}

/// The type, when its details open its API.
fn without_scope(of_type: DetailsFile) -> DetailsFile {
    DetailsFile {
        without_scope: true,
        ..of_type
    }
}

/// A type that clients may use for themselves.
fn open_type(name: &str, resources: &[&str]) -> DetailsFile {
    let schema = json!({
        "type": "object",
        "properties": {
            "about": { "type": "string", "maxLength": 4096 },
            "locations": { "type": "array" },
        },
    });
    let words = ["en", "de"].map(|tag| (tag.to_owned(), words(name, &[])));
    DetailsFile {
        name: name.to_owned(),
        schema: Some(schema.to_string()),
        resources: resources.iter().map(|uri| (*uri).to_owned()).collect(),
        client_credentials: true,
        without_scope: true,
        words: words.into(),
        ..DetailsFile::default()
    }
}

async fn app(server: &TestServer) -> Partner {
    let types = ["payment", "card_limit", "report", "export", "note"];
    app_with(server, "app", &types).await
}

/// A request for details and nothing else.
fn asking(app: &Partner, details: &Value) -> crate::support::AuthRequest {
    app.request("x")
        .without("scope")
        .with("authorization_details", &details.to_string())
}

/// What a client asks for itself.
async fn own(server: &TestServer, app: &Partner, more: &[(&str, &str)]) -> Reply {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(more);
    app.post(server, "/token", &form).await
}

async fn details_alone_are_a_whole_request_and_their_token_has_no_scope(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let request = asking(&app, &details);
    let (_, page) = page(&server, &app, &request, &ada).await;
    assert!(page.body.contains("Make a payment"), "{}", page.body);
    let given = tokens(&server, &app, &request, &ada).await;
    assert_eq!(given["authorization_details"], details);
    for missing in ["scope", "id_token"] {
        assert!(given.get(missing).is_none(), "{missing}: {given}");
    }
    let refresh = text(&given, "refresh_token");
    let again = refreshed(&server, &app, refresh, None).await.ok();
    for given in [&given, &again] {
        let token = text(given, "access_token");
        let seen = server.accounts.introspect(&server, token).await;
        assert_eq!(seen["active"], true);
        assert_eq!(seen["aud"], ACCOUNTS);
        assert_eq!(seen["authorization_details"], details);
        assert!(seen.get("scope").is_none(), "{seen}");
        assert!(!server.cards.sees(&server, token).await);
        // It is for the API, and not to be told about the person.
        let proof = app.holder.with_token(&server, token);
        let told = userinfo(&server, &format!("DPoP {token}"), &[proof]).await;
        assert_eq!(told.status, 403, "{}", told.body);
    }
    // No more is had by asking for more, or elsewhere.
    let wide = [
        ("scope", "accounts:read", "invalid_scope"),
        ("scope", "openid", "invalid_scope"),
        ("resource", CARDS, "invalid_target"),
    ];
    for (name, value, code) in wide {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            (name, value),
        ];
        refused(&app.post(&server, "/token", &form).await, &[code]);
    }
    let more = json!([payment("Corner Bakery", "95.00")]);
    let reply = refreshed(&server, &app, refresh, Some(&more)).await;
    refused(&reply, &["invalid_authorization_details"]);
}

async fn the_hook_lets_in_what_details_open_and_tells_the_api(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let given = tokens(&server, &app, &asking(&app, &details), &ada).await;
    let machine = own(
        &server,
        &app,
        &[("authorization_details", "[{\"type\":\"report\"}]")],
    );
    let machine = machine.await.ok();
    let url = "https://api.bank.example/accounts/7";
    let ask = async |token: &str, api: &str, scope: &str| {
        let proof = hook::claims(&server, "GET", url, token);
        let question = server
            .http
            .get(server.at("/verify"))
            .header("x-countersign-resource", api)
            .header("x-countersign-scope", scope)
            .header("x-original-method", "GET")
            .header("x-original-url", url)
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", app.holder.sign(&app.holder.header(), &proof));
        Reply::of(question).await
    };
    let report = json!([{ "type": "report" }]);
    for (tokens, expected) in [(&given, &details), (&machine, &report)] {
        let token = text(tokens, "access_token");
        let passed = ask(token, ACCOUNTS, "").await;
        assert_eq!(passed.status, 200, "{}", passed.body);
        assert_eq!(passed.header("x-countersign-scope"), "");
        let told = passed.header("x-countersign-authorization-details");
        let told = URL_SAFE_NO_PAD.decode(told).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&told).unwrap(), *expected);
        // An operation that needs a scope is not opened, nor is another API.
        assert_eq!(ask(token, ACCOUNTS, "accounts:read").await.status, 403);
        assert_eq!(ask(token, CARDS, "").await.status, 401);
    }
}

async fn with_openid_alone_details_bring_their_api_and_an_id_token(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let request = asking(&app, &details).with("scope", "openid");
    let given = tokens(&server, &app, &request, &ada).await;
    assert_eq!(given["scope"], "openid");
    assert!(given["id_token"].is_string(), "{given}");
    let token = text(&given, "access_token");
    let seen = server.accounts.introspect(&server, token).await;
    assert_eq!(seen["authorization_details"], details);
}

async fn details_alone_for_a_jwt_stand_in_it_without_a_scope(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let limit = json!([{ "type": "card_limit", "limit": 500 }]);
    let given = tokens(&server, &app, &asking(&app, &limit), &ada).await;
    let machine = json!([{ "type": "export", "about": "all cards" }]);
    let text_of = machine.to_string();
    let own = own(&server, &app, &[("authorization_details", &text_of)]).await;
    for (given, details) in [(given, &limit), (own.ok(), &machine)] {
        let token = text(&given, "access_token");
        let claims = jwt::verify(&server, token).await.claims;
        assert_eq!(claims["authorization_details"], *details);
        assert_eq!(claims["aud"], CARDS);
        assert!(claims.get("scope").is_none(), "{claims}");
        let seen = server.cards.introspect(&server, token).await;
        assert_eq!(seen["authorization_details"], *details);
        assert!(!server.accounts.sees(&server, token).await);
    }
}

async fn details_that_open_no_api_are_no_request(server: TestServer) {
    let app = app(&server).await;
    let details = "invalid_authorization_details";
    let here = json!([{ "type": "note", "locations": [ACCOUNTS] }]).to_string();
    let pay = json!([payment("A", "1.00")]).to_string();
    let table: [(&str, &str, &str); 6] = [
        // Its type is for any API, so it opens none, whatever it names.
        ("[{\"type\":\"note\"}]", "", details),
        (&here, "", details),
        ("[{\"type\":\"note\"}]", ACCOUNTS, "invalid_target"),
        // For another API than the request.
        (&pay, CARDS, "invalid_target"),
        (&pay, "https://elsewhere.example/", "invalid_target"),
        ("", "", "invalid_scope"),
    ];
    for (asked, resource, code) in table {
        let request = app.request("x").without("scope");
        let request = request
            .with("authorization_details", asked)
            .with("resource", resource);
        refused(&app.push(&server, &request).await, &[code]);
        let form = [("authorization_details", asked), ("resource", resource)];
        if !asked.is_empty() {
            let codes = [code, details, "invalid_scope"];
            refused(&own(&server, &app, &form).await, &codes);
        }
    }
}

async fn a_scope_that_is_left_out_leaves_the_details(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let request = asking(&app, &details).with("scope", "transactions:read");
    let (mut browser, page) = page(&server, &app, &request, &ada).await;
    let action = page.form("/consent").unwrap();
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let code = crate::support::Answer::of(&page).code();
    let form = request.redemption(&app.app, &code);
    let given = app.post(&server, "/token", &form).await.ok();
    assert_eq!(given["authorization_details"], details);
    assert!(given.get("scope").is_none(), "{given}");
}

async fn a_type_that_is_taken_away_leaves_a_token_for_details_nothing(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let given = tokens(&server, &app, &asking(&app, &details), &ada).await;
    let report = [("authorization_details", "[{\"type\":\"report\"}]")];
    let machine = own(&server, &app, &report).await.ok();
    for tokens in [&given, &machine] {
        let token = text(tokens, "access_token");
        assert!(server.accounts.sees(&server, token).await);
    }
    let mut edit = ClientEdit::default();
    let left = json!(["card_limit"]);
    edit.metadata
        .insert("authorization_details_types".to_owned(), left);
    clients::set(&server.app, "app", edit, &caller())
        .await
        .unwrap();
    for tokens in [&given, &machine] {
        let token = text(tokens, "access_token");
        assert!(!server.accounts.sees(&server, token).await);
    }
    let reply = refreshed(&server, &app, text(&given, "refresh_token"), None).await;
    refused(&reply, &["invalid_scope"]);
    refused(
        &own(&server, &app, &report).await,
        &["invalid_authorization_details"],
    );
}

async fn a_client_gets_for_itself_what_no_person_need_agree_to(server: TestServer) {
    let app = app(&server).await;
    for about in ["first", "second"] {
        let details = json!([{ "type": "report", "about": about }]);
        let asked = details.to_string();
        let asked = ("authorization_details", asked.as_str());
        let given = own(&server, &app, &[asked]).await.ok();
        assert_eq!(given["authorization_details"], details);
        for missing in ["scope", "id_token", "refresh_token"] {
            assert!(given.get(missing).is_none(), "{missing}: {given}");
        }
        let token = text(&given, "access_token");
        let seen = server.accounts.introspect(&server, token).await;
        assert_eq!(seen["authorization_details"], details);
        assert_eq!(
            (&seen["active"], &seen["sub"]),
            (&json!(true), &"app".into())
        );
        // Beside a scope, and with the API by name.
        let beside = [asked, ("scope", "accounts:read"), ("resource", ACCOUNTS)];
        let both = own(&server, &app, &beside).await.ok();
        assert_eq!(both["scope"], "accounts:read");
        assert_eq!(both["authorization_details"], details);
    }
    // One row for the type, whatever it says, and one beside the scope.
    let rows = "SELECT COUNT(*) FROM authorizations";
    assert_eq!(server.number(rows).await, 2);
    // Without details nothing of them is there.
    let plain = own(&server, &app, &[("scope", "accounts:read")]).await.ok();
    assert!(plain.get("authorization_details").is_none(), "{plain}");
    let seen = server
        .accounts
        .introspect(&server, text(&plain, "access_token"))
        .await;
    assert_eq!(seen["authorization_details"], Value::Null);
    assert_eq!(server.number(rows).await, 3);
}

async fn a_client_gets_nothing_for_itself_that_is_a_persons_to_give(server: TestServer) {
    let app = app(&server).await;
    let other = app_with(&server, "other", &["payment"]).await;
    let pay = payment("Corner Bakery", "9.50");
    let report = json!({ "type": "report" });
    let long = json!({ "type": "report", "about": "x".repeat(4096) });
    let evil = json!({ "type": "report", "amount": "1.00" });
    let away = json!({ "type": "report", "locations": [CARDS] });
    let table = [
        json!([pay]),
        json!([report, pay]),
        json!([{ "type": "unknown" }]),
        json!([evil]),
        json!([away]),
        json!([long]),
        json!(vec![report.clone(); 9]),
        json!([]),
        json!({ "type": "report" }),
        json!("report"),
    ];
    let code = "invalid_authorization_details";
    let scopes = [("scope", "accounts:read"), ("resource", ACCOUNTS)];
    for wrong in table {
        let wrong = wrong.to_string();
        let asked = ("authorization_details", wrong.as_str());
        refused(&own(&server, &app, &[asked]).await, &[code]);
        refused(
            &own(&server, &app, &[asked, scopes[0], scopes[1]]).await,
            &[code],
        );
    }
    let good = json!([report]).to_string();
    let good = ("authorization_details", good.as_str());
    // A client that is not registered for the type; half a list; the same parameter twice.
    refused(&own(&server, &other, &[good]).await, &[code]);
    let half = ("authorization_details", "[{\"type\":\"report\"");
    refused(&own(&server, &app, &[half]).await, &[code]);
    refused(
        &own(&server, &app, &[good, good]).await,
        &["invalid_request"],
    );
    // For another API than the one that is named.
    let elsewhere = [good, ("resource", CARDS)];
    refused(&own(&server, &app, &elsewhere).await, &["invalid_target"]);
    let beside = [good, ("resource", CARDS), ("scope", "cards:read")];
    refused(&own(&server, &app, &beside).await, &[code]);
    // A scope about people stays refused.
    let openid = [good, ("scope", "openid")];
    refused(&own(&server, &app, &openid).await, &["invalid_scope"]);
    let rows = "SELECT COUNT(*) FROM authorizations";
    assert_eq!(server.number(rows).await, 0);
}

async fn what_a_client_gets_for_itself_is_told_to_the_log_by_type_alone(server: TestServer) {
    let app = app(&server).await;
    let details = json!([{ "type": "report", "about": "details-marker-0123" }]).to_string();
    let given = own(&server, &app, &[("authorization_details", &details)]).await;
    given.ok();
    let wanted = Wanted {
        kind: Some("token.issued".to_owned()),
        limit: 10,
        ..Wanted::default()
    };
    let told = read_audit::list(&server.app, wanted, &caller())
        .await
        .unwrap();
    let told = format!("{told:?}");
    assert!(
        told.contains("report") && !told.contains("details-marker"),
        "{told}"
    );
}

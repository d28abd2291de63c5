//! The `claims` parameter (OpenID Connect Core §5.5) and the scopes of claims (§5.4).

use countersign::flows::clients::{self, ClientEdit};
use countersign::http::MAX_BODY;
use rules::protocol::Scopes;
use rules::protocol::claims::STANDARD;
use serde_json::{Value, json};

use crate::support::server::caller;
use crate::support::{
    Answer, AuthRequest, Browser, ClientApp, Person, Reply, Spec, TestServer, Tokens, jwt,
};

on_both![
    an_essential_claim_is_told_at_userinfo,
    a_claim_asked_for_the_id_token_is_told_there_and_only_there,
    a_refreshed_id_token_tells_the_same,
    every_claim_that_discovery_names_can_be_asked_for_one_by_one,
    a_claim_asked_with_another_value_is_not_told,
    what_is_not_known_or_not_understood_is_left_out,
    consent_is_asked_for_a_claim_as_for_a_scope,
    consent_to_the_scope_is_consent_to_its_claims,
    a_newly_asked_claim_does_not_skip_consent,
    without_consent_nothing_is_told_silently,
    what_was_agreed_to_is_on_the_account_page,
    a_stopped_app_must_ask_anew,
    an_essential_acr_that_is_reached_is_told,
    an_acr_that_nobody_reaches_fails_only_when_it_is_essential,
    a_request_that_is_no_claims_request_is_refused,
    an_enormous_or_deep_claims_parameter_is_refused,
    claims_are_for_openid_requests_only,
    a_claim_is_no_way_around_the_scopes_of_a_registration,
    a_claim_whose_scope_is_taken_from_a_client_is_told_no_more,
];

fn asking(app: &ClientApp, claims: &Value) -> AuthRequest {
    AuthRequest::new(app, "openid").with("claims", &claims.to_string())
}

async fn tokens(
    server: &TestServer,
    browser: &mut Browser,
    (app, person): (&ClientApp, &Person),
    request: &AuthRequest,
) -> Tokens {
    let answer = browser.walk(server, request, person).await;
    request.redeem(server, app, &answer.code()).await
}

async fn userinfo(server: &TestServer, tokens: &Tokens) -> Value {
    let get = server.http.get(server.at("/userinfo"));
    Reply::of(get.bearer_auth(&tokens.access)).await.ok()
}

async fn an_essential_claim_is_told_at_userinfo(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = asking(&app, &json!({"userinfo": {"name": {"essential": true}}}));
    let tokens = tokens(&server, &mut server.browser(), (&app, &ada), &request).await;
    let told = userinfo(&server, &tokens).await;
    assert_eq!(
        told,
        json!({ "sub": ada.id.to_string(), "name": "ada Example" })
    );
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert!(id.get("name").is_none());
}

async fn a_claim_asked_for_the_id_token_is_told_there_and_only_there(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = asking(
        &app,
        &json!({"id_token": {"email": null, "auth_time": {"essential": true}}}),
    );
    let tokens = tokens(&server, &mut server.browser(), (&app, &ada), &request).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(id["email"], "ada@mail.example");
    assert_eq!(id["sub"], ada.id.to_string());
    assert!(id["auth_time"].is_i64());
    assert!(id.get("email_verified").is_none(), "it was not asked for");
    assert_eq!(
        userinfo(&server, &tokens).await,
        json!({ "sub": ada.id.to_string() })
    );
}

async fn a_refreshed_id_token_tells_the_same(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = asking(
        &app,
        &json!({"id_token": {"email": null}, "userinfo": {"name": null}}),
    );
    let before = tokens(&server, &mut server.browser(), (&app, &ada), &request).await;
    server.advance(10);
    let refreshed = app.refresh(&server, &before.refresh).await.ok();
    let after = Tokens::of(&refreshed);
    let id = jwt::verify(&server, &after.id).await.claims;
    assert_eq!(id["email"], "ada@mail.example");
    assert_eq!(userinfo(&server, &after).await["name"], "ada Example");
}

async fn every_claim_that_discovery_names_can_be_asked_for_one_by_one(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let document = server.get("/.well-known/openid-configuration").await.ok();
    assert_eq!(document["claims_parameter_supported"], true);
    let named: Vec<&str> = document["claims_supported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    for (name, _) in STANDARD {
        assert!(named.contains(&name), "{name}");
    }
    let all: serde_json::Map<String, Value> = named
        .iter()
        .map(|name| ((*name).to_owned(), Value::Null))
        .collect();
    let request = asking(&app, &json!({ "userinfo": all, "id_token": all }));
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.begin(&server, &request).await;
    assert!(page.body.len() < 14 * 1024, "{} bytes", page.body.len());
    let code = browser.go_on(&server, page, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    let told = userinfo(&server, &tokens).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    for name in ["name", "email", "email_verified", "address", "phone_number"] {
        assert!(!told[name].is_null(), "{name}");
        assert_eq!(told[name], id[name]);
    }
    assert!(told["updated_at"].is_i64());
    assert_eq!(id["aud"], "app", "protocol claims stay what they are");
}

async fn a_claim_asked_with_another_value_is_not_told(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = asking(
        &app,
        &json!({"userinfo": {
            "email": {"value": "x@mail.example"},
            "name": {"values": ["ada Example", "x"]},
        }}),
    );
    let tokens = tokens(&server, &mut server.browser(), (&app, &ada), &request).await;
    let told = userinfo(&server, &tokens).await;
    assert_eq!(told["name"], "ada Example");
    assert!(told.get("email").is_none());
}

async fn what_is_not_known_or_not_understood_is_left_out(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = asking(
        &app,
        &json!({"userinfo": {
            "birthdate": {"essential": true}, "shoe_size": {"essential": true},
            "name#ja-Kana-JP": null, "iss": null,
        }, "else": {"x": 1}}),
    );
    let tokens = tokens(&server, &mut server.browser(), (&app, &ada), &request).await;
    assert_eq!(
        userinfo(&server, &tokens).await,
        json!({ "sub": ada.id.to_string() })
    );
}

async fn consent_is_asked_for_a_claim_as_for_a_scope(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = asking(&app, &json!({"userinfo": {"birthdate": null}}));
    let page = browser.begin(&server, &request).await;
    assert!(
        page.body.contains("See your date of birth"),
        "{}",
        page.body
    );
    browser.go_on(&server, page, &ada).await.code();
    // Agreed to once, it is not asked again.
    let silent = request.with("prompt", "none");
    Answer::of(&browser.begin(&server, &silent).await).code();
}

async fn consent_to_the_scope_is_consent_to_its_claims(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.code_flow(&server, &app, &ada, "openid email").await;
    let claims = json!({"id_token": {"email": null, "email_verified": null}});
    let request = asking(&app, &claims).with("prompt", "none");
    let code = Answer::of(&browser.begin(&server, &request).await).code();
    let tokens = request.redeem(&server, &app, &code).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(id["email"], "ada@mail.example");
    // The scope was agreed to before, but this request did not ask for it.
    assert_eq!(
        userinfo(&server, &tokens).await,
        json!({ "sub": ada.id.to_string() })
    );
}

async fn a_newly_asked_claim_does_not_skip_consent(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let first = asking(&app, &json!({"userinfo": {"name": null}}));
    tokens(&server, &mut browser, (&app, &ada), &first).await;
    for member in ["userinfo", "id_token"] {
        let more = asking(
            &app,
            &json!({ member: {"name": null, "phone_number": null} }),
        );
        let page = browser.begin(&server, &more).await;
        assert!(page.form("/consent").is_some(), "{}", page.body);
        assert!(page.body.contains("See your phone number"));
        let silent = more.with("prompt", "none");
        let answer = Answer::of(&browser.begin(&server, &silent).await);
        assert_eq!(answer.error(), "consent_required");
    }
}

async fn without_consent_nothing_is_told_silently(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = asking(&app, &json!({"userinfo": {"phone_number": null}}));
    let page = browser.begin(&server, &request).await;
    let action = page.form("/consent").unwrap();
    let page = browser.post(&action, &[("decision", "deny")]).await;
    assert_eq!(Answer::of(&page).error(), "access_denied");
    let silent = request.with("prompt", "none");
    let answer = Answer::of(&browser.begin(&server, &silent).await);
    assert_eq!(answer.error(), "consent_required");
}

async fn what_was_agreed_to_is_on_the_account_page(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let request = asking(&app, &json!({"userinfo": {"birthdate": null}}));
    tokens(&server, &mut browser, (&app, &ada), &request).await;
    let account = browser.get("/account").await;
    assert!(account.body.contains("See your date of birth"));
}

async fn a_stopped_app_must_ask_anew(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let request = asking(&app, &json!({"userinfo": {"name": null}}));
    let held = tokens(&server, &mut browser, (&app, &ada), &request).await;
    let account = browser.get("/account").await;
    let action = account.body.split("/account/apps/").nth(1).unwrap();
    let grant = action.split('/').next().unwrap();
    browser
        .post(&format!("/account/apps/{grant}/stop"), &[])
        .await;
    let get = server.http.get(server.at("/userinfo"));
    let told = Reply::of(get.bearer_auth(&held.access)).await;
    assert_eq!(told.status, 401);
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/consent").is_some());
}

async fn an_essential_acr_that_is_reached_is_told(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let values = ["urn:countersign:acr:2fa", "x"];
    let request = asking(
        &app,
        &json!({"id_token": {"acr": {"essential": true, "values": values}}}),
    );
    let tokens = tokens(&server, &mut server.browser(), (&app, &ada), &request).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(id["acr"], "urn:countersign:acr:2fa");
}

async fn an_acr_that_nobody_reaches_fails_only_when_it_is_essential(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let acr = |ask: Value| asking(&app, &json!({ "id_token": { "acr": ask } }));
    let essential = acr(json!({"essential": true, "values": ["urn:x"]}));
    let answer = Answer::of(&browser.begin(&server, &essential).await);
    assert_eq!(answer.error(), "unmet_authentication_requirements");
    let pushed = essential.push(&server, &app).await;
    pushed.refused(400, "unmet_authentication_requirements");
    let voluntary = acr(json!({"values": ["urn:x"]})).with("acr_values", "urn:x urn:y");
    let tokens = tokens(&server, &mut browser, (&app, &ada), &voluntary).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(id["acr"], "urn:countersign:acr:2fa");
}

async fn a_request_that_is_no_claims_request_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for text in [
        "{",
        "[]",
        "{\"userinfo\":7}",
        "{\"userinfo\":{\"name\":\"x\"}}",
        "{\"id_token\":{\"sub\":{\"value\":{}}}}",
        "{\"userinfo\":{\"name\":null,\"name\":null}}",
    ] {
        let request = AuthRequest::new(&app, "openid").with("claims", text);
        let answer = Answer::of(&server.browser().begin(&server, &request).await);
        assert_eq!(answer.error(), "invalid_request", "{text}");
        let pushed = request.push(&server, &app).await;
        pushed.refused(400, "invalid_request");
    }
}

async fn an_enormous_or_deep_claims_parameter_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let deep = format!(
        "{{\"userinfo\":{{\"name\":{{\"value\":{}1{}}}}}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let request = AuthRequest::new(&app, "openid").with("claims", &deep);
    let answer = Answer::of(&server.browser().begin(&server, &request).await);
    assert_eq!(answer.error(), "invalid_request");
    for (size, status) in [(9 * 1024, 303), (MAX_BODY + 1024, 413)] {
        let long = json!({"userinfo": {"name": {"value": "x".repeat(size)}}});
        let request = asking(&app, &long);
        let pushed = request.push(&server, &app).await;
        assert!(matches!(pushed.status, 400 | 413), "{}", pushed.status);
        let post = server.http.post(server.at("/authorize"));
        let page = Reply::of(post.form(&request.pairs())).await;
        assert_eq!(page.status, status, "{}", page.body);
        let told = page.header("location").contains("error=invalid_request");
        assert_eq!(told, status == 303);
    }
}

async fn claims_are_for_openid_requests_only(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = asking(&app, &json!({"userinfo": {"name": null}})).with("scope", "accounts:read");
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.begin(&server, &request).await;
    assert!(!page.body.contains("See your full name"));
    let code = browser.go_on(&server, page, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    assert!(tokens.id.is_empty());
    let get = server.http.get(server.at("/userinfo"));
    let told = Reply::of(get.bearer_auth(&tokens.access)).await;
    assert_eq!(told.status, 403);
}

async fn a_claim_is_no_way_around_the_scopes_of_a_registration(server: TestServer) {
    let spec = Spec::confidential("app").scopes("openid email");
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let asked = json!({"email": null, "name": null, "phone_number": {"essential": true}});
    let request = asking(&app, &json!({ "userinfo": asked, "id_token": asked }));
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.begin(&server, &request).await;
    assert!(
        !page.body.contains("See your phone number"),
        "{}",
        page.body
    );
    let code = browser.go_on(&server, page, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    let told = userinfo(&server, &tokens).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    for told in [&told, &id] {
        assert_eq!(told["email"], "ada@mail.example");
        assert!(told.get("name").is_none() && told.get("phone_number").is_none());
    }
}

async fn a_claim_whose_scope_is_taken_from_a_client_is_told_no_more(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let asked = json!({"email": null, "name": null});
    let request = asking(&app, &json!({ "userinfo": asked, "id_token": asked }));
    let mut browser = server.browser();
    let held = tokens(&server, &mut browser, (&app, &ada), &request).await;
    let pushed = request.pushed(&server, &app).await;
    let edit = ClientEdit {
        scopes: Some(Scopes::parse("openid email").unwrap()),
        ..ClientEdit::default()
    };
    clients::set(&server.app, "app", edit, &caller())
        .await
        .unwrap();
    let renewed = app.refresh(&server, &held.refresh).await.ok();
    let renewed = Tokens::of(&renewed);
    let id = jwt::verify(&server, &renewed.id).await.claims;
    for told in [userinfo(&server, &held).await, id] {
        assert_eq!(told["email"], "ada@mail.example");
        assert!(told.get("name").is_none(), "{told}");
    }
    let page = browser.begin(&server, &pushed).await;
    assert_eq!(page.status, 400, "{}", page.body);
}

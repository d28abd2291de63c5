//! Hints at the person (OpenID Connect Core §3.1.2.1): `id_token_hint`, `login_hint`, and the `sub`
//! of the `claims` parameter.

use rules::jose::{Alg, SigningKey};
use rules::protocol::client_metadata::SubjectType;
use serde_json::json;

use crate::support::{Answer, AuthRequest, ClientApp, Page, Person, Spec, TestServer, Tokens, jwt};

on_both![
    a_hint_at_the_person_who_is_there_is_answered_without_a_page,
    an_expired_hint_still_works,
    a_hint_counts_until_its_key_is_withdrawn,
    a_hint_at_somebody_else_needs_a_login,
    whoever_signs_in_in_the_place_of_the_hinted_person_is_not_answered_for,
    the_hinted_person_signs_in_and_goes_on,
    a_hint_fills_in_no_name_for_a_stranger,
    the_name_of_who_was_here_before_is_filled_in,
    a_login_hint_fills_in_the_name,
    a_hint_of_another_client_is_refused,
    a_foreign_or_unsigned_hint_is_refused,
    an_access_token_is_no_hint,
    a_hint_is_checked_when_a_request_is_pushed,
    a_subject_asked_by_claims_is_like_a_hint,
    hint_and_claims_that_name_two_people_are_refused,
    a_pairwise_hint_means_the_same_person,
];

struct Story {
    app: ClientApp,
    ada: Person,
    tokens: Tokens,
    browser: crate::support::Browser,
}

async fn story(server: &TestServer, spec: Spec) -> Story {
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser.code_flow(server, &app, &ada, "openid").await;
    Story {
        app,
        ada,
        tokens,
        browser,
    }
}

fn silent(app: &ClientApp, hint: &str) -> AuthRequest {
    AuthRequest::new(app, "openid")
        .with("prompt", "none")
        .with("id_token_hint", hint)
}

fn name_on(page: &Page) -> &str {
    let field = page.body.split("id=\"username\"").nth(1).unwrap();
    let field = field.split('>').next().unwrap();
    let value = field.split("value=\"").nth(1).unwrap_or_default();
    value.split('"').next().unwrap_or_default()
}

async fn a_hint_at_the_person_who_is_there_is_answered_without_a_page(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    let before = jwt::verify(&server, &story.tokens.id).await.claims;
    server.advance(60);
    let request = silent(&story.app, &story.tokens.id);
    let code = Answer::of(&story.browser.begin(&server, &request).await).code();
    let tokens = request.redeem(&server, &story.app, &code).await;
    let after = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(before["sub"], after["sub"]);
    assert_eq!(before["auth_time"], after["auth_time"]);
}

async fn an_expired_hint_still_works(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    // Ten minutes are more than an ID token lives, and less than an unused session does.
    server.advance(600);
    let request = silent(&story.app, &story.tokens.id);
    Answer::of(&story.browser.begin(&server, &request).await).code();
}

async fn a_hint_counts_until_its_key_is_withdrawn(server: TestServer) {
    use countersign::flows::rotate_keys;
    let mut story = story(&server, Spec::confidential("app")).await;
    let caller = crate::support::server::caller();
    rotate_keys::rotate(&server.app, Alg::Rs256, &caller)
        .await
        .unwrap();
    // Longer than any session lasts the key stays published.
    server.advance(23 * 3600);
    rotate_keys::retire(&server.app).await.unwrap();
    story.browser.sign_in(&server, &story.ada).await;
    let request = silent(&story.app, &story.tokens.id);
    Answer::of(&story.browser.begin(&server, &request).await).code();
    server.advance(2 * 3600);
    rotate_keys::retire(&server.app).await.unwrap();
    let kid = jsonwebtoken::decode_header(&story.tokens.id).unwrap().kid;
    let set = server.get("/jwks").await.ok().to_string();
    assert!(!set.contains(&kid.unwrap()), "the key is withdrawn");
    story.browser.sign_in(&server, &story.ada).await;
    let answer = Answer::of(&story.browser.begin(&server, &request).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn a_hint_at_somebody_else_needs_a_login(server: TestServer) {
    let story = story(&server, Spec::confidential("app")).await;
    let bea = server.person("bea").await;
    let mut other = server.browser();
    other.code_flow(&server, &story.app, &bea, "openid").await;
    let request = silent(&story.app, &story.tokens.id);
    let answer = Answer::of(&other.begin(&server, &request).await);
    assert_eq!(answer.error(), "login_required");
    let nobody = Answer::of(&server.browser().begin(&server, &request).await);
    assert_eq!(nobody.error(), "login_required");
}

async fn whoever_signs_in_in_the_place_of_the_hinted_person_is_not_answered_for(
    server: TestServer,
) {
    let story = story(&server, Spec::confidential("app")).await;
    let bea = server.person("bea").await;
    let mut other = server.browser();
    // Bea has agreed before: nothing but the hint stands in the way.
    other.code_flow(&server, &story.app, &bea, "openid").await;
    let request = AuthRequest::new(&story.app, "openid").with("id_token_hint", &story.tokens.id);
    let page = other.begin(&server, &request).await;
    assert!(page.form("/sign-in").is_some(), "{}", page.body);
    let answer = other.go_on(&server, page, &bea).await;
    assert_eq!(answer.error(), "login_required");
    assert!(answer.get("code").is_empty());
}

async fn the_hinted_person_signs_in_and_goes_on(server: TestServer) {
    let story = story(&server, Spec::confidential("app")).await;
    let bea = server.person("bea").await;
    let mut other = server.browser();
    other.sign_in(&server, &bea).await;
    let request = AuthRequest::new(&story.app, "openid").with("id_token_hint", &story.tokens.id);
    let code = other.walk(&server, &request, &story.ada).await.code();
    let tokens = request.redeem(&server, &story.app, &code).await;
    let claims = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(claims["sub"], story.ada.id.to_string());
}

async fn a_hint_fills_in_no_name_for_a_stranger(server: TestServer) {
    let story = story(&server, Spec::confidential("app")).await;
    let request = AuthRequest::new(&story.app, "openid").with("id_token_hint", &story.tokens.id);
    // Whoever holds the token, the client above all, must not learn the name from the page.
    let page = server.browser().begin(&server, &request).await;
    assert_eq!(name_on(&page), "");
}

async fn the_name_of_who_was_here_before_is_filled_in(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    let again = AuthRequest::new(&story.app, "openid").with("prompt", "login");
    let page = story.browser.begin(&server, &again).await;
    assert_eq!(name_on(&page), "ada");
    server.advance(31 * 60);
    let hinted = AuthRequest::new(&story.app, "openid").with("id_token_hint", &story.tokens.id);
    let page = story.browser.begin(&server, &hinted).await;
    assert_eq!(name_on(&page), "ada", "her session stood unused too long");
}

async fn a_login_hint_fills_in_the_name(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid").with("login_hint", "ada@mail.example");
    let page = server.browser().begin(&server, &request).await;
    assert_eq!(name_on(&page), "ada@mail.example");
}

async fn refused(server: &TestServer, story: &mut Story, hint: &str) {
    let request = silent(&story.app, hint);
    let answer = Answer::of(&story.browser.begin(server, &request).await);
    assert_eq!(answer.error(), "invalid_request", "{hint}");
    assert!(answer.get("error_description").contains("id_token_hint"));
}

async fn a_hint_of_another_client_is_refused(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    let other = server.register(Spec::confidential("other")).await;
    let tokens = story
        .browser
        .code_flow(&server, &other, &story.ada, "openid")
        .await;
    refused(&server, &mut story, &tokens.id).await;
}

async fn a_foreign_or_unsigned_hint_is_refused(server: TestServer) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut story = story(&server, Spec::confidential("app")).await;
    let good = story.tokens.id.clone();
    let jwt::Verified { header, claims } = jwt::verify(&server, &good).await;
    let foreign = SigningKey::generate(Alg::Es256).unwrap();
    refused(&server, &mut story, &jwt::sign(&foreign, &claims)).await;
    // The same key id under a foreign signature.
    let mut named = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    named.kid.clone_from(&header.kid);
    let key = jsonwebtoken::EncodingKey::from_ec_der(&foreign.to_pkcs8().unwrap());
    let forged = jsonwebtoken::encode(&named, &claims, &key).unwrap();
    refused(&server, &mut story, &forged).await;
    // Unsigned, with and without the key's id (RFC 8725 §3.1).
    let payload = good.split('.').nth(1).unwrap();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "none", "kid": header.kid }),
    ] {
        let head = URL_SAFE_NO_PAD.encode(header.to_string());
        refused(&server, &mut story, &format!("{head}.{payload}.")).await;
    }
    // An HMAC under what everybody can read.
    let mut confused = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    confused.kid.clone_from(&header.kid);
    let public = server.get("/jwks").await.body;
    let key = jsonwebtoken::EncodingKey::from_secret(public.as_bytes());
    let confused = jsonwebtoken::encode(&confused, &claims, &key).unwrap();
    refused(&server, &mut story, &confused).await;
    // Another payload under a good signature, and no token at all.
    let mut parts: Vec<&str> = good.split('.').collect();
    let mut other = claims.clone();
    other["sub"] = "00000000-0000-7000-8000-000000000000".into();
    let other = URL_SAFE_NO_PAD.encode(other.to_string());
    parts[1] = &other;
    refused(&server, &mut story, &parts.join(".")).await;
    refused(&server, &mut story, "x").await;
}

async fn an_access_token_is_no_hint(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    let tokens = story
        .browser
        .code_flow(&server, &story.app, &story.ada, "openid cards:read")
        .await;
    refused(&server, &mut story, &tokens.access).await;
}

async fn a_hint_is_checked_when_a_request_is_pushed(server: TestServer) {
    let story = story(&server, Spec::confidential("app")).await;
    let good = silent(&story.app, &story.tokens.id);
    assert_eq!(good.push(&server, &story.app).await.status, 201);
    let bad = silent(&story.app, "x").push(&server, &story.app).await;
    bad.refused(400, "invalid_request");
}

async fn a_subject_asked_by_claims_is_like_a_hint(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    let bea = server.person("bea").await;
    let asking = |sub: &str| {
        let claims = json!({ "id_token": { "sub": { "value": sub } } }).to_string();
        AuthRequest::new(&story.app, "openid")
            .with("prompt", "none")
            .with("claims", &claims)
    };
    let hers = asking(&story.ada.id.to_string());
    let beas = asking(&bea.id.to_string());
    Answer::of(&story.browser.begin(&server, &hers).await).code();
    let answer = Answer::of(&story.browser.begin(&server, &beas).await);
    assert_eq!(answer.error(), "login_required");
    let page = story.browser.begin(&server, &beas.without("prompt")).await;
    let answer = story.browser.go_on(&server, page, &story.ada).await;
    assert_eq!(answer.error(), "login_required");
}

async fn hint_and_claims_that_name_two_people_are_refused(server: TestServer) {
    let mut story = story(&server, Spec::confidential("app")).await;
    let claims = json!({ "id_token": { "sub": { "value": "somebody" } } }).to_string();
    let request = silent(&story.app, &story.tokens.id).with("claims", &claims);
    let answer = Answer::of(&story.browser.begin(&server, &request).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn a_pairwise_hint_means_the_same_person(server: TestServer) {
    let mut spec = Spec::confidential("app");
    spec.metadata.subject_type = SubjectType::Pairwise;
    let mut story = story(&server, spec).await;
    let request = silent(&story.app, &story.tokens.id);
    Answer::of(&story.browser.begin(&server, &request).await).code();
    let bea = server.person("bea").await;
    let mut other = server.browser();
    other.code_flow(&server, &story.app, &bea, "openid").await;
    let answer = Answer::of(&other.begin(&server, &request).await);
    assert_eq!(answer.error(), "login_required");
    // The identifier of the account itself says nothing to this client.
    let claims = json!({ "id_token": { "sub": { "value": story.ada.id.to_string() } } });
    let request = AuthRequest::new(&story.app, "openid")
        .with("prompt", "none")
        .with("claims", &claims.to_string());
    let answer = Answer::of(&story.browser.begin(&server, &request).await);
    assert_eq!(answer.error(), "login_required");
}

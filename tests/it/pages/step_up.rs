//! Assurance as policy: what client, resource and scope require, what requests ask for, and every way
//! to skip or repeat a step on the way to it (RFC 9470).

use countersign::flows::clients::{self, ClientEdit};
use countersign::flows::resources::{self, ResourceEdit};
use countersign::flows::{Caller, users};
use rules::identity::Acr;
use rules::protocol::Metadata;
use serde_json::json;

use crate::support::authenticator::{
    Authenticator, bind, challenge, person_with, present, sign_in,
};
use crate::support::server::ACCOUNTS;
use crate::support::{
    Answer, AuthRequest, Browser, ClientApp, Engine, Page, Spec, TestServer, jwt,
};

on_both![
    a_key_alone_is_the_missing_step,
    a_passkey_reaches_it_at_once,
    no_path_reaches_a_code_with_less_than_is_required,
    a_step_up_meets_neither_max_age_nor_prompt_login,
    whoever_turns_back_leaves_with_the_right_error,
    a_silent_request_never_asks_for_more,
    a_resource_or_scope_requires_as_a_client_does,
    a_raised_policy_bites_at_the_next_refresh,
    a_policy_raised_before_the_code_is_redeemed_bites_there,
    people_whom_the_policy_stops_are_listed,
];

const PHR: &str = "urn:countersign:acr:phr";

async fn a_key_alone_is_the_missing_step(server: TestServer) {
    let (ada, mut key) = person_with(&server, "ada", "security_key").await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let before = browser.cookies["cs-session"].clone();
    let request = AuthRequest::new(&app, "openid accounts:read").with("acr_values", PHR);
    let page = browser.begin(&server, &request).await;
    assert!(page.body.contains("One more step"), "{}", page.body);
    assert!(!page.body.contains("name=\"password\""), "{}", page.body);
    let page = step(&mut browser, &page, &mut key).await;
    assert_ne!(before, browser.cookies["cs-session"], "the cookie is new");
    let page = browser.follow(page).await;
    let answer = agree(&mut browser, &page).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(id["acr"], PHR);
    assert_eq!(id["amr"], json!(["pwd", "hwk", "user", "mfa"]));
    // From now on the session has it.
    let again = Answer::of(&browser.begin(&server, &request).await);
    assert!(!again.code().is_empty());
}

async fn a_passkey_reaches_it_at_once(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let app = server.register(required("app")).await;
    let mut browser = server.browser();
    let request = AuthRequest::new(&app, "openid accounts:read");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/sign-in").unwrap();
    let asked = challenge(&mut browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let page = present(&mut browser, &action, &asked.ceremony, &credential).await;
    let page = browser.follow(page).await;
    let answer = agree(&mut browser, &page).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(
        (&id["acr"], &id["amr"]),
        (&json!(PHR), &json!(["hwk", "user", "mfa"]))
    );
}

/// The matrix: each path towards a code, and on each every step skipped, repeated, or taken by
/// somebody else.
async fn no_path_reaches_a_code_with_less_than_is_required(server: TestServer) {
    let (ada, mut key) = person_with(&server, "ada", "security_key").await;
    let (_, mut eves) = person_with(&server, "eve", "security_key").await;
    let by_client = server.register(required("strict")).await;
    let by_wish = server.register(Spec::confidential("plain")).await;
    let essential = json!({"id_token": {"acr": {"essential": true, "value": PHR}}}).to_string();
    let wish = AuthRequest::new(&by_wish, "openid accounts:read");
    let paths = [
        (
            "required of the client",
            AuthRequest::new(&by_client, "openid accounts:read"),
        ),
        ("acr_values", wish.clone().with("acr_values", PHR)),
        ("essential acr", wish.with("claims", &essential)),
    ];
    for (path, request) in &paths {
        let mut browser = server.browser();
        let page = browser.begin(&server, request).await;
        let id = interaction(&page);
        let post = |step: &str| format!("/interaction/{id}/{step}");
        // Nobody signed in: consent is skipped, and so is the proof.
        for (name, form) in [
            (
                "consent",
                vec![("decision", "allow"), ("scope", "accounts:read")],
            ),
            (
                "step-up",
                vec![("credential", "{}"), ("ceremony", "x"), ("proof", "key")],
            ),
            ("go-on", vec![("session", "x")]),
        ] {
            let page = browser.post(&post(name), &form).await;
            no_code(&page, path, name);
        }
        // Password and code: two factors, and not enough.
        let code = ada.next_code(&server);
        let form = [
            ("username", ada.username.as_str()),
            ("password", ada.password.as_str()),
            ("code", code.as_str()),
        ];
        let page = browser.post(&post("sign-in"), &form).await;
        let page = browser.follow(page).await;
        assert!(page.body.contains("One more step"), "{path}: {}", page.body);
        let consent = [("decision", "allow"), ("scope", "accounts:read")];
        let page = browser.post(&post("consent"), &consent).await;
        no_code(&page, path, "consent before the step");
        no_code(
            &browser.open(&format!("/interaction/{id}")).await,
            path,
            "looked again",
        );
        let page = browser.post(&post("go-on"), &[("session", "x")]).await;
        no_code(&page, path, "go-on");
        // The step by nothing, by somebody else's key, and by an answer that was given before.
        let page = browser.post(&post("step-up"), &[]).await;
        no_code(&page, path, "an empty step");
        let page = answer_at(&mut browser, &post("step-up"), &mut eves).await;
        no_code(&page, path, "another person's key");
        no_code(
            &browser.open(&format!("/interaction/{id}")).await,
            path,
            "after it",
        );
        let asked = challenge(&mut browser, "passkey").await;
        let credential = key.answer(&asked.options);
        let page = present_key(&mut browser, &post("step-up"), &asked.ceremony, &credential).await;
        no_code(&page, path, "an answer to another question");
        let asked = challenge(&mut browser, "key").await;
        let credential = key.answer(&asked.options);
        let mut stranger = server.browser();
        let page = present_key(
            &mut stranger,
            &post("step-up"),
            &asked.ceremony,
            &credential,
        )
        .await;
        no_code(&page, path, "in another browser");
        let page = present_key(&mut browser, &post("step-up"), &asked.ceremony, &credential).await;
        assert_eq!(page.status, 303, "{path}: {}", page.body);
        let page = present_key(&mut browser, &post("step-up"), &asked.ceremony, &credential).await;
        no_code(&page, path, "the same answer twice");
        // Now, and once only.
        let page = browser.open(&format!("/interaction/{id}")).await;
        if let Some(action) = page.form("/consent") {
            let page = browser.post(&action, &consent).await;
            assert!(
                !Answer::of(&page).get("code").is_empty(),
                "{path}: {page:?}"
            );
            no_code(
                &browser.post(&action, &consent).await,
                path,
                "the end repeated",
            );
        } else {
            assert!(
                !Answer::of(&page).get("code").is_empty(),
                "{path}: {page:?}"
            );
        }
        no_code(
            &browser.open(&format!("/interaction/{id}")).await,
            path,
            "after the end",
        );
    }
}

async fn a_step_up_meets_neither_max_age_nor_prompt_login(server: TestServer) {
    let (ada, mut key) = person_with(&server, "ada", "security_key").await;
    let app = server.register(Spec::confidential("app")).await;
    let strong = AuthRequest::new(&app, "openid accounts:read").with("acr_values", PHR);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(600);
    let page = browser.begin(&server, &strong).await;
    step(&mut browser, &page, &mut key).await;
    for request in [
        strong.clone().with("max_age", "60"),
        strong.clone().with("prompt", "login"),
    ] {
        let page = browser.begin(&server, &request).await;
        assert!(page.body.contains("name=\"password\""), "{}", page.body);
        let page = answer_at(
            &mut browser,
            &format!("/interaction/{}/step-up", interaction(&page)),
            &mut key,
        )
        .await;
        let page = browser.follow(page).await;
        assert!(page.body.contains("name=\"password\""), "{}", page.body);
    }
}

async fn whoever_turns_back_leaves_with_the_right_error(server: TestServer) {
    let ada = server.person("ada").await;
    let app = server.register(required("app")).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid"))
        .await;
    let cancel = page.form("/cancel").unwrap();
    let page = browser.post(&cancel, &[]).await;
    assert_eq!(
        Answer::of(&page).error(),
        "unmet_authentication_requirements"
    );
}

async fn a_silent_request_never_asks_for_more(server: TestServer) {
    let (ada, mut key) = person_with(&server, "ada", "security_key").await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    let plain = AuthRequest::new(&app, "openid");
    browser.walk(&server, &plain, &ada).await.code();
    let silent = plain.with("prompt", "none").with("acr_values", PHR);
    let answer = Answer::of(&browser.begin(&server, &silent).await);
    assert_eq!(answer.error(), "login_required");
    let page = browser
        .begin(&server, &silent.clone().without("prompt"))
        .await;
    step(&mut browser, &page, &mut key).await;
    let answer = Answer::of(&browser.begin(&server, &silent).await);
    assert!(!answer.code().is_empty());
}

async fn a_resource_or_scope_requires_as_a_client_does(server: TestServer) {
    let ada = server.person("ada").await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let stopped = async |browser: &mut Browser, scope: &str| {
        let page = browser.begin(&server, &AuthRequest::new(&app, scope)).await;
        page.body.contains("One more step")
    };
    let listed = resources::list(&server.app).await.unwrap();
    let accounts = listed.into_iter().find(|one| one.uri == ACCOUNTS).unwrap();
    let mut scopes = accounts.scopes;
    for scope in &mut scopes {
        let strong = scope.name == "transactions:read";
        scope.require_acr = strong.then_some(Acr::PhishingResistant);
    }
    let edit = ResourceEdit {
        scopes: Some(scopes),
        ..ResourceEdit::default()
    };
    resources::set(&server.app, ACCOUNTS, edit, &Caller::default())
        .await
        .unwrap();
    assert!(!stopped(&mut browser, "openid accounts:read").await);
    assert!(stopped(&mut browser, "openid accounts:read transactions:read").await);
    let edit = ResourceEdit {
        require_acr: Some(Acr::PhishingResistant),
        ..ResourceEdit::default()
    };
    resources::set(&server.app, ACCOUNTS, edit, &Caller::default())
        .await
        .unwrap();
    assert!(stopped(&mut browser, "openid accounts:read").await);
    assert!(!stopped(&mut browser, "openid cards:read").await);
}

async fn a_raised_policy_bites_at_the_next_refresh(server: TestServer) {
    let ada = server.person("ada").await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(&server, &app, &ada, "openid accounts:read offline_access")
        .await;
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    app.token(&server, &refresh).await.ok();
    raise(&server, &app).await;
    let refused = app.token(&server, &refresh).await;
    assert_eq!(refused.text("error"), "invalid_grant");
    assert!(
        refused.text("error_description").contains(PHR),
        "{}",
        refused.body
    );
    // She proves more, and goes on.
    let mut key = Authenticator::new(&server);
    let mut other = server.browser();
    other.sign_in(&server, &ada).await;
    bind(&mut other, &server, &ada, ("security_key", &mut key)).await;
    let request = AuthRequest::new(&app, "openid accounts:read offline_access");
    let page = other.begin(&server, &request).await;
    let page = step(&mut other, &page, &mut key).await;
    let answer = Answer::of(&other.follow(page).await);
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    app.token(&server, &refresh).await.ok();
}

async fn a_policy_raised_before_the_code_is_redeemed_bites_there(server: TestServer) {
    let ada = server.person("ada").await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = browser.walk(&server, &request, &ada).await.code();
    raise(&server, &app).await;
    let refused = request.try_redeem(&server, &app, &code).await;
    assert_eq!(refused.text("error"), "invalid_grant");
    let told = refused.text("error_description");
    assert!(told.contains(PHR), "{}", refused.body);
}

async fn people_whom_the_policy_stops_are_listed(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    server.person("ada").await;
    person_with(&server, "grace", "passkey").await;
    assert!(blocked(&server).await.is_empty());
    raise(&server, &app).await;
    assert_eq!(blocked(&server).await, ["ada"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_synchronised_passkey_reaches_what_the_institution_says() {
    let server = TestServer::start_with(Engine::Sqlite, |file| {
        "2fa".clone_into(&mut file.passkeys.synced);
    })
    .await;
    let app = server.register(required("app")).await;
    for (name, synced) in [("ada", true), ("grace", false)] {
        let person = server.person(name).await;
        let mut browser = server.browser();
        browser.sign_in(&server, &person).await;
        let mut passkey = Authenticator::new(&server);
        passkey.synced = synced;
        bind(&mut browser, &server, &person, ("passkey", &mut passkey)).await;
        sign_in(&mut browser, &mut passkey).await;
        let page = browser
            .begin(&server, &AuthRequest::new(&app, "openid"))
            .await;
        assert_eq!(page.body.contains("One more step"), synced, "{}", page.body);
    }
    assert_eq!(blocked(&server).await, ["ada"]);
}

/// A client that requires resistance to phishing.
fn required(id: &str) -> Spec {
    Spec::confidential(id).metadata(Metadata {
        require_acr: Some(Acr::PhishingResistant),
        ..Metadata::default()
    })
}

/// The same of a client that is registered.
async fn raise(server: &TestServer, app: &ClientApp) {
    let mut edit = ClientEdit::default();
    edit.metadata.insert("require_acr".to_owned(), json!(PHR));
    let caller = Caller::default();
    let set = clients::set(&server.app, &app.id, edit, &caller).await;
    assert!(set.is_ok());
}

async fn blocked(server: &TestServer) -> Vec<String> {
    let people = users::blocked_by_policy(&server.app, None, 100)
        .await
        .unwrap();
    people
        .into_iter()
        .map(|user| user.profile.username)
        .collect()
}

/// Takes the step on its page.
async fn step(browser: &mut Browser, page: &Page, key: &mut Authenticator) -> Page {
    let action = page
        .form("/step-up")
        .unwrap_or_else(|| panic!("{}", page.body));
    let page = answer_at(browser, &action, key).await;
    assert_eq!(page.status, 303, "{}", page.body);
    page
}

async fn answer_at(browser: &mut Browser, to: &str, key: &mut Authenticator) -> Page {
    let asked = challenge(browser, "key").await;
    let credential = key.answer(&asked.options);
    present_key(browser, to, &asked.ceremony, &credential).await
}

async fn present_key(browser: &mut Browser, to: &str, ceremony: &str, credential: &str) -> Page {
    let form = [
        ("ceremony", ceremony),
        ("credential", credential),
        ("proof", "key"),
    ];
    browser.post(to, &form).await
}

async fn agree(browser: &mut Browser, page: &Page) -> Answer {
    let action = page
        .form("/consent")
        .unwrap_or_else(|| panic!("{}", page.body));
    let form = crate::support::browser::consent(page);
    Answer::of(&browser.post(&action, &form).await)
}

fn interaction(page: &Page) -> String {
    let rest = page.body.split("/interaction/").nth(1);
    let id = rest.and_then(|rest| rest.split('/').next());
    id.unwrap_or_else(|| panic!("{}", page.body)).to_owned()
}

#[track_caller]
fn no_code(page: &Page, path: &str, what: &str) {
    assert!(
        Answer::of(page).get("code").is_empty(),
        "{path}, {what}: {page:?}"
    );
}

//! Authorization details (RFC 9396): what is asked beyond scopes, from the request to the API.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::{DetailsFile, File, WordsFile};
use countersign::flows::clients::{self, ClientEdit};
use countersign::flows::read_audit::{self, Wanted};
use serde_json::{Value, json};

use super::{Partner, hook, partner_with, refused, short, text};
use crate::store::dump::{contains, disguises, dump};
use crate::support::server::{ACCOUNTS, CARDS, caller};
use crate::support::{AuthRequest, Engine, Page, Person, Spec, TestServer, jwt};

macro_rules! on_both_with_types {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::start(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(super::start(Engine::Postgres).await).await;
            }
        }
    )*};
}

mod account;
mod alone;

on_both_with_types![
    details_are_agreed_to_in_words_and_reach_the_api_as_they_were_asked,
    details_that_are_not_understood_are_refused_wherever_they_come,
    a_token_request_gets_what_was_granted_or_less,
    every_set_of_details_is_agreed_to_anew,
    nothing_changes_between_the_pushed_request_and_the_code,
    a_type_that_is_taken_from_a_client_is_taken_from_its_tokens,
    details_for_a_jwt_stand_in_it_and_each_api_sees_its_own,
    a_replayed_code_ends_tokens_with_details_and_no_machine_gets_any,
    markup_in_details_is_text_on_the_page_and_nobody_reads_them_in_the_database,
    the_page_tells_what_the_app_wrote_from_the_words_of_the_bank,
    the_log_tells_of_the_types_that_were_agreed_to,
    the_hook_hands_on_what_is_for_its_api,
];

async fn start(engine: Engine) -> TestServer {
    TestServer::start_with(engine, |file: &mut File| {
        file.authorization_details = vec![payment_type(), card_type()];
        file.hook.peers = vec!["127.0.0.1".to_owned()];
    })
    .await
}

pub fn words(title: &str, lines: &[&str]) -> WordsFile {
    WordsFile {
        title: title.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    }
}

pub fn payment_type() -> DetailsFile {
    let amount = json!({
        "type": "object",
        "required": ["value", "currency"],
        "properties": {
            "value": { "type": "string", "pattern": "^[0-9]{1,9}\\.[0-9]{2}$" },
            "currency": { "enum": ["EUR", "CHF"] },
        },
    });
    let schema = json!({
        "type": "object",
        "required": ["amount", "to"],
        "properties": {
            "amount": amount,
            "to": { "type": "string", "maxLength": 140 },
            "purpose": { "type": "string", "maxLength": 4096 },
            "locations": { "type": "array" },
        },
    });
    DetailsFile {
        name: "payment".to_owned(),
        schema: Some(schema.to_string()),
        resources: vec![ACCOUNTS.to_owned()],
        words: BTreeMap::from([
            (
                "en".to_owned(),
                words(
                    "Make a payment",
                    &["{amount.value} {amount.currency} to {to}"],
                ),
            ),
            (
                "de".to_owned(),
                words(
                    "Eine Zahlung ausführen",
                    &["{amount.value} {amount.currency} an {to}"],
                ),
            ),
        ]),
        ..DetailsFile::default()
    }
}

fn card_type() -> DetailsFile {
    let schema = json!({ "type": "object", "properties": { "limit": { "type": "integer" } } });
    DetailsFile {
        name: "card_limit".to_owned(),
        schema: Some(schema.to_string()),
        resources: vec![CARDS.to_owned()],
        words: BTreeMap::from([
            ("en".to_owned(), words("Change your card's limit", &[])),
            ("de".to_owned(), words("Das Limit Ihrer Karte ändern", &[])),
        ]),
        ..DetailsFile::default()
    }
}

pub fn payment(to: &str, value: &str) -> Value {
    json!({ "type": "payment", "amount": { "value": value, "currency": "EUR" }, "to": to })
}

async fn app_with(server: &TestServer, id: &str, types: &[&str]) -> Partner {
    let mut spec = Spec::with_key(id);
    spec.metadata.authorization_details_types =
        types.iter().map(|name| (*name).to_owned()).collect();
    partner_with(server, spec).await
}

async fn app(server: &TestServer) -> Partner {
    app_with(server, "app", &["payment", "card_limit"]).await
}

const SCOPE: &str = "openid offline_access accounts:read";

fn asking(app: &Partner, details: &Value) -> AuthRequest {
    app.request(SCOPE)
        .with("authorization_details", &details.to_string())
}

/// The consent page for a request that was pushed, in a browser of a person who signed in.
async fn page(
    server: &TestServer,
    app: &Partner,
    request: &AuthRequest,
    person: &Person,
) -> (crate::support::Browser, Page) {
    let pushed = app.push(server, request).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let mut browser = server.browser();
    browser.sign_in(server, person).await;
    let brought = short(&app.app, request, pushed.text("request_uri"));
    let page = browser.begin(server, &brought).await;
    let page = browser.follow(page).await;
    (browser, page)
}

/// Tokens for a person who agreed.
async fn tokens(server: &TestServer, app: &Partner, request: &AuthRequest, ada: &Person) -> Value {
    let code = app.code(server, request, ada).await;
    let form = request.redemption(&app.app, &code);
    app.post(server, "/token", &form).await.ok()
}

async fn refreshed(
    server: &TestServer,
    app: &Partner,
    token: &str,
    details: Option<&Value>,
) -> crate::support::Reply {
    let details = details.map(Value::to_string);
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    if let Some(details) = &details {
        form.push(("authorization_details", details));
    }
    app.post(server, "/token", &form).await
}

async fn details_are_agreed_to_in_words_and_reach_the_api_as_they_were_asked(server: TestServer) {
    let known = server.get("/.well-known/openid-configuration").await.ok();
    let types = &known["authorization_details_types_supported"];
    assert_eq!(*types, json!(["card_limit", "payment"]));
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let mut detail = payment("Corner Bakery", "9.50");
    detail["purpose"] = "rolls and bread".into();
    let details = json!([detail]);
    let request = asking(&app, &details);
    let (mut browser, page) = page(&server, &app, &request, &ada).await;
    for shown in [
        "Make a payment",
        "<bdi class=\"value\">9.50</bdi> <bdi class=\"value\">EUR</bdi> to <bdi class=\"value\">Corner Bakery</bdi>",
        "purpose",
        "rolls and bread",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    // Nobody says that no money moves.
    assert!(!page.body.contains("cannot move money"), "{}", page.body);
    let code = browser.go_on(&server, page, &ada).await.code();
    let form = request.redemption(&app.app, &code);
    let tokens = app.post(&server, "/token", &form).await.ok();
    assert_eq!(tokens["authorization_details"], details);
    let answer = server
        .accounts
        .introspect(&server, text(&tokens, "access_token"))
        .await;
    assert_eq!(answer["authorization_details"], details);
    assert_eq!(answer["active"], true);
    let again = refreshed(&server, &app, text(&tokens, "refresh_token"), None)
        .await
        .ok();
    assert_eq!(again["authorization_details"], details);
    // Signed requests carry them as JSON (RFC 9396 §4).
    let mut claims = app.app.claims(&server);
    for (name, value) in request.pairs() {
        claims[name] = value.into();
    }
    claims["authorization_details"] = details.clone();
    claims.as_object_mut().unwrap().remove("sub");
    claims["nbf"] = server.now().into();
    let signed = app.app.assertion(&claims);
    let pushed = app.bare(&server, "/par", &[("request", &signed)]).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let code = app.walk(&server, (&request, &pushed), &ada).await.code();
    let form = request.redemption(&app.app, &code);
    let tokens = app.post(&server, "/token", &form).await.ok();
    assert_eq!(tokens["authorization_details"], details);
}

async fn details_that_are_not_understood_are_refused_wherever_they_come(server: TestServer) {
    let app = app_with(&server, "app", &["payment"]).await;
    let mut member = payment("A", "1.00");
    member["amount"]["more"] = 1.into();
    let mut place = payment("A", "1.00");
    place["locations"] = json!([CARDS]);
    let mut long = payment("A", "1.00");
    long["purpose"] = "x".repeat(4096).into();
    let mut turned = payment("A", "1.00");
    turned["to"] = "A\u{202e}B".into();
    let table = [
        json!([{ "type": "unknown" }]),
        // The other client's, and told like one that does not exist.
        json!([{ "type": "card_limit" }]),
        json!([member]),
        json!([place]),
        json!([long]),
        json!([turned]),
        json!([payment("A", "1,00")]),
        json!([payment("A", "1.00"), { "type": "payment" }]),
        json!(vec![payment("A", "1.00"); 9]),
        json!([]),
        json!({ "type": "payment" }),
        json!("payment"),
    ];
    for wrong in &table {
        let reply = app.push(&server, &asking(&app, wrong)).await;
        assert_eq!(
            reply.error(),
            "invalid_authorization_details",
            "{wrong}: {}",
            reply.body
        );
        refused(&reply, &["invalid_authorization_details"]);
    }
    let raw = app
        .request(SCOPE)
        .with("authorization_details", "[{\"type\":\"payment\"");
    refused(
        &app.push(&server, &raw).await,
        &["invalid_authorization_details"],
    );
    // For another API than the one that the request names.
    let elsewhere = asking(&app, &json!([payment("A", "1.00")]))
        .with("scope", "openid cards:read")
        .with("resource", CARDS);
    refused(
        &app.push(&server, &elsewhere).await,
        &["invalid_authorization_details"],
    );
    // The same by the front door, for a client that need not push.
    let plain = server.register(Spec::confidential("plain")).await;
    let request = AuthRequest::new(&plain, "openid accounts:read").with(
        "authorization_details",
        &json!([payment("A", "1.00")]).to_string(),
    );
    let page = server.browser().begin(&server, &request).await;
    assert!(
        page.location()
            .contains("error=invalid_authorization_details"),
        "{page:?}"
    );
}

async fn a_token_request_gets_what_was_granted_or_less(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let (one, two) = (payment("One", "1.00"), payment("Two", "2.00"));
    let both = json!([one, two]);
    let request = asking(&app, &both);
    let code = app.code(&server, &request, &ada).await;
    let more = json!([one, payment("Two", "3.00")]).to_string();
    let mut form = request.redemption(&app.app, &code);
    form.push(("authorization_details", &more));
    refused(
        &app.post(&server, "/token", &form).await,
        &["invalid_authorization_details"],
    );
    // Nothing was spent by it.
    let less = json!([two]).to_string();
    form.pop();
    form.push(("authorization_details", &less));
    let tokens = app.post(&server, "/token", &form).await.ok();
    assert_eq!(tokens["authorization_details"], json!([two]));
    let seen = server
        .accounts
        .introspect(&server, text(&tokens, "access_token"))
        .await;
    assert_eq!(seen["authorization_details"], json!([two]));

    let refresh = text(&tokens, "refresh_token");
    let all = refreshed(&server, &app, refresh, None).await.ok();
    assert_eq!(all["authorization_details"], both);
    let narrow = refreshed(&server, &app, refresh, Some(&json!([one])))
        .await
        .ok();
    assert_eq!(narrow["authorization_details"], json!([one]));
    let mut wider = one.clone();
    wider["purpose"] = "more".into();
    for more in [
        json!([wider]),
        json!([payment("One", "100.00")]),
        json!([{ "type": "card_limit" }]),
        json!([one, one]),
        json!([]),
    ] {
        let reply = refreshed(&server, &app, refresh, Some(&more)).await;
        refused(&reply, &["invalid_authorization_details"]);
    }
    let all = refreshed(&server, &app, refresh, None).await.ok();
    assert_eq!(
        all["authorization_details"], both,
        "refusals change nothing"
    );
}

async fn every_set_of_details_is_agreed_to_anew(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let request = asking(&app, &details);
    let first = tokens(&server, &app, &request, &ada).await;
    for asked in [&details, &json!([payment("Corner Bakery", "950.00")])] {
        let (_, page) = page(&server, &app, &asking(&app, asked), &ada).await;
        assert!(page.form("/consent").is_some(), "{page:?}");
        let silent = asking(&app, asked).with("prompt", "none");
        let pushed = app.push(&server, &silent).await;
        let mut browser = server.browser();
        browser.sign_in(&server, &ada).await;
        let brought = short(&app.app, &silent, pushed.text("request_uri"));
        let page = browser.begin(&server, &brought).await;
        assert!(
            page.location().contains("error=consent_required"),
            "{page:?}"
        );
    }
    // The scopes alone were agreed to, and bring no details along.
    let plain = tokens(&server, &app, &app.request(SCOPE), &ada).await;
    assert_eq!(plain["authorization_details"], Value::Null);
    let seen = server
        .accounts
        .introspect(&server, text(&plain, "access_token"))
        .await;
    assert_eq!(
        (&seen["active"], &seen["authorization_details"]),
        (&json!(true), &Value::Null)
    );
    let seen = server
        .accounts
        .introspect(&server, text(&first, "access_token"))
        .await;
    assert_eq!(seen["authorization_details"], details);
}

async fn nothing_changes_between_the_pushed_request_and_the_code(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let other = json!([payment("Mallory", "9999.00")]).to_string();
    let request = asking(&app, &details);
    let pushed = app.push(&server, &request).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let brought =
        short(&app.app, &request, pushed.text("request_uri")).with("authorization_details", &other);
    let page = browser.begin(&server, &brought).await;
    let page = browser.follow(page).await;
    assert!(page.body.contains("Corner Bakery") && !page.body.contains("Mallory"));
    let action = page.form("/consent").unwrap();
    let form = [
        ("decision", "allow"),
        ("authorization_details", other.as_str()),
    ];
    let page = browser.post(&action, &form).await;
    let code = crate::support::Answer::of(&page).code();
    let form = request.redemption(&app.app, &code);
    let tokens = app.post(&server, "/token", &form).await.ok();
    assert_eq!(tokens["authorization_details"], details);
    // The page cannot be answered a second time.
    let again = browser.post(&action, &[("decision", "allow")]).await;
    assert!(!again.location().contains("code="), "{again:?}");
}

async fn a_type_that_is_taken_from_a_client_is_taken_from_its_tokens(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let details = json!([payment("Corner Bakery", "9.50")]);
    let request = asking(&app, &details);
    let tokens = tokens(&server, &app, &request, &ada).await;
    let waiting = app.push(&server, &request).await;
    let mut edit = ClientEdit::default();
    edit.metadata.insert(
        "authorization_details_types".to_owned(),
        json!(["card_limit"]),
    );
    clients::set(&server.app, "app", edit, &caller())
        .await
        .unwrap();
    let seen = server
        .accounts
        .introspect(&server, text(&tokens, "access_token"))
        .await;
    assert_eq!(seen["authorization_details"], Value::Null);
    let again = refreshed(&server, &app, text(&tokens, "refresh_token"), None)
        .await
        .ok();
    assert_eq!(again["authorization_details"], Value::Null);
    let brought = short(&app.app, &request, waiting.text("request_uri"));
    let page = server.browser().begin(&server, &brought).await;
    assert!(page.body.contains("invalid_request_uri"), "{page:?}");
}

async fn details_for_a_jwt_stand_in_it_and_each_api_sees_its_own(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let limit = json!({ "type": "card_limit", "limit": 500 });
    let both = json!([payment("Corner Bakery", "9.50"), limit]);
    let request = app
        .request("openid accounts:read cards:read")
        .with("authorization_details", &both.to_string());
    let code = app.code(&server, &request, &ada).await;
    let mut form = request.redemption(&app.app, &code);
    form.push(("resource", CARDS));
    let tokens = app.post(&server, "/token", &form).await.ok();
    assert_eq!(tokens["authorization_details"], json!([limit]));
    let token = text(&tokens, "access_token");
    let claims = jwt::verify(&server, token).await.claims;
    assert_eq!(claims["authorization_details"], json!([limit]));
    let seen = server.cards.introspect(&server, token).await;
    assert_eq!(seen["authorization_details"], json!([limit]));
    assert!(!server.accounts.sees(&server, token).await);
    // One that is asked for by itself is not left out without a word.
    let asked = json!([both[0]]).to_string();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("resource", CARDS),
        ("authorization_details", &asked),
    ];
    let reply = app.post(&server, "/token", &form).await;
    refused(&reply, &["invalid_authorization_details"]);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("resource", ACCOUNTS),
    ];
    let other = app.post(&server, "/token", &form).await.ok();
    assert_eq!(other["authorization_details"], json!([both[0]]));
}

async fn a_replayed_code_ends_tokens_with_details_and_no_machine_gets_any(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let request = asking(&app, &json!([payment("Corner Bakery", "9.50")]));
    let code = app.code(&server, &request, &ada).await;
    let form = request.redemption(&app.app, &code);
    let tokens = app.post(&server, "/token", &form).await.ok();
    let access = text(&tokens, "access_token");
    assert!(server.accounts.sees(&server, access).await);
    refused(
        &app.post(&server, "/token", &form).await,
        &["invalid_grant"],
    );
    assert!(!server.accounts.sees(&server, access).await);
    let reply = refreshed(&server, &app, text(&tokens, "refresh_token"), None).await;
    refused(&reply, &["invalid_grant"]);
    let details = json!([payment("Corner Bakery", "9.50")]).to_string();
    let own = [
        ("grant_type", "client_credentials"),
        ("scope", "accounts:read"),
        ("authorization_details", details.as_str()),
    ];
    let reply = app.post(&server, "/token", &own).await;
    refused(&reply, &["invalid_authorization_details"]);
}

async fn markup_in_details_is_text_on_the_page_and_nobody_reads_them_in_the_database(
    server: TestServer,
) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let mut detail = payment("<script>alert(1)</script>", "9.50");
    detail["purpose"] = "\"><img src=x onerror=alert(2)> details-marker-0123".into();
    let request = asking(&app, &json!([detail]));
    let (mut browser, page) = page(&server, &app, &request, &ada).await;
    for markup in ["<script>alert", "<img src=x"] {
        assert!(!page.body.contains(markup), "{}", page.body);
    }
    assert!(page.body.contains("alert(1)") && page.body.contains("details-marker-0123"));
    let code = browser.go_on(&server, page, &ada).await.code();
    // One request is on its way still, one was answered, one was redeemed.
    app.push(&server, &request).await;
    let form = request.redemption(&app.app, &code);
    app.post(&server, "/token", &form).await.ok();
    app.code(&server, &asking(&app, &json!([detail])), &ada)
        .await;
    let kept = "SELECT COUNT(*) FROM authorizations WHERE details IS NOT NULL";
    assert_eq!(server.number(kept).await, 2);
    let stolen = dump(&server).await;
    for disguise in disguises(b"details-marker-0123") {
        assert!(!contains(&stolen, &disguise));
    }
}

async fn the_page_tells_what_the_app_wrote_from_the_words_of_the_bank(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let mut detail = payment("Corner Bakery. Nothing is paid", "9.50");
    detail["purpose"] = "  \u{a0} ".into();
    let request = asking(&app, &json!([detail]));
    let (_, page) = page(&server, &app, &request, &ada).await;
    for shown in [
        "to <bdi class=\"value\">Corner Bakery. Nothing is paid</bdi></p>",
        "<i>nothing</i>",
        "Confirm this for <bdi>The app app</bdi>?",
        ">Confirm</button>",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert!(!page.body.contains(">Share"), "{}", page.body);
    // Two members that are shown at one place are not taken.
    let mut twice = payment("Corner Bakery", "9999.00");
    twice["amount.value"] = "1.00".into();
    let reply = app.push(&server, &asking(&app, &json!([twice]))).await;
    refused(&reply, &["invalid_authorization_details"]);
}

async fn the_log_tells_of_the_types_that_were_agreed_to(server: TestServer) {
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let request = asking(&app, &json!([payment("Corner Bakery", "9.50")]));
    app.code(&server, &request, &ada).await;
    let wanted = Wanted {
        kind: Some("consent.given".to_owned()),
        limit: 10,
        ..Wanted::default()
    };
    let told = read_audit::list(&server.app, wanted, &caller())
        .await
        .unwrap();
    let told = format!("{told:?}");
    assert!(
        told.contains("payment") && !told.contains("Bakery"),
        "{told}"
    );
}

async fn the_hook_hands_on_what_is_for_its_api(server: TestServer) {
    const NAME: &str = "x-countersign-authorization-details";
    let (app, ada) = (app(&server).await, server.person("ada").await);
    let asked = json!([payment("Zoë", "9.50")]);
    let request = asking(&app, &asked);
    let given = tokens(&server, &app, &request, &ada).await;
    let plain = tokens(&server, &app, &app.request(SCOPE), &ada).await;
    for (tokens, expected) in [(&given, Some(asked)), (&plain, None)] {
        let token = text(tokens, "access_token");
        let url = "https://api.bank.example/accounts/7";
        let claims = hook::claims(&server, "GET", url, token);
        let proof = app.holder.sign(&app.holder.header(), &claims);
        let question = server
            .http
            .get(server.at("/verify"))
            .header("x-countersign-resource", ACCOUNTS)
            .header("x-original-method", "GET")
            .header("x-original-url", url)
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
            // What a caller writes there is replaced.
            .header(NAME, "W10");
        let reply = crate::support::Reply::of(question).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.headers.contains_key(NAME));
        let told = URL_SAFE_NO_PAD.decode(reply.header(NAME)).unwrap();
        let told: Option<Value> = serde_json::from_slice(&told).ok();
        assert_eq!(told, expected);
    }
}

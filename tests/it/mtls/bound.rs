//! A code flow of the profile `fapi2` under certificates, with real handshakes, on both databases:
//! whoever shows another certificate gets nowhere.

use countersign::flows::clients::{self, NewAuth, NewClient};
use countersign::flows::resources;
use rules::jose::{Alg, JwkSet, SigningKey};
use rules::protocol::client::CertificateSubject;
use rules::protocol::{GrantType, Metadata, Profile, Scopes, Thumbprint};
use serde_json::{Value, json};

use super::{Asking, new, register, subject};
use crate::fapi::Holder;
use crate::support::apps::Method;
use crate::support::client_certificates::{Certified, ClientAuthority};
use crate::support::server::{ACCOUNTS, caller};
use crate::support::{AuthRequest, ClientApp, Engine, Person, Reply, Spec, jwt};

on_both_engines![
    a_request_is_pushed_under_the_clients_own_certificate_alone,
    a_code_is_redeemed_under_the_clients_own_certificate_alone,
    a_refresh_needs_the_certificate_and_binds_to_the_one_that_is_shown,
    a_self_signed_certificate_is_the_only_one_from_par_to_refresh,
    an_api_introspects_under_its_certificate,
    a_proof_is_not_had_instead_of_the_certificate,
    a_client_with_a_certificate_of_an_authority_signs_its_requests_with_keys_of_its_own,
];

const SCOPE: &str = "openid offline_access accounts:read";

/// A partner's app that authenticates by a certificate, to which its tokens are bound.
async fn web_app(asking: &Asking, auth: NewAuth) -> ClientApp {
    let metadata = Metadata::default();
    web_app_with(asking, auth, metadata).await
}

async fn web_app_with(asking: &Asking, auth: NewAuth, mut metadata: Metadata) -> ClientApp {
    metadata.tls_client_certificate_bound_access_tokens = true;
    let redirect_uri = "https://budget.example/cb".to_owned();
    let new = NewClient {
        redirect_uris: vec![redirect_uri.clone()],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: Scopes::parse(SCOPE).unwrap(),
        profile: Profile::Fapi2,
        ..new("budget", auth, metadata)
    };
    clients::register(&asking.server.app, new, &caller())
        .await
        .unwrap();
    ClientApp {
        id: "budget".to_owned(),
        method: Method::None,
        secret: String::new(),
        key: None,
        redirect_uri,
    }
}

/// Certificates that are not the app's: another client's, a stranger's for its name, its own word,
/// and none.
struct Others([Certified; 3]);

impl Others {
    fn of(asking: &Asking) -> Self {
        Self([
            asking.partners.authority.certify("ledger", 2040),
            ClientAuthority::new().certify("budget", 2040),
            Certified::self_signed("budget", 2040),
        ])
    }

    fn each(&self) -> impl Iterator<Item = Option<&Certified>> {
        self.0.iter().map(Some).chain([None])
    }
}

/// A pushed request's way to the code.
async fn code(
    asking: &Asking,
    own: &Certified,
    (app, person): (&ClientApp, &Person),
) -> (AuthRequest, String) {
    let request = AuthRequest::new(app, SCOPE);
    let pushed = asking.post(Some(own), "/par", &request.pairs()).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let mut browser = asking.server.browser();
    let uri = pushed.text("request_uri");
    let to = url::Url::parse_with_params(
        &asking.server.at("/authorize"),
        [("client_id", app.id.as_str()), ("request_uri", uri)],
    );
    let page = browser.open(to.unwrap().as_str()).await;
    let answer = browser.go_on(&asking.server, page, person).await;
    (request, answer.code())
}

/// The form that redeems a code; no proof and no secret, the certificate is enough.
fn redemption<'a>(request: &'a AuthRequest, app: &'a ClientApp, code: &'a str) -> Form<'a> {
    let mut form = request.redemption(app, code);
    form.push(("client_id", &app.id));
    form
}

type Form<'a> = Vec<(&'a str, &'a str)>;

async fn tokens(asking: &Asking, own: &Certified, who: (&ClientApp, &Person)) -> Value {
    let (request, code) = code(asking, own, who).await;
    let form = redemption(&request, who.0, &code);
    asking.post(Some(own), "/token", &form).await.ok()
}

async fn refresh(asking: &Asking, with: Option<&Certified>, token: &str) -> Reply {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "budget"),
    ];
    asking.post(with, "/token", &form).await
}

async fn userinfo(asking: &Asking, with: Option<&Certified>, token: &str) -> u16 {
    let request = asking.http(with).get(format!("{}/userinfo", asking.url));
    Reply::of(request.bearer_auth(token)).await.status
}

fn text<'j>(json: &'j Value, name: &str) -> &'j str {
    json[name].as_str().unwrap_or_default()
}

/// Asserts that introspection tells this certificate.
async fn assert_bound(asking: &Asking, token: &str, own: &Certified) {
    let server = &asking.server;
    let seen = server.accounts.introspect(server, token).await;
    let expected = Thumbprint::of_certificate(own.der()).to_string();
    assert_eq!(seen["cnf"], json!({ "x5t#S256": expected }), "{seen}");
}

async fn a_request_is_pushed_under_the_clients_own_certificate_alone(engine: Engine) {
    let asking = Asking::start(engine).await;
    let app = web_app(&asking, subject("dns:budget.example")).await;
    let own = asking.partners.authority.certify("budget", 2040);
    let request = AuthRequest::new(&app, SCOPE);
    for other in Others::of(&asking).each() {
        let reply = asking.post(other, "/par", &request.pairs()).await;
        reply.refused(401, "invalid_client");
    }
    let pushed = asking.post(Some(&own), "/par", &request.pairs()).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    // Where no certificate is asked for, it proves nothing.
    let plain = asking.server.http.post(asking.server.at("/par"));
    let reply = Reply::of(plain.form(&request.pairs())).await;
    reply.refused(401, "invalid_client");
    asking.stop().await;
}

async fn a_code_is_redeemed_under_the_clients_own_certificate_alone(engine: Engine) {
    let asking = Asking::start(engine).await;
    let app = web_app(&asking, subject("dns:budget.example")).await;
    let own = asking.partners.authority.certify("budget", 2040);
    let ada = asking.server.person("ada").await;
    let (request, code) = code(&asking, &own, (&app, &ada)).await;
    let form = redemption(&request, &app, &code);
    for other in Others::of(&asking).each() {
        let reply = asking.post(other, "/token", &form).await;
        reply.refused(401, "invalid_client");
    }
    // None of them spent it.
    let tokens = asking.post(Some(&own), "/token", &form).await.ok();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_bound(&asking, text(&tokens, "access_token"), &own).await;
    asking.stop().await;
}

async fn a_refresh_needs_the_certificate_and_binds_to_the_one_that_is_shown(engine: Engine) {
    let asking = Asking::start(engine).await;
    let app = web_app(&asking, subject("dns:budget.example")).await;
    let own = asking.partners.authority.certify("budget", 2040);
    let ada = asking.server.person("ada").await;
    let first = tokens(&asking, &own, (&app, &ada)).await;
    let token = text(&first, "refresh_token");
    for other in Others::of(&asking).each() {
        let reply = refresh(&asking, other, token).await;
        reply.refused(401, "invalid_client");
    }
    let second = refresh(&asking, Some(&own), token).await.ok();
    assert_bound(&asking, text(&second, "access_token"), &own).await;
    // FAPI 2.0 Security Profile §5.3.2.1: the refresh token stays, under a renewed certificate too.
    let renewed = asking.partners.authority.certify("budget", 2041);
    let third = refresh(&asking, Some(&renewed), token).await.ok();
    let access = text(&third, "access_token");
    assert_bound(&asking, access, &renewed).await;
    assert_eq!(userinfo(&asking, Some(&renewed), access).await, 200);
    for other in [Some(&own), None] {
        assert_eq!(userinfo(&asking, other, access).await, 401);
    }
    asking.stop().await;
}

async fn a_self_signed_certificate_is_the_only_one_from_par_to_refresh(engine: Engine) {
    let asking = Asking::start(engine).await;
    let own = Certified::self_signed("budget", 2040);
    let app = web_app(&asking, NewAuth::SelfSigned(own.jwks())).await;
    let ada = asking.server.person("ada").await;
    let tokens = tokens(&asking, &own, (&app, &ada)).await;
    let certified = asking.partners.authority.certify("budget", 2040);
    let request = AuthRequest::new(&app, SCOPE);
    let others = Others::of(&asking);
    for other in others.each().chain([Some(&certified)]) {
        let reply = asking.post(other, "/par", &request.pairs()).await;
        reply.refused(401, "invalid_client");
        let reply = refresh(&asking, other, text(&tokens, "refresh_token")).await;
        reply.refused(401, "invalid_client");
        let access = text(&tokens, "access_token");
        assert_eq!(userinfo(&asking, other, access).await, 401);
    }
    let next = refresh(&asking, Some(&own), text(&tokens, "refresh_token")).await;
    let next = next.ok();
    let access = text(&next, "access_token");
    assert_eq!(userinfo(&asking, Some(&own), access).await, 200);
    asking.stop().await;
}

async fn an_api_introspects_under_its_certificate(engine: Engine) {
    let asking = Asking::start(engine).await;
    let app = web_app(&asking, subject("dns:budget.example")).await;
    let own = asking.partners.authority.certify("budget", 2040);
    let ada = asking.server.person("ada").await;
    let tokens = tokens(&asking, &own, (&app, &ada)).await;
    // The accounts API is given a certificate.
    let auth = subject("dns:accounts.example");
    register(&asking.server.app, "accounts", auth, Metadata::default()).await;
    let all = resources::list(&asking.server.app).await.unwrap();
    let mut resource = all.into_iter().find(|one| one.uri == ACCOUNTS).unwrap();
    "accounts".clone_into(&mut resource.client_id);
    resources::put(&asking.server.app, resource, &caller())
        .await
        .unwrap();
    let form = [
        ("token", text(&tokens, "access_token")),
        ("client_id", "accounts"),
    ];
    for other in [None, Some(&own)] {
        let reply = asking.post(other, "/introspect", &form).await;
        reply.refused(401, "invalid_client");
    }
    let api = asking.partners.authority.certify("accounts", 2040);
    let seen = asking.post(Some(&api), "/introspect", &form).await.ok();
    let expected = Thumbprint::of_certificate(own.der()).to_string();
    assert_eq!(seen["active"], true, "{seen}");
    assert_eq!(seen["cnf"]["x5t#S256"], expected, "{seen}");
    asking.stop().await;
}

async fn a_proof_is_not_had_instead_of_the_certificate(engine: Engine) {
    let asking = Asking::start(engine).await;
    let server = &asking.server;
    let mut spec = Spec::with_key("keyed");
    spec.profile = Profile::Fapi2;
    spec.metadata.tls_client_certificate_bound_access_tokens = true;
    let app = server.register(spec).await;
    let own = asking.partners.authority.certify("keyed", 2040);
    let holder = Holder::new();
    let ask = async |with: Option<&Certified>, proven: bool| {
        let assertion = app.assertion(&app.claims(server));
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
            ("client_assertion_type", jwt::ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        let request = asking.http(with).post(format!("{}/token", asking.url));
        let request = if proven {
            request.header("dpop", holder.proof(server, "/token"))
        } else {
            request
        };
        Reply::of(request.form(&form)).await
    };
    for proven in [true, false] {
        let refused = ask(None, proven).await;
        refused.refused(400, "invalid_request");
        assert!(refused.body.contains("certificate"), "{}", refused.body);
        let tokens = ask(Some(&own), proven).await.ok();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_bound(&asking, text(&tokens, "access_token"), &own).await;
    }
    asking.stop().await;
}

async fn a_client_with_a_certificate_of_an_authority_signs_its_requests_with_keys_of_its_own(
    engine: Engine,
) {
    let asking = Asking::start(engine).await;
    let server = &asking.server;
    let key = SigningKey::generate(Alg::Es256).unwrap();
    let jwks = JwkSet::new(vec![key.public_jwk().clone()]).unwrap();
    let must_sign = Metadata {
        require_signed_request_object: true,
        ..Metadata::default()
    };
    let subject = CertificateSubject::parse("dns:budget.example").unwrap();
    let auth = NewAuth::Certificate(subject, jwks);
    let app = web_app_with(&asking, auth, must_sign).await;
    let own = asking.partners.authority.certify("budget", 2040);
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, SCOPE);
    let push = async |with: Option<&Certified>, key: &SigningKey| {
        let now = server.now();
        let mut claims = json!({
            "iss": app.id, "aud": server.issuer, "nbf": now, "exp": now + 300,
        });
        for (name, value) in request.pairs() {
            claims[name] = value.into();
        }
        let signed = jwt::sign(key, &claims);
        let form = [("client_id", app.id.as_str()), ("request", &signed)];
        asking.post(with, "/par", &form).await
    };
    let other = SigningKey::generate(Alg::Es256).unwrap();
    let refused = push(Some(&own), &other).await;
    refused.refused(400, "invalid_request_object");
    // The key signs requests; it is not who the client is.
    push(None, &key).await.refused(401, "invalid_client");
    let assertion = jwt::sign(&key, &app.claims(server));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", jwt::ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    let reply = asking.post(Some(&own), "/token", &form).await;
    reply.refused(401, "invalid_client");
    let plain = asking.post(Some(&own), "/par", &request.pairs()).await;
    plain.refused(400, "invalid_request");
    let pushed = push(Some(&own), &key).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    // Another set of keys leaves the way to authenticate as it is.
    let next = JwkSet::new(vec![other.public_jwk().clone()]).unwrap();
    let changed = clients::set_jwks(&server.app, "budget", next, &caller()).await;
    assert_eq!(clients::method(&changed.unwrap().auth), "tls_client_auth");
    push(Some(&own), &key)
        .await
        .refused(400, "invalid_request_object");
    assert_eq!(push(Some(&own), &other).await.status, 201);
    let uri = pushed.text("request_uri").to_owned();
    let to = [("client_id", app.id.as_str()), ("request_uri", &uri)];
    let to = url::Url::parse_with_params(&server.at("/authorize"), to).unwrap();
    let mut browser = server.browser();
    let page = browser.open(to.as_str()).await;
    let code = browser.go_on(server, page, &ada).await.code();
    let form = redemption(&request, &app, &code);
    asking.post(Some(&own), "/token", &form).await.ok();
    asking.stop().await;
}

//! The `oauth2` crate as a client: each grant, introspection and revocation (RFC 6749, 7009, 7636,
//! 7662).

use std::collections::BTreeSet;

use oauth2::basic::{
    BasicClient, BasicErrorResponseType, BasicTokenIntrospectionResponse, BasicTokenResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardErrorResponse,
    StandardRevocableToken, TokenIntrospectionResponse as _, TokenResponse as _, TokenUrl,
};

use super::transport::Transport;
use crate::support::server::ACCOUNTS;
use crate::support::{ClientApp, Person, Spec, TestServer};

on_both![
    an_app_gets_a_token_for_itself_by_its_header,
    an_app_gets_a_token_for_itself_by_the_body,
    a_wrong_secret_is_refused_as_the_crate_expects,
    a_scope_that_is_not_the_apps_is_refused_as_the_crate_expects,
    a_person_lets_a_confidential_app_in,
    a_person_lets_a_public_app_in,
    a_code_is_worth_one_exchange,
    a_refresh_may_narrow_what_was_granted,
    an_api_learns_what_a_token_is_good_for,
    an_api_learns_nothing_of_another_apis_token,
    an_access_token_is_given_back,
    a_refresh_token_is_given_back_with_all_that_came_of_it,
];

/// Authorization, introspection, revocation and token endpoint.
type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;
type Refused<E> = RequestTokenError<E, StandardErrorResponse<BasicErrorResponseType>>;

const SCOPES: [&str; 2] = ["offline_access", "accounts:read"];

fn client(server: &TestServer, app: &ClientApp) -> Client {
    // The crate gives tokens back over https only (RFC 7009 §2); the transport stands in for the
    // TLS proxy.
    let revoke = server.at("/revoke").replacen("http:", "https:", 1);
    let client = BasicClient::new(ClientId::new(app.id.clone()))
        .set_auth_uri(AuthUrl::new(server.at("/authorize")).unwrap())
        .set_token_uri(TokenUrl::new(server.at("/token")).unwrap())
        .set_introspection_url(IntrospectionUrl::new(server.at("/introspect")).unwrap())
        .set_revocation_url(RevocationUrl::new(revoke).unwrap());
    let client = if app.redirect_uri.is_empty() {
        client
    } else {
        client.set_redirect_uri(RedirectUrl::new(app.redirect_uri.clone()).unwrap())
    };
    if app.secret.is_empty() {
        client
    } else {
        client.set_client_secret(ClientSecret::new(app.secret.clone()))
    }
}

fn scope(name: &str) -> Scope {
    Scope::new(name.to_owned())
}

/// The error code that the server answered.
fn code<E: std::error::Error>(refused: Refused<E>) -> BasicErrorResponseType {
    match refused {
        RequestTokenError::ServerResponse(answer) => answer.error().clone(),
        other => panic!("no answer of the standard: {other:?}"),
    }
}

/// Sends a person through the server; gives the code and what belongs to it.
async fn authorize(
    server: &TestServer,
    client: &Client,
    person: &Person,
) -> (AuthorizationCode, PkceCodeVerifier) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scopes(SCOPES.map(scope))
        .set_pkce_challenge(challenge)
        .url();
    let mut browser = server.browser();
    let page = browser.open(url.as_str()).await;
    let answer = browser.go_on(server, page, person).await;
    assert_eq!(answer.get("state"), state.secret());
    (AuthorizationCode::new(answer.code()), verifier)
}

/// The whole code flow.
async fn connect(server: &TestServer, client: &Client, person: &Person) -> BasicTokenResponse {
    let (code, verifier) = authorize(server, client, person).await;
    client
        .exchange_code(code)
        .set_pkce_verifier(verifier)
        .request_async(&Transport::to(server))
        .await
        .unwrap()
}

async fn introspect(
    server: &TestServer,
    api: &ClientApp,
    token: &AccessToken,
) -> BasicTokenIntrospectionResponse {
    client(server, api)
        .introspect(token)
        .set_token_type_hint("access_token")
        .request_async(&Transport::to(server))
        .await
        .unwrap()
}

async fn active(server: &TestServer, token: &AccessToken) -> bool {
    introspect(server, &server.accounts, token).await.active()
}

fn granted(tokens: &BasicTokenResponse) -> BTreeSet<&str> {
    let scopes = tokens.scopes().unwrap();
    scopes.iter().map(|scope| scope.as_str()).collect()
}

async fn an_app_gets_a_token_for_itself_by_its_header(server: TestServer) {
    token_for_itself(&server, AuthType::BasicAuth).await;
}

async fn an_app_gets_a_token_for_itself_by_the_body(server: TestServer) {
    token_for_itself(&server, AuthType::RequestBody).await;
}

async fn token_for_itself(server: &TestServer, how: AuthType) {
    let app = server.register(Spec::confidential("app")).await;
    let tokens = client(server, &app)
        .set_auth_type(how)
        .exchange_client_credentials()
        .add_scope(scope("accounts:read"))
        .request_async(&Transport::to(server))
        .await
        .unwrap();
    assert_eq!(*tokens.token_type(), BasicTokenType::Bearer);
    assert_eq!(tokens.expires_in().unwrap().as_secs(), 300);
    assert_eq!(granted(&tokens), BTreeSet::from(["accounts:read"]));
    // RFC 6749 §4.4.3: there is nobody to refresh for.
    assert!(tokens.refresh_token().is_none());
    assert!(active(server, tokens.access_token()).await);
}

async fn a_wrong_secret_is_refused_as_the_crate_expects(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        let refused = client(&server, &app)
            .set_client_secret(ClientSecret::new("cs_sk_wrong".to_owned()))
            .set_auth_type(how)
            .exchange_client_credentials()
            .request_async(&Transport::to(&server))
            .await
            .unwrap_err();
        assert_eq!(code(refused), BasicErrorResponseType::InvalidClient);
    }
}

async fn a_scope_that_is_not_the_apps_is_refused_as_the_crate_expects(server: TestServer) {
    let spec = Spec::confidential("app").scopes("accounts:read");
    let app = server.register(spec).await;
    let refused = client(&server, &app)
        .exchange_client_credentials()
        .add_scope(scope("cards:read"))
        .request_async(&Transport::to(&server))
        .await
        .unwrap_err();
    assert_eq!(code(refused), BasicErrorResponseType::InvalidScope);
}

async fn a_person_lets_a_confidential_app_in(server: TestServer) {
    lets_in(&server, Spec::confidential("app")).await;
}

async fn a_person_lets_a_public_app_in(server: TestServer) {
    lets_in(&server, Spec::public("app")).await;
}

/// The code flow, and three refreshes.
async fn lets_in(server: &TestServer, spec: Spec) {
    let app = server.register(spec).await;
    let client = client(server, &app);
    let ada = server.person("ada").await;
    let tokens = connect(server, &client, &ada).await;
    assert_eq!(granted(&tokens), BTreeSet::from(SCOPES));
    assert!(active(server, tokens.access_token()).await);
    let mut refresh = tokens.refresh_token().unwrap().clone();
    for _ in 0..3 {
        server.advance(60);
        let renewed = client
            .exchange_refresh_token(&refresh)
            .request_async(&Transport::to(server))
            .await
            .unwrap();
        assert!(active(server, renewed.access_token()).await);
        // RFC 6749 §6: without a new one the old one stays.
        if let Some(new) = renewed.refresh_token() {
            refresh = new.clone();
        }
    }
    let rotated = refresh.secret() != tokens.refresh_token().unwrap().secret();
    assert_eq!(rotated, app.secret.is_empty(), "public clients' rotate");
}

async fn a_code_is_worth_one_exchange(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let client = client(&server, &app);
    let ada = server.person("ada").await;
    let (first, verifier) = authorize(&server, &client, &ada).await;
    let again = PkceCodeVerifier::new(verifier.secret().clone());
    let http = Transport::to(&server);
    let tokens = client
        .exchange_code(AuthorizationCode::new(first.secret().clone()))
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await
        .unwrap();
    let refused = client
        .exchange_code(first)
        .set_pkce_verifier(again)
        .request_async(&http)
        .await
        .unwrap_err();
    assert_eq!(code(refused), BasicErrorResponseType::InvalidGrant);
    // RFC 6749 §4.1.2: what came of the first exchange is revoked.
    assert!(!active(&server, tokens.access_token()).await);
}

async fn a_refresh_may_narrow_what_was_granted(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let client = client(&server, &app);
    let ada = server.person("ada").await;
    let tokens = connect(&server, &client, &ada).await;
    let narrowed = client
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .add_scope(scope("accounts:read"))
        .request_async(&Transport::to(&server))
        .await
        .unwrap();
    assert_eq!(granted(&narrowed), BTreeSet::from(["accounts:read"]));
    assert!(active(&server, narrowed.access_token()).await);
}

async fn an_api_learns_what_a_token_is_good_for(server: TestServer) {
    let app = server.register(Spec::public("app")).await;
    let ada = server.person("ada").await;
    let tokens = connect(&server, &client(&server, &app), &ada).await;
    let told = introspect(&server, &server.accounts, tokens.access_token()).await;
    assert!(told.active());
    assert_eq!(told.client_id().unwrap().as_str(), "app");
    assert_eq!(told.sub(), Some(ada.id.to_string().as_str()));
    assert_eq!(told.iss(), Some(server.issuer.as_str()));
    assert_eq!(told.aud(), Some(&vec![ACCOUNTS.to_owned()]));
    assert!(told.scopes().unwrap().contains(&scope("accounts:read")));
    assert_eq!(told.token_type(), Some(&BasicTokenType::Bearer));
    assert_eq!(told.exp().unwrap().timestamp(), server.now() + 300);
    server.advance(301);
    assert!(!active(&server, tokens.access_token()).await);
}

async fn an_api_learns_nothing_of_another_apis_token(server: TestServer) {
    let app = server.register(Spec::public("app")).await;
    let ada = server.person("ada").await;
    let tokens = connect(&server, &client(&server, &app), &ada).await;
    let told = introspect(&server, &server.cards, tokens.access_token()).await;
    assert!(!told.active());
    assert!(told.sub().is_none() && told.scopes().is_none() && told.exp().is_none());
}

async fn an_access_token_is_given_back(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let client = client(&server, &app);
    let tokens = connect(&server, &client, &ada).await;
    let token = StandardRevocableToken::AccessToken(tokens.access_token().clone());
    for _ in 0..2 {
        // RFC 7009 §2.2: a token that is over already is no error.
        client
            .revoke_token(token.clone())
            .unwrap()
            .request_async(&Transport::to(&server))
            .await
            .unwrap();
    }
    assert!(!active(&server, tokens.access_token()).await);
}

async fn a_refresh_token_is_given_back_with_all_that_came_of_it(server: TestServer) {
    let ada = server.person("ada").await;
    for spec in [Spec::confidential("back"), Spec::public("front")] {
        let app = server.register(spec).await;
        let client = client(&server, &app);
        let http = Transport::to(&server);
        let tokens = connect(&server, &client, &ada).await;
        let refresh: &RefreshToken = tokens.refresh_token().unwrap();
        client
            .revoke_token(StandardRevocableToken::RefreshToken(refresh.clone()))
            .unwrap()
            .request_async(&http)
            .await
            .unwrap();
        assert!(!active(&server, tokens.access_token()).await);
        let refused = client
            .exchange_refresh_token(refresh)
            .request_async(&http)
            .await
            .unwrap_err();
        assert_eq!(code(refused), BasicErrorResponseType::InvalidGrant);
    }
}

//! The `openidconnect` crate as a relying party: discovery, the code flow, ID tokens, userinfo and
//! refresh (OpenID Connect Core, Discovery; RFC 7636; RFC 9207).

use std::time::{Duration, UNIX_EPOCH};

use countersign::flows::rotate_keys;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClient, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGrantType, CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthenticationFlow, AuthorizationCode, AuthorizationRequest, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    NonceVerifier, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, TokenResponse as _,
};
use rules::jose::Alg;

use super::transport::Transport;
use crate::support::server::caller;
use crate::support::{Answer, Browser, ClientApp, Person, Spec, TestServer};

on_both![
    it_finds_everything_by_discovery,
    a_person_signs_in_to_a_confidential_app,
    a_person_signs_in_to_a_public_app,
    an_id_token_of_each_algorithm_is_verified,
    a_rotation_of_the_keys_is_in_nobodys_way,
    userinfo_tells_of_the_person_what_was_granted,
    a_confidential_app_refreshes,
    a_public_app_refreshes_again_and_again,
    a_code_is_worth_nothing_without_its_verifier,
    a_person_who_is_not_signed_in_cannot_be_asked_silently,
    a_person_who_is_signed_in_comes_back_silently,
];

type Provider = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

type Request<'a> = AuthorizationRequest<'a, CoreAuthDisplay, CoreAuthPrompt, CoreResponseType>;

const SCOPES: [&str; 4] = ["profile", "email", "offline_access", "accounts:read"];

/// An app built on the crate.
struct RelyingParty<'s> {
    server: &'s TestServer,
    http: Transport,
    app: ClientApp,
    provider: Provider,
}

/// What comes of a sign-in.
struct SignedIn {
    tokens: CoreTokenResponse,
    claims: CoreIdTokenClaims,
}

/// A request that is under way.
struct Attempt {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    answer: Answer,
}

async fn discover(server: &TestServer) -> CoreProviderMetadata {
    let issuer = IssuerUrl::new(server.issuer.clone()).unwrap();
    CoreProviderMetadata::discover_async(issuer, &Transport::to(server))
        .await
        .unwrap()
}

/// The crate's client for a registered app, from discovery.
async fn provider(server: &TestServer, app: &ClientApp) -> Provider {
    let secret = (!app.secret.is_empty()).then(|| ClientSecret::new(app.secret.clone()));
    let id = ClientId::new(app.id.clone());
    CoreClient::from_provider_metadata(discover(server).await, id, secret)
        .set_redirect_uri(RedirectUrl::new(app.redirect_uri.clone()).unwrap())
}

impl<'s> RelyingParty<'s> {
    async fn new(server: &'s TestServer, spec: Spec) -> Self {
        let app = server.register(spec).await;
        let provider = provider(server, &app).await;
        Self {
            server,
            http: Transport::to(server),
            app,
            provider,
        }
    }

    /// Sends the browser to the server and takes what it comes back with.
    async fn ask(
        &self,
        browser: &mut Browser,
        person: &Person,
        adapt: impl FnOnce(Request<'_>) -> Request<'_>,
    ) -> Attempt {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = self
            .provider
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge);
        let (url, state, nonce) = adapt(request).url();
        let page = browser.open(url.as_str()).await;
        let answer = browser.go_on(self.server, page, person).await;
        assert_eq!(answer.to, self.app.redirect_uri, "{answer:?}");
        assert_eq!(answer.get("state"), state.secret());
        // RFC 9207 §2.4: the crate leaves this check to the app.
        assert_eq!(answer.get("iss"), self.server.issuer);
        Attempt {
            nonce,
            verifier,
            answer,
        }
    }

    async fn sign_in(&self, browser: &mut Browser, person: &Person) -> SignedIn {
        let attempt = self.ask(browser, person, |request| request).await;
        self.redeem(attempt).await
    }

    async fn redeem(&self, attempt: Attempt) -> SignedIn {
        let tokens = self
            .provider
            .exchange_code(AuthorizationCode::new(attempt.answer.code()))
            .unwrap()
            .set_pkce_verifier(attempt.verifier)
            .request_async(&self.http)
            .await
            .unwrap();
        let claims = self.verified(&self.provider, &tokens, &attempt.nonce);
        SignedIn { tokens, claims }
    }

    /// The claims of the ID token, after every check that the crate knows, at the server's time.
    fn verified(
        &self,
        provider: &Provider,
        tokens: &CoreTokenResponse,
        nonce: impl NonceVerifier,
    ) -> CoreIdTokenClaims {
        let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.server.now()).unwrap());
        let verifier = provider.id_token_verifier().set_time_fn(move || now.into());
        let token = tokens.id_token().unwrap();
        let claims = token.claims(&verifier, nonce).unwrap();
        let alg = token.signing_alg().unwrap();
        let key = token.signing_key(&verifier).unwrap();
        let hash = AccessTokenHash::from_token(tokens.access_token(), alg, key).unwrap();
        assert_eq!(claims.access_token_hash(), Some(&hash));
        claims.clone()
    }

    async fn userinfo(&self, signed_in: &SignedIn) -> CoreUserInfoClaims {
        let subject = signed_in.claims.subject().clone();
        self.provider
            .user_info(signed_in.tokens.access_token().clone(), Some(subject))
            .unwrap()
            .request_async(&self.http)
            .await
            .unwrap()
    }

    async fn refresh(&self, token: &RefreshToken) -> CoreTokenResponse {
        self.provider
            .exchange_refresh_token(token)
            .unwrap()
            .request_async(&self.http)
            .await
            .unwrap()
    }

    async fn works(&self, tokens: &CoreTokenResponse) -> bool {
        let token = tokens.access_token().secret();
        self.server.accounts.sees(self.server, token).await
    }
}

fn granted(tokens: &CoreTokenResponse) -> Vec<String> {
    let mut scopes: Vec<_> = tokens
        .scopes()
        .unwrap()
        .iter()
        .map(|scope| scope.to_string())
        .collect();
    scopes.sort();
    scopes
}

async fn it_finds_everything_by_discovery(server: TestServer) {
    let found = discover(&server).await;
    assert_eq!(found.issuer().as_str(), server.issuer);
    assert_eq!(
        found.authorization_endpoint().as_str(),
        server.at("/authorize")
    );
    assert_eq!(
        found.token_endpoint().unwrap().as_str(),
        server.at("/token")
    );
    let userinfo = found.userinfo_endpoint().unwrap();
    assert_eq!(userinfo.as_str(), server.at("/userinfo"));
    let signing = found.id_token_signing_alg_values_supported();
    assert!(signing.contains(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256));
    let methods = found.token_endpoint_auth_methods_supported().unwrap();
    assert!(methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let grants = found.grant_types_supported().unwrap();
    assert!(grants.contains(&CoreGrantType::AuthorizationCode));
    assert!(!grants.contains(&CoreGrantType::Implicit));
    let scopes = found.scopes_supported().unwrap();
    for scope in SCOPES {
        assert!(scopes.contains(&Scope::new(scope.to_owned())), "{scope}");
    }
    assert!(!found.jwks().keys().is_empty());
}

async fn a_person_signs_in_to_a_confidential_app(server: TestServer) {
    signs_in(&server, Spec::confidential("app")).await;
}

async fn a_person_signs_in_to_a_public_app(server: TestServer) {
    signs_in(&server, Spec::public("app")).await;
}

async fn signs_in(server: &TestServer, spec: Spec) {
    let party = RelyingParty::new(server, spec).await;
    let ada = server.person("ada").await;
    let signed_in = party.sign_in(&mut server.browser(), &ada).await;
    let SignedIn { tokens, claims } = &signed_in;
    // OpenID Connect Core §15.1: the algorithm of a client that named none.
    let id_token = tokens.id_token().unwrap();
    assert_eq!(
        id_token.signing_alg().unwrap(),
        &CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256
    );
    assert_eq!(claims.subject().as_str(), ada.id.to_string());
    let methods = claims.auth_method_refs().unwrap();
    assert!(methods.len() > 1, "two factors: {methods:?}");
    assert!(claims.auth_time().is_some());
    assert!(claims.auth_context_ref().is_some());
    assert!(tokens.expires_in().is_some());
    assert_eq!(
        granted(tokens),
        [
            "accounts:read",
            "email",
            "offline_access",
            "openid",
            "profile"
        ]
    );
    assert!(party.works(tokens).await);
}

async fn an_id_token_of_each_algorithm_is_verified(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    for (id, alg, known) in [
        (
            "rs",
            Alg::Rs256,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        ),
        ("es", Alg::Es256, CoreJwsSigningAlgorithm::EcdsaP256Sha256),
    ] {
        let spec = Spec {
            alg: Some(alg),
            ..Spec::confidential(id)
        };
        let party = RelyingParty::new(&server, spec).await;
        let signed_in = party.sign_in(&mut browser, &ada).await;
        let id_token = signed_in.tokens.id_token().unwrap();
        assert_eq!(id_token.signing_alg().unwrap(), &known);
    }
}

async fn a_rotation_of_the_keys_is_in_nobodys_way(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let attempt = party.ask(&mut browser, &ada, |request| request).await;
    let nonce = attempt.nonce.clone();
    let before = party.redeem(attempt).await;
    rotate_keys::rotate(&server.app, Alg::Rs256, &caller())
        .await
        .unwrap();
    // The keys that were fetched before hold the one that signs now; the keys that are fetched
    // after still hold the one that signed then.
    let after = party.sign_in(&mut browser, &ada).await;
    let fresh = provider(&server, &party.app).await;
    party.verified(&fresh, &before.tokens, &nonce);
    let header = |tokens: &CoreTokenResponse| {
        let id_token = tokens.id_token().unwrap().to_string();
        jsonwebtoken::decode_header(id_token).unwrap().kid.unwrap()
    };
    assert_ne!(header(&before.tokens), header(&after.tokens));
}

async fn userinfo_tells_of_the_person_what_was_granted(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::public("app")).await;
    let ada = server.person("ada").await;
    let signed_in = party.sign_in(&mut server.browser(), &ada).await;
    let told = party.userinfo(&signed_in).await;
    assert_eq!(told.subject(), signed_in.claims.subject());
    let name = told.name().and_then(|name| name.get(None)).unwrap();
    assert_eq!(name.as_str(), "ada Example");
    assert_eq!(told.email().unwrap().as_str(), "ada@mail.example");
    assert_eq!(told.email_verified(), Some(true));
    assert_eq!(told.phone_number(), None, "it was not asked for");
    assert!(told.address().is_none(), "it was not asked for");
}

async fn a_confidential_app_refreshes(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let SignedIn { tokens, claims } = party.sign_in(&mut server.browser(), &ada).await;
    server.advance(600);
    let renewed = party.refresh(tokens.refresh_token().unwrap()).await;
    assert!(party.works(&renewed).await);
    assert!(!party.works(&tokens).await, "it has run out");
    // OpenID Connect Core §12.2: the nonce may be left out; person and sign-in are the same.
    let again = party.verified(&party.provider, &renewed, |_: Option<&Nonce>| Ok(()));
    assert_eq!(again.subject(), claims.subject());
    assert_eq!(again.auth_time(), claims.auth_time());
}

async fn a_public_app_refreshes_again_and_again(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::public("app")).await;
    let ada = server.person("ada").await;
    let mut tokens = party.sign_in(&mut server.browser(), &ada).await.tokens;
    for _ in 0..3 {
        server.advance(60);
        let renewed = party.refresh(tokens.refresh_token().unwrap()).await;
        let (old, new) = (tokens.refresh_token(), renewed.refresh_token());
        assert_ne!(old.unwrap().secret(), new.unwrap().secret());
        assert!(party.works(&renewed).await);
        tokens = renewed;
    }
}

async fn a_code_is_worth_nothing_without_its_verifier(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let attempt = party
        .ask(&mut server.browser(), &ada, |request| request)
        .await;
    let (_, another) = PkceCodeChallenge::new_random_sha256();
    let refused = party
        .provider
        .exchange_code(AuthorizationCode::new(attempt.answer.code()))
        .unwrap()
        .set_pkce_verifier(another)
        .request_async(&party.http)
        .await
        .unwrap_err();
    let RequestTokenError::ServerResponse(answer) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(*answer.error(), CoreErrorResponseType::InvalidGrant);
}

async fn a_person_who_is_not_signed_in_cannot_be_asked_silently(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::public("app")).await;
    let ada = server.person("ada").await;
    let attempt = party
        .ask(&mut server.browser(), &ada, |request| {
            request.add_prompt(CoreAuthPrompt::None)
        })
        .await;
    assert_eq!(attempt.answer.error(), "login_required");
    assert_eq!(attempt.answer.get("code"), "");
}

async fn a_person_who_is_signed_in_comes_back_silently(server: TestServer) {
    let party = RelyingParty::new(&server, Spec::public("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let first = party.sign_in(&mut browser, &ada).await;
    server.advance(60);
    let attempt = party
        .ask(&mut browser, &ada, |request| {
            request
                .add_prompt(CoreAuthPrompt::None)
                .set_max_age(Duration::from_mins(5))
        })
        .await;
    let second = party.redeem(attempt).await;
    assert_eq!(second.claims.subject(), first.claims.subject());
    assert_eq!(second.claims.auth_time(), first.claims.auth_time());
}

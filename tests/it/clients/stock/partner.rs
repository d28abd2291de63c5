//! The example of a partner in Rust.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreTokenResponse,
};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse as _,
};
use url::Url;

use crate::clients::transport::Transport;
use crate::support::{Spec, TestServer};

on_both_now![the_partner_in_rust_signs_a_person_in];

// docs/partners/rust.md shows what follows.

type Bank = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What is kept in the browser's session while it is at the bank.
pub struct Pending {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Reads everything about the bank from its discovery document.
pub async fn discover<H>(
    http: &H,
    issuer: &str,
    (id, secret): (&str, &str),
    redirect: &str,
) -> Result<Bank, Failed>
where
    H: for<'c> AsyncHttpClient<'c, Error: Send + Sync + 'static>,
{
    let metadata =
        CoreProviderMetadata::discover_async(IssuerUrl::new(issuer.to_owned())?, http).await?;
    let secret = ClientSecret::new(secret.to_owned());
    let bank =
        CoreClient::from_provider_metadata(metadata, ClientId::new(id.to_owned()), Some(secret));
    Ok(bank.set_redirect_uri(RedirectUrl::new(redirect.to_owned())?))
}

/// Where to send the browser.
pub fn sign_in(bank: &Bank) -> (Url, Pending) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let scopes = ["profile", "offline_access", "accounts:read"];
    let (url, state, nonce) = bank
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let pending = Pending {
        state,
        nonce,
        verifier,
    };
    (url, pending)
}

/// The browser is back: checks state and issuer, redeems the code, verifies the ID token. Gives the
/// tokens and who the person is.
pub async fn callback<H>(
    http: &H,
    bank: &Bank,
    issuer: &str,
    url: &Url,
    pending: Pending,
) -> Result<(CoreTokenResponse, String), Failed>
where
    H: for<'c> AsyncHttpClient<'c, Error: Send + Sync + 'static>,
{
    let parameter = |name: &str| {
        let found = url.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    };
    // RFC 9207: the crate leaves the issuer to the app.
    if parameter("state").as_ref() != Some(pending.state.secret())
        || parameter("iss").as_deref() != Some(issuer)
    {
        return Err("this answer was not asked for".into());
    }
    if let Some(error) = parameter("error") {
        return Err(error.into());
    }
    let code = AuthorizationCode::new(parameter("code").ok_or("no code")?);
    let tokens = bank
        .exchange_code(code)?
        .set_pkce_verifier(pending.verifier)
        .request_async(http)
        .await?;
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let claims = id_token.claims(&bank.id_token_verifier(), &pending.nonce)?;
    let subject = claims.subject().to_string();
    Ok((tokens, subject))
}

// As far as docs/partners/rust.md.

async fn the_partner_in_rust_signs_a_person_in(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let http = Transport::to(&server);
    let credentials = (app.id.as_str(), app.secret.as_str());
    let bank = discover(&http, &server.issuer, credentials, &app.redirect_uri)
        .await
        .unwrap();
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    for good in [true, false] {
        let (url, pending) = sign_in(&bank);
        let page = browser.open(url.as_str()).await;
        let answer = browser.go_on(&server, page, &ada).await;
        let mut back = answer.page.location().to_owned();
        if !good {
            back = back.replace("state=", "state=x");
        }
        let back = Url::parse(&back).unwrap();
        let done = callback(&http, &bank, &server.issuer, &back, pending).await;
        assert_eq!(done.is_ok(), good);
        if let Ok((_, subject)) = done {
            assert_eq!(subject, ada.id.to_string());
        }
    }
}

//! An app's side of the code flow.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use super::{ClientApp, Page, Reply, TestServer, jwt};

/// An authorization request with fresh state, nonce and PKCE verifier.
#[derive(Clone)]
pub struct AuthRequest {
    params: Vec<(String, String)>,
    /// The PKCE verifier.
    pub verifier: String,
}

impl AuthRequest {
    /// A good one.
    pub fn new(client: &ClientApp, scope: &str) -> Self {
        let verifier = format!("{}{}", jwt::random_id(), jwt::random_id());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let request = Self {
            params: Vec::new(),
            verifier,
        };
        request
            .with("client_id", &client.id)
            .with("redirect_uri", &client.redirect_uri)
            .with("response_type", "code")
            .with("scope", scope)
            .with("state", &jwt::random_id())
            .with("nonce", &jwt::random_id())
            .with("code_challenge", &challenge)
            .with("code_challenge_method", "S256")
    }

    /// With a parameter set, in place of the one of that name.
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With a parameter added, even when there is one of that name.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a parameter.
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// As pairs.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// The address to send the browser to.
    pub fn url(&self, server: &TestServer) -> String {
        Url::parse_with_params(&server.at("/authorize"), &self.params)
            .unwrap()
            .into()
    }

    /// Pushes the request (RFC 9126).
    pub async fn push(&self, server: &TestServer, client: &ClientApp) -> Reply {
        let pairs = self.pairs();
        // Authentication names the client where that is needed.
        let form: Vec<_> = pairs
            .into_iter()
            .filter(|(name, _)| *name != "client_id")
            .collect();
        client.post(server, "/par", &form).await
    }

    /// Pushes the request; gives what the browser then asks for.
    pub async fn pushed(&self, server: &TestServer, client: &ClientApp) -> Self {
        let reply = self.push(server, client).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        let short = Self {
            params: Vec::new(),
            verifier: self.verifier.clone(),
        };
        short
            .with("client_id", &client.id)
            .with("request_uri", reply.text("request_uri"))
    }

    /// The form that redeems a code.
    pub fn redemption<'a>(
        &'a self,
        client: &'a ClientApp,
        code: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &client.redirect_uri),
            ("code_verifier", &self.verifier),
        ]
    }

    /// Tries to redeem a code.
    pub async fn try_redeem(&self, server: &TestServer, client: &ClientApp, code: &str) -> Reply {
        client.token(server, &self.redemption(client, code)).await
    }

    /// Redeems a code.
    pub async fn redeem(&self, server: &TestServer, client: &ClientApp, code: &str) -> Tokens {
        let json = self.try_redeem(server, client, code).await.ok();
        Tokens::of(&json)
    }
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token, or empty.
    pub refresh: String,
    /// The ID token, or empty.
    pub id: String,
    /// `scope`, or empty.
    pub scope: String,
}

impl Tokens {
    /// Reads a success.
    pub fn of(json: &Value) -> Self {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            id: text("id_token"),
            scope: text("scope"),
        }
    }
}

/// What came back to the app through the browser, or the page that was shown instead.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The redirect's address without the query; empty when a page was shown.
    pub to: String,
    /// The parameters of the redirect.
    pub params: HashMap<String, String>,
    /// The page.
    pub page: Page,
}

impl Answer {
    /// Reads the last answer of an interaction.
    pub fn of(page: &Page) -> Self {
        let location = page.location();
        let (to, query) = location.split_once('?').unwrap_or((location, ""));
        assert!(
            !location.contains('#'),
            "nothing belongs in a fragment: {location}"
        );
        let params = url::form_urlencoded::parse(query.as_bytes());
        Self {
            to: to.to_owned(),
            params: params.into_owned().collect(),
            page: page.clone(),
        }
    }

    /// A parameter, empty when it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// The code.
    #[track_caller]
    pub fn code(&self) -> String {
        let code = self.get("code");
        assert!(!code.is_empty(), "no code: {self:?}");
        code.to_owned()
    }

    /// The error, empty when there is none.
    pub fn error(&self) -> &str {
        self.get("error")
    }
}

//! Pocket Budget by FAPI 2.0, where it has keys instead of a secret: an assertion for each request to
//! the bank (RFC 7523), a signature on what it asks people for (RFC 9101), and a proof beside it and beside each call of the API (RFC 9449).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::jose::{Alg, SigningKey};
use serde_json::{Value, json};

use super::relying_party::{Trouble, broken};
use crate::clock::Clock;
use crate::rng;
use crate::secret::Secret;

/// How long an assertion is good.
const ASSERTION: Duration = Duration::from_mins(1);
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The app's keys.
pub struct Keys {
    client_id: String,
    issuer: String,
    /// Authenticates the app; the public half is registered.
    assertion: SigningKey,
    /// What its tokens are bound to; made here, and gone when the demo stops.
    proof: SigningKey,
    clock: Clock,
}

impl Keys {
    /// For a client of the issuer's.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(
        assertion: SigningKey,
        (issuer, client_id): (&str, &str),
        clock: Clock,
    ) -> Result<Self, String> {
        Ok(Self {
            client_id: client_id.to_owned(),
            issuer: issuer.to_owned(),
            assertion,
            proof: SigningKey::generate(Alg::Es256).map_err(|error| error.to_string())?,
            clock,
        })
    }

    /// POSTs a form to the bank, authenticated and proved; gives what a success says.
    ///
    /// # Errors
    /// [`Trouble::Ended`] for `invalid_grant`.
    pub async fn post(
        &self,
        http: &reqwest::Client,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<Vec<u8>, Trouble> {
        let assertion = self.assertion()?;
        let mut form = form.to_vec();
        form.push(("client_id", &self.client_id));
        form.push(("client_assertion_type", ASSERTION_TYPE));
        form.push(("client_assertion", &assertion));
        let proof = self.proof("POST", url, None)?;
        let request = http.post(url).header("dpop", proof).form(&form);
        let response = request.send().await.map_err(broken)?;
        let status = response.status();
        let body = response.bytes().await.map_err(broken)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        match said["error"].as_str() {
            Some("invalid_grant") => Err(Trouble::Ended),
            _ => Err(broken(format!("the bank answers {status}: {said}"))),
        }
    }

    /// A call with an access token, proved for this one call.
    ///
    /// # Errors
    /// [`Trouble::Broken`].
    pub fn get(
        &self,
        http: &reqwest::Client,
        url: &str,
        token: &Secret,
    ) -> Result<reqwest::RequestBuilder, Trouble> {
        let proof = self.proof("GET", url, Some(token))?;
        let authorization = format!("DPoP {}", token.expose());
        Ok(http
            .get(url)
            .header("authorization", authorization)
            .header("dpop", proof))
    }

    /// An authorization request as a request object (RFC 9101 §4).
    ///
    /// # Errors
    /// [`Trouble::Broken`].
    pub fn signed(&self, request: &[(String, String)]) -> Result<String, Trouble> {
        let now = self.clock.now();
        let mut claims = json!({
            "iss": self.client_id,
            "aud": self.issuer,
            "jti": random_id()?,
            "nbf": now.secs(),
            "exp": now.plus(ASSERTION).secs(),
        });
        for (name, value) in request {
            claims[name] = value.as_str().into();
        }
        let typ = Some("oauth-authz-req+jwt");
        self.assertion.sign(typ, &claims).map_err(broken)
    }

    /// RFC 7523 §3, with the issuer as the only audience (FAPI 2.0 Security Profile §5.3.2.1).
    fn assertion(&self) -> Result<String, Trouble> {
        let now = self.clock.now();
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "jti": random_id()?,
            "iat": now.secs(),
            "exp": now.plus(ASSERTION).secs(),
        });
        self.assertion.sign(None, &claims).map_err(broken)
    }

    /// RFC 9449 §4.2.
    fn proof(&self, method: &str, url: &str, token: Option<&Secret>) -> Result<String, Trouble> {
        let mut claims = json!({
            "jti": random_id()?,
            "htm": method,
            "htu": url,
            "iat": self.clock.now().secs(),
        });
        if let Some(token) = token {
            let hash = digest(&SHA256, token.expose().as_bytes());
            claims["ath"] = URL_SAFE_NO_PAD.encode(hash).into();
        }
        self.proof
            .sign_with_jwk("dpop+jwt", &claims)
            .map_err(broken)
    }
}

fn random_id() -> Result<String, Trouble> {
    let bytes = rng::bytes::<16>().map_err(broken)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

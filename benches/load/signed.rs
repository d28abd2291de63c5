//! Requests by FAPI 2.0. Assertions and proofs are good once, so that each is signed anew, which
//! takes the generator some 35 µs a signature.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::Clock;
use countersign::rng;
use countersign::secret::sha256;
use rules::jose::SigningKey;
use serde_json::{Value, json};

use crate::Failed;
use crate::install::REDIRECT_URI;
use crate::tls;
use crate::wire::Wire;
use crate::work::{Right, form, post};

/// The client of the profile `fapi2`.
pub const CLIENT: &str = "bench-fapi";
/// What the proxy in front of the API holds back.
const URL: &str = "https://api.bank.example/accounts/7";
/// RFC 7523 §2.2, as part of a form.
const ASSERTION: &str = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                         client-assertion-type%3Ajwt-bearer&client_assertion=";

/// A partner with keys in the place of secrets.
pub struct Partner {
    /// What signs its assertions and requests.
    pub key: SigningKey,
    /// What its tokens are bound to.
    pub holder: SigningKey,
    /// Live access tokens that are bound to it.
    pub tokens: Vec<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `POST /par` with a request object, under an assertion.
    Push,
    /// `client_credentials` under an assertion, with a proof.
    Token,
    /// `GET /verify` about a bound token, with a proof.
    Hook,
}

/// One connection's requests.
pub struct Signed {
    what: What,
    host: String,
    partner: Arc<Partner>,
    turn: usize,
}

impl Signed {
    /// What the `n`-th connection asks.
    pub fn new(what: What, host: &str, partner: &Arc<Partner>, n: usize) -> Self {
        Self {
            what,
            host: host.to_owned(),
            partner: Arc::clone(partner),
            turn: n,
        }
    }

    /// Asks once and checks the answer.
    pub async fn once(&mut self, wire: &mut Wire) -> Result<(), Failed> {
        self.turn += 1;
        let (request, status, within) = match self.what {
            What::Push => (self.push()?, 201, "request_uri"),
            What::Token => (self.token()?, 200, "\"DPoP\""),
            What::Hook => (self.hook()?, 200, "x-countersign-client"),
        };
        let answer = wire.ask(&request).await?.expect(status)?;
        Right { status, within }.check(&answer)
    }

    fn issuer(&self) -> String {
        format!("{}://{}", tls::scheme(), self.host)
    }

    fn push(&self) -> Result<Vec<u8>, Failed> {
        let object = self.partner.key.sign(
            Some("oauth-authz-req+jwt"),
            &dated(json!({
                "iss": CLIENT, "aud": self.issuer(), "client_id": CLIENT, "response_type": "code",
                "redirect_uri": REDIRECT_URI, "scope": "openid offline_access accounts:read",
                "state": "af0ifjsldkj-af0ifjsldkj", "nonce": "n-0S6_WzA2Mj-n-0S6_WzA2Mj",
                "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                "code_challenge_method": "S256",
            }))?,
        )?;
        let parts = [ASSERTION, &self.assertion()?, "&request=", &object];
        Ok(form(&post("/par", &self.host, None), &parts))
    }

    fn token(&self) -> Result<Vec<u8>, Failed> {
        let asked = "&grant_type=client_credentials&scope=accounts%3Aread";
        let url = format!("{}/token", self.issuer());
        let proof = self.proof(json!({ "htm": "POST", "htu": url }))?;
        let head = format!("{}dpop: {proof}\r\n", post("/token", &self.host, None));
        Ok(form(&head, &[ASSERTION, &self.assertion()?, asked]))
    }

    fn hook(&self) -> Result<Vec<u8>, Failed> {
        let tokens = &self.partner.tokens;
        let token = tokens
            .get(self.turn % tokens.len().max(1))
            .ok_or("there are no bound tokens")?;
        let hash = URL_SAFE_NO_PAD.encode(sha256(&[token.as_bytes()]));
        let proof = self.proof(json!({ "htm": "GET", "htu": URL, "ath": hash }))?;
        let request = format!(
            "GET /verify HTTP/1.1\r\nhost: {}\r\n\
             x-countersign-resource: https://api.bank.example/accounts\r\n\
             x-countersign-scope: accounts:read\r\nx-original-method: GET\r\n\
             x-original-url: {URL}\r\nauthorization: DPoP {token}\r\ndpop: {proof}\r\n\r\n",
            self.host
        );
        Ok(request.into_bytes())
    }

    fn assertion(&self) -> Result<String, Failed> {
        let claims = json!({ "iss": CLIENT, "sub": CLIENT, "aud": self.issuer() });
        Ok(self.partner.key.sign(None, &dated(claims)?)?)
    }

    fn proof(&self, claims: Value) -> Result<String, Failed> {
        let claims = dated(claims)?;
        Ok(self.partner.holder.sign_with_jwk("dpop+jwt", &claims)?)
    }
}

/// With a name of its own, and good for a minute.
fn dated(mut claims: Value) -> Result<Value, Failed> {
    let now = Clock::system().now().secs();
    claims["jti"] = URL_SAFE_NO_PAD.encode(rng::bytes::<16>()?).into();
    claims["iat"] = now.into();
    claims["nbf"] = now.into();
    claims["exp"] = (now + 60).into();
    Ok(claims)
}

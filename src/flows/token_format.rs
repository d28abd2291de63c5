//! How tokens look. Opaque access tokens are sealed records with a prefix and a checksum, so that
//! scanners recognise a leaked one and garbage is refused without a look anywhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::jose::jwe::{self, Enc, KeyAlg};
use rules::jose::{self, Alg};
use rules::protocol::{AccessRecord, Client, Confirmation, Format};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::app::App;
use crate::fault::Fault;
use crate::secret::{Secret, sha256};
use crate::vault::{Cell, KeyUse};

const ACCESS: &str = "cs_at_";
const REFRESH: &str = "cs_rt_";
const CHECKSUM: usize = 6;
/// `typ` of an access token (RFC 9068 §2.1).
const AT_JWT: &str = "at+jwt";

/// The first byte of an opaque token that says more than its record: no envelope begins with it, so a
/// server that knows nothing of what more there is takes the token for none.
const EXTENDED: u8 = 0;

/// What a token says beside its record.
#[derive(Serialize, Deserialize)]
enum Extra {
    /// What it is bound to.
    Confirmation(Confirmation),
    /// What it allows beyond scopes (RFC 9396), as JSON.
    Details(String),
}

/// Reads a record and what stands beside it.
fn extended(plain: &[u8]) -> Option<AccessRecord> {
    let (mut record, extras): (AccessRecord, Vec<Extra>) = postcard::from_bytes(plain).ok()?;
    for extra in extras {
        match extra {
            Extra::Confirmation(bound) => record.confirmation = Some(bound),
            Extra::Details(text) => record.details = serde_json::from_str(&text).ok()?,
        }
    }
    Some(record)
}

/// Makes an access token.
pub async fn mint_access(
    app: &App,
    record: &AccessRecord,
    format: Format,
) -> Result<Secret, Fault> {
    match format {
        Format::Opaque => {
            let bound = record.confirmation.map(Extra::Confirmation);
            let details = (!record.details.is_empty())
                .then(|| Extra::Details(record.details.to_value().to_string()));
            let extras: Vec<Extra> = bound.into_iter().chain(details).collect();
            let body = if extras.is_empty() {
                let plain = postcard::to_stdvec(record).map_err(internal)?;
                app.vault.seal(KeyUse::Tokens, cell(), &plain)?
            } else {
                let plain = postcard::to_stdvec(&(record, extras)).map_err(internal)?;
                let sealed = app.vault.seal(KeyUse::Tokens, extended_cell(), &plain)?;
                [[EXTENDED].as_slice(), &sealed].concat()
            };
            Ok(Secret::new(dress(ACCESS, &body)))
        }
        Format::Jwt => {
            let mut claims = record.jwt_claims(app.config.issuer.as_str());
            hide_person(app, record, &mut claims)?;
            sign(app, Alg::Es256, Some(AT_JWT), claims).await
        }
    }
}

/// Reads an access token that this server made; `None` for anything else. Whether it still stands
/// is another question.
pub fn read_access(app: &App, token: &str) -> Result<Option<AccessRecord>, Fault> {
    if let Some(sealed) = undress(ACCESS, token) {
        // The checksum fits, yet the seal may not: then it is a forgery.
        if let Some((&EXTENDED, sealed)) = sealed.split_first() {
            let plain = app.vault.open_cell(extended_cell(), sealed).ok();
            return Ok(plain.and_then(|plain| extended(&plain)));
        }
        let Ok(plain) = app.vault.open_cell(cell(), &sealed) else {
            return Ok(None);
        };
        return Ok(postcard::from_bytes(&plain).ok());
    }
    if token.bytes().filter(|b| *b == b'.').count() != 2 {
        return Ok(None);
    }
    let keys = app.keys.now();
    let Ok(mut verified) = jose::verify(token, &[Alg::Es256], keys.published()) else {
        return Ok(None);
    };
    let ours = verified.payload.get("iss").and_then(|iss| iss.as_str())
        == Some(app.config.issuer.as_str());
    if !ours || verified.header.typ.as_deref() != Some(AT_JWT) {
        return Ok(None);
    }
    if find_person(app, &mut verified.payload).is_none() {
        return Ok(None);
    }
    Ok(AccessRecord::from_jwt_claims(&verified.payload))
}

/// The claim of a JWT that says whose account it is about, for this server's own judgement.
const PERSON: &str = "usr";

/// Seals the account's identifier where the client knows the person by another name: whoever reads
/// the token must not learn what other sectors could compare (OpenID Connect Core §8.1).
fn hide_person(
    app: &App,
    record: &AccessRecord,
    claims: &mut Map<String, Value>,
) -> Result<(), Fault> {
    let Some(user) = record
        .user
        .filter(|user| user.to_string() != record.subject)
    else {
        return Ok(());
    };
    let sealed = app
        .vault
        .seal(KeyUse::Tokens, person_cell(), user.as_bytes())?;
    claims.insert(PERSON.to_owned(), URL_SAFE_NO_PAD.encode(sealed).into());
    Ok(())
}

/// Puts a sealed identifier back; `None` when it does not open.
fn find_person(app: &App, claims: &mut Map<String, Value>) -> Option<()> {
    let Some(text) = claims.get(PERSON).and_then(Value::as_str) else {
        return Some(());
    };
    if Uuid::try_parse(text).is_err() {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = app.vault.open_cell(person_cell(), &sealed).ok()?;
        let user = Uuid::from_slice(&plain).ok()?;
        claims.insert(PERSON.to_owned(), user.to_string().into());
    }
    Some(())
}

fn person_cell() -> Cell<'static> {
    Cell::new("tokens", "person", b"")
}

/// Signs claims; RSA, which is slow, on threads of its own.
pub async fn sign(
    app: &App,
    alg: Alg,
    typ: Option<&'static str>,
    claims: Map<String, Value>,
) -> Result<Secret, Fault> {
    let key = app.keys.now().signer(alg)?;
    let signing = move || {
        key.sign(typ, &claims)
            .map(Secret::new)
            .map_err(|error| Fault::Signing(error.to_string()))
    };
    match alg {
        Alg::Rs256 | Alg::Ps256 => Box::pin(app.signers.run_patiently(signing)).await?,
        Alg::Es256 | Alg::EdDsa => signing(),
    }
}

/// What was signed, encrypted to its client when that is registered (OpenID Connect Core §10.2).
///
/// # Errors
/// [`Fault::Internal`] when no registered key fits.
pub fn encrypt(
    client: &Client,
    encryption: Option<(KeyAlg, Enc)>,
    signed: Secret,
) -> Result<Secret, Fault> {
    // RFC 7519 §5.2: what is inside is a JWT.
    match encryption {
        Some(how) => seal(client, how, (signed.expose().as_bytes(), Some("JWT"))),
        None => Ok(signed),
    }
}

/// Encrypts to the client's key; with what is inside goes what it is.
///
/// # Errors
/// As [`encrypt`].
pub fn seal(
    client: &Client,
    (alg, enc): (KeyAlg, Enc),
    (contents, cty): (&[u8], Option<&str>),
) -> Result<Secret, Fault> {
    let key = client.metadata.encryption_key(alg).ok_or(jwe::EncryptError);
    key.and_then(|key| jwe::encrypt(contents, key, alg, enc, cty))
        .map(Secret::new)
        .map_err(|error| Fault::Internal(error.to_string()))
}

/// A refresh token, taken apart: `family ‖ generation ‖ HMAC(family secret, generation)`.
pub struct RefreshToken {
    /// The family.
    pub family: Uuid,
    /// Which of the family's tokens it claims to be.
    pub generation: i64,
    tag: [u8; 32],
}

impl RefreshToken {
    /// Makes the token of a generation.
    #[must_use]
    pub fn mint(family: Uuid, generation: i64, secret: &[u8]) -> Secret {
        let tag = tag(family, generation, secret);
        let body = [
            family.as_bytes().as_slice(),
            &generation.to_be_bytes(),
            &tag,
        ]
        .concat();
        Secret::new(dress(REFRESH, &body))
    }

    /// Takes apart what was presented; `None` when it cannot be one.
    #[must_use]
    pub fn parse(presented: &str) -> Option<Self> {
        let body = undress(REFRESH, presented)?;
        let (family, rest) = body.split_first_chunk::<16>()?;
        let (generation, tag) = rest.split_first_chunk::<8>()?;
        Some(Self {
            family: Uuid::from_bytes(*family),
            generation: i64::from_be_bytes(*generation),
            tag: tag.try_into().ok()?,
        })
    }

    /// Whether it was made with the family's secret.
    #[must_use]
    pub fn is_authentic(&self, secret: &[u8]) -> bool {
        tag(self.family, self.generation, secret)
            .ct_eq(&self.tag)
            .into()
    }
}

fn tag(family: Uuid, generation: i64, secret: &[u8]) -> [u8; 32] {
    use aws_lc_rs::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(b"countersign/refresh\0");
    context.update(family.as_bytes());
    context.update(&generation.to_be_bytes());
    let mut tag = [0; 32];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// `prefix ‖ base64url(body) ‖ checksum`, the checksum being the first six characters of the
/// base64url SHA-256 of what stands before it.
fn dress(prefix: &str, body: &[u8]) -> String {
    let mut text = prefix.to_owned();
    URL_SAFE_NO_PAD.encode_string(body, &mut text);
    let sum = checksum(&text);
    text.push_str(&sum);
    text
}

fn undress(prefix: &str, token: &str) -> Option<Vec<u8>> {
    let at = token.len().checked_sub(CHECKSUM)?;
    let (text, sum) = token.split_at_checked(at)?;
    let body = text.strip_prefix(prefix)?;
    if checksum(text) != sum {
        return None;
    }
    URL_SAFE_NO_PAD.decode(body).ok()
}

fn checksum(text: &str) -> String {
    let mut sum = URL_SAFE_NO_PAD.encode(sha256(&[text.as_bytes()]));
    sum.truncate(CHECKSUM);
    sum
}

fn cell() -> Cell<'static> {
    Cell::new("tokens", "access", b"")
}

fn extended_cell() -> Cell<'static> {
    Cell::new("tokens", "extended", b"")
}

fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_survives_the_journey_and_no_change() {
        let family = Uuid::from_u128(7);
        let token = RefreshToken::mint(family, 3, b"secret");
        let parsed = RefreshToken::parse(token.expose()).unwrap();
        assert_eq!((parsed.family, parsed.generation), (family, 3));
        assert!(parsed.is_authentic(b"secret"));
        assert!(!parsed.is_authentic(b"another"));
        for i in 0..token.expose().len() {
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(RefreshToken::parse(&changed).is_none(), "character {i}");
        }
    }

    #[test]
    fn garbage_is_no_token() {
        for garbage in ["", "cs_rt_", "cs_at_AAAAAA", "é", "cs_rt_ééééé"] {
            assert!(RefreshToken::parse(garbage).is_none());
            assert!(undress(ACCESS, garbage).is_none());
        }
    }
}

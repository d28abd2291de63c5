//! The one place where codes, sessions and tokens are made. Each is made only with an
//! [`Admission`], and an admission only after account, client and assurance were checked.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rules::identity::{Acr, Assurance, Policy, Proof};
use rules::jose::half_hash;
use rules::jose::jwe::{self, Enc};
use rules::protocol::claims_request::{self, ClaimsRequest};
use rules::protocol::redeem::CodeBinding;
use rules::protocol::refresh::Family;
use rules::protocol::target::Target;
use rules::protocol::{
    AccessRecord, Client, Confirmation, Details, Format, GrantType, OAuthError, acr,
};
use rules::time::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Failure;
use super::token_format::{RefreshToken, mint_access, sign};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::registry::Registered;
use crate::rng;
use crate::secret::{Purpose, Secret, Token};
use crate::store::authorizations::{Authorization, OnBehalf};
use crate::store::grants::Grant;
use crate::store::sessions::{self, Session, Written};
use crate::store::{Tx, authorizations, codes, refresh, users};
use crate::vault::PersonKeys;

/// What every person must reach, whatever is configured.
const REQUIRED: Acr = Acr::TwoFactor;

/// The proof that the checks were made; only this module makes one.
pub struct Admission {
    assurance: Assurance,
}

impl Admission {
    /// What the person proved.
    #[must_use]
    pub const fn assurance(&self) -> &Assurance {
        &self.assurance
    }
}

/// Admits a person who signs in now: her account is usable, and she proved two factors.
pub async fn admit(
    tx: &mut Tx,
    user: Uuid,
    proofs: &[Proof],
    policy: Policy,
) -> Result<Option<Admission>, Fault> {
    if !users::is_active(tx, user).await? {
        return Ok(None);
    }
    let assurance = Assurance::reaching(REQUIRED, proofs, policy);
    Ok(assurance.map(|assurance| Admission { assurance }))
}

/// Admits the person of a session, which must still stand when this transaction commits.
/// What she proved must reach `required`, too, when a client asks for it (OpenID Connect Core
/// §5.5.1.1).
pub async fn admit_session(
    tx: &mut Tx,
    session: &Session,
    required: Option<Acr>,
    policy: Policy,
) -> Result<Option<Admission>, Fault> {
    if !sessions::hold(tx, session.id).await? || !users::is_active(tx, session.user_id).await? {
        return Ok(None);
    }
    let required = required.map_or(REQUIRED, |asked| asked.max(REQUIRED));
    let assurance = Assurance::reaching(required, &session.proofs, policy);
    Ok(assurance.map(|assurance| Admission { assurance }))
}

/// Who signed in, how, and with what.
#[derive(Clone, Copy)]
pub struct SignedInBy<'a> {
    /// Who.
    pub user: Uuid,
    /// Her keys.
    pub keys: &'a PersonKeys,
    /// What she proved.
    pub proofs: &'a [Proof],
    /// The `User-Agent` of her browser.
    pub agent: &'a str,
    /// The network address of it.
    pub address: Option<IpAddr>,
}

impl<'a> SignedInBy<'a> {
    fn writes(&self, id: Uuid, token: &Token) -> Written<'a> {
        Written {
            id,
            token: token.hash(),
            user_id: self.user,
            proofs: self.proofs,
            agent: self.agent,
            address: self.address,
        }
    }
}

/// Begins a session under a new identifier and a new cookie.
pub async fn session(
    tx: &mut Tx,
    _: &Admission,
    by: SignedInBy<'_>,
    now: Timestamp,
) -> Result<(Uuid, Token), Fault> {
    let token = Token::generate(Purpose::Session)?;
    let id = rng::uuid(now)?;
    sessions::insert(tx, &by.writes(id, &token), by.keys, now).await?;
    Ok((id, token))
}

/// Lets a session go on with new proofs, under a new cookie.
pub async fn renewed_session(
    tx: &mut Tx,
    _: &Admission,
    id: Uuid,
    by: SignedInBy<'_>,
    now: Timestamp,
) -> Result<(Uuid, Token), Fault> {
    let token = Token::generate(Purpose::Session)?;
    sessions::renew(tx, &by.writes(id, &token), by.keys, now).await?;
    Ok((id, token))
}

/// Lets a session go on with one proof more, under a new cookie; its limits stay.
pub async fn stepped_session(
    tx: &mut Tx,
    _: &Admission,
    id: Uuid,
    proofs: &[Proof],
) -> Result<Token, Fault> {
    let token = Token::generate(Purpose::Session)?;
    sessions::step_up(tx, id, token.hash(), proofs).await?;
    Ok(token)
}

/// What a code is issued for.
pub struct CodeFor<'a> {
    /// The client.
    pub client_id: &'a str,
    /// The session in which it was asked for.
    pub session: &'a Session,
    /// The grant that it rests on, locked.
    pub grant: &'a Grant,
    /// What of the grant it gives.
    pub target: Target,
    /// What is told claim by claim.
    pub claims: ClaimsRequest,
    /// What it gives beyond scopes.
    pub details: Details,
    /// What the code is bound to.
    pub binding: CodeBinding,
    /// How long a consent holds.
    pub lifetime: Duration,
}

/// Makes the authorization and issues its code.
pub async fn code(
    tx: &mut Tx,
    admission: &Admission,
    asked: CodeFor<'_>,
    now: Timestamp,
) -> Result<(Token, Authorization), Fault> {
    let assurance = &admission.assurance;
    // Like its session, it counts after whatever made void what was before.
    let void = tx.void_until(asked.grant.id);
    let counts_from = void.map_or(now, |until| until.plus(Duration::from_millis(1)));
    let created_at = now.max(asked.session.created_at).max(counts_from);
    let authorization = Authorization {
        id: rng::uuid(now)?,
        client_id: asked.client_id.to_owned(),
        person: Some(OnBehalf {
            user_id: asked.session.user_id,
            grant_id: asked.grant.id,
            session_id: asked.session.id,
            offline: asked.target.scopes.contains("offline_access"),
            acr: assurance.acr.as_str().to_owned(),
            amr: assurance.amr.join(" "),
            auth_time: assurance.auth_time,
        }),
        target: asked.target,
        claims: asked.claims,
        details: asked.details,
        created_at,
        expires_at: asked.grant.consented_at.plus(asked.lifetime),
        revoked: false,
    };
    authorizations::insert(tx, &authorization, created_at).await?;
    let token = Token::generate(Purpose::Code)?;
    let code = codes::Code {
        authorization_id: authorization.id,
        client_id: asked.client_id.to_owned(),
        binding: asked.binding,
        expires_at: now.plus(Lifetimes::CODE),
        used: false,
    };
    codes::insert(tx, token.hash(), &code, now).await?;
    Ok((token, authorization))
}

/// Begins a family of refresh tokens, when the client may have one.
pub async fn refresh_family(
    tx: &mut Tx,
    client: &Client,
    authorization: &Authorization,
    confirmation: Option<Confirmation>,
    now: Timestamp,
) -> Result<Option<Secret>, Fault> {
    if !client.may(GrantType::RefreshToken) {
        return Ok(None);
    }
    let secret = zeroize::Zeroizing::new(rng::bytes::<32>()?);
    let id = rng::uuid(now)?;
    // RFC 9449 §5: what binds the refresh tokens of a public client is its key, and nothing rotates;
    // those of a client that authenticates are bound to the client, whose keys may change.
    let confirmation = confirmation.filter(|_| !client.is_confidential());
    let family = Family {
        generation: 0,
        rotated_at: None,
        expires_at: authorization.expires_at,
        rotates: !client.is_confidential() && confirmation.is_none(),
        confirmation,
    };
    refresh::insert(tx, id, authorization.id, &family, secret.as_slice()).await?;
    Ok(Some(RefreshToken::mint(id, 0, secret.as_slice())))
}

/// Whether an authorization may still give tokens to its client: neither it nor anything behind it
/// was revoked, and the client was not disabled since.
#[must_use]
pub fn is_valid(client: &Client, authorization: &Authorization) -> bool {
    let void = client
        .valid_from
        .is_some_and(|from| authorization.created_at <= from);
    !authorization.revoked && !void
}

/// Makes sure that tokens decided on at `at` would not be void as they are made. What was decided on
/// while scopes were taken back may still have them.
///
/// # Errors
/// [`Fault::Busy`], for a few seconds.
pub fn check_epoch(tx: &Tx, authorization: &Authorization, at: Timestamp) -> Result<(), Fault> {
    let person = authorization.person.as_ref();
    let void = person.and_then(|person| tx.void_until(person.grant_id));
    if void.is_some_and(|until| issued_at(authorization, at) <= until) {
        return Err(Fault::Busy("scopes were taken back a moment ago"));
    }
    Ok(())
}

/// From when on tokens count.
fn issued_at(authorization: &Authorization, at: Timestamp) -> Timestamp {
    at.max(authorization.created_at)
}

/// What tokens are minted from, after everything was committed.
pub struct Issuance {
    /// For whom.
    pub client: Arc<Client>,
    /// When it was decided: what is revoked after that voids the tokens, however late they are made.
    pub at: Timestamp,
    /// What they point to.
    pub authorization: Authorization,
    /// What of it they carry.
    pub target: Target,
    /// What they carry beyond scopes.
    pub details: Details,
    /// The refresh token to hand out.
    pub refresh_token: Option<Secret>,
    /// Whether an ID token goes along.
    pub id_token: bool,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// What the access token is bound to.
    pub confirmation: Option<Confirmation>,
}

/// The tokens, as they leave (RFC 6749 §5.1).
pub async fn mint(app: &App, issuance: Issuance) -> Result<Value, Failure> {
    let Issuance {
        client,
        at,
        authorization,
        target,
        details,
        refresh_token,
        id_token: with_id_token,
        nonce,
        confirmation,
    } = issuance;
    let (format, lifetime) = manner(&app.registry.now(), &target)?
        .unwrap_or((Format::Opaque, app.config.lifetimes.access_token));
    let expires_at = at.plus(lifetime).min(authorization.expires_at);
    let person = authorization.person.as_ref();
    let record = AccessRecord {
        id: rng::uuid(at)?,
        authorization: authorization.id,
        grant: person.map(|p| p.grant_id),
        user: person.map(|p| p.user_id),
        subject: subject(app, &client, person),
        client_id: client.id.clone(),
        resources: audience(app, &target),
        scopes: target.scopes.clone(),
        issued_at: issued_at(&authorization, at),
        expires_at,
        acr: person.map(|p| p.acr.clone()),
        auth_time: person.map(|p| p.auth_time),
        confirmation,
        details,
    };
    let access = mint_access(app, &record, format).await?;
    let mut answer = json!({
        "access_token": access.expose(),
        "token_type": record.token_type().as_str(),
        "expires_in": expires_at.since(at).as_secs(),
        "scope": target.scopes.to_string(),
    });
    if !record.details.is_empty() {
        // RFC 9396 §7
        answer["authorization_details"] = record.details.to_value();
    }
    if let Some(refresh) = refresh_token {
        answer["refresh_token"] = refresh.expose().into();
    }
    if let Some(person) = person.filter(|_| with_id_token) {
        let alg = client.id_token_signed_response_alg;
        let asked = authorization.claims.left_to(&client);
        let mut claims = Box::pin(about_her(app, person, &asked)).await?;
        let own = IdToken {
            client: &client,
            record: &record,
            person,
            at,
            at_hash: half_hash(alg, access.expose()),
            nonce,
        };
        claims.extend(own.claims(app));
        let signed = Box::pin(sign(app, alg, None, claims)).await?;
        answer["id_token"] = as_registered(&client, signed)?.expose().into();
    }
    Ok(answer)
}

/// An ID token as its client registered for it: signed, and then perhaps encrypted (OpenID Connect
/// Core §10.2).
fn as_registered(client: &Client, signed: Secret) -> Result<Secret, Fault> {
    let Some(alg) = client.metadata.id_token_encrypted_response_alg else {
        return Ok(signed);
    };
    let enc = client.metadata.id_token_encrypted_response_enc;
    let key = client.metadata.encryption_key(alg).ok_or(jwe::EncryptError);
    // RFC 7519 §5.2: what is inside is a JWT.
    key.and_then(|key| {
        let text = signed.expose().as_bytes();
        jwe::encrypt(text, key, alg, enc.unwrap_or(Enc::A256Gcm), Some("JWT"))
    })
    .map(Secret::new)
    .map_err(|error| Fault::Internal(error.to_string()))
}

/// `sub`: the person as this client knows her, or the client itself.
fn subject(app: &App, client: &Client, person: Option<&OnBehalf>) -> String {
    person.map_or_else(
        || client.id.clone(),
        |person| app.subject(client, person.user_id),
    )
}

/// What the ID token tells about the person: only what was asked for there, claim by claim. With a
/// code, what the scopes ask for is told at userinfo (OpenID Connect Core §5.4).
async fn about_her(
    app: &App,
    person: &OnBehalf,
    asked: &ClaimsRequest,
) -> Result<Map<String, Value>, Fault> {
    if asked.id_token.is_empty() {
        return Ok(Map::new());
    }
    let id = person.user_id;
    let found = app
        .store
        .read(move |tx| Box::pin(users::find(tx, id)))
        .await?;
    Ok(found
        .map(|user| claims_request::told(&user.profile.claims, &asked.id_token))
        .unwrap_or_default())
}

/// What an ID token says beside what it tells about the person.
struct IdToken<'a> {
    client: &'a Client,
    record: &'a AccessRecord,
    person: &'a OnBehalf,
    at: Timestamp,
    at_hash: String,
    nonce: Option<String>,
}

impl IdToken<'_> {
    /// Its claims (OpenID Connect Core §2).
    fn claims(self, app: &App) -> Map<String, Value> {
        let (person, now) = (self.person, self.at);
        let amr: Vec<&str> = person.amr.split(' ').collect();
        let claims = json!({
            "iss": app.config.issuer.as_str(),
            "sub": self.record.subject,
            "aud": self.record.client_id,
            "iat": now.secs(),
            "exp": now.plus(app.config.lifetimes.id_token).secs(),
            "auth_time": person.auth_time.secs(),
            "acr": person.acr,
            "amr": amr,
            "sid": app.sid(self.client, person.session_id),
            "at_hash": self.at_hash,
        });
        let mut claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        claims
    }
}

/// The APIs a token is good for, and this server itself when userinfo may be asked.
fn audience(app: &App, target: &Target) -> Vec<String> {
    let mut audience = target.resources.clone();
    if audience.is_empty() || target.scopes.contains("openid") {
        audience.push(app.config.issuer.as_str().to_owned());
    }
    audience
}

/// How a token for these resources looks and how long it lives: the shortest of their lifetimes.
fn manner(
    registered: &Registered,
    target: &Target,
) -> Result<Option<(Format, Duration)>, OAuthError> {
    let resources: Vec<_> = target
        .resources
        .iter()
        .filter_map(|uri| registered.resource(uri))
        .collect();
    let Some(first) = resources.first() else {
        return Ok(None);
    };
    if resources
        .iter()
        .any(|one| one.token_format != first.token_format)
    {
        return Err(OAuthError::new(
            rules::protocol::ErrorCode::InvalidTarget,
            "these resources take different kinds of tokens; ask for one at a time with resource",
        ));
    }
    let seconds = resources.iter().map(|one| one.access_token_lifetime).min();
    let seconds = seconds.unwrap_or(first.access_token_lifetime);
    Ok(Some((
        first.token_format,
        Duration::from_secs(seconds.into()),
    )))
}

/// Refuses what the institution requires more for today than the person proved when it was issued.
pub fn check_assurance(
    app: &App,
    client: &Client,
    authorization: &Authorization,
    target: &Target,
) -> Result<(), OAuthError> {
    let Some(person) = &authorization.person else {
        return Ok(());
    };
    let required = acr::required(client, target, app.registry.now().resources());
    let policy = app.config.passkeys.policy;
    let reached = Acr::parse(&person.acr).map(|acr| policy.today(acr, &person.amr));
    if reached.is_some_and(|reached| reached.satisfies(required)) {
        return Ok(());
    }
    let description = format!(
        "the person must prove more than she did: send her to the authorization endpoint with \
         acr_values={}",
        required.as_str()
    );
    Err(OAuthError::invalid_grant(description))
}

/// What of the details of an authorization a token carries: those that are asked for (RFC 9396 §6.1),
/// that the client may still use, and that are for the APIs of the token.
///
/// # Errors
/// `invalid_authorization_details` for more than was granted.
pub fn narrowed_details(
    app: &App,
    client: &Client,
    authorization: &Authorization,
    (asked, target): (Option<&str>, &Target),
) -> Result<Details, OAuthError> {
    let narrowed = authorization.details.narrow(asked)?;
    let types = app.config.details.as_ref();
    Ok(narrowed.left_to(client).good_for(&target.resources, types))
}

/// Refuses early what [`mint`] could not make, before anything one-time is spent.
pub fn check_manner(registered: &Registered, target: &Target) -> Result<(), OAuthError> {
    manner(registered, target).map(drop)
}

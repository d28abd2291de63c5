//! The one place where codes, sessions and tokens are made. Each is made only with an
//! [`Admission`], and an admission only after account, client and assurance were checked.
//! `check.rs` says what must hold before a token is made, `mint.rs` makes it.

mod check;
mod mint;

use std::net::IpAddr;
use std::time::Duration;

use rules::identity::{Acr, Assurance, Policy, Proof};
use rules::protocol::claims_request::ClaimsRequest;
use rules::protocol::redeem::CodeBinding;
use rules::protocol::refresh::Family;
use rules::protocol::target::Target;
use rules::protocol::{Client, Confirmation, Details, GrantType};
use rules::time::Timestamp;
use uuid::Uuid;

use super::token_format::RefreshToken;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, Token};
use crate::store::authorizations::{Authorization, OnBehalf};
use crate::store::grants::Grant;
use crate::store::sessions::{self, Session, Written};
use crate::store::{Tx, authorizations, codes, refresh, users};
use crate::vault::PersonKeys;

pub use check::{
    Less, check_assurance, check_epoch, check_manner, check_signers, is_valid, narrowed,
};
pub use mint::{Issuance, mint};

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

//! `refresh_token` (RFC 6749 §6, RFC 9700 §4.14).

use std::sync::Arc;

use rules::audit::Kind;
use rules::protocol::refresh::{Family, Judgement, judge};
use rules::protocol::{Client, Confirmation, OAuthError, Possession, Scopes};
use serde_json::Value;

use super::issue::{self, Issuance, Less};
use super::token_format::RefreshToken;
use super::{Caller, Failure, Requester, about};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::Secret;
use crate::store::authorizations::Authorization;
use crate::store::refresh::Standing;
use crate::store::{Tx, authorizations, refresh as families, sessions};

/// What the client presented.
pub struct Refresh {
    /// `refresh_token`.
    pub token: String,
    /// `scope`: no more than was granted.
    pub scopes: Option<Scopes>,
    /// `resource`.
    pub resources: Vec<String>,
    /// `authorization_details`: no more than was granted.
    pub details: Option<String>,
}

/// Exchanges a refresh token for new tokens.
pub async fn refresh(
    app: &Arc<App>,
    requester: Requester,
    presented: Refresh,
) -> Result<Value, Failure> {
    let client = Arc::clone(&requester.client);
    let Some(token) = RefreshToken::parse(&presented.token) else {
        return Err(counted(app, &client, unknown().detail("not one of ours")).into());
    };
    let refreshing = Refreshing {
        app: Arc::clone(app),
        client: requester.client,
        possession: requester.possession,
        caller: requester.caller,
        presented,
        token,
    };
    let outcome = app
        .store
        .write(move |tx| Box::pin(async move { refreshing.run(tx).await }))
        .await?;
    match outcome {
        Ok(issuance) => issue::mint(app, issuance).await,
        Err(error) => Err(counted(app, &client, error).into()),
    }
}

/// The one answer for a token that is nobody's, so that tokens cannot be told apart.
fn unknown() -> OAuthError {
    OAuthError::invalid_grant(
        "the refresh token is unknown, expired, revoked or was issued to another client; send the \
         person to the authorization endpoint again",
    )
    .about("refresh-token")
}

fn counted(app: &App, client: &Client, error: OAuthError) -> OAuthError {
    app.refusals
        .count(Kind::TokenRefused, Some(&client.id), error.code.as_str());
    error
}

struct Refreshing {
    app: Arc<App>,
    client: Arc<Client>,
    possession: Possession,
    caller: Caller,
    presented: Refresh,
    token: RefreshToken,
}

impl Refreshing {
    async fn run(self, tx: &mut Tx) -> Result<Result<Issuance, OAuthError>, Fault> {
        // Load
        let Some(standing) = families::find(tx, self.token.family).await? else {
            return Ok(Err(unknown().detail("no such family")));
        };
        // Decide: whose it is comes before any consequence.
        if let Err(error) = self.check(tx, &standing).await? {
            return Ok(Err(error));
        }
        let authorization = standing.authorization;
        let now = self.app.clock.now();
        if judge(&standing.family, self.token.generation, now) == Judgement::Reused {
            return self.reused(tx, &authorization).await.map(Err);
        }
        let registered = self.app.registry.now();
        let less = Less {
            scopes: self.presented.scopes.as_ref(),
            resources: &self.presented.resources,
            details: self.presented.details.as_deref(),
        };
        let narrowed = issue::narrowed(&self.app, &self.client, &authorization, &less);
        let (target, details) = match narrowed {
            Ok(narrowed) => narrowed,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = issue::check_manner(&registered, &target) {
            return Ok(Err(error));
        }
        if let Err(error) = issue::check_assurance(&self.app, &self.client, &authorization, &target)
        {
            return Ok(Err(error));
        }
        let confirmation = match self.client.bind(self.possession) {
            Ok(confirmation) => confirmation,
            Err(error) => return Ok(Err(error)),
        };
        let granted = authorization.target.left_to(&self.client);
        let asked = self.presented.scopes.as_ref();
        let id_token = asked.unwrap_or(&granted.scopes).contains("openid");
        issue::check_signers(&self.app, &self.client, (&target, id_token))?;
        // Save
        issue::check_epoch(tx, &authorization, now)?;
        let Some(generation) = self.next_generation(tx, &standing.family).await? else {
            return self.reused(tx, &authorization).await.map(Err);
        };
        let event = self
            .event(Kind::TokenRefreshed)?
            .with("scope", target.scopes.to_string());
        tx.record(
            self.app
                .pending(about(event, &authorization), &self.caller, None)?,
        );
        let secret = &standing.secret;
        let refresh_token: Secret = RefreshToken::mint(self.token.family, generation, secret);
        Ok(Ok(Issuance {
            client: self.client,
            at: now,
            id_token,
            authorization,
            target,
            details,
            refresh_token: Some(refresh_token),
            nonce: None,
            confirmation,
        }))
    }

    /// Somebody holds a token that was replaced: everything of its authorization ends.
    async fn reused(
        &self,
        tx: &mut Tx,
        authorization: &Authorization,
    ) -> Result<OAuthError, Fault> {
        authorizations::revoke(tx, authorization.id, self.app.clock.now()).await?;
        let event = self.event(Kind::RefreshReused)?.refused("reused");
        let event = about(event, authorization);
        tx.record(self.app.pending(event, &self.caller, None)?);
        Ok(unknown().detail("reused"))
    }

    /// The generation to hand out; none when the token was replaced before.
    async fn next_generation(&self, tx: &mut Tx, family: &Family) -> Result<Option<i64>, Fault> {
        let now = self.app.clock.now();
        let presented = self.token.generation;
        match judge(family, presented, now) {
            Judgement::Keep => Ok(Some(presented)),
            Judgement::Repeat => Ok(Some(presented + 1)),
            Judgement::Rotate
                if families::rotate(tx, self.token.family, presented, now).await? =>
            {
                Ok(Some(presented + 1))
            }
            Judgement::Rotate => {
                // Another request was faster; what this one means depends on how far it went.
                let family = families::find(tx, self.token.family)
                    .await?
                    .map(|now| now.family);
                let judged = family.map(|family| judge(&family, presented, now));
                Ok((judged == Some(Judgement::Repeat)).then_some(presented + 1))
            }
            Judgement::Reused | Judgement::Expired => Ok(None),
        }
    }

    async fn check(
        &self,
        tx: &mut Tx,
        standing: &Standing,
    ) -> Result<Result<(), OAuthError>, Fault> {
        let authorization = &standing.authorization;
        let now = self.app.clock.now();
        if !self.token.is_authentic(&standing.secret) {
            return Ok(Err(unknown().detail("forged")));
        }
        // RFC 6749 §6: the token was issued to this client.
        if authorization.client_id != self.client.id {
            return Ok(Err(unknown().detail("issued to another client")));
        }
        // RFC 9449 §5, RFC 8705 §4: a stolen one is of no use without its key or certificate.
        let bound = standing.family.confirmation;
        if let Some(bound) = bound.filter(|bound| !self.possession.confirms(bound)) {
            let why = match bound {
                Confirmation::Jkt(_) => {
                    "the refresh token is bound to the key that it was issued with; send a DPoP \
                     proof made with that key"
                }
                Confirmation::X5tS256(_) => {
                    "the refresh token is bound to the certificate that it was issued with; connect \
                     with it, at the addresses in mtls_endpoint_aliases"
                }
            };
            return Ok(Err(
                OAuthError::invalid_grant(why).about("refresh-token-key")
            ));
        }
        let expired = judge(&standing.family, self.token.generation, now) == Judgement::Expired;
        if !issue::is_valid(&self.client, authorization) || !standing.stands || expired {
            return Ok(Err(unknown().detail("revoked or expired")));
        }
        match &authorization.person {
            Some(person) if !person.offline => {
                let Some(session) = sessions::by_id(tx, person.session_id).await? else {
                    return Ok(Err(unknown().detail("its session is over")));
                };
                // The person need not be there while her app works: only the absolute limit counts.
                if now.since(session.created_at) >= self.app.config.people.session_absolute {
                    return Ok(Err(unknown().detail("its session is over")));
                }
                Ok(Ok(()))
            }
            Some(_) => Ok(Ok(())),
            None => Ok(Err(unknown().detail("nobody is behind it"))),
        }
    }

    fn event(&self, kind: Kind) -> Result<rules::audit::Event, Fault> {
        self.app.event_by_client(kind, &self.client, &self.caller)
    }
}

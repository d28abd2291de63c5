//! `authorization_code` (RFC 6749 §4.1.3).

use std::sync::Arc;

use rules::audit::Kind;
use rules::protocol::redeem::{self, CodeState, Presented, Redemption, unknown_code};
use rules::protocol::{Client, OAuthError, Possession};
use serde_json::Value;

use super::issue::{self, Issuance, Less};
use super::{Caller, Failure, Requester, about};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::{Purpose, TokenHash};
use crate::store::authorizations::Authorization;
use crate::store::codes::Code;
use crate::store::{Tx, authorizations, codes, users};

/// What the client presented.
pub struct Redeem {
    /// `code`.
    pub code: String,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `code_verifier`.
    pub verifier: Option<String>,
    /// `resource`.
    pub resources: Vec<String>,
    /// `authorization_details`: no more than was granted.
    pub details: Option<String>,
}

/// Redeems a code for tokens.
pub async fn redeem_code(
    app: &Arc<App>,
    requester: Requester,
    presented: Redeem,
) -> Result<Value, Failure> {
    let hash = TokenHash::of(Purpose::Code, &presented.code);
    let client = Arc::clone(&requester.client);
    let redeeming = Redeeming {
        app: Arc::clone(app),
        client: requester.client,
        possession: requester.possession,
        caller: requester.caller,
        presented,
        hash,
    };
    let outcome = app
        .store
        .write(move |tx| Box::pin(async move { redeeming.run(tx).await }))
        .await?;
    match outcome {
        Ok(issuance) => issue::mint(app, issuance).await,
        Err(error) => {
            app.refusals
                .count(Kind::TokenRefused, Some(&client.id), error.code.as_str());
            Err(error.into())
        }
    }
}

struct Redeeming {
    app: Arc<App>,
    client: Arc<Client>,
    possession: Possession,
    caller: Caller,
    presented: Redeem,
    hash: TokenHash,
}

impl Redeeming {
    async fn run(self, tx: &mut Tx) -> Result<Result<Issuance, OAuthError>, Fault> {
        // Load
        let Some(code) = codes::find(tx, self.hash).await? else {
            return Ok(Err(unknown_code().detail("unknown")));
        };
        let Some(authorization) = authorizations::find(tx, code.authorization_id).await? else {
            return Ok(Err(unknown_code().detail("its authorization is gone")));
        };
        // Decide
        match self.decide(&code) {
            Redemption::Granted => {}
            Redemption::Refused(error) => return Ok(Err(error)),
            Redemption::Replayed(error) => {
                self.replayed(tx, &authorization).await?;
                return Ok(Err(error));
            }
        }
        // A redirect URI that was taken from the client since may be one that leaks codes.
        if !self.client.may_return_to(&code.binding.redirect_uri) {
            return Ok(Err(unknown_code().detail("its redirect URI was removed")));
        }
        if !self.stands(tx, &authorization).await? {
            return Ok(Err(
                unknown_code().detail("revoked, or the account is disabled")
            ));
        }
        let registered = self.app.registry.now();
        let less = Less {
            scopes: None,
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
        let id_token = granted.scopes.contains("openid");
        issue::check_signers(&self.app, &self.client, (&target, id_token))?;
        // Save
        let now = self.app.clock.now();
        issue::check_epoch(tx, &authorization, now)?;
        if !codes::consume(tx, self.hash, now).await? {
            // Another request with the same code was faster: the same as a replay.
            self.replayed(tx, &authorization).await?;
            return Ok(Err(unknown_code().detail("redeemed at the same moment")));
        }
        let refresh_token =
            issue::refresh_family(tx, &self.client, &authorization, confirmation, now).await?;
        let event = self
            .app
            .event_by_client(Kind::TokenIssued, &self.client, &self.caller)?
            .with("grant_type", "authorization_code")
            .with("scope", target.scopes.to_string());
        let event = about(event, &authorization);
        tx.record(self.app.pending(event, &self.caller, None)?);
        Ok(Ok(Issuance {
            client: self.client,
            at: now,
            id_token,
            authorization,
            target,
            details,
            refresh_token,
            nonce: code.binding.nonce,
            confirmation,
        }))
    }

    fn decide(&self, code: &Code) -> Redemption {
        let state = CodeState {
            client_id: &code.client_id,
            binding: &code.binding,
            expires_at: code.expires_at,
            used: code.used,
        };
        let presented = Presented {
            client_id: &self.client.id,
            redirect_uri: self.presented.redirect_uri.as_deref(),
            verifier: self.presented.verifier.as_deref(),
            possession: self.possession,
        };
        redeem::redeem(&state, presented, self.app.clock.now())
    }

    /// RFC 6749 §4.1.2: what a replayed code gave is revoked.
    async fn replayed(&self, tx: &mut Tx, authorization: &Authorization) -> Result<(), Fault> {
        if !authorizations::revoke(tx, authorization.id, self.app.clock.now()).await? {
            // Known already; replaying on and on writes nothing more.
            let client = Some(self.client.id.as_str());
            self.app
                .refusals
                .count(Kind::CodeReplayed, client, "replayed_again");
            return Ok(());
        }
        let event = self
            .app
            .event_by_client(Kind::CodeReplayed, &self.client, &self.caller)?
            .refused("replayed");
        let event = about(event, authorization);
        tx.record(self.app.pending(event, &self.caller, None)?);
        Ok(())
    }

    /// Whether nothing behind the code has ended since it was issued.
    async fn stands(&self, tx: &mut Tx, authorization: &Authorization) -> Result<bool, Fault> {
        match &authorization.person {
            Some(person) if issue::is_valid(&self.client, authorization) => {
                users::is_active(tx, person.user_id).await
            }
            _ => Ok(false),
        }
    }
}

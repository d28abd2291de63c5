//! The end of an interaction: who may be answered without being asked, what an answer spends, and
//! the code that it gives.

use std::sync::Arc;
use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::jose::Alg;
use rules::protocol::authorize::ReturnTo;
use rules::protocol::redeem::CodeBinding;
use rules::protocol::target::Target;
use rules::protocol::{AuthorizeRequest, Client, ClientAuth, OAuthError, Profile};

use super::issue::{self, Admission, CodeFor};
use super::sessions::SignedIn;
use super::token_format::sign;
use super::{Caller, fit};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::secret::Token;
use crate::store::grants::{self, Consent, Grant};
use crate::store::interactions::{self, Interaction};
use crate::store::sessions::Session;
use crate::store::{Tx, pushed};

/// How long a signed answer is good (JARM §2.1 recommends ten minutes at the most).
const SIGNED_ANSWER: Duration = Duration::from_mins(5);

/// An answer on its way back to the client.
#[derive(Debug)]
pub struct Reply {
    /// Where to.
    pub return_to: ReturnTo,
    /// Its parameters; `state` and `iss` among them.
    pub parameters: Vec<(&'static str, String)>,
}

impl Reply {
    /// A code (RFC 6749 §4.1.2, RFC 9207).
    #[must_use]
    pub fn code(app: &App, return_to: ReturnTo, code: &Token) -> Self {
        let parameters = vec![("code", code.expose().to_owned())];
        Self::finish(app, return_to, parameters)
    }

    /// An error (RFC 6749 §4.1.2.1).
    #[must_use]
    pub fn error(app: &App, return_to: ReturnTo, error: &OAuthError) -> Self {
        let parameters = vec![
            ("error", error.code.as_str().to_owned()),
            ("error_description", error.description.clone()),
            ("error_uri", error.uri(app.config.issuer.as_str())),
        ];
        Self::finish(app, return_to, parameters)
    }

    /// The answer as it leaves: signed when the request asked for that (JARM §2.1), so that `response`
    /// is its only parameter.
    pub async fn sealed(self, app: &App) -> Result<Self, Fault> {
        if !self.return_to.response_mode.is_signed() {
            return Ok(self);
        }
        let client_id = &self.return_to.client_id;
        let client = app.registry.client(client_id);
        let alg = client.map_or(Profile::default().signing_alg(), |client| {
            signed_by(&client)
        });
        let now = app.clock.now();
        let mut claims = serde_json::Map::new();
        claims.insert("aud".to_owned(), client_id.as_str().into());
        claims.insert("iat".to_owned(), now.secs().into());
        claims.insert("exp".to_owned(), now.plus(SIGNED_ANSWER).secs().into());
        for (name, value) in self.parameters {
            claims.insert(name.to_owned(), value.into());
        }
        let signed = sign(app, alg, None, claims).await?;
        Ok(Self {
            return_to: self.return_to,
            parameters: vec![("response", signed.expose().to_owned())],
        })
    }

    fn finish(app: &App, return_to: ReturnTo, mut parameters: Vec<(&'static str, String)>) -> Self {
        if let Some(state) = &return_to.state {
            parameters.push(("state", state.clone()));
        }
        // RFC 9207 §2: the defence against mix-up.
        parameters.push(("iss", app.config.issuer.as_str().to_owned()));
        Self {
            return_to,
            parameters,
        }
    }
}

/// Somebody who asks for a code on behalf of a client.
pub(super) struct Asking {
    pub(super) app: Arc<App>,
    pub(super) client: Arc<Client>,
    pub(super) caller: Caller,
    /// Whether the interaction has a row to end.
    pub(super) is_stored: bool,
}

/// What a code is issued from.
struct Given<'a> {
    admission: Admission,
    session: &'a Session,
    grant: &'a Grant,
    target: Target,
}

impl Asking {
    /// Answers without asking the person, when she granted all of it before and that still holds.
    pub(super) async fn finish_silently(
        self,
        interaction: Interaction,
        signed_in: &SignedIn,
    ) -> Result<Option<Reply>, Fault> {
        let request = &interaction.request;
        // What details say, one payment perhaps, is agreed to each time anew.
        let must_ask = request.prompt.consent || !request.details.is_empty();
        if must_ask || !is_assured(&self.client, request) {
            return Ok(None);
        }
        let store = self.app.store.clone();
        let session = signed_in.session.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let request = &interaction.request;
                    let (target, claims) = (asked(request), request.claims.beyond(&request.scopes));
                    let acr = Some(fit::required(&self.app, &self.client, request));
                    let policy = self.app.config.passkeys.policy;
                    let Some(admission) = issue::admit_session(tx, &session, acr, policy).await?
                    else {
                        return Ok(None);
                    };
                    let grant = grants::lock(tx, session.user_id, &self.client.id).await?;
                    let fits =
                        |grant: &Grant| grant.covers(&target, &claims) && holds(&self.app, grant);
                    let Some(grant) = grant.filter(fits) else {
                        return Ok(None);
                    };
                    if !self.spend(tx, &interaction).await? {
                        return Ok(None);
                    }
                    let given = Given {
                        admission,
                        session: &session,
                        grant: &grant,
                        target,
                    };
                    self.reply(tx, interaction, given).await.map(Some)
                })
            })
            .await
    }

    /// Writes down what the person gave on the page, and finishes.
    pub(super) async fn finish_with_consent(
        &self,
        tx: &mut Tx,
        interaction: Interaction,
        session: &Session,
        given: Target,
    ) -> Result<Option<Reply>, Fault> {
        let request = &interaction.request;
        // Session, grant, interaction: the same order everywhere, so that no two wait for each other.
        let acr = Some(fit::required(&self.app, &self.client, request));
        let policy = self.app.config.passkeys.policy;
        let Some(admission) = issue::admit_session(tx, session, acr, policy).await? else {
            return Ok(None);
        };
        grants::lock(tx, session.user_id, &self.client.id).await?;
        if !self.spend(tx, &interaction).await? {
            return Ok(None);
        }
        let now = self.app.clock.now();
        let consent = Consent {
            user: session.user_id,
            client_id: &self.client.id,
            asked: &asked(request),
            given: &given,
            claims: &request.claims.beyond(&request.scopes),
            lapsed: now.minus(self.app.config.lifetimes.authorization),
        };
        let grant = grants::give(tx, rng::uuid(now)?, &consent, now).await?;
        let given = Given {
            admission,
            session,
            grant: &grant,
            target: given,
        };
        self.reply(tx, interaction, given).await.map(Some)
    }

    /// Ends an interaction with an error to the client; none when it was answered before. `reason`
    /// is what the audit log says.
    pub(super) async fn refuse(
        self,
        interaction: Interaction,
        signed_in: Option<&SignedIn>,
        (error, reason): (OAuthError, &'static str),
    ) -> Result<Option<Reply>, Fault> {
        let app = Arc::clone(&self.app);
        let event = app
            .event(Kind::ConsentRefused, &self.caller)?
            .client(self.client.id.as_str())
            .refused(reason);
        let event = match signed_in {
            Some(held) => event
                .by(Actor::User(held.user.id))
                .subject(held.user.id)
                .session(held.session.id),
            None => event,
        };
        let keys = signed_in.map(|held| &held.user.keys);
        let event = app.pending(event, &self.caller, keys)?;
        let return_to = interaction.request.return_to.clone();
        let spent = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let spent = self.spend(tx, &interaction).await?;
                    if spent {
                        tx.record(event);
                    }
                    Ok(spent)
                })
            })
            .await?;
        Ok(spent.then(|| Reply::error(&app, return_to, &error)))
    }

    /// Issues the code.
    async fn reply(
        &self,
        tx: &mut Tx,
        interaction: Interaction,
        given: Given<'_>,
    ) -> Result<Reply, Fault> {
        let request = interaction.request;
        if request.return_to.response_mode.is_signed() {
            // A code that cannot leave is not issued.
            self.app.keys.now().signer(signed_by(&self.client))?;
        }
        let bound = bound_by(&request);
        let types = self.app.config.details.as_ref();
        // A scope that was left out may have been the last of the API that some are for.
        let details = request.details.good_for(&given.target.resources, types);
        let asked = CodeFor {
            client_id: &self.client.id,
            session: given.session,
            grant: given.grant,
            target: given.target,
            claims: request.claims,
            details,
            binding: CodeBinding {
                redirect_uri: request.return_to.redirect_uri.clone(),
                challenge: request.challenge,
                nonce: request.nonce,
                dpop_jkt: request.dpop_jkt,
            },
            lifetime: self.app.config.lifetimes.authorization,
        };
        let now = self.app.clock.now();
        let (code, authorization) = issue::code(tx, &given.admission, asked, now).await?;
        if !authorization.details.is_empty() {
            grants::remember(tx, given.grant, authorization.id).await?;
        }
        let event = self
            .app
            .event(Kind::CodeIssued, &self.caller)?
            .by(Actor::User(given.session.user_id))
            .client(self.client.id.as_str())
            .with("scope", authorization.target.scopes.to_string())
            .with("bound_by", bound);
        let event = super::with_details(event, &authorization.details);
        let event = super::about(event, &authorization);
        tx.record(self.app.pending(event, &self.caller, None)?);
        Ok(Reply::code(&self.app, request.return_to, &code))
    }

    /// Spends what can be answered once only; false when it was answered before.
    pub(super) async fn spend(
        &self,
        tx: &mut Tx,
        interaction: &Interaction,
    ) -> Result<bool, Fault> {
        let now = self.app.clock.now();
        if self.is_stored && !interactions::end(tx, &interaction.id, now).await? {
            return Ok(false);
        }
        match interaction.pushed {
            Some(hash) => pushed::consume(tx, hash, now).await,
            None => Ok(true),
        }
    }
}

/// With what the answers to a client's requests are signed (JARM §3).
fn signed_by(client: &Client) -> Alg {
    let registered = client.metadata.authorization_signed_response_alg;
    registered.unwrap_or(client.profile.signing_alg())
}

/// What keeps a stolen code from being of use: `pkce`, `nonce` (only if the client looks at it), or
/// `nothing` but the client's own authentication.
const fn bound_by(request: &AuthorizeRequest) -> &'static str {
    match (&request.challenge, &request.nonce) {
        (Some(_), _) => "pkce",
        (None, Some(_)) => "nonce",
        (None, None) => "nothing",
    }
}

/// Whether a consent is not over yet.
pub(super) fn holds(app: &App, grant: &Grant) -> bool {
    app.clock.now() < grant.consented_at.plus(app.config.lifetimes.authorization)
}

/// All that a request asks for.
fn asked(request: &AuthorizeRequest) -> Target {
    Target {
        scopes: request.scopes.clone(),
        resources: request.resources.clone(),
    }
}

/// Whether the redirect proves who the client is. A public app behind a loopback port or a scheme
/// of its own could be any app, so its person is always asked (RFC 8252 §8.6).
fn is_assured(client: &Client, request: &AuthorizeRequest) -> bool {
    !matches!(client.auth, ClientAuth::None)
        || request.return_to.redirect_uri.starts_with("https://")
}

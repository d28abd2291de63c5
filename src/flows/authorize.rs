//! An authorization request on its way: it opens an interaction in one browser, and each look at
//! that finds the next step: sign in, consent, or the answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::{Actor, Kind};
use rules::identity::Assurance;
use rules::protocol::authorize::{self, ReturnTo};
use rules::protocol::redeem::CodeBinding;
use rules::protocol::target::Target;
use rules::protocol::{
    AuthorizeRequest, Client, ClientAuth, ErrorCode, OAuthError, Params, Scopes,
};

use super::issue::{self, Admission, CodeFor};
use super::sessions::SignedIn;
use super::{Caller, Failure};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::grants::{self, Consent, Grant};
use crate::store::interactions::{self, Interaction};
use crate::store::sessions::Session;
use crate::store::{Tx, pushed};

/// What a `request_uri` of this server begins with (RFC 9126 §2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// How long the consent page may be read before `max_age` asks for a new sign-in.
const TIME_TO_READ: Duration = Duration::from_mins(5);

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
        ];
        Self::finish(app, return_to, parameters)
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

/// What a browser that came with a request gets.
pub enum Begun {
    /// An interaction of its own.
    Interaction {
        /// Its name in the address.
        id: String,
        /// The browser's hold on it.
        token: Token,
    },
    /// The answer at once.
    Reply(Reply),
}

/// Why a browser sees a page instead of going anywhere.
pub enum NotBegun {
    /// The request cannot be answered to the client: who or where it is was not verified.
    Page(OAuthError),
    /// The server failed.
    Fault(Fault),
}

impl From<OAuthError> for NotBegun {
    fn from(error: OAuthError) -> Self {
        Self::Page(error)
    }
}

impl From<Fault> for NotBegun {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Pushes a request (RFC 9126); the client has authenticated.
pub async fn push(app: &App, client: &Client, params: &Params) -> Result<Token, Failure> {
    // RFC 9126 §2.1
    if params.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("request_uri cannot be pushed").into());
    }
    let registered = app.registry.now();
    let resources = registered.resources();
    let return_to = authorize::return_to(params, client)?;
    let request = AuthorizeRequest::parse(params, client, return_to, resources)?;
    let token = Token::generate(Purpose::PushedRequest)?;
    let (hash, now) = (token.hash(), app.clock.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                pushed::insert(tx, hash, &request, now, now.plus(Lifetimes::PUSHED)).await
            })
        })
        .await?;
    Ok(token)
}

/// A browser brings a request.
pub async fn begin(
    app: &Arc<App>,
    params: &Params,
    signed_in: Option<&SignedIn>,
    caller: &Caller,
) -> Result<Begun, NotBegun> {
    super::follow::fresh(app).await?;
    let client_id = params.require("client_id")?;
    let client = app.registry.client(client_id).ok_or_else(|| {
        app.refusals
            .count(Kind::AuthorizeRefused, None, "unknown_client");
        OAuthError::invalid_request("client_id is not registered here")
    })?;
    let (request, pushed) = match read(app, params, &client).await? {
        Ok(read) => read,
        Err(reply) => {
            app.refusals
                .count(Kind::AuthorizeRefused, Some(client_id), "invalid_request");
            return Ok(Begun::Reply(reply));
        }
    };
    let now = app.clock.now();
    let interaction = Interaction {
        id: URL_SAFE_NO_PAD.encode(rng::bytes::<16>()?),
        request,
        pushed,
        session_id: None,
        created_at: now,
        expires_at: now.plus(Lifetimes::INTERACTION),
    };
    if let Some(signed_in) = signed_in
        && accepts(&interaction, signed_in, app)
    {
        let asking = Asking {
            app: Arc::clone(app),
            client: Arc::clone(&client),
            caller: caller.clone(),
            is_stored: false,
        };
        if let Some(reply) = asking
            .finish_silently(interaction.clone(), signed_in)
            .await?
        {
            return Ok(Begun::Reply(reply));
        }
    }
    if interaction.request.prompt.none {
        // OpenID Connect Core §3.1.2.6
        let code = match signed_in {
            Some(signed_in) if accepts(&interaction, signed_in, app) => ErrorCode::ConsentRequired,
            _ => ErrorCode::LoginRequired,
        };
        let error = OAuthError::new(code, "prompt none was asked for, but a page must be shown");
        let return_to = interaction.request.return_to.clone();
        return Ok(Begun::Reply(Reply::error(app, return_to, &error)));
    }
    let token = Token::generate(Purpose::Interaction)?;
    let (id, hash) = (interaction.id.clone(), token.hash());
    app.store
        .write(move |tx| {
            Box::pin(async move { interactions::insert(tx, &interaction, hash).await })
        })
        .await?;
    Ok(Begun::Interaction { id, token })
}

type Read = Result<(AuthorizeRequest, Option<TokenHash>), Reply>;

/// The request itself: pushed before, or in the parameters.
async fn read(app: &App, params: &Params, client: &Client) -> Result<Read, NotBegun> {
    let reference = params
        .get("request_uri")
        .and_then(|uri| uri.strip_prefix(REQUEST_URI));
    if let Some(reference) = reference {
        let hash = TokenHash::of(Purpose::PushedRequest, reference);
        let (client_id, now) = (client.id.clone(), app.clock.now());
        let found = app
            .store
            .read(move |tx| Box::pin(async move { pushed::find(tx, hash, &client_id, now).await }))
            .await?;
        let request = found.ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidRequestUri,
                "request_uri is unknown, expired, used, or was pushed by another client",
            )
        })?;
        return Ok(Ok((request, Some(hash))));
    }
    let return_to = authorize::return_to(params, client)?;
    let registered = app.registry.now();
    let resources = registered.resources();
    let parsed = AuthorizeRequest::parse(params, client, return_to.clone(), resources);
    Ok(parsed
        .map(|request| (request, None))
        .map_err(|error| Reply::error(app, return_to, &error)))
}

/// The next step of an interaction.
pub enum Step {
    /// The person must sign in.
    SignIn {
        /// The client that asks.
        client: Arc<Client>,
        /// The request.
        request: AuthorizeRequest,
    },
    /// The person is asked.
    Consent {
        /// The client that asks.
        client: Arc<Client>,
        /// The request.
        request: AuthorizeRequest,
        /// What she granted this client before.
        granted: Scopes,
    },
    /// The answer.
    Reply(Reply),
    /// There is no such interaction in this browser, or its time is over.
    Gone,
}

/// Finds the next step.
pub async fn next_step(
    app: &Arc<App>,
    id: &str,
    token: &str,
    signed_in: Option<&SignedIn>,
    caller: &Caller,
) -> Result<Step, Fault> {
    let Some((interaction, client)) = open(app, id, token).await? else {
        return Ok(Step::Gone);
    };
    let request = interaction.request.clone();
    let Some(signed_in) = signed_in.filter(|held| accepts(&interaction, held, app)) else {
        return Ok(Step::SignIn { client, request });
    };
    let asking = Asking {
        app: Arc::clone(app),
        client: Arc::clone(&client),
        caller: caller.clone(),
        is_stored: true,
    };
    if let Some(reply) = asking.finish_silently(interaction, signed_in).await? {
        return Ok(Step::Reply(reply));
    }
    let (id, session, user) = (id.to_owned(), signed_in.session.id, signed_in.user.id);
    let client_id = client.id.clone();
    let shown = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !interactions::bind(tx, &id, session).await? {
                    return Ok(None);
                }
                grants::standing(tx, user, &client_id).await.map(Some)
            })
        })
        .await?;
    let Some(standing) = shown else {
        return Ok(Step::Gone);
    };
    let granted = standing
        .filter(|grant| holds(app, grant))
        .map(|grant| grant.scopes)
        .unwrap_or_default();
    Ok(Step::Consent {
        client,
        request,
        granted,
    })
}

/// The interaction that this browser holds, with its client.
pub(super) async fn open(
    app: &App,
    id: &str,
    token: &str,
) -> Result<Option<(Interaction, Arc<Client>)>, Fault> {
    super::follow::fresh(app).await?;
    let hash = TokenHash::of(Purpose::Interaction, token);
    let (id, now) = (id.to_owned(), app.clock.now());
    let found = app
        .store
        .read(move |tx| Box::pin(async move { interactions::find(tx, &id, hash, now).await }))
        .await?;
    Ok(found.and_then(|interaction| {
        let client = app.registry.client(&interaction.request.client_id)?;
        Some((interaction, client))
    }))
}

/// Notes that a person signed in for this interaction: `prompt=login` and `max_age` are met.
pub async fn signed_in(app: &App, id: &str, session: uuid::Uuid) -> Result<(), Fault> {
    let id = id.to_owned();
    app.store
        .write(move |tx| Box::pin(async move { interactions::bind(tx, &id, session).await }))
        .await
        .map(drop)
}

/// Whether what the session proves is enough for what the request asks.
pub(super) fn accepts(interaction: &Interaction, held: &SignedIn, app: &App) -> bool {
    let request = &interaction.request;
    let signed_in_for_it = interaction.session_id == Some(held.session.id);
    if (request.prompt.login || request.prompt.select_account) && !signed_in_for_it {
        return false;
    }
    let Some(assurance) = Assurance::of(&held.session.proofs) else {
        return false;
    };
    // OpenID Connect Core §3.1.2.1. Who signed in for this request has time to read the page.
    let grace = if signed_in_for_it {
        TIME_TO_READ
    } else {
        Duration::ZERO
    };
    request
        .max_age
        .is_none_or(|max| app.clock.now().since(assurance.auth_time) <= max + grace)
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
    async fn finish_silently(
        self,
        interaction: Interaction,
        signed_in: &SignedIn,
    ) -> Result<Option<Reply>, Fault> {
        if interaction.request.prompt.consent || !is_assured(&self.client, &interaction.request) {
            return Ok(None);
        }
        let store = self.app.store.clone();
        let session = signed_in.session.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let target = asked(&interaction.request);
                    let Some(admission) = issue::admit_session(tx, &session).await? else {
                        return Ok(None);
                    };
                    let grant = grants::lock(tx, session.user_id, &self.client.id).await?;
                    let fits = |grant: &Grant| grant.covers(&target) && holds(&self.app, grant);
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
        // Session, grant, interaction: the same order everywhere, so that no two wait for each other.
        let Some(admission) = issue::admit_session(tx, session).await? else {
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
            asked: &asked(&interaction.request),
            given: &given,
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

    /// Issues the code.
    async fn reply(
        &self,
        tx: &mut Tx,
        interaction: Interaction,
        given: Given<'_>,
    ) -> Result<Reply, Fault> {
        let request = interaction.request;
        let asked = CodeFor {
            client_id: &self.client.id,
            session: given.session,
            grant: given.grant,
            target: given.target,
            binding: CodeBinding {
                redirect_uri: request.return_to.redirect_uri.clone(),
                challenge: request.challenge,
                nonce: request.nonce,
            },
            lifetime: self.app.config.lifetimes.authorization,
        };
        let now = self.app.clock.now();
        let (code, authorization) = issue::code(tx, &given.admission, asked, now).await?;
        let event = self
            .app
            .event(Kind::CodeIssued, &self.caller)?
            .by(Actor::User(given.session.user_id))
            .client(self.client.id.as_str())
            .with("scope", authorization.target.scopes.to_string());
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

/// Whether a consent is not over yet.
fn holds(app: &App, grant: &Grant) -> bool {
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

/// What an interaction asks and who, when it is alive in this browser.
pub async fn look(
    app: &App,
    id: &str,
    token: &str,
) -> Result<Option<(Arc<Client>, AuthorizeRequest)>, Fault> {
    let found = open(app, id, token).await?;
    Ok(found.map(|(interaction, client)| (client, interaction.request)))
}

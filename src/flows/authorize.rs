//! An authorization request on its way: it opens an interaction in one browser, and each look at
//! that finds the next step: sign in, consent, or the answer.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::Kind;
use rules::protocol::authorize::{self, ReturnTo};
use rules::protocol::params::Flaw;
use rules::protocol::{
    AuthorizeRequest, Client, ErrorCode, GrantType, OAuthError, Params, Possession, Scopes,
};

use super::answer::{Asking, Reply, holds};
use super::fit::{Fit, fit};
use super::sessions::SignedIn;
use super::{Caller, Failure, id_token_hint, request_object};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::grants::{self, Grant};
use crate::store::interactions::{self, Interaction};
use crate::store::pushed;

/// What a `request_uri` of this server begins with (RFC 9126 §2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// Who asks, and where the answer goes: while one of these cannot be read, nobody can be told.
const WHERE: [&str; 3] = ["client_id", "redirect_uri", "request_uri"];

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
pub async fn push(
    app: &App,
    client: &Client,
    params: &Params,
    possession: Possession,
) -> Result<Token, Failure> {
    // RFC 9126 §2.1
    if params.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("request_uri cannot be pushed")
            .about("pushed-request-uri")
            .into());
    }
    let signed = match params.get("request") {
        Some(jwt) => Some(request_object::read(app, client, jwt).await?),
        None if client.metadata.must_sign() => {
            // RFC 9101 §10.5
            return Err(OAuthError::invalid_request(
                "this client's requests must be signed; send them as a request object (RFC 9101)",
            )
            .about("signed-request")
            .into());
        }
        None => None,
    };
    let params = signed.as_ref().unwrap_or(params);
    let return_to = authorize::return_to(params, client)?;
    let mut request = parse(app, params, client, return_to)?;
    bind_to_key(&mut request, possession)?;
    let token = Token::generate(Purpose::PushedRequest)?;
    let (hash, now) = (token.hash(), app.clock.now());
    let times = (now, now.plus(Lifetimes::PUSHED));
    let request = pushed::insert(&app.store, hash, &request, times)?;
    app.store.write_alone(request).await?;
    Ok(token)
}

/// RFC 9449 §10.1: a proof that comes with a pushed request binds the code as `dpop_jkt` does.
fn bind_to_key(request: &mut AuthorizeRequest, possession: Possession) -> Result<(), OAuthError> {
    match (request.dpop_jkt, possession.key) {
        (Some(named), Some(shown)) if named != shown => Err(OAuthError::new(
            ErrorCode::InvalidDpopProof,
            "dpop_jkt is not the key of the DPoP proof; leave dpop_jkt out, or send the proof of its key",
        )
        .about("proof-key")),
        (None, Some(shown)) => {
            request.dpop_jkt = Some(shown);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A browser brings a request, in which some parameters could not be read.
pub async fn begin(
    app: &Arc<App>,
    (params, flaws): (&Params, Vec<Flaw>),
    signed_in: Option<&SignedIn>,
    caller: &Caller,
) -> Result<Begun, NotBegun> {
    super::follow::fresh(app).await?;
    let unknown = |flaw: &&Flaw| WHERE.contains(&flaw.name.as_str());
    if let Some(flaw) = flaws.iter().find(unknown) {
        return Err(flaw.error.clone().into());
    }
    let client_id = params.require("client_id")?;
    let client = app.registry.client(client_id).ok_or_else(|| {
        app.refusals
            .count(Kind::AuthorizeRefused, None, "unknown_client");
        OAuthError::invalid_request("client_id is not registered here").about("client-id")
    })?;
    // Beside a request that was pushed nothing else counts.
    let flaw = flaws.into_iter().next();
    let read = match flaw.filter(|_| params.get("request_uri").is_none()) {
        None => read(app, params, &client).await?,
        Some(flaw) => {
            let return_to = authorize::return_to(params, &client)?;
            Err(Reply::error(app, return_to, &flaw.error))
        }
    };
    let (request, pushed) = match read {
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
    let fits = signed_in.filter(|held| fit(app, &client, &interaction, held) == Fit::Fits);
    if let Some(signed_in) = fits {
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
        let code = match fits {
            Some(_) => ErrorCode::ConsentRequired,
            None => ErrorCode::LoginRequired,
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
        let request = found
            .filter(|request| fits(app, client, request))
            .ok_or_else(|| {
                OAuthError::new(
                    ErrorCode::InvalidRequestUri,
                    "request_uri is unknown, expired, used, or was pushed by another client",
                )
            })?;
        return Ok(Ok((request, Some(hash))));
    }
    let return_to = authorize::return_to(params, client)?;
    if client.must_push() || client.metadata.must_sign() {
        // RFC 9126 §6, FAPI 2.0 Security Profile §5.3.2.2 (2)
        let error = OAuthError::invalid_request(
            "this client must push its requests: send them to the PAR endpoint, and request_uri here",
        )
        .about("not-pushed");
        return Ok(Err(Reply::error(app, return_to, &error)));
    }
    Ok(parse(app, params, client, return_to.clone())
        .map(|request| (request, None))
        .map_err(|error| Reply::error(app, return_to, &error)))
}

/// Reads the parameters, the hint at the person among them.
fn parse(
    app: &App,
    params: &Params,
    client: &Client,
    return_to: ReturnTo,
) -> Result<AuthorizeRequest, OAuthError> {
    let registered = app.registry.now();
    let known = (registered.resources(), app.config.details.as_ref());
    let mut request = AuthorizeRequest::parse(params, client, return_to, known)?;
    let asked = params.get("scope").map(Scopes::parse);
    if let Some(Ok(asked)) = asked
        && !asked.is_subset(&request.scopes)
    {
        // OpenID Connect Core §3.1.2.1: unknown ones are ignored, and somebody looks for them here.
        let ignored = asked.difference(&request.scopes).to_string();
        let id = client.id.as_str();
        tracing::info!(
            client.id = id,
            ignored,
            "scopes that nothing here has are ignored"
        );
    }
    if let Some(token) = params.get("id_token_hint") {
        // OpenID Connect Core §3.1.2.1: it may have expired, but it must be ours and this client's.
        let hint = id_token_hint::read(app, token).filter(|hint| hint.is_for(client));
        let hint = hint.ok_or_else(|| {
            OAuthError::invalid_request(
                "id_token_hint must be an ID token that this server gave to this client",
            )
        })?;
        request.expect(hint.subject);
    }
    if request.subjects.as_ref().is_some_and(Vec::is_empty) {
        return Err(OAuthError::invalid_request(
            "id_token_hint and the sub of claims name different people",
        ));
    }
    Ok(request)
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
    /// Somebody is signed in, and must prove more than she did.
    StepUp {
        /// The client that asks.
        client: Arc<Client>,
        /// The request.
        request: AuthorizeRequest,
    },
    /// Somebody is signed in: she says whether it is she who goes on.
    Choose {
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
        granted: Option<Grant>,
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
    let Some(signed_in) = signed_in else {
        return Ok(Step::SignIn { client, request });
    };
    let asking = Asking {
        app: Arc::clone(app),
        client: Arc::clone(&client),
        caller: caller.clone(),
        is_stored: true,
    };
    match fit(app, &client, &interaction, signed_in) {
        Fit::Fits => {}
        Fit::SignIn => return Ok(Step::SignIn { client, request }),
        Fit::StepUp => return Ok(Step::StepUp { client, request }),
        Fit::Choose => return Ok(Step::Choose { client, request }),
        Fit::AnotherPerson => {
            // OpenID Connect Core §3.1.2.1, §3.1.2.2 (4)
            let error = OAuthError::new(
                ErrorCode::LoginRequired,
                "somebody signed in, but not the person that the request names",
            );
            let refused = (error, "another_person");
            let reply = asking.refuse(interaction, Some(signed_in), refused).await?;
            return Ok(reply.map_or(Step::Gone, Step::Reply));
        }
    }
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
    let granted = standing.filter(|grant| holds(app, grant));
    Ok(Step::Consent {
        client,
        request,
        granted,
    })
}

/// Whether the client is still registered for what it asked: its registration may have been narrowed
/// since, and a type of details may be gone.
fn fits(app: &App, client: &Client, request: &AuthorizeRequest) -> bool {
    let details = request.details.left_to(client);
    let types = app.config.details.as_ref();
    client.may(GrantType::AuthorizationCode)
        && client.may_return_to(&request.return_to.redirect_uri)
        && request.scopes.is_subset(&client.scopes)
        && request.claims.beyond(&client.scopes).is_empty()
        && details.good_for(&request.resources, types) == request.details
        && (request.challenge.is_some() || authorize::needs_no_challenge(client, &request.scopes))
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
        fits(app, &client, &interaction.request).then_some((interaction, client))
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

/// The person who is signed in goes on as herself (`prompt=select_account`); `session` is the one
/// that she was shown. Does nothing when it is not hers any more: the page is shown anew. False
/// when there is no such interaction.
pub async fn go_on(
    app: &App,
    (id, token): (&str, &str),
    signed_in: Option<&SignedIn>,
    session: &str,
) -> Result<bool, Fault> {
    let Some((interaction, client)) = open(app, id, token).await? else {
        return Ok(false);
    };
    if let Some(held) = signed_in
        && held.session.id.to_string() == session
        && fit(app, &client, &interaction, held) == Fit::Choose
    {
        self::signed_in(app, id, held.session.id).await?;
    }
    Ok(true)
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

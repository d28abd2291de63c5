//! Signing in through the institution's own OpenID Provider: by the code flow with PKCE, bound to one
//! browser and one errand by what lies in `webauthn_ceremonies`, taken out by the first answer.
//!
//! Only an account that its own person linked is opened, and what the provider says of factors is
//! believed only as it is set; otherwise a factor of ours is asked for, by the one judge.

mod link;
mod provider;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::{Actor, Kind};
use rules::identity::{Method, Proof};
use rules::protocol::Params;
use rules::protocol::upstream::{Expected, Vouched};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::provider::{Code, Not};
use super::Caller;
use super::sessions::SignedIn;
use crate::app::App;
use crate::config::{Lifetimes, Upstream};
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::upstream_links::{self, SubjectKey};
use crate::store::{Tx, users};

pub use link::{begin_link, linked, unlink};
pub use provider::Provider;

/// Where the provider sends people back to.
pub const CALLBACK: &str = "/upstream/callback";

const PURPOSE: &str = "upstream";
const BESIDE: &str = "upstream beside";

/// Why nobody was signed in, or nothing linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The provider cannot be asked; nothing was decided.
    Down,
    /// It signed nobody in, or she did not want to.
    Declined,
    /// Its answer is not the one that was asked for.
    Wrong,
    /// No account here is linked with that one.
    Unlinked,
    /// That account is somebody else's here, or hers is linked with another.
    Taken,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Down,
        Self::Declined,
        Self::Wrong,
        Self::Unlinked,
        Self::Taken,
    ];

    /// A stable word, for an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Declined => "declined",
            Self::Wrong => "wrong",
            Self::Unlinked => "unlinked",
            Self::Taken => "taken",
        }
    }
}

/// What she is on her way for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// To sign in, and go on there.
    SignIn(Onward),
    /// To link what she has there with the account of this session.
    Link(Uuid),
}

/// Where a sign-in goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Onward {
    /// On a page of the account.
    Account(String),
    /// With an app's request.
    Interaction(String),
}

/// What waits for the provider's answer.
#[derive(Serialize, Deserialize)]
struct Waiting {
    errand: Errand,
    nonce: String,
    verifier: String,
    /// How long before she may have signed in there, in seconds.
    max_age: u64,
    asked_at: Timestamp,
}

/// Where to send her.
pub struct Sent {
    /// The provider's page.
    pub url: String,
    /// The browser's new hold on its ceremonies, when it had none.
    pub token: Option<Token>,
}

/// What came of an answer.
pub enum Arrived {
    /// Nothing waits for it in this browser (any more).
    Gone,
    /// There is trouble; she goes back to where she came from.
    Back(Errand, Trouble),
    /// The provider is believed: this is for the judge.
    Whole(Onward, Whole),
    /// It is not; a factor of ours is asked for.
    Half,
    /// It is linked.
    Linked,
}

/// What the provider vouches for, and is believed: two factors. Only this module makes one.
pub struct Whole {
    pub(super) user: Uuid,
    key: SubjectKey,
    auth_time: Timestamp,
}

/// What it vouches for without being believed: one factor of a person, until another of ours is proved
/// beside it. Only this module makes one.
pub struct Half {
    pub(super) user: Uuid,
    pub(super) username: String,
    /// Where she goes on.
    pub onward: Onward,
    key: SubjectKey,
    auth_time: Timestamp,
    ceremony: Ceremony,
}

/// A [`Half`] as it lies in the database.
#[derive(Serialize, Deserialize)]
struct Kept {
    user: Uuid,
    key: [u8; 32],
    auth_time: Timestamp,
    onward: Onward,
}

impl Whole {
    /// Notes that the link was used, and what it proves; none when it was removed meanwhile.
    pub(super) async fn spend(
        &self,
        app: &App,
        tx: &mut Tx,
        caller: &Caller,
    ) -> Result<Option<Proof>, Fault> {
        used(app, tx, (self.key, self.user), caller, true)
            .await
            .map(|used| used.then(|| proof(self.auth_time, true)))
    }
}

impl Half {
    /// The same, and nothing waits any more; none when another answer overtook this one.
    pub(super) async fn spend(
        &self,
        app: &App,
        tx: &mut Tx,
        caller: &Caller,
    ) -> Result<Option<Proof>, Fault> {
        let now = app.clock.now();
        let waits = ceremonies::take::<Kept>(tx, self.ceremony, now).await?;
        if waits.is_none() || !used(app, tx, (self.key, self.user), caller, false).await? {
            return Ok(None);
        }
        Ok(Some(proof(self.auth_time, false)))
    }
}

const fn proof(at: Timestamp, two_factors: bool) -> Proof {
    let method = Method::Upstream { two_factors };
    Proof { method, at }
}

async fn used(
    app: &App,
    tx: &mut Tx,
    (key, user): (SubjectKey, Uuid),
    caller: &Caller,
    believed: bool,
) -> Result<bool, Fault> {
    let Some(person) = users::find(tx, user).await? else {
        return Ok(false);
    };
    if !upstream_links::used(tx, (key, user), app.clock.now()).await? {
        return Ok(false);
    }
    let event = app
        .event(Kind::UpstreamUsed, caller)?
        .by(Actor::User(user))
        .subject(user)
        .with("two_factors", believed);
    tx.record(app.pending(event, caller, Some(&person.keys))?);
    Ok(true)
}

/// Begins an errand for a browser. `max_age` is how long before she may have signed in there; zero asks
/// the provider to sign her in anew.
///
/// # Errors
/// [`Fault`].
pub async fn begin(
    app: &App,
    held: Option<&str>,
    errand: Errand,
    max_age: Duration,
) -> Result<Result<Sent, Trouble>, Fault> {
    let prepared = match prepare(app, held, errand, max_age).await? {
        Ok(prepared) => prepared,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let Prepared {
        ceremony,
        waiting,
        sent,
    } = prepared;
    let until = waiting.asked_at.plus(Lifetimes::UPSTREAM);
    app.store
        .write(move |tx| {
            Box::pin(async move { ceremonies::begin(tx, ceremony, &waiting, until).await })
        })
        .await?;
    Ok(Ok(sent))
}

/// What is written down, and where she is sent.
struct Prepared {
    ceremony: Ceremony,
    waiting: Waiting,
    sent: Sent,
}

async fn prepare(
    app: &App,
    held: Option<&str>,
    errand: Errand,
    max_age: Duration,
) -> Result<Result<Prepared, Trouble>, Fault> {
    let Some(upstream) = &app.config.upstream else {
        return Ok(Err(Trouble::Down));
    };
    let metadata = match app.provider.metadata(app, upstream).await {
        Ok(metadata) => metadata,
        Err(why) => return Ok(Err(down(upstream, &why))),
    };
    let token = match held {
        Some(_) => None,
        None => Some(Token::generate(Purpose::Ceremony)?),
    };
    let holder = match (held, &token) {
        (_, Some(token)) => token.hash(),
        (held, None) => TokenHash::of(Purpose::Ceremony, held.unwrap_or_default()),
    };
    let now = app.clock.now();
    let ceremony = Ceremony {
        id: rng::uuid(now)?,
        holder,
        purpose: PURPOSE,
    };
    let waiting = Waiting {
        errand,
        nonce: random()?,
        verifier: random()?,
        max_age: max_age.as_secs(),
        asked_at: now,
    };
    let challenge = digest::digest(&digest::SHA256, waiting.verifier.as_bytes());
    let mut url = metadata.authorization_endpoint.clone();
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &upstream.client_id)
            .append_pair("redirect_uri", &app.config.issuer.at(CALLBACK))
            .append_pair("scope", &upstream.scopes)
            .append_pair("state", &ceremony.id.to_string())
            .append_pair("nonce", &waiting.nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256")
            .append_pair("max_age", &waiting.max_age.to_string());
        if max_age.is_zero() {
            query.append_pair("prompt", "login");
        }
        if !upstream.trusted.acr.is_empty() {
            query.append_pair("acr_values", &upstream.trusted.acr.join(" "));
        }
    }
    let url = url.to_string();
    Ok(Ok(Prepared {
        ceremony,
        waiting,
        sent: Sent { url, token },
    }))
}

/// Hears what the provider answered through a browser. What waited is taken out, whatever that is
/// worth; `session` is the one that the browser holds.
///
/// # Errors
/// [`Fault`].
pub async fn arrive(
    app: &App,
    params: &Params,
    held: Option<&str>,
    session: Option<&SignedIn>,
    caller: &Caller,
) -> Result<Arrived, Fault> {
    let Some(upstream) = &app.config.upstream else {
        return Ok(Arrived::Gone);
    };
    let state = params.get("state").and_then(|id| Uuid::try_parse(id).ok());
    let (Some(id), Some(held)) = (state, held) else {
        count(app, "unknown_state");
        return Ok(Arrived::Gone);
    };
    let holder = TokenHash::of(Purpose::Ceremony, held);
    let ceremony = Ceremony {
        id,
        holder,
        purpose: PURPOSE,
    };
    let now = app.clock.now();
    let taken = app
        .store
        .write(move |tx| Box::pin(ceremonies::take::<Waiting>(tx, ceremony, now)))
        .await?;
    let Some((waiting, _)) = taken else {
        count(app, "unknown_state");
        return Ok(Arrived::Gone);
    };
    let vouched = match hear(app, upstream, params, &waiting).await? {
        Ok(vouched) => vouched,
        Err(trouble) => return Ok(Arrived::Back(waiting.errand, trouble)),
    };
    let key = subject_key(app, upstream, &vouched.subject);
    let onward = match waiting.errand {
        Errand::SignIn(onward) => onward,
        Errand::Link(of) => {
            let session = session.filter(|held| held.session.id == of);
            let Some(held) = session else {
                return Ok(Arrived::Gone);
            };
            let done = link::finish(app, held, key, &upstream.issuer, caller).await?;
            return Ok(match done {
                Ok(()) => Arrived::Linked,
                Err(trouble) => Arrived::Back(Errand::Link(of), trouble),
            });
        }
    };
    let found = app
        .store
        .read(move |tx| Box::pin(upstream_links::find(tx, key)))
        .await?;
    let Some(user) = found else {
        count(app, "unlinked");
        return Ok(Arrived::Back(Errand::SignIn(onward), Trouble::Unlinked));
    };
    let auth_time = vouched.auth_time;
    if upstream.trusted.believes(&vouched) {
        let whole = Whole {
            user,
            key,
            auth_time,
        };
        return Ok(Arrived::Whole(onward, whole));
    }
    let kept = Kept {
        user,
        key: key.0,
        auth_time,
        onward,
    };
    keep(app, holder, kept, now).await?;
    Ok(Arrived::Half)
}

/// Judges the answer itself.
async fn hear(
    app: &App,
    upstream: &Upstream,
    params: &Params,
    waiting: &Waiting,
) -> Result<Result<Vouched, Trouble>, Fault> {
    let metadata = match app.provider.metadata(app, upstream).await {
        Ok(metadata) => metadata,
        Err(why) => return Ok(Err(down(upstream, &why))),
    };
    // RFC 9207 §2.4: an answer of another provider, or one that does not say whose it is although this
    // one always does.
    let whose = params.get("iss");
    let right = match whose {
        Some(iss) => iss == upstream.issuer,
        None => !metadata.authorization_response_iss_parameter_supported,
    };
    if !right {
        count(app, "wrong_iss");
        return Ok(Err(Trouble::Wrong));
    }
    let (None, Some(code)) = (params.get("error"), params.get("code")) else {
        count(app, "declined");
        return Ok(Err(Trouble::Declined));
    };
    let redirect_uri = app.config.issuer.at(CALLBACK);
    let code = Code {
        code,
        verifier: &waiting.verifier,
        redirect_uri: &redirect_uri,
    };
    let expected = Expected {
        issuer: &upstream.issuer,
        client_id: &upstream.client_id,
        nonce: &waiting.nonce,
        max_age: Duration::from_secs(waiting.max_age),
        asked_at: waiting.asked_at,
        now: app.clock.now(),
    };
    Ok(
        match provider::redeem(app, (upstream, &metadata), code, &expected).await {
            Ok(vouched) => Ok(vouched),
            Err(Not::Failed(fault)) => return Err(fault),
            Err(Not::Reached(why)) => Err(down(upstream, &why)),
            Err(Not::Given) => {
                count(app, "code_refused");
                Err(Trouble::Wrong)
            }
            Err(Not::Right(refused)) => {
                tracing::warn!(
                    issuer = upstream.issuer,
                    ?refused,
                    "an ID token was refused"
                );
                count(app, refused.reason());
                Err(Trouble::Wrong)
            }
        },
    )
}

/// Keeps one factor of hers until another is proved beside it; one a browser.
async fn keep(app: &App, holder: TokenHash, kept: Kept, now: Timestamp) -> Result<(), Fault> {
    let ceremony = Ceremony {
        id: rng::uuid(now)?,
        holder,
        purpose: BESIDE,
    };
    let until = now.plus(Lifetimes::UPSTREAM);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                ceremonies::end(tx, holder, BESIDE).await?;
                ceremonies::begin(tx, ceremony, &kept, until).await
            })
        })
        .await
}

/// The factor of hers that waits in this browser for another.
///
/// # Errors
/// [`Fault`].
pub async fn half(app: &Arc<App>, held: Option<&str>) -> Result<Option<Half>, Fault> {
    let Some(held) = held else {
        return Ok(None);
    };
    let holder = TokenHash::of(Purpose::Ceremony, held);
    let now = app.clock.now();
    app.store
        .read(move |tx| {
            Box::pin(async move {
                let found = ceremonies::waiting::<Kept>(tx, holder, BESIDE, now).await?;
                let Some((id, kept)) = found else {
                    return Ok(None);
                };
                let Some(user) = users::find(tx, kept.user).await? else {
                    return Ok(None);
                };
                Ok(Some(Half {
                    user: kept.user,
                    username: user.profile.username,
                    onward: kept.onward,
                    key: SubjectKey(kept.key),
                    auth_time: kept.auth_time,
                    ceremony: Ceremony {
                        id,
                        holder,
                        purpose: BESIDE,
                    },
                }))
            })
        })
        .await
}

/// What finds the link of an account of the provider's.
fn subject_key(app: &App, upstream: &Upstream, subject: &str) -> SubjectKey {
    // An issuer is a URL: it holds no line break.
    let text = format!("{}\n{subject}", upstream.issuer);
    SubjectKey(app.vault.lookup("upstream.subject", &text))
}

fn random() -> Result<String, Fault> {
    Ok(URL_SAFE_NO_PAD.encode(rng::bytes::<32>()?))
}

fn count(app: &App, reason: &'static str) {
    app.refusals.count(Kind::UpstreamRefused, None, reason);
}

fn down(upstream: &Upstream, why: &str) -> Trouble {
    tracing::warn!(
        issuer = upstream.issuer,
        why,
        "the provider cannot be asked"
    );
    Trouble::Down
}

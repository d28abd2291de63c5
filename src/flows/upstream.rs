//! Signing in through the institution's own OpenID Provider: by the code flow with PKCE, bound to one
//! browser and one errand by what lies in `webauthn_ceremonies`, taken out by the first answer.
//!
//! Only an account that its own person linked is opened, and what the provider says of factors is
//! believed only as it is set; otherwise a factor of ours is asked for, by the one judge.

mod arrive;
mod evidence;
mod link;
mod provider;

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::Kind;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::webauthn;
use crate::app::App;
use crate::config::{Lifetimes, Upstream};
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Token, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::upstream_links::SubjectKey;

pub use arrive::{Arrived, arrive};
pub use evidence::{Half, Whole, half};
pub use link::{begin_link, linked, unlink};
pub use provider::Provider;

/// Where the provider sends people back to.
pub const CALLBACK: &str = "/upstream/callback";

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
    let (holder, token) = webauthn::hold(held)?;
    let now = app.clock.now();
    let ceremony = waits(rng::uuid(now)?, holder);
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

/// What finds the link of an account of the provider's.
fn subject_key(app: &App, upstream: &Upstream, subject: &str) -> SubjectKey {
    // An issuer is a URL: it holds no line break.
    let text = format!("{}\n{subject}", upstream.issuer);
    SubjectKey(app.vault.lookup("upstream.subject", &text))
}

/// An answer that is waited for.
const fn waits(id: Uuid, holder: TokenHash) -> Ceremony {
    Ceremony {
        id,
        holder,
        purpose: "upstream",
    }
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

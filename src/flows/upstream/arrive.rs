//! What the provider answered through a browser: taken once, judged, and sorted.

use std::time::Duration;

use rules::protocol::Params;
use rules::protocol::upstream::{Expected, Vouched};
use uuid::Uuid;

use super::evidence::{self, Whole};
use super::provider::{self, Code, Not};
use super::{CALLBACK, Errand, Onward, Trouble, Waiting, count, down, link, subject_key, waits};
use crate::app::App;
use crate::config::Upstream;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::sessions::SignedIn;
use crate::secret::{Purpose, TokenHash};
use crate::store::{ceremonies, upstream_links};

/// What came of an answer.
pub enum Arrived {
    /// Nothing waits for it in this browser (any more).
    Gone,
    /// There is trouble; she goes back to where she came from.
    Back(Errand, Trouble),
    /// The provider is believed: this is for the judge.
    Whole(Onward, Whole),
    /// It is not; under this name one factor waits for another of ours.
    Half(Uuid),
    /// It is linked.
    Linked,
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
    let ceremony = waits(id, holder);
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
    let whole = Whole {
        user,
        key,
        auth_time: vouched.auth_time,
    };
    if upstream.trusted.believes(&vouched) {
        return Ok(Arrived::Whole(onward, whole));
    }
    evidence::keep(app, holder, whole, onward)
        .await
        .map(Arrived::Half)
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
        given: code,
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

//! Logout that an app asks for (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use rules::protocol::end_session::{EndSessionRequest, Hint, bad_hint, judge};
use rules::protocol::{Client, OAuthError};

use super::sessions::{self, SignedIn};
use super::{Caller, id_token_hint};
use crate::app::App;
use crate::fault::Fault;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// By a link, with whatever cookies the browser has.
    Link,
    /// By another site's form, with which browsers send no cookies.
    ForeignForm,
    /// By our own page: the person was asked and said yes.
    Confirmed,
}

/// What happens next.
#[derive(Clone, Debug)]
pub enum Next {
    /// The person is asked.
    Ask {
        /// Which app asks, when that is certain.
        asked_by: Option<Arc<Client>>,
        /// Where she goes after she said yes.
        return_to: Option<String>,
    },
    /// Nobody is signed in in this browser (any more).
    Done {
        /// Where she goes.
        return_to: Option<String>,
    },
}

/// Why nothing was done.
#[derive(Debug)]
pub enum NotEnded {
    /// The request is wrong; the text says what to change.
    Refused(OAuthError),
    /// The server failed.
    Fault(Fault),
}

impl From<OAuthError> for NotEnded {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for NotEnded {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Ends the browser's session, or says that the person has to be asked. The session ends at once only
/// when the hint names it, which no stranger's link can.
///
/// # Errors
/// [`NotEnded::Refused`]: nothing was done and nobody may be redirected.
pub async fn end_session(
    app: &App,
    request: &EndSessionRequest,
    held: Option<&SignedIn>,
    arrival: Arrival,
    caller: &Caller,
) -> Result<Next, NotEnded> {
    let hint = match &request.hint {
        Some(token) => Some(read_hint(app, token)?),
        None => None,
    };
    let named = hint.as_ref().map(|hint| hint.client_id.as_str());
    let named = named.or(request.client_id.as_deref());
    let client = named.and_then(|id| app.registry.client(id));
    let judged = judge(request, hint.as_ref(), client.as_deref())?;
    let return_to = judged.return_to;
    let may_end = match (arrival, held) {
        (Arrival::Confirmed, _) | (Arrival::Link, None) => true,
        (Arrival::Link, Some(held)) => client
            .as_ref()
            .is_some_and(|client| judged.sid == Some(app.sid(client, held.session.id))),
        (Arrival::ForeignForm, _) => false,
    };
    if !may_end {
        // Anybody can write a client_id into a link; only a hint says who asks.
        let asked_by = client.filter(|_| hint.is_some());
        return Ok(Next::Ask {
            asked_by,
            return_to,
        });
    }
    if let Some(held) = held {
        sessions::end(app, held, held.session.id, caller).await?;
    }
    Ok(Next::Done { return_to })
}

/// Reads an ID token of ours, expired or not. It was issued to one client.
fn read_hint(app: &App, token: &str) -> Result<Hint, OAuthError> {
    let hint = id_token_hint::read(app, token).ok_or_else(bad_hint)?;
    let [client_id] = hint.audience.as_slice() else {
        return Err(bad_hint().detail("several audiences"));
    };
    Ok(Hint {
        client_id: client_id.clone(),
        sid: hint.sid,
    })
}

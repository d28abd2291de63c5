//! The person's answer.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::protocol::target::{OPENID_SCOPES, Target};
use rules::protocol::{AuthorizeRequest, ErrorCode, OAuthError, Scopes, acr};

use super::Caller;
use super::answer::{Asking, Reply};
use super::authorize::open;
use super::fit::{Fit, fit};
use super::sessions::SignedIn;
use crate::app::App;
use crate::fault::Fault;
use crate::registry::Registered;
use crate::store::interactions::Interaction;

/// What the person decided.
pub enum Decision {
    /// Yes, to these of the scopes that may be left out, and to all that may not.
    Allow {
        /// The optional scopes that she ticked.
        ticked: Scopes,
    },
    /// No.
    Deny,
}

/// What her answer leads to.
pub enum Answered {
    /// The answer to the client.
    Reply(Reply),
    /// She is not the person who was shown the page, or no longer signed in: it is shown anew.
    ShowAgain,
    /// There is no such interaction, or it was answered before.
    Gone,
}

/// Takes the answer of the person who was shown the page.
pub async fn answer(
    app: &Arc<App>,
    (id, token): (&str, &str),
    signed_in: Option<&SignedIn>,
    decision: Decision,
    caller: &Caller,
) -> Result<Answered, Fault> {
    let Some((interaction, client)) = open(app, id, token).await? else {
        return Ok(Answered::Gone);
    };
    let shown_to = |held: &&SignedIn| interaction.session_id == Some(held.session.id);
    let Some(signed_in) = signed_in.filter(shown_to) else {
        return Ok(Answered::ShowAgain);
    };
    if fit(app, &client, &interaction, signed_in) != Fit::Fits {
        return Ok(Answered::ShowAgain);
    }
    let asking = Asking {
        app: Arc::clone(app),
        client,
        caller: caller.clone(),
        is_stored: true,
    };
    let ticked = match decision {
        Decision::Allow { ticked } => ticked,
        Decision::Deny => return deny(asking, interaction, Some(signed_in)).await,
    };
    let target = chosen(app, &interaction.request, &ticked);
    if target.scopes.is_empty() && target.resources.is_empty() {
        return deny(asking, interaction, Some(signed_in)).await;
    }
    let session = signed_in.session.clone();
    let event = app
        .event(Kind::ConsentGiven, caller)?
        .by(Actor::User(session.user_id))
        .subject(session.user_id)
        .session(session.id)
        .client(asking.client.id.as_str())
        .with("scope", target.scopes.to_string());
    let claims = interaction
        .request
        .claims
        .beyond(&interaction.request.scopes);
    let event = if claims.is_empty() {
        event
    } else {
        event.with("claims", claims.into_iter().collect::<Vec<_>>().join(" "))
    };
    let types = app.config.details.as_ref();
    let details = &interaction.request.details;
    let event = super::with_details(event, &details.good_for(&target.resources, types));
    let event = app.pending(event, caller, Some(&signed_in.user.keys))?;
    let reply = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let reply = asking
                    .finish_with_consent(tx, interaction, &session, target)
                    .await?;
                if reply.is_some() {
                    tx.record(event);
                }
                Ok(reply)
            })
        })
        .await?;
    Ok(reply.map_or(Answered::Gone, Answered::Reply))
}

/// The person turns back, signed in or not.
pub async fn cancel(
    app: &Arc<App>,
    (id, token): (&str, &str),
    signed_in: Option<&SignedIn>,
    caller: &Caller,
) -> Result<Answered, Fault> {
    let Some((interaction, client)) = open(app, id, token).await? else {
        return Ok(Answered::Gone);
    };
    let asking = Asking {
        app: Arc::clone(app),
        client,
        caller: caller.clone(),
        is_stored: true,
    };
    let stepping =
        signed_in.is_some_and(|held| fit(app, &asking.client, &interaction, held) == Fit::StepUp);
    if stepping {
        // RFC 9470 §5: nobody gets less than what was asked for.
        let error = acr::unmet("the person did not prove as much as is required");
        let unmet = asking.refuse(interaction, signed_in, (error, "not_proved"));
        return Ok(unmet.await?.map_or(Answered::Gone, Answered::Reply));
    }
    deny(asking, interaction, signed_in).await
}

async fn deny(
    asking: Asking,
    interaction: Interaction,
    signed_in: Option<&SignedIn>,
) -> Result<Answered, Fault> {
    let error = OAuthError::new(ErrorCode::AccessDenied, "the person did not agree");
    let denied = asking
        .refuse(interaction, signed_in, (error, "by_person"))
        .await?;
    Ok(denied.map_or(Answered::Gone, Answered::Reply))
}

/// What is granted: all that may not be left out, and what she ticked of the rest.
fn chosen(app: &App, request: &AuthorizeRequest, ticked: &Scopes) -> Target {
    let registered = app.registry.now();
    let scopes = request
        .scopes
        .filter(|scope| !is_optional(&registered, scope) || ticked.contains(scope));
    let opened = request.details.opened(app.config.details.as_ref());
    let still_used = |uri: &&String| {
        let resource = registered.resource(uri);
        opened.contains(&uri.as_str())
            || resource.is_some_and(|resource| !resource.own(&scopes).is_empty())
    };
    let resources = request
        .resources
        .iter()
        .filter(still_used)
        .cloned()
        .collect();
    Target { scopes, resources }
}

/// Whether a person may leave a scope out and still go on.
#[must_use]
pub fn is_optional(registered: &Registered, scope: &str) -> bool {
    !OPENID_SCOPES.contains(&scope)
        && registered
            .resources()
            .iter()
            .flat_map(|resource| &resource.scopes)
            .any(|info| info.name == scope && info.optional)
}

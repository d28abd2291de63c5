//! Recent activity, in plain words.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use rules::audit::Kind;
use uuid::Uuid;

use super::rows::{can, client_name};
use super::{address, at_account};
use crate::app::App;
use crate::flows::activity::{self, By, Entry};
use crate::http::oauth::caller;
use crate::http::pages::view::{Activity, ActivityRow};
use crate::http::pages::{Stop, chrome, page};
use crate::registry::Registered;
use crate::words::{Words, isolate};

const HERE: &str = "/account/activity";

/// `GET /account/activity`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let before = identifier(request.uri(), "before");
    let held = at_account(&app, request.headers(), address(&request)).await?;
    let found = activity::page(&app, &held, before).await?;
    let registered = app.registry.now();
    let say = caller.say();
    let view = Activity {
        chrome: &chrome(&app, &caller),
        rows: found
            .entries
            .iter()
            .map(|entry| row(say, &registered, entry))
            .collect(),
        newest_href: before.map(|_| HERE.to_owned()),
        older_href: found.older.map(|id| format!("{HERE}?before={id}")),
        back_href: "/account".to_owned(),
    };
    Ok(page(StatusCode::OK, &view, None))
}

/// An identifier in the query.
pub(super) fn identifier(uri: &Uri, name: &str) -> Option<Uuid> {
    let query = url::form_urlencoded::parse(uri.query()?.as_bytes());
    let mut values = query.filter(|(found, _)| found == name);
    Uuid::try_parse(&values.next()?.1).ok()
}

/// One thing that happened, as she reads it.
pub(super) fn row(say: Words, registered: &Registered, entry: &Entry) -> ActivityRow {
    let scopes = entry.scope.as_deref().unwrap_or_default();
    let scopes: Vec<&str> = scopes.split(' ').collect();
    // Who signed in is said with the browser.
    let browser = match entry.kind {
        Kind::SignInSucceeded => None,
        _ => entry.agent.as_deref().map(|agent| say.browser(agent)),
    };
    let from = [
        Some(say.date_and_time(entry.at)),
        browser,
        entry.address.clone(),
    ];
    ActivityRow {
        what: sentence(say, registered, entry),
        can: can(say, registered, |scope| scopes.contains(&scope)),
        from: from.into_iter().flatten().collect(),
        not_me_href: is_disputable(entry).then(|| format!("/account/not-me?event={}", entry.id)),
    }
}

/// What happened; names of apps are marked as somebody else's words.
fn sentence(say: Words, registered: &Registered, entry: &Entry) -> String {
    let app = || {
        isolate(&client_name(
            registered,
            entry.client.as_deref().unwrap_or_default(),
        ))
    };
    match (entry.kind, entry.by) {
        (Kind::UserInvited, _) => say.activity_invited(),
        (Kind::UserActivated, _) => say.activity_activated(),
        (Kind::UserChanged, _) if entry.address_changed => say.activity_moved(),
        (Kind::UserChanged, _) => say.activity_changed(),
        (Kind::UserDisabled, _) => say.activity_disabled(),
        (Kind::UserEnabled, _) => say.activity_enabled(),
        (Kind::UserDisputed, _) => say.activity_disputed(),
        (Kind::AddressAsked, _) => say.activity_address_asked(),
        (Kind::AddressConfirmed, _) => say.activity_address_confirmed(),
        (Kind::PasswordChanged, _) => say.activity_password_changed(),
        (Kind::PasswordEnded, _) => say.activity_password_ended(),
        (Kind::RecoveryCodeUsed, _) => say.activity_recovery_used(),
        (Kind::RecoveryCodesReplaced, _) => say.activity_recovery_replaced(),
        (Kind::PasskeyAdded, _) => say.activity_key_added(),
        (Kind::PasskeyRemoved, _) => say.activity_key_removed(),
        (Kind::PasskeyBlocked, By::Her) => say.activity_key_disputed(),
        (Kind::PasskeyBlocked, _) => say.activity_key_blocked(),
        (Kind::AppReplaced, _) => say.activity_app_replaced(),
        (Kind::UpstreamLinked, _) => say.activity_upstream_linked(),
        (Kind::UpstreamUnlinked, _) => say.activity_upstream_unlinked(),
        (Kind::RecoveryBegun, _) => say.activity_recovery_begun(),
        (Kind::RecoveryApproved, _) => say.activity_recovery_approved(),
        (Kind::RecoveryCancelled, _) => say.activity_recovery_cancelled(),
        (Kind::RecoveryFinished, _) => say.activity_recovery_finished(),
        (Kind::DataExported, _) => say.activity_data(),
        (Kind::CloseAsked, _) => say.activity_close_asked(),
        (Kind::CloseTakenBack, _) => say.activity_close_taken_back(),
        (Kind::ConfirmationRefused, _) => say.activity_change_refused(),
        (Kind::SignInSucceeded, _) => match entry.agent.as_deref() {
            Some(agent) => say.activity_signed_in(say.browser(agent)),
            None => say.activity_signed_in_somewhere(),
        },
        (Kind::SignInRefused, _) => say.activity_sign_in_refused(),
        (Kind::SessionEnded, _) if entry.everywhere => say.activity_signed_out_everywhere(),
        (Kind::SessionEnded, By::Her) => say.activity_signed_out(),
        (Kind::SessionEnded, _) => say.activity_session_ended(),
        (Kind::ConsentGiven, _) => say.activity_shared(app()),
        (Kind::ConsentRefused, _) => say.activity_not_shared(app()),
        (Kind::GrantRevoked, By::Her) => say.activity_stopped(app()),
        (Kind::GrantRevoked, _) => say.activity_disconnected(app()),
        (Kind::CodeReplayed | Kind::RefreshReused, _) => say.activity_key_reused(app()),
        _ => say.activity_something(),
    }
}

/// Whether she may say that it was not her.
fn is_disputable(entry: &Entry) -> bool {
    entry.by != By::Us
        && matches!(
            entry.kind,
            Kind::SignInSucceeded
                | Kind::SignInRefused
                | Kind::ConfirmationRefused
                | Kind::AddressAsked
                | Kind::AddressConfirmed
                | Kind::PasswordChanged
                | Kind::RecoveryCodeUsed
                | Kind::RecoveryCodesReplaced
                | Kind::PasskeyAdded
                | Kind::AppReplaced
                | Kind::UpstreamLinked
                | Kind::UpstreamUnlinked
                | Kind::RecoveryCancelled
                | Kind::RecoveryFinished
                | Kind::DataExported
                | Kind::CloseAsked
                | Kind::CloseTakenBack
                | Kind::ConsentGiven
                | Kind::GrantRevoked
        )
}

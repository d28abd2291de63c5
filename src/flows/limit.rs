//! Turning requests away that are too many. What is turned away is counted for the audit log and
//! logged once a minute for each limit, so that a flood writes no flood.

use rules::audit::Kind;

use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::{Allowance, Exceeded, Whose};

/// Counts a request.
///
/// # Errors
/// [`Exceeded`] when it is one too many.
pub fn take(app: &App, limit: Limit, whose: Whose<'_>) -> Result<Option<Allowance>, Exceeded> {
    app.limits
        .take(limit, whose, app.clock.monotonic())
        .inspect_err(|exceeded| note(app, exceeded, whose))
}

/// Whether one more would be let through; nothing is counted against the limit.
///
/// # Errors
/// [`Exceeded`] when it would not.
pub fn look(app: &App, limit: Limit, whose: Whose<'_>) -> Result<(), Exceeded> {
    app.limits
        .look(limit, whose, app.clock.monotonic())
        .inspect_err(|exceeded| note(app, exceeded, whose))
}

/// Writes a request down that is turned away.
pub fn note(app: &App, exceeded: &Exceeded, whose: Whose<'_>) {
    let client = match whose {
        Whose::Client(client) | Whose::ClientAt(client, _) => Some(client),
        Whose::Address(_) | Whose::Token(_) => None,
    };
    let limit = exceeded.limit;
    app.refusals.count(Kind::LimitReached, client, limit.name());
    if app.limits.is_worth_a_line(limit, app.clock.monotonic()) {
        tracing::warn!(
            limit = limit.setting(),
            client.id = client,
            wait_seconds = exceeded.seconds(),
            "too many requests: some are turned away, and told when to come again"
        );
    }
}

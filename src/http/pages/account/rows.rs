//! The rows of the account pages, and how long lists are cut into pages.

use axum::http::Uri;
use rules::time::Timestamp;

use crate::app::App;
use crate::fault::Fault;
use crate::flows::account::{self, Agreed, GrantInfo};
use crate::flows::sessions::{SessionInfo, SignedIn};
use crate::http::pages::asking::own_scopes;
use crate::http::pages::claims::titles;
use crate::http::pages::view::{AgreedTo, ConnectedApp, Pages, SessionRow};
use crate::registry::Registered;
use crate::words::Words;

/// How many rows one page of a list has; with the longest rows it stays under 14 KiB.
const PAGE: usize = 10;

/// How many details one app's row has at most, and all rows of a page together.
const AGREED: (usize, usize) = (3, 6);

/// Connected apps, with the newest of what she agreed to beyond scopes.
pub(super) async fn app_rows(
    app: &App,
    say: Words,
    grants: &[GrantInfo],
) -> Result<Vec<ConnectedApp>, Fault> {
    let agreed = account::agreed(app, grants, AGREED).await?;
    let registered = app.registry.now();
    let rows = grants.iter().zip(&agreed);
    Ok(rows
        .map(|(grant, agreed)| app_row(app, say, &registered, (grant, agreed)))
        .collect())
}

/// A connected app.
fn app_row(
    app: &App,
    say: Words,
    registered: &Registered,
    (grant, agreed): (&GrantInfo, &[Agreed]),
) -> ConnectedApp {
    let client = registered.any_client(&grant.client_id);
    let until = grant.consented_at.plus(app.config.lifetimes.authorization);
    ConnectedApp {
        grant_id: grant.id.to_string(),
        name: client_name(registered, &grant.client_id),
        company: client.and_then(|client| client.metadata.legal_entity.clone()),
        can: granted(say, registered, grant),
        agreed: agreed
            .iter()
            .map(|(at, detail)| AgreedTo {
                on: say.account_agreed(say.date(*at)),
                shown: app.config.details.shown(detail, say.lang).shortened(),
            })
            .collect(),
        since: say.date(grant.created_at),
        until: say.date(until),
        action: format!("/account/apps/{}/stop", grant.id),
    }
}

/// A signed-in browser.
pub(super) fn session_row(
    say: Words,
    held: &SignedIn,
    session: &SessionInfo,
    now: Timestamp,
) -> Result<SessionRow, Fault> {
    let keys = &held.user.keys;
    Ok(SessionRow {
        label: say.browser(&session.agent(keys)?),
        address: session.address(keys)?,
        started: say.date_and_time(session.created_at),
        last_seen: say.ago(session.seen_at, now),
        current: session.id == held.session.id,
        action: format!("/account/sessions/{}/end", session.id),
    })
}

/// What an app is called.
pub(super) fn client_name(registered: &Registered, id: &str) -> String {
    registered
        .any_client(id)
        .map_or_else(|| id.to_owned(), |client| client.name.clone())
}

/// What a consent lets an app see or do.
pub(super) fn granted(say: Words, registered: &Registered, grant: &GrantInfo) -> Vec<String> {
    let mut can = can(say, registered, |scope| grant.scopes.contains(scope));
    can.extend(titles(&grant.claims, say));
    can
}

/// What scopes let an app see or do, as on the consent page.
pub(super) fn can(say: Words, registered: &Registered, has: impl Fn(&str) -> bool) -> Vec<String> {
    let infos = registered.resources().iter().flat_map(|one| &one.scopes);
    let theirs = infos
        .filter(|info| has(&info.name))
        .map(|info| info.title_in(say.lang.tag()).to_owned());
    let ours = own_scopes(say)
        .into_iter()
        .filter(|(scope, _)| has(scope))
        .map(|(_, title)| title);
    theirs.chain(ours).collect()
}

/// The part of a list that the address asks for by `?page=2`, and the ways to its neighbours.
pub(super) fn part<'a, T>(all: &'a [T], uri: &Uri) -> (&'a [T], Pages) {
    let query = uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let asked = pairs.find(|(name, _)| name == "page");
    let asked = asked.and_then(|(_, number)| number.parse::<usize>().ok());
    let last = all.len().div_ceil(PAGE).max(1);
    let number = asked.unwrap_or(1).clamp(1, last);
    let from = (number - 1) * PAGE;
    let part = &all[from..all.len().min(from + PAGE)];
    let to = |number: usize| format!("{}?page={number}", uri.path());
    let pages = Pages {
        newer_href: (number > 1).then(|| to(number - 1)),
        older_href: (number < last).then(|| to(number + 1)),
    };
    (part, pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_pages_whatever_is_asked_for() {
        let all: Vec<usize> = (0..25).collect();
        for (query, first, count, newer, older) in [
            ("", 0, 10, false, true),
            ("?page=2", 10, 10, true, true),
            ("?page=3", 20, 5, true, false),
            ("?page=99", 20, 5, true, false),
            ("?page=0", 0, 10, false, true),
            ("?page=x", 0, 10, false, true),
        ] {
            let uri: Uri = format!("/account/apps{query}").parse().unwrap();
            let (part, pages) = part(&all, &uri);
            assert_eq!((part[0], part.len()), (first, count), "{query}");
            assert_eq!(pages.newer_href.is_some(), newer, "{query}");
            assert_eq!(pages.older_href.is_some(), older, "{query}");
        }
        let uri: Uri = "/account/apps?page=2".parse().unwrap();
        assert!(part(&all[..0], &uri).0.is_empty());
    }
}

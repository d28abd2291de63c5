//! The consent page: what an app asks for, in the words of those whose it is.

use axum::http::StatusCode;
use axum::response::Response;
use rules::protocol::{AuthorizeRequest, Client, Metadata, Resource, Scopes};

use super::view::{Consent, ConsentItem};
use super::{chrome, claims, host_of, page};
use crate::app::App;
use crate::flows::Caller;
use crate::flows::account::GrantInfo;
use crate::flows::consent::is_optional;
use crate::flows::sessions::SignedIn;
use crate::registry::Registered;
use crate::words::{Words, isolate};

/// Asks for consent. `granted` is what an earlier one already covers.
pub(super) fn ask(
    app: &App,
    caller: &Caller,
    id: &str,
    (client, request): (&Client, &AuthorizeRequest),
    (granted, signed_in): (Option<&GrantInfo>, &SignedIn),
) -> Response {
    let say = caller.say();
    let nothing = Scopes::default();
    let scopes = granted.map_or(&nothing, |grant| &grant.scopes);
    let tells = |claim: &str| granted.is_some_and(|grant| grant.tells(claim));
    let registered = app.registry.now();
    let asked: Vec<&Resource> = request
        .resources
        .iter()
        .filter_map(|uri| registered.resource(uri))
        .collect();
    let Labels {
        heading,
        primary,
        deny,
    } = labels(say, &client.name, (&asked, !request.details.is_empty()));
    let mut items = items(say, &registered, &request.scopes, scopes);
    items.extend(own_items(say, &request.scopes, scopes));
    let beyond = request.claims.beyond(&request.scopes);
    items.extend(claims::items(&beyond, say, tells));
    let details = &request.details;
    let types = app.config.details.as_ref();
    let details: Vec<_> = details
        .iter()
        .map(|(_, detail)| types.shown(detail, say.lang))
        .collect();
    let until = app.clock.now().plus(app.config.lifetimes.authorization);
    let view = Consent {
        chrome: &chrome(app, caller),
        action: format!("/interaction/{id}/consent"),
        heading,
        client_name: client.name.clone(),
        facts: facts(say, &client.metadata),
        links: links(say, &client.metadata),
        items,
        cannot: cannot(say, &asked, details.is_empty()),
        details,
        until: say.date(until),
        redirect_host: host_of(&request.return_to.redirect_uri),
        signed_in_as: signed_in.user.profile.display_name().to_owned(),
        switch_action: format!("/interaction/{id}/switch"),
        primary_label: primary,
        deny_label: deny,
    };
    page(StatusCode::OK, &view, Some(&request.return_to.redirect_uri))
}

/// The question and its two answers.
struct Labels {
    heading: String,
    primary: String,
    deny: String,
}

fn labels(say: Words, app: &str, (asked, in_particular): (&[&Resource], bool)) -> Labels {
    let app = isolate(app);
    if in_particular {
        // Something is done, and not shared: a payment perhaps.
        return Labels {
            heading: say.consent_confirm_for(app),
            primary: say.consent_confirm(),
            deny: say.consent_do_not_confirm(),
        };
    }
    if asked.is_empty() {
        return Labels {
            heading: say.consent_sign_in_to(app),
            primary: say.consent_continue(),
            deny: say.consent_do_not_continue(),
        };
    }
    // Names as registered: "Accounts" makes "Share accounts with …".
    let names: Vec<String> = asked
        .iter()
        .map(|resource| say.within(resource.name_in(say.lang.tag())))
        .collect();
    let things = say.list(&names);
    Labels {
        heading: say.consent_share_with(app, &things),
        primary: say.consent_share(&things),
        deny: say.consent_do_not_share(),
    }
}

/// Who is behind the app, as far as it is registered.
fn facts(say: Words, known: &Metadata) -> Vec<(String, String)> {
    let country = known.hosting_country.as_ref();
    let website = known.client_uri.as_deref();
    let facts = [
        (say.consent_company(), known.legal_entity.clone()),
        (say.consent_licence(), known.licence.clone()),
        (
            say.consent_country(),
            country.map(|code| say.country_name(code)),
        ),
        (say.consent_website(), website.map(host_of)),
        (say.consent_contact(), known.contacts.first().cloned()),
    ];
    facts
        .into_iter()
        .filter_map(|(term, text)| Some((term, text?)))
        .collect()
}

fn links(say: Words, known: &Metadata) -> Vec<(String, String)> {
    let links = [
        (say.consent_policy(), known.policy_uri.clone()),
        (say.consent_terms(), known.tos_uri.clone()),
    ];
    links
        .into_iter()
        .filter_map(|(label, href)| Some((label, href?)))
        .collect()
}

/// What it does not get. That no money moves is said only when every API that is asked vouches for it,
/// and nothing is asked in particular.
fn cannot(say: Words, asked: &[&Resource], general: bool) -> Vec<String> {
    let harmless = general && !asked.is_empty() && asked.iter().all(|resource| resource.read_only);
    let first = harmless.then(|| say.consent_no_money());
    first
        .into_iter()
        .chain([say.consent_no_more(), say.consent_no_password()])
        .collect()
}

fn items(
    say: Words,
    registered: &Registered,
    asked: &Scopes,
    granted: &Scopes,
) -> Vec<ConsentItem> {
    let infos = registered.resources().iter().flat_map(|one| &one.scopes);
    infos
        .filter(|info| asked.contains(&info.name))
        .map(|info| {
            let already = granted.contains(&info.name);
            ConsentItem {
                id: info.name.clone(),
                title: info.title_in(say.lang.tag()).to_owned(),
                detail: info.detail.clone(),
                optional: is_optional(registered, &info.name),
                checked: already,
                already,
            }
        })
        .collect()
}

/// What the server's own scopes mean to a person (OpenID Connect Core §5.4, §11).
pub(super) fn own_scopes(say: Words) -> [(&'static str, String); 6] {
    [
        ("openid", say.scope_openid()),
        ("profile", say.scope_profile()),
        ("email", say.scope_email()),
        ("address", say.scope_address()),
        ("phone", say.scope_phone()),
        ("offline_access", say.scope_offline_access()),
    ]
}

fn own_items(say: Words, asked: &Scopes, granted: &Scopes) -> Vec<ConsentItem> {
    own_scopes(say)
        .into_iter()
        .filter(|(scope, _)| asked.contains(scope))
        .map(|(scope, title)| ConsentItem {
            id: scope.to_owned(),
            title,
            detail: None,
            optional: false,
            checked: true,
            already: granted.contains(scope),
        })
        .collect()
}

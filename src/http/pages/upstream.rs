//! Signing in through the institution's own provider: there, back, and one factor of ours where it is
//! not believed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::header::{HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use rules::protocol::Params;

use super::proof::presented;
use super::sign_in::{Again, Attempt, destination, held, judged};
use super::view::{Beside, Problem};
use super::{
    Notice, Stop, chrome, gone, interaction, not_found_page, own_form, page_with_keys, refused,
    see_other, set_cookie,
};
use crate::app::App;
use crate::flows::sign_in::{Evidence, Second};
use crate::flows::upstream::{self as flow, Arrived, Errand, Half, Onward, Sent, Trouble};
use crate::flows::{Caller, authorize};
use crate::http::cookies::{self, Cookies};
use crate::http::oauth::caller;
use crate::secret::Secret;

/// What people call the provider, when there is one.
pub(super) fn name(app: &App, caller: &Caller) -> Option<String> {
    let upstream = app.config.upstream.as_ref()?;
    Some(upstream.name(caller.lang).to_owned())
}

/// `GET /sign-in/upstream`: there, and back to a page of the account.
pub async fn to_account(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let to = destination(request.uri()).unwrap_or_else(|| "/account".to_owned());
    // Her account opens to her alone who is there now, whenever she signed in there before.
    let onward = Onward::Account(to);
    there(
        &app,
        request.headers(),
        onward,
        Some(Duration::ZERO),
        &caller,
    )
    .await
}

/// `GET /interaction/{id}/upstream`: there, and back to an app's request.
pub async fn for_app(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let caller = caller(&request);
    let headers = request.headers();
    let Some(token) = interaction::token(&app, &id, headers) else {
        return Ok(gone(&app, &caller));
    };
    let Some((_, asked)) = authorize::look(&app, &id, &token).await? else {
        return Ok(gone(&app, &caller));
    };
    let anew = asked.prompt.login.then_some(Duration::ZERO);
    let max_age = anew.or(asked.max_age);
    there(&app, headers, Onward::Interaction(id), max_age, &caller).await
}

/// `max_age` is what the errand asks for; never more than is set.
async fn there(
    app: &App,
    headers: &HeaderMap,
    onward: Onward,
    max_age: Option<Duration>,
    caller: &Caller,
) -> Result<Response, Stop> {
    let Some(upstream) = &app.config.upstream else {
        return Err(not_found_page(app, caller).into());
    };
    let longest = upstream.max_age;
    let max_age = max_age.map_or(longest, |asked| asked.min(longest));
    // Only a page of ours, or she herself, sends her there.
    let from = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if !matches!(from, None | Some(b"same-origin" | b"none")) {
        return Ok(see_other(&address(&onward, None)));
    }
    let cookies = Cookies::of(headers, &app.config.issuer);
    let held = cookies.get(cookies::CEREMONY);
    let errand = Errand::SignIn(onward.clone());
    Ok(match flow::begin(app, held, errand, max_age).await? {
        Ok(sent) => {
            let mut response = see_other(&sent.url);
            hold(&mut response, &cookies, &sent);
            response
        }
        Err(trouble) => see_other(&address(&onward, Some(trouble))),
    })
}

/// The browser gets its hold on what waits.
pub(super) fn hold(response: &mut Response, cookies: &Cookies<'_>, sent: &Sent) {
    if let Some(token) = &sent.token {
        set_cookie(
            response,
            cookies.set(cookies::CEREMONY, token.expose(), None),
        );
    }
}

/// The sign-in page that she came from, with words about what happened.
fn address(onward: &Onward, trouble: Option<Trouble>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let path = match onward {
        Onward::Account(to) => {
            query.append_pair("to", to);
            "/sign-in".to_owned()
        }
        Onward::Interaction(id) => format!("/interaction/{id}"),
    };
    if let Some(trouble) = trouble {
        query.append_pair("upstream", trouble.as_str());
    }
    match query.finish() {
        query if query.is_empty() => path,
        query => format!("{path}?{query}"),
    }
}

/// What happened, as the address of a page says.
pub(super) fn trouble(app: &App, caller: &Caller, uri: &Uri) -> Option<Again> {
    let (say, name) = (caller.say(), name(app, caller)?);
    let query = url::form_urlencoded::parse(uri.query()?.as_bytes());
    let (_, word) = query.into_iter().find(|(name, _)| name == "upstream")?;
    let trouble = Trouble::ALL.into_iter().find(|one| one.as_str() == word)?;
    let (status, text) = match trouble {
        Trouble::Down => (StatusCode::SERVICE_UNAVAILABLE, say.upstream_down(name)),
        Trouble::Declined => (StatusCode::BAD_REQUEST, say.upstream_declined(name)),
        Trouble::Wrong => (StatusCode::BAD_REQUEST, say.upstream_wrong(name)),
        Trouble::Unlinked => (StatusCode::FORBIDDEN, say.upstream_unlinked(name)),
        Trouble::Taken => (StatusCode::CONFLICT, say.upstream_taken(name)),
    };
    Some(Again::with(status, Problem::of(text)))
}

/// `GET /upstream/callback`: what the provider answered (RFC 6749 §4.1.2).
pub async fn arrive(State(app): State<Arc<App>>, request: Request) -> Result<Response, Stop> {
    let caller = caller(&request);
    let Some(name) = name(&app, &caller) else {
        return Ok(not_found_page(&app, &caller));
    };
    let params = match Params::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        Ok(params) => params,
        Err(error) => return Ok(refused(&app, &caller, &error)),
    };
    let headers = request.headers();
    let session = held(&app, headers).await?;
    let cookies = Cookies::of(headers, &app.config.issuer);
    let holder = cookies.get(cookies::CEREMONY);
    let arrived = flow::arrive(&app, &params, holder, session.as_ref(), &caller).await?;
    let (onward, whole) = match arrived {
        Arrived::Whole(onward, whole) => (onward, whole),
        Arrived::Gone => return Ok(gone(&app, &caller)),
        Arrived::Half(id) => return Ok(see_other(&factor(&id.to_string()))),
        Arrived::Linked => return Ok(see_other("/account?linked")),
        Arrived::Back(Errand::SignIn(onward), trouble) => {
            return Ok(see_other(&address(&onward, Some(trouble))));
        }
        Arrived::Back(Errand::Link(_), trouble) => {
            let word = trouble.as_str();
            return Ok(see_other(&format!("/account/upstream?upstream={word}")));
        }
    };
    Ok(
        match judged(&app, headers, Evidence::Upstream(whole), &caller).await? {
            Attempt::SignedIn { session, cookies } => {
                on(&app, &onward, (session, cookies), &caller).await
            }
            // Why is said to nobody: the account here may be stopped.
            Attempt::Again(again) => again.page(|_, _| {
                let say = caller.say();
                let closed = Notice {
                    status: StatusCode::FORBIDDEN,
                    heading: say.upstream_account(&name),
                    what: say.upstream_closed(&name),
                    todo: None,
                    link: Some((address(&onward, None), say.upstream_back())),
                };
                closed.show(&app, &caller, None)
            }),
        },
    )
}

/// On to where she wanted to go, signed in.
async fn on(
    app: &App,
    onward: &Onward,
    (session, cookies): (uuid::Uuid, Vec<HeaderValue>),
    caller: &Caller,
) -> Response {
    match onward {
        Onward::Interaction(id) => interaction::on(app, id, (session, cookies), caller).await,
        Onward::Account(to) => {
            let mut response = see_other(to);
            for cookie in cookies {
                set_cookie(&mut response, cookie);
            }
            response
        }
    }
}

/// Where a factor of ours is asked for.
fn factor(id: &str) -> String {
    format!("/sign-in/upstream/{id}")
}

/// The factor that waits in this browser; the page for what is over, when none does.
async fn waiting(app: &App, id: &str, headers: &HeaderMap, caller: &Caller) -> Result<Half, Stop> {
    let cookies = Cookies::of(headers, &app.config.issuer);
    let half = flow::half(app, id, cookies.get(cookies::CEREMONY)).await?;
    half.ok_or_else(|| gone(app, caller).into())
}

/// `GET /sign-in/upstream/{id}`: what the provider said is not enough.
pub async fn ask(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let caller = caller(&request);
    let half = waiting(&app, &id, request.headers(), &caller).await?;
    let to = (id.as_str(), &half.onward);
    Ok(beside(&app, &caller, to, (StatusCode::OK, None)))
}

/// `POST /sign-in/upstream/{id}`: to the one verdict.
pub async fn answer(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Stop> {
    let (headers, params, caller) = own_form(&app, request).await?;
    let half = waiting(&app, &id, &headers, &caller).await?;
    let onward = half.onward.clone();
    let say = caller.say();
    let field = |name| params.get(name).unwrap_or_default();
    let again = |again: Again| {
        Ok(again
            .page(|status, problem| beside(&app, &caller, (&id, &onward), (status, Some(problem)))))
    };
    let evidence = match presented(&app, &headers, &params) {
        Some(presented) if field("proof") != "key" => Evidence::Passkey(presented),
        Some(presented) => Evidence::UpstreamBeside(half, Second::Key(presented)),
        None if field("code").is_empty() => {
            return again(Again::of(Problem::of(say.upstream_beside_missing())));
        }
        None => {
            let code = Secret::new(field("code").to_owned());
            Evidence::UpstreamBeside(half, Second::Code(code))
        }
    };
    let by_code = field("credential").is_empty();
    match judged(&app, &headers, evidence, &caller).await? {
        Attempt::SignedIn { session, cookies } => {
            Ok(on(&app, &onward, (session, cookies), &caller).await)
        }
        Attempt::Again(refused) if by_code && refused.is_mendable() => {
            again(Again::of(Problem::of(say.upstream_beside_refused())))
        }
        Attempt::Again(refused) => again(refused),
    }
}

fn beside(
    app: &App,
    caller: &Caller,
    (id, onward): (&str, &Onward),
    (status, problem): (StatusCode, Option<Problem>),
) -> Response {
    let view = Beside {
        chrome: &chrome(app, caller),
        action: factor(id),
        name: name(app, caller).unwrap_or_default(),
        problem,
        back_href: address(onward, None),
    };
    page_with_keys(status, &view, None)
}

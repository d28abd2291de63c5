//! HTTP: the whole surface on one page. Handlers parse, call one flow and reply.

pub mod admin;
pub mod certificates;
mod cookies;
mod form;
mod forwarded;
mod front;
mod layer;
mod limit;
pub mod oauth;
mod one;
pub mod pages;
mod proof;
mod reply;

pub use front::Front;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post};

use crate::app::App;

/// The network address that asks. The listener adds the other end of the connection to each request;
/// when that is a configured proxy, the layer around every request puts the one it speaks for in its
/// place.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The largest request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Everything this server answers.
pub fn router(app: Arc<App>) -> Router {
    use oauth::{authorize, discovery, introspect, par, revoke, token, userinfo, verify};
    use pages::{
        account, activate, assets, choose, errors, health, interaction, language, sign_in,
        sign_out, upstream,
    };

    let open_to_browsers = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::metadata),
        )
        .route("/jwks", get(discovery::jwks))
        .route("/par", post(par::par))
        .route("/token", post(token::token))
        .route("/revoke", post(revoke::revoke))
        .route(
            "/userinfo",
            get(userinfo::get)
                .post(userinfo::post)
                .layer(middleware::from_fn_with_state(
                    Arc::clone(&app),
                    limit::wrong_tokens,
                )),
        )
        // Before the layer, so that preflights, which no route takes, reach it.
        .method_not_allowed_fallback(pages::wrong_method)
        .layer(middleware::from_fn(layer::cross_origin));

    let counting_strays = Router::new()
        .route("/verify", any(verify::ask))
        .route("/verify/", any(verify::ask))
        .route("/verify/{*original}", any(verify::ask))
        .route("/static/{file}", get(assets::file))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            limit::strays,
        ));

    let routes = Router::new()
        .merge(open_to_browsers)
        .merge(account_pages())
        .merge(counting_strays)
        .route("/introspect", post(introspect::introspect))
        .route(
            "/authorize",
            // Asking for the head alone must not spend anything.
            get(authorize::get)
                .post(authorize::post)
                .head(authorize::head),
        )
        .route(
            "/interaction/{id}",
            get(interaction::show).head(pages::no_head),
        )
        .route("/interaction/{id}/sign-in", post(interaction::sign_in))
        .route("/interaction/{id}/step-up", post(interaction::step_up))
        .route("/interaction/{id}/upstream", get(upstream::for_app))
        .route("/interaction/{id}/consent", post(interaction::consent))
        .route("/interaction/{id}/cancel", post(interaction::cancel))
        .route("/interaction/{id}/go-on", post(choose::go_on))
        .route("/interaction/{id}/switch", post(interaction::switch))
        .route("/", get(account::home))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/upstream", get(upstream::to_account))
        .route(
            "/sign-in/upstream/{id}",
            get(upstream::ask).post(upstream::answer),
        )
        .route(
            "/upstream/callback",
            get(upstream::arrive).head(pages::no_head),
        )
        .route(
            "/sign-out",
            get(sign_out::ask_sign_out).post(sign_out::sign_out),
        )
        .route("/end_session", get(sign_out::get).post(sign_out::post))
        .route("/end_session/confirm", post(sign_out::confirm))
        .route(
            "/invite/{token}",
            get(activate::greet).post(activate::begin),
        )
        .route("/activate", get(activate::show))
        .route("/activate/password", post(activate::password))
        .route("/activate/factor", post(activate::factor))
        .route("/activate/passkey/ask", post(activate::ask_passkey))
        .route("/activate/passkey", post(activate::passkey))
        .route("/activate/codes", post(activate::codes))
        .route("/errors", get(errors::index))
        .route("/errors/{code}", get(errors::show))
        .route("/about", get(assets::about))
        .route("/language", post(language::choose))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::wrong_method)
        .with_state(Arc::clone(&app));
    around(routes, app)
}

/// What a signed-in person sees and changes.
fn account_pages() -> Router<Arc<App>> {
    use pages::account::{
        activity, app, care, dispute, lists, mailbox, passkeys, password, recovery_codes, upstream,
    };
    use pages::{account, proof};

    Router::new()
        .route("/account", get(account::show))
        .route("/account/apps", get(lists::apps))
        .route(
            "/account/apps/{grant}/stop",
            get(lists::ask_stop).post(lists::stop),
        )
        .route("/account/sessions", get(lists::sessions))
        .route("/account/sessions/end", post(lists::end_everywhere))
        .route("/account/sessions/{id}/end", post(lists::end_session))
        .route("/account/activity", get(activity::show))
        .route(
            "/account/password",
            get(password::show).post(password::submit),
        )
        .route(
            "/account/recovery-codes",
            get(recovery_codes::show).post(recovery_codes::begin),
        )
        .route(
            "/account/recovery-codes/confirm",
            post(recovery_codes::confirm),
        )
        .route(
            "/account/recovery-codes/cancel",
            post(recovery_codes::cancel),
        )
        .route("/passkeys/ask", post(proof::ask))
        .route(
            "/account/passkeys/add",
            get(passkeys::show_add).post(passkeys::begin),
        )
        .route(
            "/account/passkeys/new",
            get(passkeys::show_new).post(passkeys::finish),
        )
        .route("/account/passkeys/{id}", get(passkeys::show))
        .route("/account/passkeys/{id}/rename", post(passkeys::rename))
        .route("/account/passkeys/{id}/remove", post(passkeys::remove))
        .route("/account/app", get(app::show).post(app::begin))
        .route("/account/app/confirm", post(app::confirm))
        .route("/account/upstream", get(upstream::show))
        .route("/account/upstream/link", post(upstream::link))
        .route("/account/upstream/unlink", post(upstream::unlink))
        .route("/account/data", get(care::show_data).post(care::data))
        .route(
            "/account/close",
            get(care::show_close).post(care::ask_to_close),
        )
        .route("/account/close/take-back", post(care::take_back))
        .route("/account/recovery/cancel", post(care::cancel_recovery))
        .route("/account/address", get(mailbox::show).post(mailbox::ask))
        .route("/account/address/confirm", post(mailbox::confirm))
        .route("/account/not-me", get(dispute::ask).post(dispute::submit))
}

/// Puts the layer around routes that every request passes: its id, who asks, the host it asked for,
/// its time limit, the headers of every answer, and one line in the log.
pub fn around(routes: Router, app: Arc<App>) -> Router {
    routes.layer(middleware::from_fn_with_state(app, layer::around))
}

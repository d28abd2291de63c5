//! The way of a request to its answer. What programs ask all day long is found by its path at once;
//! everything else, and those endpoints asked in any other way, is found by the router. Both lead
//! to the same handlers through the same layer: the short way saves what a router and stacked
//! layers cost, which is more than the work itself.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};

use super::layer;
use super::oauth::{discovery, introspect, par, revoke, token};
use crate::app::App;

/// What answers requests.
#[derive(Clone)]
pub struct Front {
    app: Option<Arc<App>>,
    router: Router,
}

/// The endpoints of the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Metadata,
    Jwks,
    Par,
    Token,
    Revoke,
    Introspect,
}

impl Endpoint {
    /// Those that the router has under the same path and method.
    fn of(method: &Method, path: &str) -> Option<Self> {
        let (asked, endpoint) = match path {
            "/introspect" => (Method::POST, Self::Introspect),
            "/token" => (Method::POST, Self::Token),
            "/par" => (Method::POST, Self::Par),
            "/revoke" => (Method::POST, Self::Revoke),
            "/jwks" => (Method::GET, Self::Jwks),
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
                (Method::GET, Self::Metadata)
            }
            _ => return None,
        };
        (*method == asked).then_some(endpoint)
    }

    /// Whether web apps on other origins may read its answers.
    const fn is_open_to_origins(self) -> bool {
        !matches!(self, Self::Introspect)
    }

    async fn answer(self, app: Arc<App>, request: Request) -> Response {
        let app = State(app);
        // Each in a box of its own size: together they would be as large as the largest.
        let mut response = match self {
            Self::Metadata => discovery::metadata(app, request).await,
            Self::Jwks => discovery::jwks(app, request).await.into_response(),
            Self::Par => Box::pin(par::par(app, request)).await.into_response(),
            Self::Token => Box::pin(token::token(app, request)).await.into_response(),
            Self::Revoke => Box::pin(revoke::revoke(app, request)).await.into_response(),
            Self::Introspect => Box::pin(introspect::introspect(app, request))
                .await
                .into_response(),
        };
        if self.is_open_to_origins() {
            layer::open_to_origins(response.headers_mut());
        }
        response
    }
}

impl From<Router> for Front {
    /// Without a short way.
    fn from(router: Router) -> Self {
        Self { app: None, router }
    }
}

impl Front {
    /// Everything that this server answers.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self {
            router: super::router(Arc::clone(&app)),
            app: Some(app),
        }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// None.
    pub async fn answer(self, request: Request) -> Result<Response, Infallible> {
        let endpoint = Endpoint::of(request.method(), request.uri().path());
        let (Some(app), Some(endpoint)) = (self.app, endpoint) else {
            let mut router = self.router;
            return tower::Service::call(&mut router, request).await;
        };
        let route = request.uri().path().to_owned();
        let work = |request| endpoint.answer(Arc::clone(&app), request);
        Ok(layer::wrap(&app, &route, request, work).await)
    }
}

//! What several account pages share: a form that asks for a fresh proof, and what comes of it.

use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use rules::protocol::Params;

use super::proof;
use crate::app::App;
use crate::flows::Caller;
use crate::flows::fresh::{Fresh, Proved};
use crate::flows::sessions::SignedIn;
use crate::http::cookies::{self, Cookies};
use crate::http::pages::sign_in::{Again, refusal};
use crate::http::pages::view::{AskProof, Problem};
use crate::http::pages::{Stop, chrome, page_with_keys, see_other, set_cookie};

/// A form that was posted with a fresh proof, and how its page is shown again, saying why.
pub(super) struct Form<'a, S> {
    pub app: &'a App,
    pub caller: &'a Caller,
    pub headers: &'a HeaderMap,
    pub show: S,
}

impl<'a, S: Fn(StatusCode, Problem) -> Response> Form<'a, S> {
    /// What it gives; the page again when something is missing.
    pub(super) fn fresh(&self, params: &Params, held: SignedIn) -> Result<Fresh<'a>, Stop> {
        let Some(evidence) = proof(self.app, self.headers, params, &held) else {
            return Err(self.fill_in().into());
        };
        let cookies = Cookies::of(self.headers, &self.app.config.issuer);
        Ok(Fresh {
            held,
            evidence,
            device: cookies.get(cookies::DEVICE).map(str::to_owned),
            caller: self.caller,
        })
    }

    /// The page again: something is missing.
    pub(super) fn fill_in(&self) -> Response {
        self.mend(Problem::of(self.caller.say().account_fill_in()))
    }

    /// The page again: something is to be mended.
    pub(super) fn mend(&self, problem: Problem) -> Response {
        Again::of(problem).page(&self.show)
    }

    /// What comes of the verdict. The session goes on under its new cookie, when there is one.
    pub(super) fn conclude<T>(
        &self,
        proved: Proved<T>,
        done: impl FnOnce(T) -> Response,
    ) -> Response {
        let say = self.caller.say();
        let (mut response, token) = match proved {
            Proved::Done(gain, token) => (done(gain), token),
            Proved::Weaker(token) => {
                let problem = Problem::of(say.proof_weaker());
                ((self.show)(StatusCode::FORBIDDEN, problem), token)
            }
            Proved::SignedOut => return see_other("/sign-in"),
            Proved::Refused(way) => return refusal(say, way).page(&self.show),
            Proved::Blocked { until } => {
                return Again::blocked(self.app, say, until).page(&self.show);
            }
        };
        let cookies = Cookies::of(self.headers, &self.app.config.issuer);
        let cookie = cookies.set(cookies::SESSION, token.expose(), None);
        set_cookie(&mut response, cookie);
        response
    }
}

/// A page that says what will be done and asks for nothing but a fresh proof.
pub(super) struct Ask {
    pub heading: String,
    pub what: Vec<String>,
    pub button: String,
    pub action: &'static str,
}

impl Ask {
    /// The page.
    pub(super) fn show(
        &self,
        (app, caller): (&App, &Caller),
        status: StatusCode,
        problem: Option<Problem>,
    ) -> Response {
        let view = AskProof {
            chrome: &chrome(app, caller),
            heading: self.heading.clone(),
            what: self.what.clone(),
            button: self.button.clone(),
            action: self.action.to_owned(),
            problem,
            back_href: "/account".to_owned(),
        };
        page_with_keys(status, &view, None)
    }

    /// The form that is posted from it.
    pub(super) fn form<'a>(
        self,
        (app, caller): (&'a App, &'a Caller),
        headers: &'a HeaderMap,
    ) -> Form<'a, impl Fn(StatusCode, Problem) -> Response + use<'a>> {
        Form {
            app,
            caller,
            headers,
            show: move |status, problem| self.show((app, caller), status, Some(problem)),
        }
    }
}

//! What several account pages share: a form that asks for a fresh proof, and what comes of it.

use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use rules::protocol::Params;

use super::proof;
use crate::app::App;
use crate::flows::Caller;
use crate::flows::fresh::Proved;
use crate::flows::sessions::SignedIn;
use crate::flows::sign_in::Evidence;
use crate::http::cookies::{self, Cookies};
use crate::http::pages::sign_in::{Again, refused_passkey};
use crate::http::pages::view::{AskProof, Problem};
use crate::http::pages::{Stop, chrome, page_with_keys, see_other};
use crate::secret::Token;

/// What is asked of her, and where it is posted.
pub(super) struct Ask {
    pub heading: String,
    pub what: Vec<String>,
    pub button: String,
    pub action: &'static str,
}

impl Ask {
    /// The page.
    pub(super) fn show(
        self,
        app: &App,
        caller: &Caller,
        status: StatusCode,
        problem: Option<Problem>,
    ) -> Response {
        let view = AskProof {
            chrome: &chrome(app, caller),
            heading: self.heading,
            what: self.what,
            button: self.button,
            action: self.action.to_owned(),
            problem,
            back_href: "/account".to_owned(),
        };
        page_with_keys(status, &view, None)
    }

    /// The page again, saying why.
    fn again(self, app: &App, caller: &Caller, again: Again) -> Response {
        again.page(|status, problem| self.show(app, caller, status, Some(problem)))
    }

    /// What the form gives, with the cookie of a known device; the page again when something is missing.
    pub(super) fn given(
        self,
        (app, caller): (&App, &Caller),
        (headers, params): (&HeaderMap, &Params),
        held: &SignedIn,
    ) -> Result<(Asked, Evidence, Option<String>), Stop> {
        let Some(evidence) = proof(app, headers, params, held) else {
            let problem = Problem::of(caller.say().account_fill_in());
            return Err(self.again(app, caller, Again::of(problem)).into());
        };
        let cookies = Cookies::of(headers, &app.config.issuer);
        let device = cookies.get(cookies::DEVICE).map(str::to_owned);
        let asked = Asked {
            by_passkey: matches!(evidence, Evidence::Passkey(_)),
            ask: self,
        };
        Ok((asked, evidence, device))
    }
}

/// A form that was answered.
pub(super) struct Asked {
    ask: Ask,
    by_passkey: bool,
}

impl Asked {
    /// What comes of the verdict.
    pub(super) fn conclude<T>(
        self,
        (app, caller): (&App, &Caller),
        proved: Proved<T>,
        done: impl FnOnce(T, Token) -> Response,
    ) -> Response {
        let say = caller.say();
        let again = match proved {
            Proved::Done(gain, token) => return done(gain, token),
            Proved::SignedOut => return see_other("/sign-in"),
            Proved::Refused if self.by_passkey => refused_passkey(say),
            Proved::Refused => Again::of(Problem::of(say.sign_in_refused())),
            Proved::Blocked { until } => Again::blocked(app, say, until),
        };
        self.ask.again(app, caller, again)
    }
}

//! Logout that an app asks for (OpenID Connect RP-Initiated Logout 1.0): what a request means, whom
//! its hint names, and where the person may be sent afterwards.

use super::client::Client;
use super::error::OAuthError;
use super::params::Params;

/// The parameters that matter (§2). `logout_hint` and `ui_locales` decide nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndSessionRequest {
    /// `id_token_hint`: an ID token of ours, expired or not.
    pub hint: Option<String>,
    /// `client_id`.
    pub client_id: Option<String>,
    /// `post_logout_redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `state`, given back with the redirect.
    pub state: Option<String>,
}

/// The names of the parameters, in the order of [`EndSessionRequest`].
const NAMES: [&str; 4] = [
    "id_token_hint",
    "client_id",
    "post_logout_redirect_uri",
    "state",
];

impl EndSessionRequest {
    /// Reads a request; one without parameters is a good one.
    #[must_use]
    pub fn parse(params: &Params) -> Self {
        let [hint, client_id, redirect_uri, state] =
            NAMES.map(|name| params.get(name).map(str::to_owned));
        Self {
            hint,
            client_id,
            redirect_uri,
            state,
        }
    }

    /// The same parameters once more, for the form that asks the person.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let values = [&self.hint, &self.client_id, &self.redirect_uri, &self.state];
        let named = NAMES.into_iter().zip(values);
        named
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }
}

/// What an `id_token_hint` says, once it is known to be an ID token of ours. How old it is does not
/// matter: people sign out long after they signed in (§2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// To whom the ID token was issued (`aud`).
    pub client_id: String,
    /// In which session (`sid`), as that client knows it.
    pub sid: Option<String>,
}

/// The refusal of a hint that is no ID token of ours.
#[must_use]
pub fn bad_hint() -> OAuthError {
    OAuthError::invalid_request(
        "id_token_hint is no ID token of this server's; send the one that was issued to you, unchanged",
    )
}

/// What may be done for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Where the person may be sent afterwards, `state` included.
    pub return_to: Option<String>,
    /// The session that the hint names: the browser that holds it need not be asked.
    pub sid: Option<String>,
}

/// Judges a request. `client` is the one that it names by its hint or by `client_id`, when that one
/// may act.
///
/// # Errors
/// `invalid_request`: nothing of the request may be done, least of all a redirect (§4).
pub fn judge(
    request: &EndSessionRequest,
    hint: Option<&Hint>,
    client: Option<&Client>,
) -> Result<Judged, OAuthError> {
    // §2: client_id must match the one that the ID token was issued to.
    if let (Some(hint), Some(client_id)) = (hint, &request.client_id)
        && hint.client_id != *client_id
    {
        return Err(OAuthError::invalid_request(
            "client_id is not the client that the id_token_hint was issued to; send your own ID token",
        ));
    }
    let names_client = hint.is_some() || request.client_id.is_some();
    if names_client && client.is_none() {
        return Err(OAuthError::invalid_request(
            "the client is not registered here, or it is disabled",
        ));
    }
    let return_to = match (&request.redirect_uri, hint, client) {
        (Some(uri), Some(_), Some(client)) => {
            // §3: to the letter; a loopback port or a longer query is another URI.
            let registered = &client.metadata.post_logout_redirect_uris;
            if !registered.contains(uri) {
                return Err(OAuthError::invalid_request(
                    "post_logout_redirect_uri is not one of the client's registered ones; it must be \
                     the same to the letter",
                ));
            }
            Some(with_state(uri, request.state.as_deref()))
        }
        // §2: without a hint anybody could have made the link. Signing out is offered; nobody is
        // sent anywhere.
        _ => None,
    };
    Ok(Judged {
        return_to,
        sid: hint.and_then(|hint| hint.sid.clone()),
    })
}

/// The URI with `state` added to its query; what it had stays.
fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else {
        return uri.to_owned();
    };
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state);
    format!("{uri}{separator}{}", query.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    const OUT: &str = "https://app.example/out";

    fn client() -> Client {
        serde_json::from_value(json!({
            "id": "app",
            "name": "App",
            "auth": { "method": "none" },
            "post_logout_redirect_uris": [OUT, "http://127.0.0.1/out", "https://app.example/q?x=1"],
        }))
        .unwrap()
    }

    fn hint() -> Hint {
        Hint {
            client_id: "app".to_owned(),
            sid: Some("seven".to_owned()),
        }
    }

    fn request(pairs: &str) -> EndSessionRequest {
        EndSessionRequest::parse(&Params::parse(pairs.as_bytes()).unwrap())
    }

    #[test]
    fn only_state_goes_along() {
        let state = "s".repeat(128);
        let asked = request(&format!(
            "id_token_hint=x&post_logout_redirect_uri={OUT}&state={state}&logout_hint=ada&ui_locales=de"
        ));
        let judged = judge(&asked, Some(&hint()), Some(&client())).unwrap();
        assert_eq!(judged.return_to, Some(format!("{OUT}?state={state}")));
        assert_eq!(judged.sid.as_deref(), Some("seven"));
        let asked = request(&format!("id_token_hint=x&post_logout_redirect_uri={OUT}"));
        let judged = judge(&asked, Some(&hint()), Some(&client())).unwrap();
        assert_eq!(judged.return_to.as_deref(), Some(OUT));
        let asked = request(
            "id_token_hint=x&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fq%3Fx%3D1&state=a%26b",
        );
        let judged = judge(&asked, Some(&hint()), Some(&client())).unwrap();
        assert_eq!(
            judged.return_to.as_deref(),
            Some("https://app.example/q?x=1&state=a%26b")
        );
    }

    #[test]
    fn no_other_uri_is_returned_to() {
        for uri in [
            "https://app.example/out%3Fx%3D1",
            "https://app.example/out%2F",
            "https://APP.example/out",
            "https://app.example:443/out",
            "https://app.example/OUT",
            "https://app.example.evil/out",
            "http://127.0.0.1:9000/out",
            "https://app.example/out%23",
            "//evil.example",
        ] {
            let asked = request(&format!("id_token_hint=x&post_logout_redirect_uri={uri}"));
            assert!(
                judge(&asked, Some(&hint()), Some(&client())).is_err(),
                "{uri}"
            );
        }
    }

    #[test]
    fn without_a_hint_nobody_is_sent_anywhere() {
        for pairs in [
            String::new(),
            "state=x".to_owned(),
            format!("post_logout_redirect_uri={OUT}&state=x"),
        ] {
            let judged = judge(&request(&pairs), None, None).unwrap();
            assert_eq!((judged.return_to, judged.sid), (None, None), "{pairs}");
        }
        let asked = request(&format!("client_id=app&post_logout_redirect_uri={OUT}"));
        let judged = judge(&asked, None, Some(&client())).unwrap();
        assert_eq!(judged.return_to, None);
    }

    #[test]
    fn another_clients_hint_and_an_unknown_client_are_refused() {
        let other = judge(
            &request("id_token_hint=x&client_id=other"),
            Some(&hint()),
            Some(&client()),
        );
        assert!(other.is_err());
        assert!(judge(&request("client_id=nobody"), None, None).is_err());
        assert!(judge(&request("id_token_hint=x"), Some(&hint()), None).is_err());
    }

    #[test]
    fn the_form_carries_every_parameter_and_nothing_else() {
        let asked = request("state=s&client_id=c&id_token_hint=h&post_logout_redirect_uri=u&x=y");
        let fields = asked.fields();
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, NAMES);
        assert!(EndSessionRequest::default().fields().is_empty());
    }
}

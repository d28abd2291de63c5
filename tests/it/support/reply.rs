//! What a machine endpoint answered.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// The body as JSON; `Null` when it is none.
    pub json: Value,
}

impl Reply {
    /// Sends the request and reads the answer.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.text().await.unwrap();
        let json = serde_json::from_str(&body).unwrap_or(Value::Null);
        Self {
            status,
            headers,
            body,
            json,
        }
    }

    /// A header's text, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A text member of the JSON body, empty when it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_default()
    }

    /// The error code; empty when there is none.
    pub fn error(&self) -> &str {
        self.text("error")
    }

    /// Asserts that this is the standard's error, well-formed (RFC 6749 §5.2).
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.error()), (status, code), "{}", self.body);
        self.well_formed_error();
    }

    /// Asserts the form of an error: JSON, the permitted characters, a request id.
    #[track_caller]
    pub fn well_formed_error(&self) {
        assert!(
            self.header("content-type").starts_with("application/json"),
            "{self:?}"
        );
        let permitted = |text: &str| {
            text.bytes()
                .all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        assert!(
            !self.error().is_empty() && permitted(self.error()),
            "{}",
            self.body
        );
        let description = self.json.get("error_description");
        assert!(
            description.is_none_or(|text| permitted(text.as_str().unwrap())),
            "{}",
            self.body
        );
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
    }

    /// Asserts a success and hands the body out.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json
    }
}

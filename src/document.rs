//! A document that is served as it is, with the tag by which caches know it again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;

use crate::secret::sha256;

/// The bytes and their entity tag (RFC 9110 §8.8.3).
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Document {
    /// Of a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        let hash = sha256(&[text.as_bytes()]);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..12]));
        Self {
            bytes: text.into(),
            // Base64url in quotes is a header's value.
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    /// What is served.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The entity tag, in quotes.
    #[must_use]
    pub const fn tag(&self) -> &HeaderValue {
        &self.tag
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new(String::new())
    }
}

//! Cookies: opaque, `__Host-`, `HttpOnly`, `Secure`, `SameSite=Lax`. Only on a plain-http loopback
//! issuer, where browsers refuse that, prefix and `Secure` are left out.

use std::time::Duration;

use axum::http::header::{self, HeaderMap, HeaderValue};

use crate::config::Issuer;

/// The cookie of a session.
pub const SESSION: &str = "cs-session";
/// The cookie of a browser that signed somebody in before.
pub const DEVICE: &str = "cs-device";
/// The cookie of an activation ceremony.
pub const ACTIVATION: &str = "cs-activation";
/// The cookie of a language that was chosen.
pub const LANGUAGE: &str = "cs-lang";
/// The cookie of a browser that was asked for a passkey or a security key, or sent to the institution's
/// own provider.
pub const CEREMONY: &str = "cs-passkey";
/// What the cookie of an interaction begins with; its id follows.
pub const INTERACTION: &str = "cs-ix-";

/// How many interactions one browser keeps; more make the header too large.
const KEPT: usize = 12;

/// The cookies of one request, and how new ones are written.
pub struct Cookies<'a> {
    headers: &'a HeaderMap,
    issuer: &'a Issuer,
}

impl<'a> Cookies<'a> {
    /// Of a request.
    pub const fn of(headers: &'a HeaderMap, issuer: &'a Issuer) -> Self {
        Self { headers, issuer }
    }

    /// The value of a cookie.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let name = self.full(name);
        self.pairs()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// A `Set-Cookie` that keeps `value` for `lifetime`, or as long as the browser runs.
    pub fn set(&self, name: &str, value: &str, lifetime: Option<Duration>) -> HeaderValue {
        let mut cookie = format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax",
            self.full(name)
        );
        if self.issuer.is_secure() {
            cookie.push_str("; Secure");
        }
        if let Some(lifetime) = lifetime {
            cookie.push_str("; Max-Age=");
            cookie.push_str(&lifetime.as_secs().to_string());
        }
        // Names and values are our own and plain ASCII.
        HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
    }

    /// A `Set-Cookie` that forgets.
    pub fn forget(&self, name: &str) -> HeaderValue {
        self.set(name, "", Some(Duration::ZERO))
    }

    /// `Set-Cookie` headers that forget interactions when there are too many.
    pub fn forget_surplus(&self) -> Vec<HeaderValue> {
        let prefix = self.full(INTERACTION);
        let bare = prefix.len() - INTERACTION.len();
        let held: Vec<_> = self
            .pairs()
            .filter(|(name, _)| name.starts_with(&prefix))
            .collect();
        // Browsers send the oldest first (RFC 6265 §5.4).
        held.iter()
            .take(held.len().saturating_sub(KEPT))
            .map(|(name, _)| self.forget(&name[bare..]))
            .collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
    }

    fn full(&self, name: &str) -> String {
        if self.issuer.is_secure() {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_a_secure_issuer_is_bound_to_the_host() {
        let issuer = Issuer::parse("https://login.bank.example").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("cs-session=evil; __Host-cs-session=x"),
        );
        let cookies = Cookies::of(&headers, &issuer);
        assert_eq!(cookies.get(SESSION), Some("x"));
        let set = cookies.set(SESSION, "y", None);
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-cs-session=y; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn surplus_interactions_are_forgotten() {
        let issuer = Issuer::parse("http://localhost:9400").unwrap();
        let many: Vec<_> = (0..15).map(|i| format!("cs-ix-{i}=t")).collect();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_str(&many.join("; ")).unwrap(),
        );
        assert_eq!(Cookies::of(&headers, &issuer).forget_surplus().len(), 3);
    }
}

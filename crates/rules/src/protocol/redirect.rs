//! Redirect URIs: what may be registered, and what a request may name.

use url::{Host, Url};

use crate::network::is_loopback_host;

/// What an answer adds to the query of a redirect URI (RFC 6749 §4.1.2, RFC 9207 §2, JARM §2.3).
const ANSWERED: [&str; 7] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "response",
];

/// Whether a URI may be registered (RFC 6749 §3.1.2, RFC 9700 §2.1, RFC 8252 §7).
///
/// # Errors
/// A sentence that names the rule.
pub fn check_registrable(uri: &str) -> Result<(), String> {
    let shown: String = uri.chars().take(200).collect();
    let bad = |rule: &str| Err(format!("redirect URI {shown}: {rule}"));
    let Ok(url) = Url::parse(uri) else {
        return bad("it is not an absolute URI");
    };
    if uri.contains('#') {
        return bad("it must not have a fragment");
    }
    if uri.len() > 2000
        || !uri.is_ascii()
        || uri.contains(|c: char| c.is_ascii_control() || c == ' ')
    {
        return bad("it must be at most 2000 printable ASCII characters");
    }
    if let Some((name, _)) = url
        .query_pairs()
        .find(|(name, _)| ANSWERED.contains(&&**name))
    {
        return bad(&format!(
            "its query must not have {name}, which answers carry"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("it must not carry a user name or password");
    }
    let web = matches!(url.scheme(), "https" | "http");
    // Browsers take more for a host than a name or an address: what stands there reaches a header.
    let host = url.host_str().unwrap_or_default();
    if web
        && !host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c))
    {
        return bad("its host must be a name or an address");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => bad("http is for loopback addresses only; use https"),
        // RFC 8252 §7.1: private-use schemes are a reversed domain name.
        scheme if scheme.contains('.') => Ok(()),
        _ => bad("the scheme must be https, or a reversed domain name such as com.example.app"),
    }
}

/// Whether `requested` is `registered`: the same to the letter, save the port of a loopback
/// address (RFC 8252 §7.3, RFC 9700 §2.1).
#[must_use]
pub fn matches(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return true;
    }
    let known = loopback(registered);
    known.is_some() && known == loopback(requested) && !requested.contains(['\\', '@', '#'])
}

/// Of a URI of a loopback address, written as such: the address, and what follows its port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let address = ["127.0.0.1", "[::1]"]
        .into_iter()
        .find(|one| rest.starts_with(one))?;
    let rest = &rest[address.len()..];
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (port, after) = rest.split_at(at);
    let digits =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok();
    (port.is_empty() || port.strip_prefix(':').is_some_and(digits)).then_some((address, after))
}

/// The origin of a redirect URI as a CSP `form-action` source: `https://app.example`, or
/// `com.example.app:`.
#[must_use]
pub fn csp_source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    match url.scheme() {
        // A CSP source cannot name an IPv6 address.
        scheme @ ("http" | "https") if matches!(url.host(), Some(Host::Ipv6(_))) => {
            Some(format!("{scheme}:"))
        }
        "http" | "https" => Some(url.origin().ascii_serialization()),
        scheme => Some(format!("{scheme}:")),
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_named_by_its_scheme_alone() {
        for (uri, source) in [
            ("https://[2001:db8::1]:8443/cb", "https:"),
            ("http://[::1]:9000/cb", "http:"),
            ("https://app.example/cb", "https://app.example"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(csp_source(uri).as_deref(), Some(source));
        }
    }

    #[test]
    fn what_answers_carry_is_in_no_registered_query() {
        assert_eq!(check_registrable("https://app.example/cb?tenant=7"), Ok(()));
        for name in ANSWERED {
            let uri = format!("https://app.example/cb?tenant=7&{name}=x");
            assert!(check_registrable(&uri).unwrap_err().contains(name));
        }
    }

    #[test]
    fn only_the_very_same_uri_matches() {
        let registered = "https://app.example/cb?x=1";
        assert!(matches(registered, registered));
        for other in [
            "https://app.example/cb",
            "https://app.example/cb?x=1&y=2",
            "https://app.example/cb/?x=1",
            "https://app.example:443/cb?x=1",
            "https://APP.example/cb?x=1",
            "https://app.example.evil/cb?x=1",
            "https://app.example/cb?x=1#",
            "https://app.example@evil.example/cb?x=1",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
    }

    #[test]
    fn the_port_of_a_loopback_address_is_free_and_nothing_else() {
        let registered = "http://127.0.0.1/cb";
        assert!(matches(registered, "http://127.0.0.1:49152/cb"));
        assert!(matches("http://[::1]:1/cb", "http://[::1]:2/cb"));
        for other in [
            "http://127.0.0.1:49152/cb/../x",
            "http://127.0.0.1:49152/cb2",
            "http://127.0.0.1:49152/./cb",
            "http://localhost:49152/cb",
            "https://127.0.0.1:49152/cb",
            "http://127.0.0.1@evil.example/cb",
            "http://127.0.0.1:49152\\@evil.example/cb",
            "http://[::1]:49152/cb",
            "http:127.0.0.1/cb",
            "http:/127.0.0.1:49152/cb",
            "http://127.1:49152/cb",
            "http://0x7f.1/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:+1/cb",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
    }

    #[test]
    fn dangerous_uris_are_not_registrable() {
        for uri in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/cb",
            "https://app.example/cb#f",
            "https://u:p@app.example/cb",
            "/cb",
            "myapp:/cb",
            "https://app.example/c b",
            // Each of these would say more in a policy's header than where a form may lead.
            "https://app.example;sandbox/cb",
            "https://app.example,x/cb",
            "https://'none'/cb",
            "https:/'app.examllehttp://[::2]:1/ct",
        ] {
            assert!(check_registrable(uri).is_err(), "{uri}");
        }
        for uri in [
            "https://app.example/cb",
            "http://127.0.0.1/cb",
            "https://[2001:db8::1]:8443/cb",
            "https://xn--bcher-kva.example/cb",
            "com.example.app:/cb",
        ] {
            assert!(check_registrable(uri).is_ok(), "{uri}");
        }
    }
}

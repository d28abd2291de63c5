//! What a proxy in front of the listener tells: whom it speaks for, and over which scheme. It is
//! believed only when it is one of `proxy.peers`; from anybody else it is worth nothing.
//!
//! Proxies append to what they were sent, so that a list of addresses is true from its end
//! backwards, as long as proxies of ours wrote it: the last address that is not one of `proxy.peers` is the
//! one that asked. What stands before it anybody could have written.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName};

use super::certificates::Presented;
use crate::config::{Config, ForwardedBy, Issuer, Proxy};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who asked, as far as it can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The network address.
    pub by: Option<IpAddr>,
    /// A proxy of ours passed the request on.
    pub through_proxy: bool,
    /// That proxy says that it was asked over plain http.
    pub over_http: bool,
}

impl Asked {
    /// Reads what the peer at the other end of the connection tells.
    pub fn of(proxy: &Proxy, peer: Option<IpAddr>, headers: &HeaderMap) -> Self {
        let stranger = Self {
            by: peer,
            ..Self::default()
        };
        let Some(peer) = peer.filter(|peer| proxy.is_peer(*peer)) else {
            return stranger;
        };
        let hops = match proxy.header {
            ForwardedBy::XForwardedFor => x_forwarded(headers),
            ForwardedBy::Forwarded => forwarded(headers),
        };
        let mut asked = Self {
            by: Some(peer),
            through_proxy: true,
            over_http: false,
        };
        for hop in hops.into_iter().rev() {
            asked.over_http = hop.proto.is_some_and(|proto| proto == "http");
            // "unknown", a made-up name, or a slip: the proxy before it is the last that is known.
            let Some(address) = hop.address else { break };
            asked.by = Some(address);
            if !proxy.is_peer(address) {
                break;
            }
        }
        asked
    }
}

/// One step of the way, as a proxy wrote it down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hop {
    address: Option<IpAddr>,
    proto: Option<String>,
}

/// `X-Forwarded-For`, with `X-Forwarded-Proto` beside it: one value for each step, or one that the
/// first proxy wrote and the others left alone.
fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let addresses = list(headers, &X_FORWARDED_FOR);
    let protos = list(headers, &X_FORWARDED_PROTO);
    let proto_of = |at: usize| {
        let own = if protos.len() == addresses.len() {
            protos.get(at)
        } else {
            protos.first()
        };
        own.map(|proto| proto.to_ascii_lowercase())
    };
    if addresses.is_empty() {
        return protos
            .first()
            .map(|_| Hop {
                address: None,
                proto: proto_of(0),
            })
            .into_iter()
            .collect();
    }
    let hop = |(at, text): (usize, &String)| Hop {
        address: node(text),
        proto: proto_of(at),
    };
    addresses.iter().enumerate().map(hop).collect()
}

/// The comma-separated values of all headers of a name, in order.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    lines(headers, name)
        .flat_map(|line| {
            line.split(',')
                .map(str::trim)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|value| !value.is_empty())
        .collect()
}

/// The lines of a header. Bytes that are no text spoil nothing but what they stand in: somebody who
/// sends them does not make unreadable what a proxy adds.
fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'h, str>> {
    let all = headers.get_all(name).iter();
    all.map(|line| String::from_utf8_lossy(line.as_bytes()))
}

/// `Forwarded` (RFC 7239 §4): elements split by commas, pairs by semicolons, values perhaps quoted.
fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops = Vec::new();
    for line in lines(headers, &header::FORWARDED) {
        for element in split(&line, b',') {
            let mut hop = Hop::default();
            for pair in split(element, b';') {
                let Some((name, value)) = pair.split_once('=') else {
                    continue;
                };
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => hop.address = node(value),
                    "proto" => hop.proto = Some(value.to_ascii_lowercase()),
                    _ => {}
                }
            }
            hops.push(hop);
        }
    }
    hops
}

/// Splits at a separator outside quotes. It is read from the end, because what a proxy of ours added
/// there is whole: a quote that somebody opened before it, and never closed, swallows nothing of it.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let bytes = text.as_bytes();
    let escaped = |at: usize| {
        let before = bytes[..at].iter().rev();
        before.take_while(|byte| **byte == b'\\').count() % 2 == 1
    };
    let (mut quoted, mut end) = (false, text.len());
    let mut parts = Vec::new();
    for (at, byte) in bytes.iter().enumerate().rev() {
        if *byte == b'"' && !escaped(at) {
            quoted = !quoted;
        } else if *byte == separator && !quoted {
            parts.push(&text[at + 1..end]);
            end = at;
        }
    }
    parts.push(&text[..end]);
    parts.reverse();
    parts
}

/// An address, perhaps with a port (RFC 7239 §6); IPv6 in brackets or bare.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip()))
        .map(|address| address.to_canonical())
}

/// What is answered where clients present certificates: nothing that people open, whose browsers
/// would ask them for one.
const WITH_CERTIFICATE: [&str; 5] = ["/par", "/token", "/introspect", "/revoke", "/userinfo"];

/// The host that a request asks.
fn host(request: &Request) -> &str {
    if let Some(authority) = request.uri().authority() {
        return authority.as_str();
    }
    let host = request.headers().get(header::HOST);
    host.and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// Whether a request asks the host of an origin.
pub fn is_for(request: &Request, origin: &Issuer) -> bool {
    let (host, own) = (host(request), origin.authority());
    let default_port = if origin.is_secure() { ":443" } else { ":80" };
    let bare = host.strip_suffix(default_port);
    host.eq_ignore_ascii_case(own) || bare.is_some_and(|name| name.eq_ignore_ascii_case(own))
}

/// Why a request is not for this server, as a sentence for the operator; `None` when it is.
pub fn misdirected(
    config: &Config,
    request: &Request,
    asked: Asked,
    route: &str,
) -> Option<String> {
    let issuer = &config.issuer;
    let mtls = config.mtls.as_ref().map(|mtls| &mtls.url);
    if let Some(mtls) = mtls.filter(|mtls| *mtls != issuer && is_for(request, mtls)) {
        let other = !WITH_CERTIFICATE.contains(&route);
        return other.then(|| {
            format!(
                "{} is for clients that present certificates; everything else is at {}",
                mtls.as_str(),
                issuer.as_str()
            )
        });
    }
    // RFC 8705 §5: the listener that asks for certificates has a name of its own.
    if request.extensions().get::<Presented>().is_some() || !is_for(request, issuer) {
        let (own, host) = (issuer.authority(), host(request));
        let variable = if own.contains(':') {
            "$http_host"
        } else {
            "$host"
        };
        return Some(format!(
            "The Host header must be {own}, and was {host:?}. A proxy must pass it on unchanged \
             (nginx: proxy_set_header Host {variable}; Apache: ProxyPreserveHost On); or set issuer \
             to the public address."
        ));
    }
    (issuer.is_secure() && asked.over_http).then(|| {
        format!(
            "The proxy says that it was asked over plain http, and {} is reached over https alone. \
             The proxy must send browsers on to https, and say which scheme it was asked over \
             (nginx: proxy_set_header X-Forwarded-Proto $scheme).",
            issuer.as_str()
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::config::ProxyFile;

    const PROXY: &str = "10.0.0.1";

    fn asked(header: &str, peer: &str, sent: &[(&'static str, &str)]) -> Asked {
        let file = ProxyFile {
            peers: vec!["10.0.0.0/24".to_owned()],
            header: header.to_owned(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        Asked::of(
            &file.check().unwrap(),
            Some(peer.parse().unwrap()),
            &headers,
        )
    }

    fn by(header: &str, sent: &[(&'static str, &str)]) -> String {
        asked(header, PROXY, sent).by.unwrap().to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let sent = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "http"),
            ("forwarded", "for=192.0.2.1;proto=http"),
        ];
        for header in ["x-forwarded-for", "forwarded"] {
            let seen = asked(header, "198.51.100.9", &sent);
            assert_eq!(seen.by, Some("198.51.100.9".parse().unwrap()));
            assert!(!seen.through_proxy && !seen.over_http);
        }
    }

    #[test]
    fn the_last_address_that_no_proxy_of_ours_has_is_the_one_that_asked() {
        let x = |value| by("x-forwarded-for", &[("x-forwarded-for", value)]);
        assert_eq!(x("192.0.2.1"), "192.0.2.1");
        // The person wrote the first one herself.
        assert_eq!(x("203.0.113.66, 192.0.2.1"), "192.0.2.1");
        assert_eq!(x("203.0.113.66, 192.0.2.1, 10.0.0.9"), "192.0.2.1");
        assert_eq!(x("2001:db8::7"), "2001:db8::7");
        assert_eq!(x("192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(x("::ffff:192.0.2.1"), "192.0.2.1");
        // All of them are ours: the first of them asked.
        assert_eq!(x("10.0.0.9, 10.0.0.8"), "10.0.0.9");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        let x = |value| by("x-forwarded-for", &[("x-forwarded-for", value)]);
        assert_eq!(x("192.0.2.1, nonsense"), PROXY);
        assert_eq!(x("192.0.2.1, nonsense, 10.0.0.9"), "10.0.0.9");
        assert_eq!(x(""), PROXY);
        let f = |value| by("forwarded", &[("forwarded", value)]);
        assert_eq!(f("for=192.0.2.1, for=unknown"), PROXY);
        assert_eq!(f("for=_hidden"), PROXY);
        assert_eq!(f("proto=https"), PROXY);
    }

    #[test]
    fn nothing_that_stands_before_it_hides_or_changes_what_a_proxy_added() {
        for before in [
            "for=203.0.113.66;x=\"",
            "for=203.0.113.66;x=\"\\",
            "for=203.0.113.66;x=\"\\\"",
            "\"",
            "for=\"a\", for=\"b",
            ",;=\",;=",
        ] {
            for added in ["for=192.0.2.1", "for=\"192.0.2.1:4711\";host=\"a\\\",b\""] {
                let line = format!("{before}, {added}");
                assert_eq!(
                    by("forwarded", &[("forwarded", &line)]),
                    "192.0.2.1",
                    "{line}"
                );
            }
        }
        for (chosen, name, line) in [
            (
                "x-forwarded-for",
                X_FORWARDED_FOR,
                b"\xff, 192.0.2.1".as_slice(),
            ),
            ("forwarded", header::FORWARDED, b"for=\xff, for=192.0.2.1"),
        ] {
            let file = ProxyFile {
                peers: vec![PROXY.to_owned()],
                header: chosen.to_owned(),
            };
            let proxy = file.check().unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(name, line.try_into().unwrap());
            let seen = Asked::of(&proxy, Some(PROXY.parse().unwrap()), &headers);
            assert_eq!(seen.by, Some("192.0.2.1".parse().unwrap()), "{line:?}");
        }
    }

    #[test]
    fn headers_that_come_twice_are_one_list() {
        let twice = [
            ("x-forwarded-for", "203.0.113.66"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_eq!(by("x-forwarded-for", &twice), "192.0.2.1");
    }

    #[test]
    fn only_the_chosen_header_is_read() {
        let both = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.2"),
        ];
        assert_eq!(by("x-forwarded-for", &both), "192.0.2.1");
        assert_eq!(by("forwarded", &both), "192.0.2.2");
    }

    #[test]
    fn rfc_7239s_own_examples_are_understood() {
        let f = |value| by("forwarded", &[("forwarded", value)]);
        assert_eq!(f("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
        assert_eq!(f("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
        assert_eq!(f("for=192.0.2.43, for=198.51.100.17"), "198.51.100.17");
        assert_eq!(f("for=\"a,b;c\", for=192.0.2.43"), "192.0.2.43");
    }

    #[test]
    fn the_scheme_is_that_of_the_step_that_asked() {
        let f = |value| asked("forwarded", PROXY, &[("forwarded", value)]).over_http;
        assert!(f("for=192.0.2.1;proto=http"));
        assert!(!f("for=192.0.2.1;proto=https"));
        assert!(!f("for=192.0.2.1;proto=https, for=10.0.0.9;proto=http"));
        let x = |addresses, proto| {
            let sent = [("x-forwarded-for", addresses), ("x-forwarded-proto", proto)];
            asked("x-forwarded-for", PROXY, &sent).over_http
        };
        assert!(x("192.0.2.1", "HTTP"));
        assert!(!x("192.0.2.1, 10.0.0.9", "https, http"));
        assert!(!x("192.0.2.1, 10.0.0.9", "https"));
        let alone = asked("x-forwarded-for", PROXY, &[("x-forwarded-proto", "http")]);
        assert!(alone.over_http);
    }
}

//! Requests from any address, straight into the router: over a socket all come from this machine.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use countersign::http::{Peer, router};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;

use crate::support::{Browser, ClientApp, TestServer};

/// What came back.
pub struct Got {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Got {
    /// A header's text, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// How long to wait; asserts that all that a `429` must say is there.
    #[track_caller]
    pub fn wait(&self, limit: &str) -> u64 {
        assert_eq!(self.status, 429, "{}", self.body);
        let seconds: u64 = self.header("retry-after").parse().unwrap();
        assert!(seconds > 0);
        let policy = self.header("ratelimit-policy");
        assert!(policy.starts_with(&format!("\"{limit}\";q=")), "{policy}");
        assert!(policy.contains(";w="), "{policy}");
        assert_eq!(
            self.header("ratelimit"),
            format!("\"{limit}\";r=0;t={seconds}")
        );
        assert!(!self.header("x-request-id").is_empty());
        seconds
    }
}

/// Sends a request from an address.
pub async fn send(server: &TestServer, from: &str, request: Request<Body>) -> Got {
    let host = server.issuer.strip_prefix("http://").unwrap();
    send_to(server, &[host], from, request).await
}

/// The same to hosts of the test's own.
pub async fn send_to(
    server: &TestServer,
    hosts: &[&str],
    from: &str,
    mut request: Request<Body>,
) -> Got {
    for host in hosts {
        request.headers_mut().append("host", host.parse().unwrap());
    }
    let from: IpAddr = from.parse().unwrap();
    request.extensions_mut().insert(Peer(from));
    let response = router(Arc::clone(&server.app))
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    Got {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// GETs a path.
pub async fn get(server: &TestServer, from: &str, path: &str) -> Got {
    send(
        server,
        from,
        Request::get(path).body(Body::empty()).unwrap(),
    )
    .await
}

/// POSTs a form as a page of the server's does, with a browser's cookies.
pub async fn post(
    server: &TestServer,
    from: &str,
    (path, browser): (&str, Option<&Browser>),
    form: &[(&str, &str)],
) -> Got {
    let cookies: Vec<String> = browser
        .into_iter()
        .flat_map(|browser| &browser.cookies)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let request = Request::post(path)
        .header("origin", &server.issuer)
        .header("cookie", cookies.join("; "))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encoded(form))
        .unwrap();
    send(server, from, request).await
}

/// POSTs a form as a client with a secret, or a wrong one.
pub async fn as_client(
    server: &TestServer,
    from: &str,
    (client, path): (&ClientApp, &str),
    form: &[(&str, &str)],
) -> Got {
    let request = Request::post(path)
        .header("authorization", client.basic())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encoded(form))
        .unwrap();
    send(server, from, request).await
}

/// The same client with a wrong secret.
pub fn guessing(client: &ClientApp) -> ClientApp {
    ClientApp {
        secret: "a guess".to_owned(),
        ..client.clone()
    }
}

fn encoded(form: &[(&str, &str)]) -> Body {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(form);
    Body::from(text.finish())
}

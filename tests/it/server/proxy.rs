//! Behind a proxy: whom it speaks for is believed when it is ours, and its slips are explained.

use std::sync::Arc;
use std::time::Duration;

use countersign::flows::Caller;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Running;

impl Running {
    /// What the proxy sends, and the whole answer.
    async fn passed_on(&self, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET /account HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn host(&self) -> String {
        format!("Host: {}\r\n", self.app.config.issuer.authority())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_name_and_scheme_are_answered() {
    let running = Running::behind(&["127.0.0.1"], "x-forwarded-for").await;
    let headers = running.host() + "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";
    let answer = running.passed_on(&headers).await;
    assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_host_header_is_explained_with_the_directive() {
    let running = Running::behind(&["127.0.0.1"], "x-forwarded-for").await;
    for host in ["Host: 127.0.0.1:9400\r\n", "Host: countersign\r\n"] {
        let answer = running.passed_on(host).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(
            answer.contains("proxy_set_header Host $http_host"),
            "{answer}"
        );
        assert!(answer.contains("ProxyPreserveHost On"), "{answer}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_was_asked_over_plain_http_is_explained() {
    for (header, sent) in [
        (
            "x-forwarded-for",
            "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n",
        ),
        ("forwarded", "Forwarded: for=192.0.2.1;proto=http\r\n"),
    ] {
        let running = Running::behind(&["127.0.0.1"], header).await;
        let answer = running.passed_on(&(running.host() + sent)).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(answer.contains("asked over plain http"), "{answer}");
        running.stop().await;
        // A stranger's word changes nothing.
        let running = Running::behind(&["192.0.2.99"], header).await;
        let answer = running.passed_on(&(running.host() + sent)).await;
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_believed_from_our_proxy_alone() {
    // What a handler is told is what flows write to the audit log.
    for (peers, expected) in [
        (&["127.0.0.0/8"][..], "192.0.2.7"),
        (&["192.0.2.99"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        let running = Running::behind(peers, "x-forwarded-for").await;
        let seen = told_address(&running, "203.0.113.66, 192.0.2.7").await;
        assert_eq!(seen, expected, "{peers:?}");
        running.stop().await;
    }
}

/// The address that a handler behind the layer around every request is told.
async fn told_address(running: &Running, forwarded_for: &str) -> String {
    use axum::Extension;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    let router = countersign::http::around(
        axum::Router::new().route(
            "/told",
            axum::routing::get(|Extension(caller): Extension<Caller>| async move {
                caller.address.unwrap().to_string()
            }),
        ),
        Arc::clone(&running.app),
    );
    let peer = countersign::http::Peer("127.0.0.1".parse().unwrap());
    let request = Request::get("/told")
        .header("host", running.app.config.issuer.authority())
        .header("x-forwarded-for", forwarded_for)
        .extension(peer)
        .body(Body::empty())
        .unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 10)
        .await
        .unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxys_idle_connection_outlives_the_time_for_a_head() {
    // nginx keeps connections for 60 s, so the listener must keep them longer.
    let running = Running::behind(&["127.0.0.1"], "x-forwarded-for").await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = format!("GET /healthz HTTP/1.1\r\n{}\r\n", running.host());
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            stream.read_buf(&mut answer).await.unwrap();
        }
        let early = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0])).await;
        assert!(early.is_err(), "closed early");
    }
    running.stop().await;
}

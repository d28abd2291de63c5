//! Who is slow: a client is told so, and a server says it of itself.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Reply, TestServer};

on_both![
    what_takes_too_long_here_is_a_failure_of_ours,
    a_body_that_does_not_arrive_is_the_clients_affair,
];

/// The same server, which gives a request one second.
async fn hasty(like: TestServer) -> TestServer {
    TestServer::start_with(like.engine, |file| {
        file.server.request_timeout_seconds = 1;
    })
    .await
}

async fn what_takes_too_long_here_is_a_failure_of_ours(server: TestServer) {
    let server = hasty(server).await;
    // Two routes of the server whose handlers never end.
    let routes = Router::new()
        .route("/sign-in", get(pending::<Response>))
        .route("/token", post(pending::<Response>));
    let service = countersign::http::around(routes, Arc::clone(&server.app));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let there = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let host = server.issuer.strip_prefix("http://").unwrap();
    let at = |path: &str| format!("http://{there}{path}");
    let (page, token) = (
        server.http.get(at("/sign-in")).header("host", host),
        server.http.post(at("/token")).header("host", host),
    );
    let (page, token) = tokio::join!(Reply::of(page), Reply::of(token));
    token.refused(503, "temporarily_unavailable");
    assert_eq!(page.status, 503);
    assert!(
        page.body.contains(page.header("x-request-id")),
        "{}",
        page.body
    );
    for reply in [page, token] {
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((1..60).contains(&wait));
    }
}

async fn a_body_that_does_not_arrive_is_the_clients_affair(server: TestServer) {
    let server = hasty(server).await;
    let port = server.port();
    let send = async |path: &str, more: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{more}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nscope="
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        let bound = Duration::from_secs(20);
        tokio::time::timeout(bound, read).await.unwrap().unwrap();
        answer
    };
    let same = "Sec-Fetch-Site: same-origin\r\n";
    let (token, page, foreign) = tokio::join!(
        send("/token", ""),
        send("/sign-in", same),
        send("/authorize", ""),
    );
    for answer in [&token, &page, &foreign] {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert!(token.contains("\"error\":\"invalid_request\""), "{token}");
    for answer in [page, foreign] {
        assert!(answer.contains("</html>"), "{answer}");
    }
}

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;
use crate::clock::Clock;
use crate::config::Proxy;
use crate::http::Peer;

/// How many connections one address may have.
const EACH: usize = 8;

/// A listener that serves `router` until the test ends, or the sender says so.
async fn serving(router: Router, max: usize) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    patiently(router, max, Patience::usual()).await
}

async fn patiently(
    router: Router,
    max: usize,
    patience: Patience,
) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stopping, stopped) = watch::channel(false);
    let server = tokio::spawn(async move {
        let connections = Connections {
            front: router.into(),
            builder: Arc::new(builder()),
            tls: None,
            patience,
            stopped: stopped.clone(),
            places: Places::new(max.min(EACH), Proxy::default()),
            clock: Clock::system(),
            leaving: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        tokio::select! {
            () = until(stopped) => {}
            never = accept(&listener, &connections, &mut tasks, max) => match never {},
        }
        drop(listener);
        drain(tasks, Duration::from_secs(10)).await;
    });
    (address, stopping, server)
}

/// Sends one request and reads until the connection ends.
async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset after its answer has answered all the same.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_knows_its_peer() {
    let peer = |Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() };
    let (address, _stopping, _server) = serving(Router::new().route("/", get(peer)), 8).await;
    let answer = ask(address, GET).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"),
        "{answer}"
    );
}

#[tokio::test]
async fn http2_is_spoken_by_prior_knowledge() {
    let (address, _stopping, _server) = serving(Router::new(), 8).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // RFC 9113 §3.4: the preface, then a SETTINGS frame, here an empty one.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 0x04, "the answer begins with SETTINGS");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let (address, _stopping, _server) =
        serving(Router::new().route("/", get(|| async {})), 8).await;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(40 << 10)
    );
    let answer = ask(address, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(100)
    );
    let answer = ask(address, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_running_request_ends_before_the_server_stops() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let (address, stopping, server) = serving(Router::new().route("/", get(slow)), 8).await;
    let answer = tokio::spawn(async move { ask(address, GET).await });
    begun.notified().await;
    stopping.send_replace(true);
    // New connections are refused at once, or soon.
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!server.is_finished());
    go_on.notify_one();
    server.await.unwrap();
    assert!(answer.await.unwrap().ends_with("done"));
}

#[tokio::test]
async fn an_idle_connection_ends_when_the_server_stops() {
    let (address, stopping, server) = serving(Router::new().route("/", get(|| async {})), 8).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    stream.read_exact(&mut [0; 12]).await.unwrap();
    stopping.send_replace(true);
    server.await.unwrap();
}

/// Waits for a head no longer than this, and much longer for another request.
const HASTY: Patience = Patience {
    handshake: Duration::from_millis(100),
    head: Duration::from_millis(100),
    idle: Duration::from_mins(10),
    look: Duration::from_millis(20),
    closing: Duration::from_millis(100),
};

async fn answered(stream: &mut TcpStream) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok") {
        assert!(
            stream.read_buf(&mut answer).await.unwrap() > 0,
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_not_waited_for() {
    let router = Router::new().route("/", get(|| async { "ok" }));
    let (address, _stopping, _server) = patiently(router, 8, HASTY).await;
    for first in [true, false] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if !first {
            answered(&mut stream).await;
        }
        // A byte now and then is not enough.
        let mut trickle = tokio::time::interval(Duration::from_millis(10));
        let (mut reader, mut writer) = stream.split();
        let mut end = [0; 1];
        let ended = async {
            loop {
                tokio::select! {
                    read = reader.read(&mut end) => break read,
                    _ = trickle.tick() => drop(writer.write_all(b"G").await),
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        assert!(!matches!(ended.unwrap(), Ok(1..)), "first: {first}");
    }
}

#[tokio::test]
async fn a_connection_between_two_requests_may_wait_longer_than_a_head() {
    let router = Router::new().route("/", get(|| async { "ok" }));
    let (address, _stopping, _server) = patiently(router, 8, HASTY).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    answered(&mut kept).await;
    // Somebody else's head is given up meanwhile, several times.
    for _ in 0..3 {
        let mut other = TcpStream::connect(address).await.unwrap();
        assert!(!matches!(other.read(&mut [0]).await, Ok(1..)));
    }
    answered(&mut kept).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let router = Router::new().route("/", get(|| async { "ok" }));
    let patience = Patience {
        idle: Duration::from_millis(200),
        ..HASTY
    };
    let (address, _stopping, _server) = patiently(router, 8, patience).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    answered(&mut idle).await;
    assert!(!matches!(idle.read(&mut [0]).await, Ok(1..)));
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_a_place() {
    let (address, _stopping, _server) =
        serving(Router::new().route("/", get(|| async { "ok" })), 1).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    let mut second = tokio::spawn(async move { ask(address, GET).await });
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut second).await;
    assert!(waited.is_err());
    drop(first);
    assert!(second.await.unwrap().ends_with("ok"));
}

#[tokio::test]
async fn an_address_with_too_many_connections_gets_no_more_until_one_ends() {
    let router = Router::new().route("/", get(|| async { "ok" }));
    let (address, _stopping, _server) = serving(router, 100).await;
    let mut held = Vec::new();
    for _ in 0..EACH {
        let mut stream = TcpStream::connect(address).await.unwrap();
        answered(&mut stream).await;
        held.push(stream);
    }
    let mut one_more = TcpStream::connect(address).await.unwrap();
    assert!(!matches!(one_more.read(&mut [0]).await, Ok(1..)));
    // Those that it has go on.
    answered(&mut held[0]).await;
    drop(held.pop());
    let again = async {
        while !ask(address, GET).await.ends_with("ok") {
            tokio::task::yield_now().await;
        }
    };
    let again = tokio::time::timeout(Duration::from_secs(20), again).await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn who_sends_too_much_sees_the_refusal() {
    let refuse = || async { (axum::http::StatusCode::PAYLOAD_TOO_LARGE, "too large") };
    let router = Router::new().route("/", axum::routing::post(refuse));
    let (address, _stopping, _server) = serving(router, 8).await;
    for length in [100 << 10, 1 << 20] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // Everything is sent before anything is read, as simple clients do.
        stream.write_all(&vec![b'x'; length]).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"too large") {
            assert!(
                stream.read_buf(&mut answer).await.unwrap() > 0,
                "{length}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        assert!(answer.starts_with(b"HTTP/1.1 413"));
    }
}

#[tokio::test]
async fn who_sends_without_end_is_cut_off() {
    let refuse = || async { axum::http::StatusCode::PAYLOAD_TOO_LARGE };
    let router = Router::new().route("/", axum::routing::post(refuse));
    let (address, _stopping, _server) = serving(router, 8).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 40
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 64 << 10];
    let sent = async { while stream.write_all(&chunk).await.is_ok() {} };
    let cut_off = tokio::time::timeout(Duration::from_secs(30), sent).await;
    assert!(cut_off.is_ok());
}

//! A balancer as they are everywhere: it probes `/readyz`, hands requests to the nodes in turn over
//! connections that it keeps, and sends none of them twice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::wire::{self, Wire};

/// How often nodes are probed.
const PROBE: Duration = Duration::from_millis(100);

/// A running balancer; it stops with the value.
pub struct Balancer {
    /// Where it listens.
    pub address: SocketAddr,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

struct Node {
    address: SocketAddr,
    ready: AtomicBool,
    kept: Mutex<Vec<Wire>>,
}

struct Nodes {
    all: Vec<Node>,
    turn: AtomicUsize,
}

impl Balancer {
    /// Before these nodes, whose common port stands in their issuer.
    pub async fn start(nodes: &[SocketAddr], port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let node = |&address: &SocketAddr| Node {
            address,
            ready: AtomicBool::new(false),
            kept: Mutex::default(),
        };
        let nodes = Arc::new(Nodes {
            all: nodes.iter().map(node).collect(),
            turn: AtomicUsize::new(0),
        });
        for node in &nodes.all {
            node.probe(port).await;
        }
        let probed = Arc::clone(&nodes);
        let prober = tokio::spawn(async move {
            let mut every = tokio::time::interval(PROBE);
            loop {
                every.tick().await;
                for node in &probed.all {
                    node.probe(port).await;
                }
            }
        });
        let accepter = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let nodes = Arc::clone(&nodes);
                tokio::spawn(async move { nodes.serve(stream).await });
            }
        });
        Self {
            address,
            tasks: vec![prober, accepter],
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Node {
    async fn probe(&self, port: u16) {
        let request = wire::request("GET", port, "/readyz", &[("connection", "close")], "");
        let asked = async { Wire::new(self.address).ask(&request).await };
        let answer = tokio::time::timeout(Duration::from_secs(1), asked).await;
        let ready = matches!(answer, Ok(Ok(got)) if got.status == 200);
        self.ready.store(ready, Ordering::SeqCst);
        if !ready {
            self.kept
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
    }

    fn kept(&self) -> Option<Wire> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }
}

impl Nodes {
    /// The next node that is ready.
    fn next(&self) -> Option<&Node> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..self.all.len())
            .map(|n| &self.all[(first + n) % self.all.len()])
            .find(|node| node.ready.load(Ordering::SeqCst))
    }

    /// One connection of a client: its requests, each to the next node.
    async fn serve(&self, mut client: TcpStream) {
        while let Ok(Some((head, mut body))) = wire::read_head(&mut client).await {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().ok())?
            });
            while body.len() < length.unwrap_or(0) {
                if !matches!(client.read_buf(&mut body).await, Ok(n) if n > 0) {
                    return;
                }
            }
            let mut request = head.into_bytes();
            request.extend_from_slice(b"\r\n");
            request.extend_from_slice(&body);
            let answer = self.hand_on(&request).await;
            if client.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    async fn hand_on(&self, request: &[u8]) -> Vec<u8> {
        const NOBODY: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
        let Some(node) = self.next() else {
            return NOBODY.to_vec();
        };
        let mut wire = node.kept().unwrap_or_else(|| Wire::new(node.address));
        let Ok(got) = wire.ask(request).await else {
            return NOBODY.to_vec();
        };
        if wire.is_kept() {
            let mut kept = node.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(wire);
        }
        let mut answer = Vec::with_capacity(got.head.len() + got.body.len() + 32);
        for line in got.head.lines() {
            let name = line.split(':').next().unwrap_or_default().to_lowercase();
            // What is between two neighbours is not handed on (RFC 9110 §7.6.1).
            if !["connection", "transfer-encoding", "content-length"].contains(&name.as_str()) {
                answer.extend_from_slice(line.as_bytes());
                answer.extend_from_slice(b"\r\n");
            }
        }
        answer.extend_from_slice(format!("content-length: {}\r\n\r\n", got.body.len()).as_bytes());
        answer.extend_from_slice(&got.body);
        answer
    }
}

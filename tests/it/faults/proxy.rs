//! A network between the server and its PostgreSQL that does as it is told.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It carries everything.
    Carries,
    /// It carries everything, late.
    Delays(Duration),
    /// It refuses connections, and breaks those that there are.
    Refuses,
    /// It takes everything and carries nothing, and says nothing.
    Swallows,
}

/// The network.
pub struct Proxy {
    /// Its port, on 127.0.0.1.
    pub port: u16,
    manner: Arc<watch::Sender<Manner>>,
}

impl Proxy {
    /// Starts one in front of PostgreSQL's socket.
    pub async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let manner = Arc::new(watch::channel(Manner::Carries).0);
        let told = Arc::clone(&manner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, socket.clone(), told.subscribe()));
            }
        });
        Self { port, manner }
    }

    /// From now on it does this.
    pub fn set(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }
}

async fn carry(near: TcpStream, socket: PathBuf, mut manner: watch::Receiver<Manner>) {
    if *manner.borrow() == Manner::Refuses {
        return;
    }
    let far = UnixStream::connect(socket).await.unwrap();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let there = one_way(near_in, far_out, manner.clone());
    let back = one_way(far_in, near_out, manner.clone());
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = manner.wait_for(|manner| *manner == Manner::Refuses) => {}
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut manner: watch::Receiver<Manner>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let now = *manner.borrow_and_update();
        match now {
            Manner::Delays(by) => tokio::time::sleep(by).await,
            Manner::Swallows => {
                let carries = manner.wait_for(|manner| *manner != Manner::Swallows);
                if carries.await.is_err() {
                    return;
                }
            }
            Manner::Carries | Manner::Refuses => {}
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

//! What stands between a node and its database: hands bytes on, and can cut the two apart or lead
//! to another server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// How the way to the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Open.
    Open,
    /// Nothing arrives and nothing is said: a network that drops packets.
    Silent,
    /// Connections are ended, and new ones as soon as they are made.
    Refused,
}

/// The proxy. It stops with the value.
pub struct DbProxy {
    /// Where it listens.
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    to: watch::Sender<PathBuf>,
    task: tokio::task::JoinHandle<()>,
}

impl DbProxy {
    /// Before the server whose socket lies in a directory.
    pub async fn start(directory: PathBuf) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, ways) = watch::channel(Way::Open);
        let (to, leads) = watch::channel(directory);
        let leads = Arc::new(leads);
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (mut ways, leads) = (ways.clone(), Arc::clone(&leads));
                tokio::spawn(async move {
                    let _ = near.set_nodelay(true);
                    if *ways.borrow() == Way::Refused {
                        return;
                    }
                    if ways.wait_for(|way| *way != Way::Silent).await.is_err() {
                        return;
                    }
                    let socket = leads.borrow().join(".s.PGSQL.5432");
                    let Ok(mut far) = UnixStream::connect(socket).await else {
                        return;
                    };
                    carry(&mut near, &mut far, &mut ways).await;
                });
            }
        });
        Self {
            address,
            way,
            to,
            task,
        }
    }

    /// The URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@{}/{database}?sslmode=disable",
            self.address
        )
    }

    /// Changes the way.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Leads new connections elsewhere; those that are open end.
    pub fn lead_to(&self, directory: PathBuf) {
        self.way.send_replace(Way::Refused);
        self.to.send_replace(directory);
        self.way.send_replace(Way::Open);
    }
}

impl Drop for DbProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Hands on until one ends or the way is refused; stands still while it is silent.
async fn carry(
    near: &mut tokio::net::TcpStream,
    far: &mut UnixStream,
    ways: &mut watch::Receiver<Way>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let way = *ways.borrow_and_update();
        if way == Way::Refused {
            return;
        }
        let silent = way == Way::Silent;
        tokio::select! {
            changed = ways.changed() => if changed.is_err() {
                return;
            },
            read = near.read(&mut up), if !silent => match read {
                Ok(n) if n > 0 && far.write_all(&up[..n]).await.is_ok() => {}
                _ => return,
            },
            read = far.read(&mut down), if !silent => match read {
                Ok(n) if n > 0 && near.write_all(&down[..n]).await.is_ok() => {}
                _ => return,
            },
        }
    }
}

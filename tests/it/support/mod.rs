//! The harness: a server on a port of its own with a clock that stands still, and typed actors
//! that speak to it over real HTTP.

pub mod apps;
pub mod authenticator;
pub mod browser;
pub mod certificates;
pub mod chrome;
pub mod client_certificates;
pub mod flow;
pub mod jwt;
pub mod people;
pub mod postgres;
pub mod provider;
pub mod receiver;
pub mod reply;
pub mod server;
pub mod smtp;
pub mod template;

pub use apps::{ClientApp, Spec};
pub use browser::{Browser, Page};
pub use flow::{Answer, AuthRequest, Tokens};
pub use people::Person;
pub use reply::Reply;
pub use server::TestServer;

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A database of the test cluster.
    Postgres,
}

/// Makes two tests of each named function, `<name>::sqlite` and `<name>::postgres`. The function
/// takes a fresh [`TestServer`].
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::{Engine, TestServer};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(TestServer::start(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(TestServer::start(Engine::Postgres).await).await;
            }
        }
    )*};
}

/// The same, for a function that takes the engine and starts a server of its own.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Engine::Postgres).await;
            }
        }
    )*};
}

/// The same, with a server that goes by the machine's clock.
macro_rules! on_both_now {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::{Engine, TestServer};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(TestServer::start_now(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(TestServer::start_now(Engine::Postgres).await).await;
            }
        }
    )*};
}

/// The same, with a server that sends mail, and the mail server that gets it.
macro_rules! on_both_mailed {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::Engine;
            use crate::support::smtp::Smtp;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let smtp = Smtp::start().await;
                super::$name(smtp.server(Engine::Sqlite).await, smtp).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let smtp = Smtp::start().await;
                super::$name(smtp.server(Engine::Postgres).await, smtp).await;
            }
        }
    )*};
}

/// The same, on servers whose limits are all one rate.
macro_rules! on_both_limited {
    ($rate:literal; $($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::{Engine, TestServer};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(TestServer::limited(Engine::Sqlite, $rate).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(TestServer::limited(Engine::Postgres, $rate).await).await;
            }
        }
    )*};
}

/// Runs the same future many times at once and collects what each gave.
pub async fn race<F, T>(many: usize, make: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(many));
    let tasks: Vec<_> = (0..many)
        .map(|n| {
            let barrier = std::sync::Arc::clone(&barrier);
            let work = make(n);
            tokio::spawn(async move {
                barrier.wait().await;
                work.await
            })
        })
        .collect();
    let mut done = Vec::with_capacity(many);
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

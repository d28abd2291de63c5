//! What an operator keeps: backups, and the audit log.

mod aside;
mod files;
mod moves;
mod replay;

use std::path::{Path, PathBuf};

use countersign::flows::backup::{self, Made, NewBackup};
use countersign::flows::restore::{Order, Restored, restore};
use countersign::flows::{AdminFailure, Progress};

use crate::support::server::caller;
use crate::support::{TestServer, template};

/// Makes a backup in the server's own folder.
async fn make(server: &TestServer, name: &str) -> PathBuf {
    made(server, &server.directory.path().join(name), None)
        .await
        .unwrap()
        .file
}

async fn made(server: &TestServer, to: &Path, keep: Option<usize>) -> Result<Made, AdminFailure> {
    let to = to.to_owned();
    backup::make(
        &server.app,
        NewBackup { to, keep },
        &caller(),
        &Progress::none(),
    )
    .await
}

/// How a restore differs from the plain one.
#[derive(Default)]
struct Change {
    replace: Option<String>,
    checkpoint: Option<String>,
    keep_consents: bool,
}

impl Change {
    /// The installation that is there is replaced.
    fn replacing(server: &TestServer) -> Self {
        Self {
            replace: Some(server.issuer.clone()),
            ..Self::default()
        }
    }
}

/// Stops the server, restores, and starts it again.
async fn restored(server: TestServer, file: &Path, change: Change) -> (TestServer, Restored) {
    let (server, outcome) = try_restore(server, file, change).await;
    (server, outcome.unwrap())
}

async fn try_restore(
    server: TestServer,
    file: &Path,
    change: Change,
) -> (TestServer, Result<Restored, AdminFailure>) {
    restore_after(server, file, change, || ()).await
}

/// The same, and does something before, while nobody is at the database.
async fn restore_after(
    server: TestServer,
    file: &Path,
    change: Change,
    before: impl FnOnce(),
) -> (TestServer, Result<Restored, AdminFailure>) {
    let file = file.to_owned();
    let clock = server.clock.clone();
    let (server, outcome) = server
        .restart_after(async move |config| {
            before();
            let order = Order {
                config,
                root: &template::ROOT,
                file: &file,
                replace: change.replace.as_deref(),
                checkpoint: change.checkpoint.as_deref(),
                keep_consents: change.keep_consents,
                operator: Some("uid=0(root)"),
                clock: &clock,
            };
            restore(order, &Progress::none()).await
        })
        .await;
    // What was issued in the same moment is void: everybody waits a little.
    server.advance(20);
    (server, outcome)
}

#[track_caller]
fn why<T: std::fmt::Debug>(outcome: Result<T, AdminFailure>) -> String {
    match outcome {
        Err(AdminFailure::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

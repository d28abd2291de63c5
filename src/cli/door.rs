//! The way in: the running server's socket, or the store itself when no server runs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Failed, restore};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::flows::{Caller, Progress};
use crate::http::admin::{self, AdminCommand, AdminReply, Answer};
use crate::rng;
use crate::vault::RootKey;

/// What is said when another process has the store.
const TAKEN: &str = "another server has this database open";
/// How often, and how far apart, the socket of a server that is starting is looked for.
const LOOKS: u32 = 30;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Carries a command out, wherever the store is open.
pub(super) async fn carry_out(config: &Path, command: AdminCommand) -> Result<AdminReply, Failed> {
    carry_out_telling(config, command, &Progress::none()).await
}

/// The same, telling how far long work has come.
pub(super) async fn carry_out_telling(
    config: &Path,
    command: AdminCommand,
    progress: &Progress,
) -> Result<AdminReply, Failed> {
    let config = Config::load(config)?;
    let socket = config.server.admin_socket.clone();
    let mut asked = admin::ask_telling(&socket, &command, progress).await;
    if matches!(asked, Ok(None)) {
        match Box::pin(directly(config, command.clone(), progress)).await {
            Err(Failed(why)) if why.starts_with(TAKEN) => {
                asked = ask_until_it_listens(&socket, &command, progress).await;
                if matches!(asked, Ok(None)) {
                    return Err(Failed(why));
                }
            }
            reply => return reply,
        }
    }
    match asked {
        Ok(Some(Answer::Done(reply))) => Ok(reply),
        Ok(Some(Answer::Refused(why))) => Err(Failed(why)),
        Ok(Some(Answer::Fault(fault))) => Err(Failed(format!(
            "the server failed: {fault}; its log says more"
        ))),
        Ok(Some(Answer::Progress(..))) => Err(Failed::new(
            "the server did not answer; try again".to_owned(),
        )),
        Ok(None) => Err(Failed::new("no server listens".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failed(format!(
            "server.admin_socket: this account may not open {}; run the command as the account \
             that the server runs as",
            socket.display()
        ))),
        Err(error) => Err(Failed(format!(
            "server.admin_socket: {}: {error}",
            socket.display()
        ))),
    }
}

/// A server that has just opened the store listens on its socket a moment later.
async fn ask_until_it_listens(
    socket: &Path,
    command: &AdminCommand,
    progress: &Progress,
) -> io::Result<Option<Answer>> {
    for _ in 0..LOOKS {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        match admin::ask_telling(socket, command, progress).await {
            Ok(None) => {}
            answer => return answer,
        }
    }
    Ok(None)
}

/// Opens the store, carries the command out, and closes it again.
async fn directly(
    config: Config,
    command: AdminCommand,
    progress: &Progress,
) -> Result<AdminReply, Failed> {
    let app = open(config).await?;
    let reply = told(&app, command, progress).await;
    app.store.close().await;
    reply
}

/// Carries a command out on an application that is open in this process.
pub(super) async fn here(app: &App, command: AdminCommand) -> Result<AdminReply, Failed> {
    told(app, command, &Progress::none()).await
}

async fn told(app: &App, command: AdminCommand, progress: &Progress) -> Result<AdminReply, Failed> {
    let caller = Caller {
        request_id: rng::uuid(app.clock.now())?.to_string(),
        operator: restore::this_operator(),
        ..Caller::default()
    };
    Ok(admin::execute(app, command, &caller, progress).await?)
}

/// Opens an installation that `init` made, where nobody listens on the socket.
pub(super) async fn open(config: Config) -> Result<Arc<App>, Failed> {
    // A volume that is not mounted must not become a new, empty installation.
    if let Database::Sqlite(path) = &config.database
        && !path.exists()
    {
        return Err(Failed(format!(
            "database.url: {} does not exist; correct the path, mount its volume, or make a new \
             installation with `countersign init`",
            path.display()
        )));
    }
    open_or_make(config).await
}

/// The same; an SQLite database that does not exist is made.
pub(super) async fn open_or_make(config: Config) -> Result<Arc<App>, Failed> {
    let root = RootKey::read(&config.root_key_file)?;
    let socket = config.server.admin_socket.clone();
    let embedded = matches!(config.database, Database::Sqlite(_));
    let opened = Box::pin(App::open(config, &root, Clock::system())).await;
    opened.map_err(|why| {
        if embedded && why.0.contains("busy: another server") {
            return Failed(format!(
                "{TAKEN}; commands reach it through its socket \
                 (here {}, server.admin_socket) when they are given its configuration (--config); a \
                 second server needs a database of its own, or PostgreSQL",
                socket.display()
            ));
        }
        why.into()
    })
}

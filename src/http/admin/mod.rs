//! What an operator can do to a running server: a Unix socket that only the server's account may
//! open (its file mode is the credential), and commands as JSON over it.
//!
//! One connection carries one command: four bytes of length (big-endian), the JSON of an
//! [`AdminCommand`], and back, in the same frame, the JSON of an [`Answer`].

mod command;
mod execute;
mod keep_view;
mod register;
mod view;
mod wire;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};

use crate::app::App;
use crate::flows::{Caller, Progress};
use crate::paths::folder_of;
use crate::rng;

pub use command::{AdminCommand, AuthRequest, ClientRequest, ReProofStep};
pub use execute::execute;
pub use keep_view::{AuditView, BackupView, RestoredView};
pub use register::RegisterEntry;
pub use view::{
    AdminReply, ClientView, InviteView, KeyView, LogoutView, ReProofView, Shown, UserView,
};
pub use wire::{Answer, ask, ask_telling};

/// How many commands run at once; more wait.
const AT_ONCE: usize = 16;
/// How long a connection may take to say what it wants, or to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens on the socket until `stop`, then removes it.
///
/// # Errors
/// When the socket cannot be made; the error names `server.admin_socket` and the remedy.
pub async fn listen(
    app: Arc<App>,
    socket: impl AsRef<Path> + Send,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let place = Place::bind(socket.as_ref()).await.map_err(|error| {
        let shown = socket.as_ref().display();
        io::Error::new(
            error.kind(),
            format!("server.admin_socket: {shown} cannot be listened on: {error}"),
        )
    })?;
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut stop = pin!(stop);
    loop {
        let slot = Arc::clone(&slots);
        let accepted = tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = async {
                let slot = slot.acquire_owned().await.map_err(io::Error::other)?;
                Ok::<_, io::Error>((place.listener.accept().await?.0, slot))
            } => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                let app = Arc::clone(&app);
                tokio::spawn(async move {
                    serve(&app, stream).await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Too many open files, say: trying again at once would only burn the processor.
                tracing::warn!(%error, "a command's connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Runs the one command of a connection.
async fn serve(app: &App, mut stream: UnixStream) {
    let answer = match tokio::time::timeout(
        PATIENCE,
        wire::read(&mut stream, wire::LARGEST_COMMAND),
    )
    .await
    {
        Err(_) => Answer::Refused("no command came in time".to_owned()),
        Ok(Err(error)) => Answer::Refused(format!("the command cannot be read: {error}")),
        Ok(Ok(command)) => run_telling(app, command, &mut stream).await,
    };
    match tokio::time::timeout(
        PATIENCE,
        wire::write(&mut stream, &answer, wire::LARGEST_ANSWER),
    )
    .await
    {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a command's answer was not taken"),
        Err(_) => tracing::warn!("a command's answer was not taken in time"),
    }
}

/// Runs a command, and tells the other side how far it has come.
async fn run_telling(app: &App, command: AdminCommand, stream: &mut UnixStream) -> Answer {
    // Nobody but the operator's own account and root can open the socket; which of them it was is
    // written down.
    let operator = stream.peer_cred().ok().map(|peer| operator(peer.uid()));
    // One place: what is not yet told is overtaken by what comes after.
    let (tell, mut told) = mpsc::channel(1);
    let progress = Progress::to(move |done, all| {
        let _ = tell.try_send((done, all));
    });
    let mut work = pin!(run(app, command, operator, progress));
    loop {
        tokio::select! {
            biased;
            answer = &mut work => return answer,
            Some((done, all)) = told.recv() => {
                let frame = Answer::Progress(done, all);
                // A command goes on when nobody listens any more.
                let written = wire::write(stream, &frame, wire::LARGEST_ANSWER);
                let _ = tokio::time::timeout(PATIENCE, written).await;
            }
        }
    }
}

/// An account as the audit log names it: `uid=1000(ada)`.
#[must_use]
pub fn operator(uid: u32) -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.map_or_else(|| format!("uid={uid}"), |name| format!("uid={uid}({name})"))
}

async fn run(
    app: &App,
    command: AdminCommand,
    operator: Option<String>,
    progress: Progress,
) -> Answer {
    let name = command.name();
    let caller = match rng::uuid(app.clock.now()) {
        Ok(id) => Caller {
            request_id: id.to_string(),
            operator: operator.clone(),
            ..Caller::default()
        },
        Err(fault) => return Answer::Fault(fault.to_string()),
    };
    let answer = Answer::from(execute(app, command, &caller, &progress).await);
    let request_id = caller.request_id;
    match &answer {
        Answer::Done(_) | Answer::Progress(..) => tracing::info!(
            request.id = request_id,
            command = name,
            operator,
            "an operator's command was carried out"
        ),
        // Why is for the operator alone: the sentence may name a person.
        Answer::Refused(_) => tracing::info!(
            request.id = request_id,
            command = name,
            operator,
            "an operator's command was refused"
        ),
        Answer::Fault(fault) => {
            tracing::error!(request.id = request_id, command = name, operator, %fault, "an operator's command failed");
        }
    }
    answer
}

/// The bound socket. Dropping it removes the file, unless another server has taken the place.
struct Place {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Place {
    async fn bind(path: &Path) -> io::Result<Self> {
        clear(path).await?;
        // Made in a folder that nobody else can enter and moved when its mode is right, so that
        // there is no moment in which others could open it.
        let folder = folder_of(path);
        let [a, b, c, d] = rng::bytes::<4>().map_err(io::Error::other)?;
        let hidden = folder.join(format!(".cs{a:02x}{b:02x}{c:02x}{d:02x}"));
        std::fs::DirBuilder::new().mode(0o700).create(&hidden)?;
        let made = hidden.join("s");
        let bound = UnixListener::bind(&made).and_then(|listener| {
            std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
            std::fs::rename(&made, path)?;
            Ok(listener)
        });
        if bound.is_err() {
            let _ = std::fs::remove_file(&made);
        }
        let _ = std::fs::remove_dir(&hidden);
        let listener = bound?;
        let file = std::fs::symlink_metadata(path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            file: (file.dev(), file.ino()),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.file);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes room: a socket that nobody listens on was left behind by a server that was killed.
async fn clear(path: &Path) -> io::Result<()> {
    let file = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something that is no socket lies there; name another path",
        ));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server listens there; stop it, or name another path for this one",
        )),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

//! Commands over the socket, against a whole application on a database of its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Map;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::vault::RootKey;

/// A folder with an installation in it, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = rng::uuid(rules::time::Timestamp::default())
            .unwrap()
            .simple()
            .to_string();
        let path = std::env::temp_dir().join(format!("cs-{}", &name[16..]));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }

    async fn app(&self) -> Arc<App> {
        let file = self.0.join("countersign.toml");
        let toml = format!(
            "issuer = \"https://login.bank.example\"\n[database]\nurl = \"sqlite:{0}/x.db\"\n\
             [vault]\nroot_key_file = \"{0}/root.key\"\n[people]\nargon2_memory_kib = 64\n\
             argon2_passes = 1\n",
            self.0.display()
        );
        std::fs::write(&file, toml).unwrap();
        let root = RootKey::generate().unwrap();
        App::open(Config::load(&file).unwrap(), &root, Clock::system())
            .await
            .unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A listening server, until it is stopped.
struct Running {
    folder: Folder,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<io::Result<()>>,
}

impl Running {
    async fn start(folder: Folder) -> Self {
        let app = folder.app().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(listen(app, folder.socket(), async {
            let _ = stopped.await;
        }));
        while !folder.socket().exists() || UnixStream::connect(folder.socket()).await.is_err() {
            assert!(!ended.is_finished(), "{:?}", ended.await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self {
            folder,
            stop,
            ended,
        }
    }

    async fn ask(&self, command: AdminCommand) -> Answer {
        ask(&self.folder.socket(), &command).await.unwrap().unwrap()
    }

    async fn done(&self, command: AdminCommand) -> AdminReply {
        match self.ask(command).await {
            Answer::Done(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    async fn refused(&self, command: AdminCommand) -> String {
        match self.ask(command).await {
            Answer::Refused(why) => why,
            other => panic!("{other:?}"),
        }
    }
}

fn add(username: &str) -> AdminCommand {
    AdminCommand::UserAdd {
        username: username.to_owned(),
        claims: Map::new(),
    }
}

fn client(id: &str) -> AdminCommand {
    AdminCommand::ClientAdd(Box::new(ClientRequest {
        id: Some(id.to_owned()),
        name: "Accounts API".to_owned(),
        auth: AuthRequest::Secret,
        redirect_uris: vec![],
        grant_types: vec![],
        scopes: rules::protocol::Scopes::default(),
        id_token_signed_response_alg: None,
        profile: rules::protocol::Profile::default(),
        metadata: rules::protocol::Metadata::default(),
    }))
}

fn user(name: &str, make: fn(String) -> AdminCommand) -> AdminCommand {
    make(name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_invited_stopped_and_restarted() {
    let server = Running::start(Folder::new()).await;
    let AdminReply::Invite(first) = server.done(add("Ada")).await else {
        panic!("no invitation");
    };
    assert_eq!(first.username, "ada");
    let link = first.link.0.expose();
    assert!(
        link.starts_with("https://login.bank.example/invite/cs_iv_"),
        "{link}"
    );
    assert!(server.refused(add("ADA")).await.contains("user show ada"));

    let again = server
        .done(user("ada", |user| AdminCommand::UserInvite { user }))
        .await;
    let AdminReply::Invite(second) = again else {
        panic!("no invitation");
    };
    assert_ne!(second.link.0.expose(), link);

    for (make, state) in [
        (
            (|user| AdminCommand::UserDisable { user }) as fn(String) -> AdminCommand,
            "disabled",
        ),
        // Never activated: enabling must not make it usable.
        (|user| AdminCommand::UserEnable { user }, "invited"),
    ] {
        let AdminReply::User(shown) = server.done(user("ada", make)).await else {
            panic!("no user");
        };
        assert_eq!(shown.state, state);
    }
    let by_id = first.user_id.to_string();
    server
        .done(user(&by_id, |user| AdminCommand::UserShow { user }))
        .await;
    let nobody = user("ben", |user| AdminCommand::UserShow { user });
    assert!(server.refused(nobody).await.contains("user list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_registered_and_two_secrets_are_good_at_a_time() {
    let server = Running::start(Folder::new()).await;
    let AdminReply::Registered { client_secret, .. } = server.done(client("api")).await else {
        panic!("not registered");
    };
    assert!(client_secret.unwrap().0.expose().starts_with("cs_sk_"));
    assert!(
        server
            .refused(client("api"))
            .await
            .contains("client show api")
    );
    for (end_older, live) in [(false, 2), (false, 2), (true, 1)] {
        let id = "api".to_owned();
        let rotate = AdminCommand::ClientRotateSecret { id, end_older };
        let AdminReply::Registered { client, .. } = server.done(rotate).await else {
            panic!("no secret");
        };
        assert_eq!(client.live_secrets, Some(live));
    }
    let disable = || AdminCommand::ClientDisable {
        id: "api".to_owned(),
    };
    server.done(disable()).await;
    assert!(server.refused(disable()).await.contains("disabled already"));
    server
        .done(AdminCommand::ClientEnable {
            id: "api".to_owned(),
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_and_resources_need_their_client() {
    let server = Running::start(Folder::new()).await;
    let alg = rules::jose::Alg::Es256.into();
    let AdminReply::Keys(keys) = server.done(AdminCommand::KeyRotate { alg }).await else {
        panic!("no keys");
    };
    let states: Vec<_> = keys
        .iter()
        .filter(|key| key.alg == "ES256")
        .map(|key| key.state.as_str())
        .collect();
    assert_eq!(states.len(), 3, "{states:?}");
    assert!(states.contains(&"retiring"), "{states:?}");
    let add = |replace| AdminCommand::ResourceAdd {
        resource: serde_json::from_value(serde_json::json!({
            "uri": "https://api.bank.example/accounts", "name": "Accounts", "client_id": "api",
            "scopes": [{ "name": "accounts.read", "title": "See your accounts" }],
            "access_token_lifetime": 300,
        }))
        .unwrap(),
        replace,
    };
    assert!(
        server
            .refused(add(false))
            .await
            .contains("client add --id api")
    );
    server.done(client("api")).await;
    server.done(add(false)).await;
    assert!(server.refused(add(false)).await.contains("--replace"));
    server.done(add(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_account_may_open_the_socket_and_it_goes_with_the_server() {
    let folder = Folder::new();
    // What a killed server leaves behind is in nobody's way.
    drop(UnixListener::bind(folder.socket()).unwrap());
    assert!(
        ask(&folder.socket(), &AdminCommand::KeyList)
            .await
            .unwrap()
            .is_none()
    );
    let server = Running::start(folder).await;
    let mode = std::fs::metadata(server.folder.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop.send(()).unwrap();
    server.ended.await.unwrap().unwrap();
    assert!(!server.folder.socket().exists());
    assert!(
        ask(&server.folder.socket(), &AdminCommand::KeyList)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_taken_is_refused() {
    let server = Running::start(Folder::new()).await;
    let taken = Place::bind(&server.folder.socket()).await.err().unwrap();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    let file = server.folder.0.join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(Place::bind(&file).await.is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_refused_and_the_server_goes_on() {
    let server = Running::start(Folder::new()).await;
    let huge = u32::MAX.to_be_bytes();
    for garbage in [
        &b"\0\0\0\x02{}"[..],
        b"\0\0\0\x05\"x\"  ",
        &huge,
        b"\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(server.folder.socket()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer: Answer = wire::read(&mut stream, wire::LARGEST_ANSWER).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    }
    assert!(
        matches!(server.done(AdminCommand::ClientList).await, AdminReply::Clients(all) if all.is_empty())
    );
}

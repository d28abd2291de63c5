//! `countersign init`: writes the settings and the root key, and sets the database up.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Failed, door, output, user};
use crate::config::{Config, Issuer};
use crate::http::admin::{AdminReply, InviteView};
use crate::vault::RootKey;

/// Where settings lie unless another folder is named; the data then lies in [`DATA`].
const SETTINGS: &str = "/etc/countersign";
const DATA: &str = "/var/lib/countersign";
/// What gives the database's address in place of the file, so that no password is written there.
const DATABASE_URL: &str = "COUNTERSIGN__DATABASE__URL";

#[derive(Debug, Args)]
#[command(after_help = "\
One server with the embedded database, and the first person:
  countersign init --issuer https://login.bank.example --institution 'Example Bank' --invite ada
  countersign serve

With PostgreSQL (or leave --database out and set COUNTERSIGN__DATABASE__URL):
  countersign init --issuer https://login.bank.example \\
      --database postgres://countersign:PASSWORD@db.bank.example/countersign

With a certificate of its own, reachable from everywhere:
  countersign init --issuer https://login.bank.example --listen 0.0.0.0:443 \\
      --tls-cert /etc/countersign/tls/chain.pem --tls-key /etc/countersign/tls/key.pem

Behind a TLS proxy on another machine of a trusted network:
  countersign init --issuer https://login.bank.example --listen 0.0.0.0:9400 \\
      --proxy 10.0.0.7 --plain-http anywhere

To look at it on this machine only:
  countersign init --issuer http://localhost:9400 --dir ./try
  countersign serve --config ./try/countersign.toml

Nothing that exists is ever overwritten.")]
pub(super) struct Arguments {
    /// Who this server is: the origin that browsers and apps reach it at. It is part of every token
    /// and cannot be changed later
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The folder for countersign.toml and root.key
    #[arg(long, value_name = "DIR", default_value = SETTINGS)]
    dir: PathBuf,
    /// Where the data lies: sqlite:FILE or postgres://… [default: countersign.db in
    /// /var/lib/countersign, or in DIR when that is given]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// The listener's certificate, and then those that certify it, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A TLS proxy's address or network, whose word about who asks is believed (repeatable)
    #[arg(long = "proxy", value_name = "ADDR")]
    proxies: Vec<String>,
    /// Where plain HTTP may be listened on: "loopback", or "anywhere" on a trusted network
    #[arg(long, value_name = "WHERE", default_value = "loopback")]
    plain_http: String,
    /// Whose pages these are, as people read it
    #[arg(long, value_name = "NAME")]
    institution: Option<String>,
    /// Invite the first person, and print the single-use link
    #[arg(long, value_name = "USERNAME")]
    invite: Option<String>,
    /// The first person's full name
    #[arg(long, value_name = "NAME", requires = "invite")]
    name: Option<String>,
}

/// The files of an installation.
struct Places {
    settings: PathBuf,
    root_key: PathBuf,
    data: PathBuf,
}

/// Sets an installation up.
///
/// JSON: `{"config":"…","root_key":"…","issuer":"…","database":"SQLite","invite":null}`; `invite` is
/// `{"user_id","username","link","expires_at"}` when somebody was invited.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<(), Failed> {
    Issuer::parse(&arguments.issuer)
        .map_err(|refused| Failed(format!("--issuer: {}", refused.why)))?;
    let places = Places::of(&arguments.dir)?;
    places.refuse_what_exists()?;
    let config = places.write(&arguments)?;

    let app = door::open_or_make(config).await.map_err(|why| {
        Failed(format!(
            "{why}\n{} and {} are written: mend the cause there, then run `{}`, and `countersign user \
             add` for the first person",
            places.settings.display(),
            places.root_key.display(),
            places.command("migrate"),
        ))
    })?;
    let invite = match arguments.invite {
        None => None,
        Some(username) => {
            let first = user::Add::named(username, arguments.name).command()?;
            match door::here(&app, first).await {
                Ok(AdminReply::Invite(invite)) => Some(invite),
                Ok(_) => None,
                Err(why) => {
                    app.store.close().await;
                    return Err(Failed(format!(
                        "the installation is set up, but --invite: {why}; use `{} USERNAME`",
                        places.command("user add")
                    )));
                }
            }
        }
    };
    app.store.close().await;
    if json {
        return output::object(&json!({
            "config": places.settings,
            "root_key": places.root_key,
            "issuer": arguments.issuer,
            "database": app.store.engine(),
            "invite": invite,
        }));
    }
    output::text(&places.next_steps(app.store.engine(), invite.as_ref()))
}

impl Places {
    fn of(dir: &Path) -> Result<Self, Failed> {
        let dir = std::path::absolute(dir)
            .map_err(|error| Failed(format!("--dir {}: {error}", dir.display())))?;
        let data = if dir == Path::new(SETTINGS) {
            PathBuf::from(DATA)
        } else {
            dir.clone()
        };
        Ok(Self {
            settings: dir.join("countersign.toml"),
            root_key: dir.join("root.key"),
            data,
        })
    }

    fn refuse_what_exists(&self) -> Result<(), Failed> {
        for path in [&self.settings, &self.root_key] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(Failed(format!(
                    "{} exists already and is not overwritten; this installation is set up (start it \
                     with `{}`), or name another folder with --dir",
                    path.display(),
                    self.command("serve")
                )));
            }
        }
        Ok(())
    }

    /// Writes settings and root key. The settings appear under their name only when they are right.
    fn write(&self, arguments: &Arguments) -> Result<Config, Failed> {
        for folder in self
            .settings
            .parent()
            .into_iter()
            .chain([self.data.as_path()])
        {
            let failed = |error| {
                Failed(format!(
                    "the folder {} cannot be made: {error}; name one that this account may write to \
                     with --dir, or run `init` as root",
                    folder.display()
                ))
            };
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(failed)?;
        }
        let draft = self.settings.with_extension("toml.new");
        let unwritten = |error: std::io::Error| {
            Failed(format!(
                "{} cannot be written: {error}",
                self.settings.display()
            ))
        };
        let _ = fs::remove_file(&draft);
        let written = write_new(&draft, &self.toml(arguments))
            .map_err(unwritten)
            .and_then(|()| {
                let config = Config::load(&draft)?;
                RootKey::generate()?
                    .write_new(&self.root_key)
                    .map_err(|error| {
                        Failed(format!(
                            "{} cannot be written: {error}",
                            self.root_key.display()
                        ))
                    })?;
                // A link, unlike a rename, does not replace what somebody wrote meanwhile.
                fs::hard_link(&draft, &self.settings).map_err(unwritten)?;
                Ok(config)
            });
        let _ = fs::remove_file(&draft);
        written
    }

    fn toml(&self, arguments: &Arguments) -> String {
        let given = std::env::var_os(DATABASE_URL).is_some();
        let database = match (&arguments.database, given) {
            (Some(url), _) => format!("url = {}", quoted(url)),
            (None, true) => format!("# {DATABASE_URL} gives the address.\n# url = \"sqlite:…\""),
            (None, false) => {
                let file = self.data.join("countersign.db");
                format!("url = {}", quoted(&format!("sqlite:{}", file.display())))
            }
        };
        let plain = match arguments.plain_http.as_str() {
            "loopback" => String::new(),
            other => format!("plain_http = {}\n", quoted(other)),
        };
        let mut text = format!(
            "# Countersign. Every setting, with its default, is explained in countersign.example.toml.\n\
             # Each can be overridden by the environment: COUNTERSIGN__SERVER__LISTEN=…\n\n\
             issuer = {}\n\n[server]\nlisten = {}\nadmin_socket = {}\n{plain}\n[database]\n{database}\n\n\
             [vault]\nroot_key_file = {}\n",
            quoted(&arguments.issuer),
            quoted(&arguments.listen.to_string()),
            quoted(&self.data.join("countersign.sock").display().to_string()),
            quoted(&self.root_key.display().to_string()),
        );
        text.push_str(&listener(arguments));
        if let Some(name) = &arguments.institution {
            text.push_str("\n[institution]\nname = ");
            text.push_str(&quoted(name));
            text.push('\n');
        }
        text
    }

    /// The command line of a subcommand for this installation.
    fn command(&self, subcommand: &str) -> String {
        if self.settings == Path::new(crate::config::DEFAULT_PATH) {
            return format!("countersign {subcommand}");
        }
        let (first, rest) = subcommand.split_once(' ').unwrap_or((subcommand, ""));
        let gap = if rest.is_empty() { "" } else { " " };
        format!(
            "countersign --config {} {first}{gap}{rest}",
            self.settings.display()
        )
    }

    fn next_steps(&self, engine: &str, invite: Option<&InviteView>) -> String {
        let mut text = output::fields(&[
            ("Settings", self.settings.display().to_string()),
            ("Root key", self.root_key.display().to_string()),
            ("Database", format!("{engine}, set up")),
        ]);
        text.push_str(
            "\nKeep a copy of the root key elsewhere, apart from the database's backups: without it \
             nothing\nthat is sealed in the database can ever be read again.\n\n",
        );
        if let Some(invite) = invite {
            text.push_str(&output::invitation(invite));
            text.push('\n');
        }
        text.push_str("Next:\n");
        let mut step = |line: String| text.extend(["  ", &line, "\n"]);
        step(self.command("serve"));
        if invite.is_none() {
            step(format!("{} USERNAME", self.command("user add")));
        }
        step(format!("{} --help", self.command("client add")));
        text
    }
}

/// `[tls]` and `[proxy]`, where they differ from the defaults.
fn listener(arguments: &Arguments) -> String {
    let mut text = String::new();
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        // The server is started from elsewhere, so that the paths are written whole.
        let whole = |path: &Path| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            quoted(&path.display().to_string())
        };
        text.push_str("\n[tls]\ncertificate_file = ");
        text.push_str(&whole(certificate));
        text.push_str("\nkey_file = ");
        text.push_str(&whole(key));
        text.push('\n');
    }
    if !arguments.proxies.is_empty() {
        let peers: Vec<_> = arguments.proxies.iter().map(|peer| quoted(peer)).collect();
        text.push_str("\n[proxy]\npeers = [");
        text.push_str(&peers.join(", "));
        text.push_str("]\n");
    }
    text
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A TOML basic string: JSON's escapes are all among TOML's.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned())
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

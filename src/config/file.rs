//! The settings as written, and what is demanded of each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Environment, FileFormat};
use serde::Deserialize;

use super::hook::HookFile;
use super::mail::MailFile;
use super::mtls::MtlsFile;
use super::proxy::ProxyFile;
use super::recovery::RecoveryFile;
use super::tls::TlsFile;
use super::upstream::UpstreamFile;
use super::{
    Argon2Cost, Config, Database, DetailsFile, DetailsTypes, DpopFile, InstitutionFile, Issuer,
    Lifetimes, LimitsFile, Log, OutboundFile, PasskeysFile, People, Refused, Server,
};
use crate::secret::Secret;

/// Where the file is looked for.
pub const DEFAULT_PATH: &str = "/etc/countersign/countersign.toml";

/// Names the folder where systemd puts a service's credentials. It is a place, and no secret.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The OWASP minimum for Argon2id, in KiB.
pub(super) const ARGON2_MEMORY: u32 = 19 * 1024;

/// The longest idle time of payment account access (PSD2 RTS Art. 4(3)(d)).
pub(super) const ACCOUNT_IDLE: Duration = Duration::from_mins(5);

/// `countersign.toml`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct File {
    pub issuer: String,
    #[serde(default)]
    pub server: ServerFile,
    #[serde(default)]
    pub tls: TlsFile,
    #[serde(default)]
    pub mtls: MtlsFile,
    #[serde(default)]
    pub proxy: ProxyFile,
    #[serde(default)]
    pub hook: HookFile,
    pub database: DatabaseFile,
    pub vault: VaultFile,
    #[serde(default)]
    pub institution: InstitutionFile,
    #[serde(default)]
    pub people: PeopleFile,
    #[serde(default)]
    pub passkeys: PasskeysFile,
    #[serde(default)]
    pub lifetimes: LifetimesFile,
    #[serde(default)]
    pub limits: LimitsFile,
    #[serde(default)]
    pub log: LogFile,
    #[serde(default)]
    pub outbound: OutboundFile,
    #[serde(default)]
    pub dpop: DpopFile,
    #[serde(default)]
    pub authorization_details: Vec<DetailsFile>,
    #[serde(default)]
    pub mail: MailFile,
    #[serde(default)]
    pub recovery: RecoveryFile,
    #[serde(default)]
    pub upstream: UpstreamFile,
}

/// How long a node among others goes on when it is asked to stop.
const DRAIN_SECONDS: u64 = 5;

/// `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct ServerFile {
    pub listen: String,
    pub plain_http: String,
    pub admin_socket: Option<PathBuf>,
    pub max_connections: usize,
    pub request_timeout_seconds: u64,
    pub stop_timeout_seconds: u64,
    pub drain_seconds: Option<u64>,
}

impl Default for ServerFile {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9400".to_owned(),
            plain_http: "loopback".to_owned(),
            admin_socket: None,
            max_connections: 4096,
            request_timeout_seconds: 30,
            stop_timeout_seconds: 20,
            drain_seconds: None,
        }
    }
}

/// `[database]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct DatabaseFile {
    pub url: String,
    #[serde(default = "DatabaseFile::prepared")]
    pub prepared_statements: bool,
}

impl DatabaseFile {
    const fn prepared() -> bool {
        true
    }
}

impl std::fmt::Debug for DatabaseFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.write_str("DatabaseFile(…)")
    }
}

/// `[vault]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct VaultFile {
    pub root_key_file: PathBuf,
    #[serde(default = "VaultFile::credential")]
    pub root_key_credential: String,
}

impl VaultFile {
    /// What the packaged unit calls the credential.
    #[must_use]
    pub fn credential() -> String {
        "root.key".to_owned()
    }

    /// Where the root key is read: the credential that systemd hands over, or else the file.
    fn root_key(&self) -> Result<PathBuf, Refused> {
        let name = self.root_key_credential.as_str();
        if name.contains('/') || name == ".." {
            return refuse(
                "vault.root_key_credential",
                format!("{name:?} must be a name as in LoadCredential=, without a folder"),
            );
        }
        let handed = std::env::var_os(CREDENTIALS)
            .filter(|_| !name.is_empty())
            .map(|folder| Path::new(&folder).join(name))
            .filter(|path| path.exists());
        Ok(handed.unwrap_or_else(|| self.root_key_file.clone()))
    }
}

/// `[people]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct PeopleFile {
    pub session_idle_minutes: u64,
    pub account_idle_minutes: u64,
    pub session_hours: u64,
    pub invite_hours: u64,
    pub close_keeps_activity: bool,
    pub argon2_memory_kib: u32,
    pub argon2_passes: u32,
    pub hashing_threads: usize,
}

impl Default for PeopleFile {
    fn default() -> Self {
        Self {
            session_idle_minutes: 30,
            account_idle_minutes: 5,
            session_hours: 12,
            invite_hours: 24,
            close_keeps_activity: true,
            argon2_memory_kib: ARGON2_MEMORY,
            argon2_passes: 2,
            hashing_threads: 2,
        }
    }
}

/// `[lifetimes]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct LifetimesFile {
    pub authorization_days: u64,
    pub access_token_seconds: u64,
    pub id_token_seconds: u64,
}

impl Default for LifetimesFile {
    fn default() -> Self {
        Self {
            authorization_days: 180,
            access_token_seconds: 300,
            id_token_seconds: 300,
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct LogFile {
    pub format: String,
    pub filter: String,
}

impl Default for LogFile {
    fn default() -> Self {
        Self {
            format: "json".to_owned(),
            filter: "info".to_owned(),
        }
    }
}

/// The settings of the environment: text, which each setting reads as what it is. A password of
/// digits stays a password.
pub(super) fn environment() -> Environment {
    Environment::with_prefix("COUNTERSIGN")
        .prefix_separator("__")
        .separator("__")
}

/// The names of the environment's settings.
fn variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("COUNTERSIGN__"))
        .collect();
    names.sort_unstable();
    names
}

impl File {
    /// Reads the file and, over it, the environment.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!(
                "the configuration {shown} cannot be read ({error}); name another with --config, or \
                 run `countersign init` to write one"
            )
        })?;
        let written = || {
            config::Config::builder().add_source(config::File::from_str(&text, FileFormat::Toml))
        };
        let read = |builder: config::ConfigBuilder<config::builder::DefaultState>| {
            builder
                .build()
                .and_then(config::Config::try_deserialize::<Self>)
                .map_err(|error| error.to_string())
        };
        read(written().add_source(environment())).map_err(|why| {
            let variables = variables();
            // What is so with the file alone is the file's; what the environment adds is its own.
            let of_the_file = read(written()).err().as_ref() == Some(&why);
            if of_the_file || variables.is_empty() {
                format!("the configuration {shown}: {why}")
            } else {
                format!("the environment ({}): {why}", variables.join(", "))
            }
        })
    }

    /// Demands of each setting what it needs.
    ///
    /// # Errors
    /// [`Refused`], naming the setting.
    pub fn check(self) -> Result<Config, Refused> {
        let issuer = Issuer::parse(&self.issuer)?;
        let database = database(&self.database)?;
        let root_key_file = self.vault.root_key()?;
        let tls = self.tls.check(&issuer)?;
        let proxy = self.proxy.check()?;
        let mtls = self.mtls.check(&issuer, tls.as_ref(), &proxy)?;
        let server = self
            .server
            .check(&self.vault.root_key_file, tls.is_some(), &database)?;
        let people = self.people.check()?;
        let limits = self.limits.check()?;
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let life = self.lifetimes;
        within(
            "lifetimes.authorization_days",
            life.authorization_days,
            1,
            3650,
        )?;
        within(
            "lifetimes.access_token_seconds",
            life.access_token_seconds,
            30,
            86_400,
        )?;
        within(
            "lifetimes.id_token_seconds",
            life.id_token_seconds,
            30,
            86_400,
        )?;
        let json = match self.log.format.as_str() {
            "json" => true,
            "text" => false,
            other => return refuse("log.format", format!("{other:?} must be json or text")),
        };
        let institution = self.institution.check()?;
        let details = DetailsTypes::check(self.authorization_details, &institution.languages)?;
        let upstream = self.upstream.check(&institution.languages)?;
        Ok(Config {
            issuer,
            server,
            tls,
            mtls,
            proxy,
            hook: self.hook.check()?,
            database,
            root_key_file,
            institution,
            people,
            passkeys: self.passkeys.check()?,
            lifetimes: Lifetimes {
                authorization: hours(24 * life.authorization_days),
                access_token: Duration::from_secs(life.access_token_seconds),
                id_token: Duration::from_secs(life.id_token_seconds),
            },
            limits,
            log: Log {
                json,
                filter: self.log.filter,
            },
            outbound: self.outbound.check()?,
            dpop: self.dpop.check(),
            details: Arc::new(details),
            mail: self.mail.check()?,
            recovery: self.recovery.check()?,
            upstream,
        })
    }
}

impl ServerFile {
    fn check(
        self,
        root_key_file: &Path,
        tls: bool,
        database: &Database,
    ) -> Result<Server, Refused> {
        let Ok(listen) = self.listen.parse::<SocketAddr>() else {
            return refuse(
                "server.listen",
                format!(
                    "{:?} must be an address and port, such as 127.0.0.1:9400",
                    self.listen
                ),
            );
        };
        match self.plain_http.as_str() {
            "loopback" if !tls && !listen.ip().is_loopback() => {
                return refuse(
                    "server.listen",
                    format!(
                        "{listen} can be reached from other machines, but the listener speaks plain \
                         http; set tls.certificate_file and tls.key_file (`init --tls-cert --tls-key`), \
                         listen on loopback behind a TLS proxy, or set server.plain_http = \"anywhere\" \
                         (`init --plain-http anywhere`) when the network between the two is trusted"
                    ),
                );
            }
            "loopback" | "anywhere" => {}
            other => {
                return refuse(
                    "server.plain_http",
                    format!("{other:?} must be loopback or anywhere"),
                );
            }
        }
        within(
            "server.max_connections",
            self.max_connections as u64,
            1,
            1_000_000,
        )?;
        within(
            "server.request_timeout_seconds",
            self.request_timeout_seconds,
            1,
            600,
        )?;
        within(
            "server.stop_timeout_seconds",
            self.stop_timeout_seconds,
            0,
            600,
        )?;
        // Where other nodes may stand beside this one, a balancer must notice that it leaves.
        let drain = match (self.drain_seconds, database) {
            (Some(seconds), _) => seconds,
            (None, Database::Postgres(_)) => DRAIN_SECONDS,
            (None, Database::Sqlite(_)) => 0,
        };
        within("server.drain_seconds", drain, 0, 600)?;
        Ok(Server {
            listen,
            admin_socket: self
                .admin_socket
                .unwrap_or_else(|| root_key_file.with_file_name("countersign.sock")),
            max_connections: self.max_connections,
            request_timeout: Duration::from_secs(self.request_timeout_seconds),
            drain: Duration::from_secs(drain),
            stop_timeout: Duration::from_secs(self.stop_timeout_seconds),
        })
    }
}

impl PeopleFile {
    fn check(self) -> Result<People, Refused> {
        within(
            "people.session_idle_minutes",
            self.session_idle_minutes,
            1,
            24 * 60,
        )?;
        within(
            "people.account_idle_minutes",
            self.account_idle_minutes,
            1,
            24 * 60,
        )?;
        within("people.session_hours", self.session_hours, 1, 24)?;
        within("people.invite_hours", self.invite_hours, 1, 24 * 14)?;
        within(
            "people.argon2_memory_kib",
            self.argon2_memory_kib.into(),
            64,
            4 << 20,
        )?;
        within("people.argon2_passes", self.argon2_passes.into(), 1, 100)?;
        within(
            "people.hashing_threads",
            self.hashing_threads as u64,
            1,
            256,
        )?;
        Ok(People {
            session_idle: Duration::from_secs(self.session_idle_minutes * 60),
            account_idle: Duration::from_secs(self.account_idle_minutes * 60),
            session_absolute: Duration::from_secs(self.session_hours * 3600),
            invite: Duration::from_secs(self.invite_hours * 3600),
            close_keeps_activity: self.close_keeps_activity,
            argon2: Argon2Cost {
                memory: self.argon2_memory_kib,
                passes: self.argon2_passes,
                threads: self.hashing_threads,
            },
        })
    }
}

fn database(file: &DatabaseFile) -> Result<Database, Refused> {
    let url = file.url.as_str();
    if let Some(path) = url.strip_prefix("sqlite:") {
        return match path {
            "" => refuse("database.url", "names no file after sqlite:".to_owned()),
            path => Ok(Database::Sqlite(PathBuf::from(path))),
        };
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let mut url = url.to_owned();
        if !file.prepared_statements {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("statement-cache-capacity=0");
        }
        return Ok(Database::Postgres(Secret::new(url)));
    }
    refuse(
        "database.url",
        "must begin with sqlite: (a file) or postgres:// (a server)".to_owned(),
    )
}

pub(super) fn within(setting: &'static str, value: u64, min: u64, max: u64) -> Result<(), Refused> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    refuse(setting, format!("{value} must be between {min} and {max}"))
}

pub(super) fn refuse<T>(setting: &'static str, why: String) -> Result<T, Refused> {
    Err(Refused { setting, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(issuer: &str, listen: &str, url: &str) -> Result<Config, Refused> {
        let text = format!(
            "issuer = {issuer:?}\n[server]\nlisten = {listen:?}\n[database]\nurl = {url:?}\n\
             [vault]\nroot_key_file = \"/etc/countersign/root.key\"\n"
        );
        let source = config::File::from_str(&text, FileFormat::Toml);
        let built = config::Config::builder()
            .add_source(source)
            .build()
            .unwrap();
        built.try_deserialize::<File>().unwrap().check()
    }

    #[test]
    fn a_short_file_is_enough() {
        let config = file(
            "https://login.bank.example",
            "127.0.0.1:9400",
            "sqlite:/x.db",
        )
        .unwrap();
        assert_eq!(config.issuer.authority(), "login.bank.example");
        assert!(config.loosened().is_empty());
    }

    #[test]
    fn each_mistake_names_its_setting() {
        let good = (
            "https://login.bank.example",
            "127.0.0.1:9400",
            "sqlite:/x.db",
        );
        for (issuer, listen, url, setting) in [
            ("http://login.bank.example", good.1, good.2, "issuer"),
            ("https://login.bank.example/", good.1, good.2, "issuer"),
            ("https://login.bank.example/x", good.1, good.2, "issuer"),
            ("login.bank.example", good.1, good.2, "issuer"),
            (good.0, "0.0.0.0:9400", good.2, "server.listen"),
            (good.0, "nowhere", good.2, "server.listen"),
            (good.0, good.1, "mysql://x", "database.url"),
            (good.0, good.1, "sqlite:", "database.url"),
        ] {
            assert_eq!(file(issuer, listen, url).unwrap_err().setting, setting);
        }
    }
}

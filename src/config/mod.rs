//! `countersign.toml` and the environment, read once into checked values. What exists is valid.

pub mod brand;
mod details;
mod dpop;
mod file;
mod hook;
mod institution;
mod limits;
mod list;
mod mail;
mod mtls;
mod outbound;
mod passkeys;
mod proxy;
mod recovery;
mod tls;
mod upstream;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rules::network::is_loopback_host;
use url::Url;

pub use details::{DetailsFile, DetailsTypes, Part, Shown, WordsFile};
pub use dpop::{Dpop, DpopFile};
pub use file::{
    DEFAULT_PATH, DatabaseFile, File, LifetimesFile, LogFile, PeopleFile, ServerFile, VaultFile,
};
pub use hook::{Hook, HookFile};
pub use limits::{Limit, Limits, LimitsFile, Rate};
pub use mail::{Mail, MailFile, MailSecurity};
pub use mtls::{Mtls, MtlsFile, MtlsListener};
pub use outbound::{Allowed, Outbound, OutboundFile};
pub use passkeys::{Attestation, Passkeys, PasskeysFile};
pub use proxy::{ForwardedBy, Proxy, ProxyFile};
pub use recovery::{Recovery, RecoveryFile};
pub use tls::{Tls, TlsFile};
pub use upstream::{Upstream, UpstreamAuth, UpstreamFile};

pub use institution::{Institution, InstitutionFile};

/// A setting that cannot be accepted: which, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The setting, dotted: `server.listen`.
    pub setting: &'static str,
    /// What is wrong and what would be right.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.why)
    }
}

impl std::error::Error for Refused {}

/// The `iss` of everything this server issues: an origin, without a path or a final slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    authority: String,
    secure: bool,
    loopback: bool,
}

impl Issuer {
    /// Checks an issuer identifier (RFC 8414 §2). Plain http is for loopback only.
    ///
    /// # Errors
    /// [`Refused`] for `issuer`.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let refuse = |why: &str| {
            let why = format!("{text:?} {why}");
            let setting = "issuer";
            Err(Refused { setting, why })
        };
        let Ok(url) = Url::parse(text) else {
            return refuse("is not a URL; write it as https://login.bank.example");
        };
        let loopback = url.host_str().is_some_and(is_loopback_host);
        let secure = match url.scheme() {
            "https" => true,
            "http" if loopback => false,
            "http" => return refuse("must begin with https:// (http is for loopback only)"),
            _ => return refuse("must begin with https://"),
        };
        if url.origin().ascii_serialization() != text {
            return refuse("must be an origin alone: no path, query, user name or final slash");
        }
        let authority = text
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .to_owned();
        Ok(Self {
            text: text.to_owned(),
            authority,
            secure,
            loopback,
        })
    }

    /// The identifier itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone, without a port and without an IPv6 address's brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let authority = self.authority.as_str();
        if let Some(rest) = authority.strip_prefix('[') {
            return rest.split_once(']').map_or(rest, |(host, _)| host);
        }
        authority
            .split_once(':')
            .map_or(authority, |(host, _)| host)
    }

    /// What the `Host` header must say.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether passkeys can be bound to it: the RP ID must be a name, and no address (Web
    /// Authentication §5.1.3, step 7).
    #[must_use]
    pub fn takes_passkeys(&self) -> bool {
        self.host().parse::<std::net::IpAddr>().is_err()
    }

    /// Whether browsers reach it over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether only this machine reaches it.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The address of a path of this server.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

/// Where the data lies.
#[derive(Clone)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL; it may hold a password.
    Postgres(crate::secret::Secret),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

/// Everything that is set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who this server is.
    pub issuer: Issuer,
    /// Where it listens.
    pub server: Server,
    /// The listener's certificate and key; none when it speaks plain HTTP.
    pub tls: Option<Tls>,
    /// How clients present certificates; none when they cannot.
    pub mtls: Option<Mtls>,
    /// Who stands in front of it.
    pub proxy: Proxy,
    /// Who stands in front of the APIs, and asks here.
    pub hook: Hook,
    /// Where its data lies.
    pub database: Database,
    /// The file with the root key: the credential that systemd handed over, or
    /// `vault.root_key_file`.
    pub root_key_file: PathBuf,
    /// Whose pages these are.
    pub institution: Institution,
    /// How people sign in.
    pub people: People,
    /// What passkeys and security keys are taken for.
    pub passkeys: Passkeys,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// How often what may be asked.
    pub limits: Limits,
    /// How clients prove that they hold a key.
    pub dpop: Dpop,
    /// Which authorization details apps may ask for (RFC 9396).
    pub details: Arc<DetailsTypes>,
    /// How it logs.
    pub log: Log,
    /// Where it may call.
    pub outbound: Outbound,
    /// How people who lost what they sign in with get in again.
    pub recovery: Recovery,
    /// The institution's own OpenID Provider; none when people sign in here alone.
    pub upstream: Option<Upstream>,
    /// How people are told what happened; none when they are not.
    pub mail: Option<Mail>,
}

/// The listener and its limits.
#[derive(Clone, Debug)]
pub struct Server {
    /// The address of the HTTP listener.
    pub listen: SocketAddr,
    /// The command line's socket, mode 0600.
    pub admin_socket: PathBuf,
    /// How many connections at once.
    pub max_connections: usize,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long to go on after a stop was asked for, so that balancers notice.
    pub drain: Duration,
    /// How long running requests may go on after that.
    pub stop_timeout: Duration,
}

/// How people sign in.
#[derive(Clone, Debug)]
pub struct People {
    /// How long a session may stand unused.
    pub session_idle: Duration,
    /// How long the account pages may stand unused.
    pub account_idle: Duration,
    /// How long a session may last.
    pub session_absolute: Duration,
    /// How long an invitation is good.
    pub invite: Duration,
    /// Whether what closed accounts did stays readable.
    pub close_keeps_activity: bool,
    /// The cost of a password hash.
    pub argon2: Argon2Cost,
}

/// The cost of a password hash (RFC 9106).
#[derive(Clone, Copy, Debug)]
pub struct Argon2Cost {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
    /// Threads that hash, and nothing else.
    pub threads: usize,
}

/// How long things live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// What a person granted, at the most.
    pub authorization: Duration,
    /// Access tokens that are for no resource but this server's userinfo.
    pub access_token: Duration,
    /// ID tokens.
    pub id_token: Duration,
}

impl Lifetimes {
    /// An authorization code (FAPI 2.0 SP §5.3.2.2: at most 60 s).
    pub const CODE: Duration = Duration::from_mins(1);
    /// A pushed request (RFC 9126 §2.2).
    pub const PUSHED: Duration = Duration::from_secs(90);
    /// An interaction.
    pub const INTERACTION: Duration = Duration::from_mins(30);
    /// An activation ceremony.
    pub const ACTIVATION: Duration = Duration::from_mins(30);
    /// A challenge for a passkey or a security key.
    pub const PASSKEY: Duration = Duration::from_mins(5);
    /// A sign-in on its way through the institution's own provider.
    pub const UPSTREAM: Duration = Duration::from_mins(10);
    /// A link that confirms an e-mail address.
    pub const ADDRESS_LINK: Duration = Duration::from_hours(1);
    /// A set of new recovery codes that waits to be confirmed.
    pub const RECOVERY_CODES: Duration = Duration::from_mins(10);
    /// The longest access token that a resource may ask for.
    pub const LONGEST_ACCESS_TOKEN: Duration = Duration::from_hours(24);
    /// How long a key still opens what clients encrypt to it after another took its place.
    pub const RETIRING_ENCRYPTION_KEY: Duration = Duration::from_hours(24);
}

/// How it logs.
#[derive(Clone, Debug)]
pub struct Log {
    /// One JSON object a line, or text for people.
    pub json: bool,
    /// The filter, as `tracing` understands it.
    pub filter: String,
}

impl Config {
    /// Reads the file and the environment (`COUNTERSIGN__SERVER__LISTEN=…`).
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn load(path: &Path) -> Result<Self, String> {
        File::load(path)?
            .check()
            .map_err(|refused| refused.to_string())
    }

    /// What was set more loosely than the default allows, for the log and the audit.
    #[must_use]
    pub fn loosened(&self) -> Vec<&'static str> {
        let mut loosened = Vec::new();
        if self.tls.is_none() && !self.server.listen.ip().is_loopback() {
            loosened.push("server.plain_http");
        }
        if !self.outbound.allow.is_empty() {
            loosened.push("outbound.allow");
        }
        if self.people.argon2.memory < file::ARGON2_MEMORY || self.people.argon2.passes < 2 {
            loosened.push("people.argon2_memory_kib");
        }
        if self.people.account_idle > file::ACCOUNT_IDLE {
            loosened.push("people.account_idle_minutes");
        }
        let provider = self.upstream.as_ref();
        if provider.is_some_and(|provider| !provider.max_age.is_zero()) {
            loosened.push("upstream.max_age_minutes");
        }
        if self.recovery.wait.is_zero() {
            loosened.push("recovery.wait_hours");
        }
        loosened.extend(self.limits.loosened());
        loosened
    }
}

//! A finding: what is not as it should be, why that matters, and what mends it.

use clap::ValueEnum;
use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Worth knowing.
    Info,
    /// Better otherwise.
    Low,
    /// A protection is weaker than it should be.
    Medium,
    /// Something will break, or an attack has a way in.
    High,
    /// It does not work, or somebody was at it.
    Critical,
}

impl Severity {
    /// The name that is shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Its stable name, such as `clock.not_synchronised`.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is so.
    pub what: String,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub remedy: String,
    /// Where more is said.
    pub doc: String,
}

impl Finding {
    /// A finding, by the name under which [`KINDS`] explains it.
    pub(super) fn new(id: &'static str, what: String, remedy: impl Into<String>) -> Self {
        let kind = KINDS.iter().find(|kind| kind.0 == id);
        let (severity, why) = kind.map_or((Severity::Info, ""), |kind| (kind.1, kind.2));
        Self {
            id,
            severity,
            what,
            why,
            remedy: remedy.into(),
            doc: format!("docs/operate/check.md#{}", id.replace(['.', '_'], "-")),
        }
    }
}

use Severity::{Critical, High, Info, Low, Medium};

/// Every kind of finding: name, severity, why it matters.
pub(super) const KINDS: &[(&str, Severity, &str)] = &[
    (
        "settings.refused",
        Critical,
        "The server does not start with these settings.",
    ),
    (
        "settings.plain_http",
        High,
        "Passwords and tokens cross the network unencrypted between the TLS proxy and this server.",
    ),
    (
        "settings.issuer_http",
        Medium,
        "Browsers reach the server without TLS; that is for trying it out on one machine.",
    ),
    (
        "settings.argon2_cost",
        Medium,
        "A stolen database gives its passwords away sooner.",
    ),
    (
        "settings.long_tokens",
        Low,
        "A stolen access token of this server is good for as long as this.",
    ),
    (
        "settings.log_verbose",
        Low,
        "Detailed logs are large, and tell more about requests than they should.",
    ),
    (
        "settings.institution",
        Info,
        "People see whose pages these are by this name.",
    ),
    (
        "settings.loosened",
        Low,
        "A protection that holds by default was weakened by hand.",
    ),
    (
        "tls.refused",
        Critical,
        "The server does not start with this certificate, or goes on with the one it has.",
    ),
    (
        "tls.ends_this_week",
        High,
        "When the certificate is over nobody can sign in and no app gets a token.",
    ),
    (
        "tls.ends_soon",
        Medium,
        "When the certificate is over nobody can sign in and no app gets a token.",
    ),
    (
        "tls.other_name",
        Low,
        "Browsers that reach the listener without the proxy refuse the certificate.",
    ),
    (
        "mtls.refused",
        Critical,
        "The server does not start with this certificate for client certificates, or goes on with the one it has.",
    ),
    (
        "mtls.ends_this_week",
        High,
        "When the certificate is over no client with a certificate gets a token.",
    ),
    (
        "mtls.ends_soon",
        Medium,
        "When the certificate is over no client with a certificate gets a token.",
    ),
    (
        "mtls.authorities_refused",
        Critical,
        "The server does not start with these authorities or lists, or goes on with those it has.",
    ),
    (
        "mtls.authority_over",
        Medium,
        "Whom it certified is still trusted: an authority that the file names counts until it is taken out.",
    ),
    (
        "mtls.list_over",
        High,
        "Nobody can tell what the authority took back, so the clients that it certified are refused.",
    ),
    (
        "mtls.list_ends_soon",
        Medium,
        "When the list is over, the clients that the authority certified are refused.",
    ),
    (
        "mtls.no_lists",
        Low,
        "A certificate that was taken back is good here until it ends.",
    ),
    (
        "files.trust_writable",
        High,
        "Whoever writes it decides whose certificates are trusted.",
    ),
    (
        "files.config_writable",
        High,
        "Whoever writes this file decides which database and which key are used.",
    ),
    (
        "files.config_readable",
        Medium,
        "The file may hold the database's password.",
    ),
    (
        "files.root_key",
        Critical,
        "Without the root key nothing that is sealed can be read, and whoever reads it reads everything.",
    ),
    (
        "files.root_key_place",
        Medium,
        "A copy of the disk or of the folder takes the key along with what it protects.",
    ),
    (
        "files.folder_open",
        High,
        "Others can replace the socket or the database in this folder.",
    ),
    (
        "files.database_readable",
        High,
        "Others can read identifiers, consents and the audit log.",
    ),
    (
        "files.secret_open",
        High,
        "Whoever reads it can act as this server towards the provider or the mail server; whoever writes it stops both.",
    ),
    (
        "files.owner",
        High,
        "Another account can change the permissions of this file and replace it.",
    ),
    (
        "clock.not_synchronised",
        Medium,
        "Tokens, codes and assertions are judged by this clock; partners' assertions are refused when it drifts.",
    ),
    (
        "clock.behind",
        High,
        "A clock that went back lets things live that have expired.",
    ),
    (
        "clock.database",
        Medium,
        "The database's clock differs from this one's; logs cannot be put in order.",
    ),
    (
        "disk.space",
        High,
        "Without space every write fails, and with it every sign-in and every token.",
    ),
    (
        "disk.network",
        Critical,
        "SQLite's locks do not hold on network file systems: the database will be damaged.",
    ),
    (
        "limits.open_files",
        Medium,
        "Each connection takes a file; when they are used up, nobody can connect.",
    ),
    (
        "database.unreachable",
        Critical,
        "Nothing works without the database.",
    ),
    (
        "database.empty",
        High,
        "There is no installation in this database.",
    ),
    (
        "database.schema_older",
        Medium,
        "The server brings it up to date when it starts; a deployment should do it before.",
    ),
    (
        "database.schema_newer",
        Critical,
        "This binary does not know what the newer one wrote, and does not start.",
    ),
    (
        "database.schema_extended",
        Info,
        "Two versions share the database; that is for the time of an upgrade.",
    ),
    (
        "database.other_issuer",
        Critical,
        "The server does not start: the issuer stands in every token and cannot change.",
    ),
    (
        "database.unencrypted",
        High,
        "Whoever is between this server and the database reads and changes everything.",
    ),
    (
        "database.superuser",
        High,
        "Whoever takes this server over takes the whole database server over.",
    ),
    (
        "database.may_change_events",
        Medium,
        "A role that owns the audit log can take its guards away; only the signed checkpoints show it.",
    ),
    (
        "database.not_durable",
        High,
        "After a power failure spent codes and revoked tokens may live again.",
    ),
    (
        "database.standby_behind",
        High,
        "After a failover to it spent codes and revoked tokens may live again.",
    ),
    (
        "vault.unreadable",
        Critical,
        "What is sealed cannot be opened: the wrong root key, or somebody was at the database.",
    ),
    (
        "keys.missing",
        High,
        "Without this key tokens cannot be signed, or a rotation surprises every API.",
    ),
    (
        "keys.old",
        Low,
        "A key that signs for long gives an attacker long to find it.",
    ),
    (
        "audit.altered",
        Critical,
        "Somebody changed the audit log behind the server's back.",
    ),
    (
        "audit.unsealed",
        Medium,
        "Until an event is sealed, tampering with it cannot be seen.",
    ),
    ("backup.none", High, "What is lost cannot be restored."),
    (
        "backup.old",
        Medium,
        "Everything since the last backup would be lost.",
    ),
    (
        "mail.not_sent",
        Medium,
        "People do not know what happened to their accounts, and cannot object to it.",
    ),
    (
        "mail.waiting",
        Medium,
        "People learn late what happened to their accounts; a re-proofing is not approved before.",
    ),
    (
        "client.compat",
        Medium,
        "Without PKCE a stolen code can be used by whoever stole it.",
    ),
    (
        "client.public",
        Info,
        "A public client cannot prove who it is; whoever has its refresh token is it.",
    ),
    (
        "client.redirect_loopback",
        Low,
        "Any program on the person's machine can listen there.",
    ),
    ("client.redirect_http", High, "Codes travel unencrypted."),
    (
        "client.redirect_scheme",
        Low,
        "Any app on the person's phone may claim the same scheme.",
    ),
    (
        "client.unknown_details",
        Medium,
        "Its requests for such details are refused, and its tokens lose them.",
    ),
    (
        "settings.unused_details",
        Info,
        "A type that no client may use does nothing.",
    ),
    (
        "client.old_secret",
        Low,
        "A shared secret that is never changed leaks sooner or later.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_explained_in_the_documents() {
        let text = include_str!("../../../docs/operate/check.md");
        for (id, severity, _) in KINDS {
            let heading = format!("### {}\n", id.replace(['.', '_'], "-"));
            assert!(text.contains(&heading), "docs/operate/check.md lacks {id}");
            assert!(!severity.as_str().is_empty());
        }
    }

    #[test]
    fn severities_are_in_order() {
        assert!(Critical > High && High > Medium && Medium > Low && Low > Info);
    }
}

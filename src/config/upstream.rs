//! `[upstream]`: the institution's own OpenID Provider, through which people may sign in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rules::jose::{Alg, SigningKey};
use rules::network::is_loopback_host;
use rules::protocol::upstream::Trusted;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use url::Url;

use super::Refused;
use super::file::refuse;
use super::list::list;
use crate::secret::Secret;
use crate::words::Lang;

/// The longest that somebody may have signed in there before, in minutes.
const LONGEST_MAX_AGE: u64 = 24 * 60;

/// `[upstream]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct UpstreamFile {
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret_file: Option<PathBuf>,
    pub private_key_file: Option<PathBuf>,
    pub name: BTreeMap<String, String>,
    #[serde(deserialize_with = "list")]
    pub scopes: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub trusted_acr: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub trusted_amr: Vec<String>,
    pub max_age_minutes: u64,
}

impl Default for UpstreamFile {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: String::new(),
            client_secret_file: None,
            private_key_file: None,
            name: BTreeMap::new(),
            scopes: vec!["openid".to_owned()],
            trusted_acr: Vec::new(),
            trusted_amr: Vec::new(),
            max_age_minutes: 0,
        }
    }
}

/// The institution's own OpenID Provider.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its issuer identifier.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// How this server proves there who it is.
    pub auth: UpstreamAuth,
    /// The file that says so.
    pub secret_file: PathBuf,
    /// What is asked for; `openid` is among it.
    pub scopes: String,
    /// Which of its sign-ins are taken for two factors.
    pub trusted: Trusted,
    /// How long before she may have signed in there, at most.
    pub max_age: Duration,
    names: BTreeMap<&'static str, String>,
}

/// How this server proves to the provider who it is.
#[derive(Clone)]
pub enum UpstreamAuth {
    /// By a secret (`client_secret_basic`, or `client_secret_post` where that is all it takes).
    Secret(Secret),
    /// By a key (`private_key_jwt`, ES256).
    Key(Arc<SigningKey>),
}

impl fmt::Debug for UpstreamAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Key(_) => "Key(…)",
        })
    }
}

impl Upstream {
    /// What people call it.
    #[must_use]
    pub fn name(&self, lang: Lang) -> &str {
        self.names.get(lang.tag()).map_or("", String::as_str)
    }
}

impl UpstreamFile {
    /// None when no provider is named.
    pub(super) fn check(self, languages: &[Lang]) -> Result<Option<Upstream>, Refused> {
        let Some(issuer) = self.issuer else {
            return Ok(None);
        };
        if !is_issuer(&issuer) {
            let why = format!(
                "{issuer:?} must be an https address without query or fragment, as the provider's \
                 discovery document writes it (plain http on loopback alone)"
            );
            return refuse("upstream.issuer", why);
        }
        if self.client_id.is_empty() {
            let why = "must be what this server is called at the provider".to_owned();
            return refuse("upstream.client_id", why);
        }
        let (auth, secret_file) = match (self.client_secret_file, self.private_key_file) {
            (Some(path), None) => (UpstreamAuth::Secret(read_secret(&path)?), path),
            (None, Some(path)) => (UpstreamAuth::Key(Arc::new(read_key(&path)?)), path),
            _ => {
                let why = "set either upstream.client_secret_file or upstream.private_key_file";
                return refuse("upstream.client_secret_file", why.to_owned());
            }
        };
        let mut names = BTreeMap::new();
        for lang in languages {
            let name = self.name.get(lang.tag()).map_or("", |name| name.trim());
            if name.is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control) {
                let why = format!(
                    "{} must say in at most 40 characters what people call the provider",
                    lang.tag()
                );
                return refuse("upstream.name", why);
            }
            names.insert(lang.tag(), name.to_owned());
        }
        let is_scope = |scope: &String| {
            !scope.is_empty()
                && scope
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        if !self.scopes.iter().all(is_scope) || !self.scopes.iter().any(|one| one == "openid") {
            let why = "must be scopes of the provider, openid among them".to_owned();
            return refuse("upstream.scopes", why);
        }
        if self.max_age_minutes > LONGEST_MAX_AGE {
            let why = format!("must be at most {LONGEST_MAX_AGE} (a day)");
            return refuse("upstream.max_age_minutes", why);
        }
        Ok(Some(Upstream {
            max_age: Duration::from_mins(self.max_age_minutes),
            issuer,
            client_id: self.client_id,
            auth,
            secret_file,
            scopes: self.scopes.join(" "),
            trusted: Trusted {
                acr: self.trusted_acr,
                amr: self.trusted_amr,
            },
            names,
        }))
    }
}

/// OpenID Connect Discovery §2, and plain http where nobody can listen.
fn is_issuer(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default();
        let safe = url.scheme() == "https" || url.scheme() == "http" && is_loopback_host(host);
        safe && !text.contains(['?', '#']) && url.username().is_empty() && url.password().is_none()
    })
}

/// The first line of a file.
fn read_secret(path: &Path) -> Result<Secret, Refused> {
    const SETTING: &str = "upstream.client_secret_file";
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Secret::new(text),
        Err(error) => {
            return refuse(
                SETTING,
                format!("{} cannot be read: {error}", path.display()),
            );
        }
    };
    let line = text.expose().lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return refuse(SETTING, format!("{} is empty", path.display()));
    }
    Ok(Secret::new(line.to_owned()))
}

fn read_key(path: &Path) -> Result<SigningKey, Refused> {
    let wrong = |why: String| {
        let why = format!(
            "{} must hold an unencrypted P-256 key, PKCS#8 in PEM: {why}",
            path.display()
        );
        refuse("upstream.private_key_file", why)
    };
    let der = match PrivatePkcs8KeyDer::from_pem_file(path) {
        Ok(der) => der,
        Err(error) => return wrong(error.to_string()),
    };
    SigningKey::from_pkcs8(Alg::Es256, der.secret_pkcs8_der())
        .or_else(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_of_anybody_unless_it_is_named() {
        let none = UpstreamFile::default().check(&[Lang::En]).unwrap();
        assert!(none.is_none());
    }

    #[test]
    fn an_issuer_is_an_address_that_nobody_can_change_on_the_way() {
        for good in [
            "https://login.bank.example",
            "https://login.bank.example/realms/people",
            "http://127.0.0.1:9999",
        ] {
            assert!(is_issuer(good), "{good}");
        }
        for bad in [
            "",
            "login.bank.example",
            "http://login.bank.example",
            "https://login.bank.example?x",
            "https://login.bank.example/#x",
            "https://me@login.bank.example",
        ] {
            assert!(!is_issuer(bad), "{bad}");
        }
    }

    fn names(name: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("en".to_owned(), name.to_owned())])
    }

    type Change = fn(&mut UpstreamFile);

    #[test]
    fn what_is_missing_is_named() {
        let file = |change: fn(&mut UpstreamFile)| {
            let mut file = UpstreamFile {
                issuer: Some("https://login.bank.example".to_owned()),
                client_id: "countersign".to_owned(),
                client_secret_file: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md").into()),
                name: names("Bank"),
                ..UpstreamFile::default()
            };
            change(&mut file);
            file.check(&[Lang::En]).map(|_| ())
        };
        assert_eq!(file(|_| ()), Ok(()));
        let table: [(Change, &str); 9] = [
            (|f| f.issuer = Some("x".to_owned()), "upstream.issuer"),
            (|f| f.client_id.clear(), "upstream.client_id"),
            (
                |f| f.client_secret_file = None,
                "upstream.client_secret_file",
            ),
            (
                |f| f.client_secret_file = Some("/nowhere".into()),
                "upstream.client_secret_file",
            ),
            (|f| f.name.clear(), "upstream.name"),
            (|f| f.name = names(&"x".repeat(41)), "upstream.name"),
            (|f| f.max_age_minutes = 1441, "upstream.max_age_minutes"),
            (
                |f| {
                    f.private_key_file = f.client_secret_file.take();
                },
                "upstream.private_key_file",
            ),
            (|f| f.scopes.clear(), "upstream.scopes"),
        ];
        for (change, setting) in table {
            assert_eq!(file(change).unwrap_err().setting, setting);
        }
    }
}

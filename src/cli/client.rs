//! `countersign client …`.

#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help, and a terminal shows backticks as they are"
)]

mod metadata;
mod set;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use rules::jose::{Alg, JwkSet};
use rules::protocol::client::CertificateSubject;
use rules::protocol::{GrantType, Profile, Scopes};

use super::Failed;
use crate::http::admin::{AdminCommand, AuthRequest, ClientRequest, ClientView};
use set::Set;

/// The largest JWK set that is read from a file, in bytes.
const LARGEST_JWKS: u64 = 256 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Register a client, and print its secret once
    ///
    /// A partner app that people sign in to is given redirect URIs; the code flow with refresh
    /// tokens is then the default. Without any it acts for itself (client_credentials). An API that
    /// only validates tokens is given --grant none.
    #[command(after_help = "\
An app on a server, with a secret:
  countersign client add --id pocket-budget --name 'Pocket Budget' \\
      --redirect-uri https://budget.example/callback --scope 'openid accounts:read'

The same with keys of its own (private_key_jwt), by the rules of FAPI 2.0:
  countersign client add --id pocket-budget --name 'Pocket Budget' \\
      --redirect-uri https://budget.example/callback --jwks budget-public-keys.json

An app on a phone, which can keep no secret:
  countersign client add --name 'Pocket Budget for Android' --public \\
      --redirect-uri com.example.budget:/callback

An API that validates tokens, and a nightly job:
  countersign client add --id accounts-api --name 'Accounts API' --grant none
  countersign client add --id statements --name 'Statement run' --scope accounts:read")]
    Add(Box<Add>),
    /// List clients, or export the register of them all
    ///
    /// The register has every client there ever was: legal entity, licence, hosting country,
    /// contacts, policies, scopes, status and since when, as CSV or, with --json, as JSON.
    #[command(after_help = "  countersign client list
  countersign client list --register")]
    List(List),
    /// Change what is registered of a client
    ///
    /// What is given replaces what was registered; the rest stays. Scopes and redirect URIs that are
    /// taken away end at once, for tokens and requests that are on their way too.
    #[command(after_help = "\
  countersign client set pocket-budget --name 'Pocket Budget Pro'
  countersign client set pocket-budget --scope 'openid accounts:read'
  countersign client set pocket-budget --redirect-uri https://budget.example/callback \\
      --redirect-uri https://budget.example/callback2
  countersign client set pocket-budget --licence 'Account information, BaFin 123456' --clear tos-uri")]
    Set(Box<Set>),
    /// Remove a client for good: everything issued to it is void at once, people's consents end
    ///
    /// The audit log keeps what it did, and the register that it was there. Its id is never given to
    /// another client. To stop a client for a while, disable it.
    #[command(after_help = "  countersign client remove pocket-budget --yes")]
    Remove(Remove),
    /// Show one client
    #[command(after_help = "  countersign client show pocket-budget")]
    Show(One),
    /// Stop a client: it can do nothing more, and everything issued to it is void at once
    #[command(after_help = "  countersign client disable pocket-budget")]
    Disable(One),
    /// Let a disabled client act again; what was issued before stays void
    #[command(after_help = "  countersign client enable pocket-budget")]
    Enable(One),
    /// Make a new secret, and print it once
    ///
    /// Two secrets are good at a time, so the client can move to the new one without downtime: the
    /// older of the two ends at the next rotation, or at once with --now.
    #[command(after_help = "  countersign client rotate-secret pocket-budget
  countersign client rotate-secret pocket-budget --now     after a leak")]
    RotateSecret(RotateSecret),
    /// Replace the public keys of a client that signs assertions (private_key_jwt) or requests
    ///
    /// A client with a secret moves to keys for good: its secrets end. One with a certificate of an
    /// authority (tls_client_auth) goes on with it, and signs requests with the keys. To replace a key without
    /// downtime, give a set with the old and the new one, then a set with the new one.
    #[command(after_help = "  countersign client set-jwks pocket-budget budget-public-keys.json")]
    SetJwks(SetJwks),
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The client's id
    #[arg(value_name = "CLIENT_ID")]
    id: String,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Every client there ever was, with all that auditors ask: CSV, or JSON with --json
    #[arg(long)]
    register: bool,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The client's id
    #[arg(value_name = "CLIENT_ID")]
    id: String,
    /// Do it: it cannot be undone
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct RotateSecret {
    /// The client's id
    #[arg(value_name = "CLIENT_ID")]
    id: String,
    /// End every older secret at once
    #[arg(long)]
    now: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetJwks {
    /// The client's id
    #[arg(value_name = "CLIENT_ID")]
    id: String,
    /// A file with the public keys: {"keys":[…]} (RFC 7517)
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The client's id (made at random when it is not given)
    #[arg(long, value_name = "CLIENT_ID")]
    id: Option<String>,
    /// Its name, as people see it on the consent page
    #[arg(long)]
    name: String,
    /// Where people may be sent back to; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// What it may use; may be given several times [default: authorization_code and refresh_token
    /// with redirect URIs, else client_credentials]
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    /// What it may ask for; several, separated by spaces, or given several times [default: openid
    /// profile email offline_access for apps that people sign in to]
    #[arg(long = "scope", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// It can keep no secret (an app on a phone or in a browser)
    #[arg(long, group = "authentication")]
    public: bool,
    /// It authenticates by a secret, which is made and printed once (the default)
    #[arg(long, group = "authentication")]
    secret: bool,
    /// It authenticates by assertions (private_key_jwt) under the public keys in this file; with
    /// --certificate-subject it only signs its requests with them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["public", "secret", "self_signed_jwks", "self_signed"])]
    jwks: Option<PathBuf>,
    /// It authenticates by a certificate (self_signed_tls_client_auth) whose public key is in this file
    #[arg(long, group = "authentication", value_name = "FILE")]
    self_signed_jwks: Option<PathBuf>,
    /// It authenticates by a certificate (tls_client_auth) that an authority of
    /// mtls.authorities_file vouches for, for this subject: dn:CN=budget,O=Pocket Budget AG,
    /// dns:budget.example, uri:…, ip:… or email:…
    #[arg(long, group = "authentication", value_name = "SUBJECT", value_parser = CertificateSubject::parse)]
    certificate_subject: Option<CertificateSubject>,
    /// With --jwks-uri: it authenticates by a certificate whose public key is found there
    #[arg(long, group = "authentication")]
    self_signed: bool,
    /// How its ID tokens are signed: RS256 (the default), ES256, PS256 or EdDSA
    #[arg(long, value_name = "ALG")]
    id_token_alg: Option<Alg>,
    /// Its rules: fapi2 (FAPI 2.0: pushed requests, tokens bound to a key; the default of clients
    /// with keys or certificates), oauth21 (the default of those with a secret or none), or compat
    /// for an app on a server that cannot do PKCE
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    profile: Option<Profile>,
    #[command(flatten)]
    about: metadata::About,
    #[command(flatten)]
    openid: metadata::OpenId,
    #[command(flatten)]
    proofs: metadata::Proofs,
}

fn profile(text: &str) -> Result<Profile, String> {
    Profile::from_name(text).ok_or_else(|| "must be fapi2, oauth21 or compat".to_owned())
}

/// A grant as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Grant {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    /// It gets no tokens: an API that only validates those of others
    None,
}

/// Says on standard error which scopes of a client no resource has: a slip of the pen, or an API
/// that is still to be registered. Nothing is refused for it.
pub(super) fn warn_of_unknown_scopes(client: &ClientView) {
    for scope in client.unknown_scope.iter().flat_map(|all| all.split(' ')) {
        eprintln!(
            "warning: no resource has the scope {scope}; register the API that has it with \
             `countersign resource add`, or correct the client's scopes"
        );
    }
}

impl Act {
    /// What the server is asked to do.
    pub(super) fn command(self) -> Result<AdminCommand, Failed> {
        Ok(match self {
            Self::Add(add) => AdminCommand::ClientAdd(Box::new(add.request()?)),
            Self::List(List { register: true }) => AdminCommand::ClientRegister,
            Self::List(List { register: false }) => AdminCommand::ClientList,
            Self::Set(set) => set.command()?,
            Self::Remove(Remove { id, yes: true }) => AdminCommand::ClientRemove { id },
            Self::Remove(Remove { id, yes: false }) => {
                return Err(Failed(format!(
                    "removing {id} cannot be undone: its tokens end, and so does what people agreed \
                     to; to go on, say `countersign client remove {id} --yes`, or stop it for a while \
                     with `countersign client disable {id}`"
                )));
            }
            Self::Show(One { id }) => AdminCommand::ClientShow { id },
            Self::Disable(One { id }) => AdminCommand::ClientDisable { id },
            Self::Enable(One { id }) => AdminCommand::ClientEnable { id },
            Self::RotateSecret(RotateSecret { id, now }) => {
                AdminCommand::ClientRotateSecret { id, end_older: now }
            }
            Self::SetJwks(SetJwks { id, file }) => AdminCommand::ClientSetJwks {
                id,
                jwks: read_jwks(&file)?,
            },
        })
    }
}

impl Add {
    /// How it will authenticate: the flags exclude each other.
    fn auth(&self) -> Result<AuthRequest, Failed> {
        Ok(if self.public {
            AuthRequest::None
        } else if let Some(subject) = &self.certificate_subject {
            let jwks = self.jwks.as_deref().map(read_jwks).transpose()?;
            AuthRequest::Certificate(subject.clone(), jwks.unwrap_or_default())
        } else if let Some(file) = &self.self_signed_jwks {
            AuthRequest::SelfSigned(read_jwks(file)?)
        } else if self.self_signed {
            AuthRequest::SelfSigned(JwkSet::default())
        } else if let Some(file) = &self.jwks {
            AuthRequest::Jwks(read_jwks(file)?)
        } else if self.openid.fetches_keys() && !self.secret {
            AuthRequest::Jwks(JwkSet::default())
        } else {
            AuthRequest::Secret
        })
    }

    fn request(self) -> Result<ClientRequest, Failed> {
        let grant_types = grants(&self.grants, !self.redirect_uris.is_empty())?;
        let code = grant_types.contains(&GrantType::AuthorizationCode);
        let scopes = if self.scopes.is_empty() && code {
            Scopes::from_iter(["openid", "profile", "email", "offline_access"])
        } else {
            Scopes::parse(&self.scopes.join(" "))
                .map_err(|error| Failed(format!("--scope: {}", error.description)))?
        };
        let auth = self.auth()?;
        let mut metadata = metadata::registered(self.about, self.openid, self.proofs);
        if matches!(
            auth,
            AuthRequest::Certificate(..) | AuthRequest::SelfSigned(_)
        ) {
            // Whoever connects with a certificate gets tokens that are of use with it alone.
            metadata.tls_client_certificate_bound_access_tokens |=
                !metadata.dpop_bound_access_tokens;
        }
        // What can live by the strictest rules does, unless somebody says otherwise.
        let by_default = match auth {
            AuthRequest::None | AuthRequest::Secret => Profile::Oauth21,
            _ => Profile::Fapi2,
        };
        Ok(ClientRequest {
            id: self.id,
            name: self.name,
            auth,
            redirect_uris: self.redirect_uris,
            grant_types,
            scopes,
            id_token_signed_response_alg: self.id_token_alg,
            profile: self.profile.unwrap_or(by_default),
            metadata,
        })
    }
}

fn grants(typed: &[Grant], redirects: bool) -> Result<Vec<GrantType>, Failed> {
    if typed.contains(&Grant::None) && typed.iter().any(|grant| *grant != Grant::None) {
        return Err(Failed("--grant none goes with no other grant".to_owned()));
    }
    Ok(match (typed.is_empty(), redirects) {
        (true, true) => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        (true, false) => vec![GrantType::ClientCredentials],
        (false, _) => typed.iter().filter_map(|grant| grant.named()).collect(),
    })
}

impl Grant {
    const fn named(self) -> Option<GrantType> {
        match self {
            Self::AuthorizationCode => Some(GrantType::AuthorizationCode),
            Self::RefreshToken => Some(GrantType::RefreshToken),
            Self::ClientCredentials => Some(GrantType::ClientCredentials),
            Self::None => None,
        }
    }
}

fn read_jwks(path: &Path) -> Result<JwkSet, Failed> {
    let shown = path.display();
    let unreadable = |error| Failed(format!("the JWK set {shown} cannot be read: {error}"));
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_JWKS + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > LARGEST_JWKS {
        return Err(Failed(format!(
            "the JWK set {shown} is larger than {LARGEST_JWKS} bytes"
        )));
    }
    JwkSet::from_json(&text).map_err(|error| {
        Failed(format!(
            "the JWK set {shown}: {error}; it must be {{\"keys\":[…]}} with public keys (RFC 7517)"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn redirect_uris_decide_which_grants_are_the_default() {
        let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        assert_eq!(grants(&[], true).unwrap(), code);
        assert_eq!(grants(&[], false).unwrap(), [GrantType::ClientCredentials]);
        assert!(grants(&[Grant::None], false).unwrap().is_empty());
        assert!(grants(&[Grant::None, Grant::RefreshToken], true).is_err());
    }
}

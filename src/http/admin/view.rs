//! What an operator is shown. The same JSON travels over the socket and is printed by `--json`.

use std::fmt;

use rules::jose::JwkSet;
use rules::protocol::client::CertificateSubject;
use rules::protocol::{Client, ClientAuth, Metadata, Profile, Resource};
use rules::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::keep_view::{AuditView, BackupView, RestoredView};
use super::register::RegisterEntry;
use crate::flows::clients::{self, Registered};
use crate::flows::inspect::Facts;
use crate::flows::reproof::{Approved, Reproof, Told};
use crate::flows::resources;
use crate::flows::rotate_keys::KeyInfo;
use crate::flows::tell_logouts::Standing;
use crate::flows::users::{self, Invited, UserInfo};
use crate::secret::Secret;

/// What a command gives. As JSON, one object with one member that names the kind:
/// `{"users":[…]}`, `{"client":{…}}`, `{"registered":{"client":{…},"client_secret":"…"}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminReply {
    /// A new invitation.
    Invite(InviteView),
    /// One person.
    User(UserView),
    /// People.
    Users(Vec<UserView>),
    /// One client.
    Client(Box<ClientView>),
    /// Clients.
    Clients(Vec<ClientView>),
    /// A client with the secret that was just made for it.
    Registered {
        /// As it is registered.
        client: Box<ClientView>,
        /// Shown this once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_secret: Option<Shown>,
    },
    /// The register of clients.
    Register(Vec<RegisterEntry>),
    /// A client that was changed.
    ClientChanged {
        /// As it was.
        before: Box<ClientView>,
        /// As it is.
        after: Box<ClientView>,
    },
    /// A client that is gone.
    ClientRemoved {
        /// What is left of it.
        client: Box<ClientView>,
        /// How many people's consents ended with it.
        grants_ended: u64,
    },
    /// A resource that was changed.
    ResourceChanged {
        /// As it was.
        before: Resource,
        /// As it is.
        after: Resource,
    },
    /// A resource that is gone.
    ResourceRemoved {
        /// Its identifier.
        uri: String,
    },
    /// One resource: `uri`, `name`, `client_id`, `scopes` (each `name`, `title`, `optional`),
    /// `token_format`, `access_token_lifetime` in seconds.
    Resource(Resource),
    /// Resources.
    Resources(Vec<Resource>),
    /// Signing keys, oldest first.
    Keys(Vec<KeyView>),
    /// What `check` judges.
    Facts(Box<Facts>),
    /// A test mail that the mail server took.
    MailSent {
        /// Where it goes.
        to: String,
    },
    /// A backup.
    Backup(BackupView),
    /// What a restore did.
    Restored(Box<RestoredView>),
    /// What a verification of the audit log found.
    Audit(AuditView),
    /// The newest checkpoint, a signed note; none while nothing was sealed.
    Checkpoint(Option<String>),
    /// The key that verifies checkpoints, as auditors are handed it.
    AuditKey(String),
    /// Audit events, newest first: the members of their leaves.
    Events(Vec<Value>),
    /// Leaves of the audit log, as they were hashed.
    Leaves {
        /// One a line.
        leaves: Vec<String>,
        /// The newest checkpoint.
        checkpoint: Option<String>,
    },
}

/// A secret on its way to the operator. Serialising shows it, `Debug` does not.
#[derive(Clone, Debug)]
pub struct Shown(pub Secret);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// An invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InviteView {
    /// The account's identifier.
    pub user_id: Uuid,
    /// Its name.
    pub username: String,
    /// The single-use link.
    pub link: Shown,
    /// RFC 3339, UTC.
    pub expires_at: String,
    /// What to know before it is handed over: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What to do after an address was corrected before the account was set up.
const INVITE_ANEW: &str = "The invitation ended, because it may have gone to the address that was \
    corrected: make a new one with `countersign user invite`.";

/// A person.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserView {
    /// The account's identifier.
    pub user_id: Uuid,
    /// Its name.
    pub username: String,
    /// `invited`, `active`, `disabled` or `closed`.
    pub state: String,
    /// Standard claims (OpenID Connect Core §5.1).
    pub claims: Map<String, Value>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// When she asked to close her access: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_asked_at: Option<String>,
    /// When it was closed: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// The re-proofing that stands; in `user show` and `user re-proof` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re_proof: Option<ReProofView>,
    /// What came of the command beside: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A re-proofing that stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReProofView {
    /// The operator who began it.
    pub begun_by: String,
    /// When: RFC 3339, UTC.
    pub begun_at: String,
    /// From when on it can be approved: RFC 3339, UTC.
    pub opens_at: String,
    /// From when on it is over: RFC 3339, UTC.
    pub expires_at: String,
    /// The operator who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

impl From<Reproof> for ReProofView {
    fn from(reproof: Reproof) -> Self {
        Self {
            begun_by: reproof.begun_by,
            begun_at: date(reproof.begun_at),
            opens_at: date(reproof.opens_at),
            expires_at: date(reproof.expires_at),
            approved_by: reproof.approved_by,
        }
    }
}

impl fmt::Debug for UserView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who she is stays out of logs.
        f.debug_struct("UserView")
            .field("user_id", &self.user_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A client, by the names of RFC 7591 §2.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientView {
    /// Its identifier.
    pub client_id: String,
    /// Its name.
    pub client_name: String,
    /// `none`, `client_secret_basic` (which allows `client_secret_post`) or `private_key_jwt`.
    pub token_endpoint_auth_method: String,
    /// How many secrets are good now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_secrets: Option<usize>,
    /// Its public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// For whom its certificate must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_subject: Option<CertificateSubject>,
    /// Where people may be sent back to.
    pub redirect_uris: Vec<String>,
    /// Which grants it may use.
    pub grant_types: Vec<String>,
    /// Which scopes it may ask for, space-delimited.
    pub scope: String,
    /// Those of them that no resource has, space-delimited: they are ignored when they are asked for
    /// beside `openid`, and refused otherwise. Where one client alone is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_scope: Option<String>,
    /// How its ID tokens are signed.
    pub id_token_signed_response_alg: String,
    /// Its rules.
    pub profile: Profile,
    /// What else is registered.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// When it was disabled: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
    /// When it was removed: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<String>,
    /// How telling it of the end of sessions goes; in `client show` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout: Option<LogoutView>,
}

/// How telling a client of the end of sessions goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogoutView {
    /// How many sessions it is still to be told of.
    pub pending: i64,
    /// When it last took a message: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_told_at: Option<String>,
    /// When it last did not: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed_at: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

/// A signing key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyView {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub alg: String,
    /// `next`, `active`, `retiring` or `retired`.
    pub state: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// When its state last changed: RFC 3339, UTC.
    pub changed_at: String,
}

impl From<Invited> for InviteView {
    fn from(invited: Invited) -> Self {
        Self {
            user_id: invited.user_id,
            username: invited.username,
            link: Shown(invited.link),
            expires_at: date(invited.expires_at),
            notes: Vec::new(),
        }
    }
}

impl From<Approved> for InviteView {
    fn from(approved: Approved) -> Self {
        let told = match approved.told {
            Told::Sent => None,
            Told::Waiting => {
                Some("The mail that tells the person of it still waits: she may not know.")
            }
            Told::NotSent => Some(
                "A mail that tells the person of it was not taken (`countersign audit list --kind \
                 mail.not_sent`): she may not know.",
            ),
            Told::NoWay => {
                Some("The person was not told by mail: there was no address, or no mail is sent.")
            }
        };
        let moved = approved.moved_at.map(|at| {
            format!(
                "Her e-mail address was changed on {}: be sure that she asked for it.",
                date(at)
            )
        });
        Self {
            notes: told.map(str::to_owned).into_iter().chain(moved).collect(),
            ..approved.invited.into()
        }
    }
}

impl From<UserInfo> for UserView {
    fn from(user: UserInfo) -> Self {
        Self {
            user_id: user.id,
            username: user.profile.username,
            state: match user.closed_at {
                Some(_) => "closed".to_owned(),
                None => user.state.as_str().to_owned(),
            },
            claims: user.profile.claims,
            created_at: date(user.created_at),
            close_asked_at: user.close_asked_at.map(date),
            closed_at: user.closed_at.map(date),
            re_proof: None,
            notes: Vec::new(),
        }
    }
}

impl From<Client> for ClientView {
    fn from(client: Client) -> Self {
        let method = clients::method(&client.auth).to_owned();
        let fetched = client.metadata.jwks_uri.is_some();
        let (live_secrets, jwks, subject) = match client.auth {
            ClientAuth::None => (None, None, None),
            ClientAuth::Secret { hashes } => (Some(hashes.len()), None, None),
            ClientAuth::PrivateKeyJwt { jwks } | ClientAuth::SelfSignedTlsClientAuth { jwks } => {
                (None, Some(jwks).filter(|_| !fetched), None)
            }
            ClientAuth::TlsClientAuth { subject, jwks } => {
                let jwks = Some(jwks).filter(|jwks| !jwks.is_empty());
                (None, jwks, Some(subject))
            }
        };
        Self {
            client_id: client.id,
            client_name: client.name,
            token_endpoint_auth_method: method,
            live_secrets,
            jwks,
            certificate_subject: subject,
            redirect_uris: client.redirect_uris,
            grant_types: client
                .grant_types
                .iter()
                .map(|grant| grant.as_str().to_owned())
                .collect(),
            scope: client.scopes.to_string(),
            unknown_scope: None,
            id_token_signed_response_alg: client.id_token_signed_response_alg.to_string(),
            profile: client.profile,
            metadata: client.metadata,
            disabled_at: client.disabled_at.map(date),
            removed_at: client.removed_at.map(date),
            backchannel_logout: None,
        }
    }
}

impl From<Standing> for LogoutView {
    fn from(standing: Standing) -> Self {
        Self {
            pending: standing.pending,
            last_told_at: standing.told_at.map(date),
            last_failed_at: standing.failed_at.map(date),
            last_failure: standing.failure,
        }
    }
}

impl From<KeyInfo> for KeyView {
    fn from(key: KeyInfo) -> Self {
        Self {
            kid: key.kid,
            alg: key.alg.to_string(),
            state: key.state.as_str().to_owned(),
            created_at: date(key.created_at),
            changed_at: date(key.changed_at),
        }
    }
}

impl From<Invited> for AdminReply {
    fn from(invited: Invited) -> Self {
        Self::Invite(invited.into())
    }
}

impl From<Approved> for AdminReply {
    fn from(approved: Approved) -> Self {
        Self::Invite(approved.into())
    }
}

impl From<users::Changed> for AdminReply {
    fn from(changed: users::Changed) -> Self {
        let anew = changed.uninvited.then(|| INVITE_ANEW.to_owned());
        Self::User(UserView {
            notes: anew.into_iter().collect(),
            ..changed.user.into()
        })
    }
}

impl From<UserInfo> for AdminReply {
    fn from(user: UserInfo) -> Self {
        Self::User(user.into())
    }
}

impl From<Client> for AdminReply {
    fn from(client: Client) -> Self {
        Self::Client(Box::new(client.into()))
    }
}

impl From<Registered> for AdminReply {
    fn from(registered: Registered) -> Self {
        Self::Registered {
            client: Box::new(registered.client.into()),
            client_secret: registered.secret.map(Shown),
        }
    }
}

impl From<clients::Changed> for AdminReply {
    fn from(changed: clients::Changed) -> Self {
        Self::ClientChanged {
            before: Box::new(changed.before.into()),
            after: Box::new(changed.after.into()),
        }
    }
}

impl From<clients::Removed> for AdminReply {
    fn from(removed: clients::Removed) -> Self {
        Self::ClientRemoved {
            client: Box::new(removed.client.into()),
            grants_ended: removed.grants_ended,
        }
    }
}

impl From<resources::Changed> for AdminReply {
    fn from(changed: resources::Changed) -> Self {
        Self::ResourceChanged {
            before: changed.before,
            after: changed.after,
        }
    }
}

/// RFC 3339 in UTC, to the second.
pub(super) fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.secs())
        .map_or_else(|_| at.secs().to_string(), |at| at.to_string())
}

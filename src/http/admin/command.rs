//! What an operator can ask for.

use std::path::PathBuf;

use rules::jose::{Alg, JwkSet, KeyPurpose};
use rules::protocol::client::CertificateSubject;
use rules::protocol::{GrantType, Metadata, Profile, Resource, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::flows::clients::ClientEdit;
use crate::flows::read_audit::Wanted;
use crate::flows::resources::ResourceEdit;
use crate::flows::users::UserEdit;

/// One act of an operator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminCommand {
    /// Makes an account and its invitation.
    UserAdd {
        /// What the person will sign in with.
        username: String,
        /// Standard claims (OpenID Connect Core §5.1).
        claims: Map<String, Value>,
    },
    /// Makes a new invitation for an account that was never activated.
    UserInvite {
        /// Name or identifier.
        user: String,
    },
    /// Shows people, in the order in which their accounts were made.
    UserList {
        /// The account after which to begin.
        after: Option<Uuid>,
        /// How many at most.
        limit: u32,
        /// Only those who have no factor as strong as what is required.
        #[serde(default)]
        blocked_by_policy: bool,
    },
    /// Shows one person.
    UserShow {
        /// Name or identifier.
        user: String,
    },
    /// Changes what is told of a person.
    UserSet {
        /// Name or identifier.
        user: String,
        /// What changes.
        edit: UserEdit,
    },
    /// Stops an account and everything issued for it.
    UserDisable {
        /// Name or identifier.
        user: String,
    },
    /// Lets a disabled account be used again.
    UserEnable {
        /// Name or identifier.
        user: String,
    },
    /// A step of letting a person set up her sign-in anew.
    UserReProof {
        /// Name or identifier.
        user: String,
        /// The operator who answers for it.
        by: String,
        /// Which.
        step: ReProofStep,
    },
    /// Closes a person's access for good.
    UserClose {
        /// Name or identifier.
        user: String,
    },
    /// Sends a test mail.
    MailTest {
        /// Where it goes.
        to: String,
    },
    /// Registers a client.
    ClientAdd(Box<ClientRequest>),
    /// Shows every client.
    ClientList,
    /// Shows the register of every client there ever was.
    ClientRegister,
    /// Changes what is registered of a client.
    ClientSet {
        /// `client_id`.
        id: String,
        /// What changes.
        edit: Box<ClientEdit>,
    },
    /// Removes a client for good.
    ClientRemove {
        /// `client_id`.
        id: String,
    },
    /// Shows one client.
    ClientShow {
        /// `client_id`.
        id: String,
    },
    /// Stops a client and everything issued to it.
    ClientDisable {
        /// `client_id`.
        id: String,
    },
    /// Lets a disabled client act again.
    ClientEnable {
        /// `client_id`.
        id: String,
    },
    /// Makes a new secret.
    ClientRotateSecret {
        /// `client_id`.
        id: String,
        /// Whether older secrets end at once.
        end_older: bool,
    },
    /// Replaces a client's public keys.
    ClientSetJwks {
        /// `client_id`.
        id: String,
        /// The keys.
        jwks: JwkSet,
    },
    /// Registers a resource.
    ResourceAdd {
        /// The resource.
        resource: Resource,
        /// Whether one of the same URI is replaced.
        replace: bool,
    },
    /// Changes what is registered of a resource.
    ResourceSet {
        /// Its identifier.
        uri: String,
        /// What changes.
        edit: ResourceEdit,
    },
    /// Removes a resource.
    ResourceRemove {
        /// Its identifier.
        uri: String,
    },
    /// Shows every resource.
    ResourceList,
    /// Gives the facts that `check` judges.
    Inspect,
    /// Makes a backup.
    BackupMake {
        /// The file or folder, absolute; the server's account writes it.
        to: PathBuf,
        /// How many backups stay in the folder.
        keep: Option<usize>,
    },
    /// Verifies the audit log.
    AuditVerify {
        /// A checkpoint that was kept outside the database: a signed note.
        checkpoint: Option<String>,
    },
    /// Shows the newest checkpoint of the audit log.
    AuditCheckpoint,
    /// Shows the key that verifies checkpoints.
    AuditKey,
    /// Shows audit events, newest first.
    AuditList(Wanted),
    /// Gives sealed leaves of the audit log, exactly as they were hashed.
    AuditExport {
        /// The number of the first.
        from: u64,
    },
    /// Shows the keys.
    KeyList,
    /// Lets the next key of a kind take over.
    KeyRotate {
        /// Which kind of key.
        alg: KeyPurpose,
    },
}

/// A step of a re-proofing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReProofStep {
    /// One operator begins it.
    Begin,
    /// Another approves it.
    Approve,
    /// Another approves it, although the mail that tells the person still waits.
    ApproveUntold,
    /// Any operator ends it.
    Cancel,
}

/// A client to be registered (RFC 7591 §2 names).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRequest {
    /// `client_id`; one is made when there is none.
    pub id: Option<String>,
    /// `client_name`.
    pub name: String,
    /// `token_endpoint_auth_method`: `none`, `secret`, or by keys.
    pub auth: AuthRequest,
    /// `redirect_uris`.
    pub redirect_uris: Vec<String>,
    /// `grant_types`.
    pub grant_types: Vec<GrantType>,
    /// What it may ask for.
    pub scopes: Scopes,
    /// How its ID tokens are signed.
    pub id_token_signed_response_alg: Option<Alg>,
    /// Its rules.
    #[serde(default)]
    pub profile: Profile,
    /// What else is registered.
    #[serde(default)]
    pub metadata: Metadata,
}

/// How a new client will authenticate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthRequest {
    /// Not at all.
    None,
    /// By a secret that the server makes.
    Secret,
    /// By assertions under these keys; none with `jwks_uri`.
    Jwks(JwkSet),
    /// By a certificate that an authority vouches for; with the keys that it signs requests with.
    Certificate(CertificateSubject, JwkSet),
    /// By a certificate with one of these keys; none with `jwks_uri`.
    SelfSigned(JwkSet),
}

impl AdminCommand {
    /// Whether it may take as long as the database is large.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        matches!(self, Self::BackupMake { .. } | Self::AuditVerify { .. })
    }

    /// Its name, for the log: nothing of what it carries.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UserAdd { .. } => "user add",
            Self::UserInvite { .. } => "user invite",
            Self::UserList { .. } => "user list",
            Self::UserShow { .. } => "user show",
            Self::UserSet { .. } => "user set",
            Self::UserDisable { .. } => "user disable",
            Self::UserEnable { .. } => "user enable",
            Self::UserReProof { .. } => "user re-proof",
            Self::UserClose { .. } => "user close",
            Self::MailTest { .. } => "mail test",
            Self::ClientAdd(_) => "client add",
            Self::ClientList => "client list",
            Self::ClientRegister => "client list --register",
            Self::ClientSet { .. } => "client set",
            Self::ClientRemove { .. } => "client remove",
            Self::ClientShow { .. } => "client show",
            Self::ClientDisable { .. } => "client disable",
            Self::ClientEnable { .. } => "client enable",
            Self::ClientRotateSecret { .. } => "client rotate-secret",
            Self::ClientSetJwks { .. } => "client set-jwks",
            Self::ResourceAdd { .. } => "resource add",
            Self::ResourceSet { .. } => "resource set",
            Self::ResourceRemove { .. } => "resource remove",
            Self::ResourceList => "resource list",
            Self::Inspect => "check",
            Self::BackupMake { .. } => "backup",
            Self::AuditVerify { .. } => "audit verify",
            Self::AuditCheckpoint => "audit checkpoint",
            Self::AuditKey => "audit key",
            Self::AuditList(_) => "audit list",
            Self::AuditExport { .. } => "audit export",
            Self::KeyList => "key list",
            Self::KeyRotate { .. } => "key rotate",
        }
    }
}

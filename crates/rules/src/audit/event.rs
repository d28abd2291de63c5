//! An audit event and its exact bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::canonical::Object;
use super::{Kind, Personal};
use crate::time::Timestamp;

/// The version of the leaf's format.
const VERSION: i64 = 1;

/// Something that happened, as the audit log keeps it.
///
/// Nothing in it is readable personal data: people are identifiers, everything else about them
/// is [`Personal`] and stands here as a commitment. `detail` follows the same rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's own identifier, a version 7 UUID.
    pub id: Uuid,
    /// When it happened, by the clock of the server that recorded it.
    pub at: Timestamp,
    /// What happened.
    pub kind: Kind,
    /// Whether it was done or refused, and why.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: Actor,
    /// The user whom it concerns.
    pub subject: Option<Uuid>,
    /// The client (`client_id`) that it concerns.
    pub client: Option<String>,
    /// The session in which it happened.
    pub session: Option<Uuid>,
    /// The grant that it concerns.
    pub grant: Option<Uuid>,
    /// The authorization that it concerns.
    pub authorization: Option<Uuid>,
    /// The resource (a URI, RFC 8707) that it concerns.
    pub resource: Option<String>,
    /// The id of the request that caused it; the logs carry the same.
    pub request: Option<String>,
    /// The commitment to the personal fields, if there are any: [`Personal::commit`].
    pub commitment: Option<[u8; 32]>,
    /// What else is worth knowing, by kind. Whole numbers, text, flags, lists and objects of
    /// these; a fraction is recorded as text.
    pub detail: Map<String, Value>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused {
        /// Why, as a stable word such as `unknown_client`.
        reason: String,
    },
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The server itself, by a rule or a schedule.
    Server,
    /// Somebody with access to the command line or the administrators' socket.
    Operator,
    /// A signed-in person.
    User(Uuid),
    /// An authenticated client (`client_id`).
    Client(String),
    /// Somebody who has not proved who they are.
    Anonymous,
}

/// Why bytes are not a leaf of this log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// They are not a JSON object of the members that a leaf has.
    Malformed(String),
    /// They were written in a format this version does not read.
    Version(i64),
    /// They say the right thing but not in the one way it is written.
    NotCanonical,
}

impl Event {
    /// An event that was done by the server and concerns nobody in particular.
    #[must_use]
    pub fn new(id: Uuid, at: Timestamp, kind: Kind) -> Self {
        Self {
            id,
            at,
            kind,
            outcome: Outcome::Done,
            actor: Actor::Server,
            subject: None,
            client: None,
            session: None,
            grant: None,
            authorization: None,
            resource: None,
            request: None,
            commitment: None,
            detail: Map::new(),
        }
    }

    /// Says who did it.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// Says that it was refused, and why.
    #[must_use]
    pub fn refused(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Outcome::Refused {
            reason: reason.into(),
        };
        self
    }

    /// Names the user whom it concerns.
    #[must_use]
    pub fn subject(mut self, subject: Uuid) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Names the client that it concerns.
    #[must_use]
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Names the session in which it happened.
    #[must_use]
    pub fn session(mut self, session: Uuid) -> Self {
        self.session = Some(session);
        self
    }

    /// Names the grant that it concerns.
    #[must_use]
    pub fn grant(mut self, grant: Uuid) -> Self {
        self.grant = Some(grant);
        self
    }

    /// Names the authorization that it concerns.
    #[must_use]
    pub fn authorization(mut self, authorization: Uuid) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// Names the resource that it concerns.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Names the request that caused it.
    #[must_use]
    pub fn request(mut self, request: impl Into<String>) -> Self {
        self.request = Some(request.into());
        self
    }

    /// Commits to personal fields, which the caller keeps sealed together with the salt.
    #[must_use]
    pub fn personal(mut self, personal: &Personal, salt: [u8; 16]) -> Self {
        self.commitment = Some(personal.commit(salt));
        self
    }

    /// Adds a detail; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }

    /// The canonical bytes: what is stored, hashed into the tree and shown to an auditor.
    #[must_use]
    pub fn leaf_bytes(&self) -> Vec<u8> {
        let mut leaf = Object::new();
        leaf.number("v", VERSION);
        leaf.text("id", &self.id.to_string());
        leaf.number("at", self.at.millis());
        leaf.text("kind", self.kind.as_str());
        match &self.outcome {
            Outcome::Done => leaf.text("outcome", "done"),
            Outcome::Refused { reason } => {
                leaf.text("outcome", "refused");
                leaf.text("reason", reason);
            }
        }
        leaf.text("actor", &self.actor.to_string());
        leaf.optional("subject", uuid_text(self.subject).as_deref());
        leaf.optional("client", self.client.as_deref());
        leaf.optional("session", uuid_text(self.session).as_deref());
        leaf.optional("grant", uuid_text(self.grant).as_deref());
        leaf.optional("authorization", uuid_text(self.authorization).as_deref());
        leaf.optional("resource", self.resource.as_deref());
        leaf.optional("request", self.request.as_deref());
        let commitment = self.commitment.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        leaf.optional("commitment", commitment.as_deref());
        if !self.detail.is_empty() {
            leaf.map("detail", &self.detail);
        }
        leaf.finish()
    }

    /// Reads an event back from its canonical bytes, and refuses any others that mean the same.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`Event::leaf_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        let version: Versioned = serde_json::from_slice(bytes).map_err(malformed)?;
        if version.v != VERSION {
            return Err(EventError::Version(version.v));
        }
        let leaf: Leaf = serde_json::from_slice(bytes).map_err(malformed)?;
        let event = leaf.into_event()?;
        if event.leaf_bytes() == bytes {
            Ok(event)
        } else {
            Err(EventError::NotCanonical)
        }
    }
}

/// The member that is read before all others.
#[derive(Deserialize)]
struct Versioned {
    v: i64,
}

/// The members of a leaf as they stand in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    #[serde(rename = "v")]
    _version: i64,
    id: Uuid,
    at: Timestamp,
    kind: Kind,
    outcome: String,
    reason: Option<String>,
    actor: String,
    subject: Option<Uuid>,
    client: Option<String>,
    session: Option<Uuid>,
    grant: Option<Uuid>,
    authorization: Option<Uuid>,
    resource: Option<String>,
    request: Option<String>,
    commitment: Option<String>,
    #[serde(default)]
    detail: Map<String, Value>,
}

impl Leaf {
    fn into_event(self) -> Result<Event, EventError> {
        let outcome = match (self.outcome.as_str(), self.reason) {
            ("done", None) => Outcome::Done,
            ("refused", Some(reason)) => Outcome::Refused { reason },
            _ => {
                return Err(malformed(
                    "outcome is neither done nor refused with a reason",
                ));
            }
        };
        Ok(Event {
            id: self.id,
            at: self.at,
            kind: self.kind,
            outcome,
            actor: Actor::parse(&self.actor)?,
            subject: self.subject,
            client: self.client,
            session: self.session,
            grant: self.grant,
            authorization: self.authorization,
            resource: self.resource,
            request: self.request,
            commitment: self.commitment.as_deref().map(commitment).transpose()?,
            detail: self.detail,
        })
    }
}

impl Actor {
    fn parse(text: &str) -> Result<Self, EventError> {
        match text.split_once(':') {
            None if text == "server" => Ok(Self::Server),
            None if text == "operator" => Ok(Self::Operator),
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some(("user", id)) => id.parse().map(Self::User).map_err(malformed),
            Some(("client", id)) => Ok(Self::Client(id.to_owned())),
            _ => Err(malformed(format_args!("unknown actor {text:?}"))),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Operator => f.write_str("operator"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Client(id) => write!(f, "client:{id}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "not an audit event: {why}"),
            Self::Version(version) => write!(
                f,
                "the audit event has format version {version}; this program reads {VERSION}"
            ),
            Self::NotCanonical => f.write_str("the audit event is not written in canonical form"),
        }
    }
}

impl std::error::Error for EventError {}

fn commitment(text: &str) -> Result<[u8; 32], EventError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(malformed)?
        .try_into()
        .map_err(|_| malformed("the commitment is not 32 bytes"))
}

fn uuid_text(id: Option<Uuid>) -> Option<String> {
    id.map(|id| id.to_string())
}

fn malformed(why: impl fmt::Display) -> EventError {
    EventError::Malformed(why.to_string())
}

#[cfg(test)]
mod tests;

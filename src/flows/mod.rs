//! What the server does, one file an act. A flow loads, decides by a pure rule, and saves in one
//! transaction; only flows open transactions.

pub mod account;
pub mod activate;
pub mod activity;
pub mod answer;
pub mod authenticate_client;
pub mod authorize;
pub mod backfill;
pub mod backup;
pub mod change_password;
pub mod client_credentials;
pub mod client_keys;
pub mod clients;
pub mod close;
pub mod confirm_address;
pub mod consent;
pub mod dispute;
pub mod end_session;
mod epochs;
pub mod fit;
pub mod follow;
pub mod fresh;
pub mod id_token_hint;
pub mod inspect;
pub mod install;
pub mod introspect;
pub mod issue;
mod judge;
pub mod limit;
pub mod my_data;
pub mod passkeys;
mod passwords;
mod progress;
pub mod prove;
pub mod read_audit;
pub mod ready;
mod recovery_set;
pub mod redeem_code;
pub mod refresh;
pub mod renew_recovery;
pub mod replace_app;
pub mod reproof;
mod request_object;
pub mod resources;
pub mod restore;
pub mod revoke;
pub mod rotate_keys;
pub mod seal_audit;
pub mod send_mail;
pub mod sessions;
pub mod sign_in;
pub mod step_up;
pub mod subject;
pub mod tell_logouts;
pub mod token_format;
pub mod upkeep;
pub mod upstream;
pub mod userinfo;
pub mod users;
pub mod verify;
pub mod webauthn;

use std::net::IpAddr;
use std::sync::Arc;

use rules::audit::{Actor, Event, Kind, Personal};
use rules::protocol::{Client, Details, OAuthError, Possession, Thumbprint};

use crate::app::App;
use crate::certificate::ClientCertificate;
use crate::defence::limits::Exceeded;
use crate::fault::Fault;
use crate::mail;
use crate::rng;
use crate::store::audit::{PendingEvent, Sealer};
use crate::store::authorizations::Authorization;
use crate::vault::PersonKeys;
use crate::words::{Lang, Words};

pub use progress::Progress;

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The request's id; logs, errors and audit events carry the same.
    pub request_id: String,
    /// The network address.
    pub address: Option<IpAddr>,
    /// The `User-Agent` header, cut to a sensible length.
    pub user_agent: Option<String>,
    /// The language to answer in.
    pub lang: Lang,
    /// Whether she chose that language herself, on one of our pages.
    pub lang_chosen: bool,
    /// The path of the page she is on; empty for programs.
    pub page: String,
    /// The certificate that it presented.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The account of the operator who gives a command, as `uid=1000(ada)`.
    pub operator: Option<String>,
}

impl Caller {
    /// The texts to answer with.
    #[must_use]
    pub const fn say(&self) -> Words {
        self.lang.words()
    }

    /// What new tokens are bound to, and tokens are compared with, when it presented a certificate
    /// (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> Option<Thumbprint> {
        let certificate = self.certificate.as_deref()?;
        Some(Thumbprint::of_certificate(certificate.der()))
    }

    /// The same caller in the first language of a request's `ui_locales` that is `spoken` (OpenID
    /// Connect Core §3.1.2.1). What she chose here herself counts more.
    #[must_use]
    pub fn prefer(mut self, ui_locales: &[String], spoken: &[Lang]) -> Self {
        let mut asked = ui_locales.iter().filter_map(|tag| Lang::of(tag));
        let asked = asked.find(|lang| spoken.contains(lang));
        if let (Some(lang), false) = (asked, self.lang_chosen) {
            self.lang = lang;
        }
        self
    }
}

/// A client that authenticated at the token endpoint.
#[derive(Clone, Debug)]
pub struct Requester {
    /// Which one.
    pub client: Arc<Client>,
    /// What its request proved to hold beside.
    pub possession: Possession,
    /// Where the request comes from.
    pub caller: Caller,
}

/// Why a flow does not give what was asked for.
#[derive(Debug)]
pub enum Failure {
    /// The request is refused; the text says what to change.
    Refused(OAuthError),
    /// Too many requests came; this one was not looked at.
    Limited(Exceeded),
    /// The server failed; no verdict was given.
    Fault(Fault),
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Self {
        Self::Limited(exceeded)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What an operator asked for and does not get.
#[derive(Debug)]
pub enum AdminFailure {
    /// A sentence that says what is wrong and how to mend it.
    Refused(String),
    /// The server failed.
    Fault(Fault),
}

impl From<Fault> for AdminFailure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl App {
    /// A new audit event of this request.
    fn event(&self, kind: Kind, caller: &Caller) -> Result<Event, Fault> {
        let now = self.clock.now();
        let mut event = Event::new(rng::uuid(now)?, now, kind).by(Actor::Anonymous);
        if let Some(operator) = &caller.operator {
            event = event.with("operator", operator.as_str());
        }
        Ok(if caller.request_id.is_empty() {
            event
        } else {
            event.request(caller.request_id.as_str())
        })
    }

    /// Finishes an event, its personal fields sealed under the person's key when there is one. Of
    /// most that concerns her safety she is told by mail.
    fn pending(
        &self,
        event: Event,
        caller: &Caller,
        person: Option<&PersonKeys>,
    ) -> Result<PendingEvent, Fault> {
        let personal = Personal {
            address: caller.address.map(|address| address.to_string()),
            user_agent: caller.user_agent.clone(),
            name: None,
        };
        let sealer = person.map_or(Sealer::Institution(&self.vault), Sealer::Person);
        let told = event.subject.filter(|_| mail::tells(event.kind));
        let pending = PendingEvent::new(event, personal, sealer)?;
        Ok(match told {
            Some(person) => self.told(pending, person),
            None => pending,
        })
    }

    /// The start of an event about what a client did.
    fn event_by_client(
        &self,
        kind: Kind,
        client: &Client,
        caller: &Caller,
    ) -> Result<Event, Fault> {
        let event = self.event(kind, caller)?;
        let event = event.by(Actor::Client(client.id.clone()));
        Ok(event.client(client.id.as_str()))
    }
}

/// The names of the fields in which two states of a thing differ: what the audit log tells of a
/// change, without what the fields hold.
fn changed_fields<T: serde::Serialize>(before: &T, after: &T) -> Vec<String> {
    use serde_json::Value;
    let fields = |thing: &T| match serde_json::to_value(thing) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    names
}

/// Says which types of authorization details an event is about; what they say may be about people.
fn with_details(event: Event, details: &Details) -> Event {
    if details.is_empty() {
        event
    } else {
        event.with("authorization_details", details.type_names())
    }
}

/// Names the authorization an event is about, and whose it is.
fn about(event: Event, authorization: &Authorization) -> Event {
    let event = event.authorization(authorization.id);
    match &authorization.person {
        None => event,
        Some(person) => event
            .subject(person.user_id)
            .session(person.session_id)
            .grant(person.grant_id),
    }
}

//! A window into the server, so that the demo can show what a partner never sees: the
//! introspection answer and the audit line behind a page.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rules::audit::Event;
use rules::identity::Username;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::fault::Fault;
use crate::secret::sha256;
use crate::store::users::UserState;
use crate::store::{audit, factors, users};

/// How many answers are remembered.
const REMEMBERED: usize = 64;
/// How far back an audit line is looked for.
const LOOKED_THROUGH: u32 = 200;

/// The last introspection answer for each token, as the API got it; found by the token's hash.
#[derive(Default)]
pub struct Answers(Mutex<VecDeque<([u8; 32], Value)>>);

impl Answers {
    /// Remembers an answer, and forgets the oldest when there are too many.
    pub fn remember(&self, token: &str, answer: &Value) {
        let key = sha256(&[token.as_bytes()]);
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|(known, _)| *known != key);
        answers.push_back((key, answer.clone()));
        if answers.len() > REMEMBERED {
            answers.pop_front();
        }
    }

    /// The last answer about a token.
    #[must_use]
    pub fn about(&self, token: &str) -> Option<Value> {
        let key = sha256(&[token.as_bytes()]);
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = answers.iter().find(|(known, _)| *known == key);
        found.map(|(_, answer)| answer.clone())
    }
}

/// Looks into a running server.
pub struct Window {
    app: Arc<App>,
    /// What the API was told.
    pub answers: Arc<Answers>,
}

impl Window {
    /// A window into `app`.
    #[must_use]
    pub fn new(app: Arc<App>, answers: Arc<Answers>) -> Self {
        Self { app, answers }
    }

    /// The newest audit events about a client, newest first, as their exact bytes.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn audit_lines(&self, client: &str, most: usize) -> Result<Vec<String>, Fault> {
        let leaves = self
            .app
            .store
            .read(|tx| Box::pin(audit::newest(tx, LOOKED_THROUGH)))
            .await?;
        Ok(about(client, &leaves).take(most).collect())
    }

    /// Whether a person's account can be used by now; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn is_active(&self, username: &str) -> Result<Option<bool>, Fault> {
        let Ok(name) = Username::parse(username) else {
            return Ok(None);
        };
        let found = self
            .app
            .store
            .read(|tx| Box::pin(async move { users::find_by_name(tx, &name).await }))
            .await?;
        Ok(found.map(|user| user.state == UserState::Active))
    }

    /// The last time step of a person's authenticator app that was spent.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn last_step(&self, username: &str) -> Result<Option<u64>, Fault> {
        let Ok(name) = Username::parse(username) else {
            return Ok(None);
        };
        let totp = self
            .app
            .store
            .read(|tx| {
                Box::pin(async move {
                    match users::find_by_name(tx, &name).await? {
                        Some(user) => factors::totp(tx, user.id).await,
                        None => Ok(None),
                    }
                })
            })
            .await?;
        Ok(totp.and_then(|totp| u64::try_from(totp.last_step).ok()))
    }

    /// Now, by the server's clock.
    #[must_use]
    pub fn now(&self) -> rules::time::Timestamp {
        self.app.clock.now()
    }
}

/// The events about a client, or about a grant that it holds or held.
fn about<'l>(client: &'l str, leaves: &'l [Vec<u8>]) -> impl Iterator<Item = String> + 'l {
    let read = |leaf: &'l Vec<u8>| Some((leaf, Event::parse(leaf).ok()?));
    let events: Vec<(&[u8], Event)> = leaves
        .iter()
        .filter_map(read)
        .map(|(leaf, event)| (leaf.as_slice(), event))
        .collect();
    let is_its = |event: &Event| event.client.as_deref() == Some(client);
    let grants: BTreeSet<Uuid> = events
        .iter()
        .filter(|(_, event)| is_its(event))
        .filter_map(|(_, event)| event.grant)
        .collect();
    events
        .into_iter()
        .filter(move |(_, event)| {
            is_its(event) || event.grant.is_some_and(|grant| grants.contains(&grant))
        })
        .map(|(leaf, _)| String::from_utf8_lossy(leaf).into_owned())
}

#[cfg(test)]
mod tests {
    use rules::audit::Kind;
    use rules::time::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_answer_about_a_token_is_remembered() {
        let answers = Answers::default();
        answers.remember("one", &json!({ "active": true }));
        answers.remember("one", &json!({ "active": false }));
        answers.remember("two", &json!({ "active": true }));
        assert_eq!(answers.about("one"), Some(json!({ "active": false })));
        assert_eq!(answers.about("three"), None);
    }

    #[test]
    fn only_so_many_answers_are_remembered() {
        let answers = Answers::default();
        for n in 0..=REMEMBERED {
            answers.remember(&n.to_string(), &json!({ "active": true }));
        }
        assert_eq!(answers.about("0"), None);
        assert!(answers.about("1").is_some());
    }

    #[test]
    fn a_client_sees_the_lines_about_itself_and_its_grants() {
        let event = |kind| Event::new(Uuid::nil(), Timestamp::from_secs(1), kind);
        let (its, anothers) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let leaves = [
            event(Kind::GrantRevoked).grant(anothers).leaf_bytes(),
            event(Kind::GrantRevoked).grant(its).leaf_bytes(),
            event(Kind::TokenIssued)
                .client("pocket-budget")
                .grant(its)
                .leaf_bytes(),
            event(Kind::TokenIssued)
                .client("nightly-report")
                .leaf_bytes(),
            b"{}".to_vec(),
        ];
        let lines: Vec<String> = about("pocket-budget", &leaves).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("grant.revoked") && lines[1].contains("token.issued"));
    }
}

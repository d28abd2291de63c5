//! Who is using Pocket Budget: a cookie and what lies behind it, in memory. A restart forgets it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::relying_party::{Attempt, Connection};
use crate::fault::Fault;
use crate::rng;
use crate::secret::Secret;

/// How many browsers are remembered; the oldest is forgotten first.
const MOST: usize = 200;
/// How many tabs of one browser may be on their way to the bank at once.
const MOST_ATTEMPTS: usize = 5;

/// All of them.
#[derive(Default)]
pub struct Sessions(Mutex<VecDeque<Session>>);

/// One browser.
struct Session {
    id: Secret,
    attempts: VecDeque<Attempt>,
    connection: Option<Connection>,
}

impl Sessions {
    /// Remembers an attempt; gives the browser's identifier, a new one when it has none.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn attempt(&self, id: Option<&str>, attempt: Attempt) -> Result<Secret, Fault> {
        let fresh = new_id()?;
        let mut sessions = self.lock();
        let at = match id.and_then(|id| position(&sessions, id)) {
            Some(at) => at,
            None => insert(&mut sessions, fresh),
        };
        let session = &mut sessions[at];
        session.attempts.push_back(attempt);
        if session.attempts.len() > MOST_ATTEMPTS {
            session.attempts.pop_front();
        }
        Ok(session.id.clone())
    }

    /// Takes the attempt with that `state` out: it is good once, and for this browser alone.
    pub fn take_attempt(&self, id: &str, state: &str) -> Option<Attempt> {
        let mut sessions = self.lock();
        let at = position(&sessions, id)?;
        let attempts = &mut sessions[at].attempts;
        let found = attempts.iter().position(|attempt| attempt.state == state)?;
        attempts.remove(found)
    }

    /// Remembers a connection under a new identifier, so that nobody can have known it before;
    /// attempts of other tabs move along.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn connect(&self, id: &str, connection: Connection) -> Result<Secret, Fault> {
        let fresh = new_id()?;
        let mut sessions = self.lock();
        let attempts = match position(&sessions, id).and_then(|at| sessions.remove(at)) {
            Some(old) => old.attempts,
            None => VecDeque::new(),
        };
        let at = insert(&mut sessions, fresh.clone());
        sessions[at].attempts = attempts;
        sessions[at].connection = Some(connection);
        Ok(fresh)
    }

    /// Replaces the tokens of a connection that was not given up in the meantime.
    pub fn renew(&self, id: &str, connection: Connection) {
        let mut sessions = self.lock();
        if let Some(at) = position(&sessions, id)
            && let Some(known) = &mut sessions[at].connection
        {
            *known = connection;
        }
    }

    /// The browser's connection.
    pub fn connection(&self, id: &str) -> Option<Connection> {
        let sessions = self.lock();
        sessions[position(&sessions, id)?].connection.clone()
    }

    /// Forgets every connection that was made in a session of the bank's; says how many.
    pub fn end(&self, bank_session: &str) -> usize {
        let mut ended = 0;
        for session in self.lock().iter_mut() {
            let theirs = |connection: &mut Connection| connection.session == bank_session;
            ended += usize::from(session.connection.take_if(theirs).is_some());
        }
        ended
    }

    /// Forgets the connection, and hands it out a last time.
    pub fn disconnect(&self, id: &str) -> Option<Connection> {
        let mut sessions = self.lock();
        let at = position(&sessions, id)?;
        sessions[at].connection.take()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_id() -> Result<Secret, Fault> {
    let id = uuid::Builder::from_random_bytes(rng::bytes()?).into_uuid();
    Ok(Secret::new(id.simple().to_string()))
}

fn position(sessions: &VecDeque<Session>, id: &str) -> Option<usize> {
    use subtle::ConstantTimeEq as _;
    let same = |session: &Session| session.id.expose().as_bytes().ct_eq(id.as_bytes()).into();
    sessions.iter().position(same)
}

fn insert(sessions: &mut VecDeque<Session>, id: Secret) -> usize {
    if sessions.len() >= MOST {
        sessions.pop_front();
    }
    sessions.push_back(Session {
        id,
        attempts: VecDeque::new(),
        connection: None,
    });
    sessions.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection {
            subject: "s".to_owned(),
            session: "seven".to_owned(),
            id_token: Secret::new("a.b.c".to_owned()),
            name: None,
            email: None,
            assurance: String::new(),
            scopes: vec![],
            access_token: Secret::new("cs_at_x".to_owned()),
            refresh_token: None,
        }
    }

    #[test]
    fn an_attempt_is_good_once_and_for_its_browser_alone() {
        let sessions = Sessions::default();
        let mine = sessions.attempt(None, Attempt::for_test("one")).unwrap();
        let other = sessions.attempt(None, Attempt::for_test("two")).unwrap();
        assert!(sessions.take_attempt(other.expose(), "one").is_none());
        assert!(sessions.take_attempt(mine.expose(), "one").is_some());
        assert!(sessions.take_attempt(mine.expose(), "one").is_none());
    }

    #[test]
    fn two_tabs_do_not_disturb_one_another() {
        let sessions = Sessions::default();
        let id = sessions.attempt(None, Attempt::for_test("one")).unwrap();
        let same = sessions
            .attempt(Some(id.expose()), Attempt::for_test("two"))
            .unwrap();
        assert_eq!(id.expose(), same.expose());
        assert!(sessions.take_attempt(id.expose(), "one").is_some());
        let fresh = sessions.connect(id.expose(), connection()).unwrap();
        assert!(sessions.take_attempt(fresh.expose(), "two").is_some());
    }

    #[test]
    fn connecting_changes_the_identifier() {
        let sessions = Sessions::default();
        let id = sessions.attempt(None, Attempt::for_test("one")).unwrap();
        let fresh = sessions.connect(id.expose(), connection()).unwrap();
        assert_ne!(id.expose(), fresh.expose());
        assert!(sessions.connection(id.expose()).is_none());
        assert!(sessions.disconnect(fresh.expose()).is_some());
        assert!(sessions.connection(fresh.expose()).is_none());
    }

    #[test]
    fn a_connection_that_was_given_up_is_not_renewed() {
        let sessions = Sessions::default();
        let id = sessions.connect("", connection()).unwrap();
        sessions.disconnect(id.expose());
        sessions.renew(id.expose(), connection());
        assert!(sessions.connection(id.expose()).is_none());
    }

    #[test]
    fn the_end_of_the_banks_session_ends_its_connections_alone() {
        let sessions = Sessions::default();
        let hers = sessions.connect("", connection()).unwrap();
        let other = Connection {
            session: "eight".to_owned(),
            ..connection()
        };
        let others = sessions.connect("", other).unwrap();
        assert_eq!(sessions.end("seven"), 1);
        assert_eq!(sessions.end("seven"), 0);
        assert!(sessions.connection(hers.expose()).is_none());
        assert!(sessions.connection(others.expose()).is_some());
    }

    #[test]
    fn only_so_many_browsers_are_remembered() {
        let sessions = Sessions::default();
        let first = sessions.connect("", connection()).unwrap();
        for _ in 0..MOST {
            sessions.connect("", connection()).unwrap();
        }
        assert!(sessions.connection(first.expose()).is_none());
        assert_eq!(sessions.lock().len(), MOST);
    }
}

//! Whom a client sees: the `sub` of a person and the `sid` of her session, as this client knows
//! them (OpenID Connect Core §8, Front-Channel Logout §3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::protocol::Client;
use uuid::Uuid;

use crate::app::App;

impl App {
    /// `sub`: never reused. Public clients learn the account's identifier; each sector of pairwise
    /// clients learns another, which only this server can tell apart from chance and which nobody
    /// can turn back (§8.1): an HMAC under the vault's look-up key, which is never replaced.
    #[must_use]
    pub fn subject(&self, client: &Client, user: Uuid) -> String {
        self.seen_by(client, "subject.pairwise", user)
    }

    /// `sid`: the same for every public client. Pairwise clients learn one of their sector's own,
    /// because two that compare sessions could otherwise compare people.
    #[must_use]
    pub fn sid(&self, client: &Client, session: Uuid) -> String {
        self.seen_by(client, "session.pairwise", session)
    }

    fn seen_by(&self, client: &Client, domain: &str, id: Uuid) -> String {
        match client.sector() {
            None => id.to_string(),
            // A host holds no space, so the two parts cannot run into each other.
            Some(sector) => {
                let text = format!("{sector} {id}");
                URL_SAFE_NO_PAD.encode(self.vault.lookup(domain, &text))
            }
        }
    }
}

//! Ceremonies with passkeys and security keys (Web Authentication Level 3): what is asked lies here
//! until its answer comes, and is taken out by the first answer, whatever that is worth.

pub(super) mod register;

use rules::audit::{Actor, Kind};
use rules::identity::{KeyKind, Method};
use rules::time::Timestamp;
use serde_json::Value;
use url::Url;
use uuid::Uuid;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{
    AuthenticationState, Credential, PublicKeyCredential, UserVerificationPolicy,
};

use super::Caller;
use crate::app::App;
use crate::config::{Config, Lifetimes};
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, Token, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::users;
use crate::store::webauthn::{self, Key};

/// What an answer is to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All by itself, who somebody is: the device verifies her.
    Passkey,
    /// Possession, beside a password.
    Beside,
}

impl Asked {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Beside => "beside",
        }
    }
}

/// What a browser hands to its authenticators, and what it answers for.
pub struct Challenge {
    /// Which ceremony the answer names.
    pub ceremony: Uuid,
    /// `PublicKeyCredentialRequestOptions`, as JSON.
    pub options: Value,
    /// The browser's new hold on its ceremonies, when it had none.
    pub token: Option<Token>,
}

/// What a browser answered.
pub struct Presented {
    /// Which ceremony it answers.
    pub ceremony: String,
    /// The credential, as JSON.
    pub credential: Secret,
    /// The browser's hold on its ceremonies.
    pub holder: Option<String>,
}

impl Presented {
    /// Whether what it answers was asked so long ago that no answer counts any more. It is read from the
    /// ceremony's name, which the browser wrote: for words to whoever sent it, and for nothing else.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        let id = Uuid::try_parse(&self.ceremony).ok();
        let at = id.and_then(|id| id.get_timestamp()).map(|at| at.to_unix());
        let at = at.and_then(|(seconds, _)| i64::try_from(seconds).ok());
        at.is_some_and(|at| now.since(Timestamp::from_secs(at)) >= Lifetimes::PASSKEY)
    }
}

/// A browser's hold on its ceremonies: the one that it has, or a new one for it to keep.
pub(super) fn hold(held: Option<&str>) -> Result<(TokenHash, Option<Token>), Fault> {
    if let Some(held) = held {
        return Ok((TokenHash::of(Purpose::Ceremony, held), None));
    }
    let token = Token::generate(Purpose::Ceremony)?;
    Ok((token.hash(), Some(token)))
}

/// Asks a browser for a passkey or a security key. Nobody is named, so there is no list of
/// credentials: whatever the authenticator finds for this site may answer.
pub async fn ask(app: &App, held: Option<&str>, asked: Asked) -> Result<Challenge, Fault> {
    let (holder, token) = hold(held)?;
    let policy = match asked {
        Asked::Passkey => UserVerificationPolicy::Required,
        Asked::Beside => UserVerificationPolicy::Discouraged_DO_NOT_USE,
    };
    let core = core(&app.config)?;
    let builder = core
        .new_challenge_authenticate_builder(Vec::new(), Some(policy))
        .map_err(broken)?;
    let (options, state) = core
        .generate_challenge_authenticate(builder)
        .map_err(broken)?;
    let now = app.clock.now();
    let id = rng::uuid(now)?;
    let ceremony = Ceremony {
        id,
        holder,
        purpose: asked.purpose(),
    };
    let until = now.plus(Lifetimes::PASSKEY);
    app.store
        .write(move |tx| {
            Box::pin(async move { ceremonies::begin(tx, ceremony, &state, until).await })
        })
        .await?;
    let options = serde_json::to_value(options.public_key)
        .map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(Challenge {
        ceremony: id,
        options,
        token,
    })
}

/// A key that answered rightly. Nothing was noted of it yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// The key.
    pub key: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// What the answer proves.
    pub method: Method,
    counter: u32,
    backup_state: bool,
}

impl Answered {
    /// Notes that the key was used; false when another answer overtook this one, or the key was
    /// blocked or removed meanwhile.
    pub(super) async fn note(
        &self,
        tx: &mut crate::store::Tx,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let seen = (self.counter, self.backup_state);
        webauthn::used(tx, self.key, seen, now).await
    }
}

/// Hears what a browser answered; none when it proves nothing. The ceremony is spent either way.
pub(super) async fn hear(
    app: &App,
    presented: &Presented,
    asked: Asked,
    caller: &Caller,
) -> Result<Option<Answered>, Fault> {
    let answer: Option<PublicKeyCredential> =
        serde_json::from_str(presented.credential.expose()).ok();
    let id = Uuid::try_parse(&presented.ceremony).ok();
    let (Some(answer), Some(id), Some(held)) = (answer, id, &presented.holder) else {
        return Ok(None);
    };
    let ceremony = Ceremony {
        id,
        holder: TokenHash::of(Purpose::Ceremony, held),
        purpose: asked.purpose(),
    };
    let (raw_id, now) = (answer.raw_id.clone(), app.clock.now());
    let found = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let taken = ceremonies::take::<AuthenticationState>(tx, ceremony, now).await?;
                let Some((state, until)) = taken else {
                    return Ok(None);
                };
                let key = webauthn::find(tx, &raw_id).await?;
                Ok(key.map(|key| (state, until.minus(Lifetimes::PASSKEY), key)))
            })
        })
        .await?;
    let Some((state, asked_at, key)) = found else {
        return Ok(None);
    };
    let credential = credential(&key)?;
    let result = core(&app.config)?.authenticate_single_credential(&answer, &state, &credential);
    let result = match result {
        Ok(result) => result,
        // The signature was right: whoever sent this holds the private key, or a copy of it. Unless
        // another answer of the key overtook this one since it was asked for.
        Err(WebauthnError::CredentialPossibleCompromise) => {
            if key.used_at.is_none_or(|used| used < asked_at) {
                block(app, &key, caller).await?;
            }
            return Ok(None);
        }
        Err(error) => {
            tracing::debug!(error = %error, "an answer of an authenticator is not right");
            return Ok(None);
        }
    };
    if key.blocked || !is_of(&key, &answer, asked) {
        return Ok(None);
    }
    let whole = asked == Asked::Passkey;
    let method = match (whole, key.backup_eligible) {
        (false, false) => Method::SecurityKey,
        (_, synced) => Method::Passkey {
            user_verified: whole && result.user_verified(),
            synced,
        },
    };
    Ok(Some(Answered {
        key: key.id,
        user: key.user_id,
        method,
        counter: result.counter(),
        backup_state: result.backup_state(),
    }))
}

/// Whether the key may answer, and the handle that came along is its person's (§7.2, step 6).
fn is_of(key: &Key, answer: &PublicKeyCredential, asked: Asked) -> bool {
    let handle = answer.get_user_unique_id();
    match asked {
        Asked::Passkey => {
            key.kind == KeyKind::Passkey && handle == Some(key.user_handle.as_slice())
        }
        Asked::Beside => handle.is_none_or(|handle| handle == key.user_handle),
    }
}

/// The key as the checks want it. The row knows its counter and its copies better than what was
/// attested; whether the person must be verified is for each ceremony to say.
fn credential(key: &Key) -> Result<Credential, Fault> {
    let mut credential = read(&key.data)?;
    credential.counter = key.counter;
    credential.backup_eligible = key.backup_eligible;
    credential.backup_state = key.backup_state;
    credential.registration_policy = UserVerificationPolicy::Discouraged_DO_NOT_USE;
    Ok(credential)
}

/// A key's public part, as it is kept.
pub(super) fn read(data: &[u8]) -> Result<Credential, Fault> {
    serde_json::from_slice(data)
        .map_err(|_| Fault::Unreadable("webauthn_credentials.data".to_owned()))
}

/// A counter that goes backwards is the mark of a copy (§6.1.1).
async fn block(app: &App, key: &Key, caller: &Caller) -> Result<(), Fault> {
    let event = app
        .event(Kind::PasskeyBlocked, caller)?
        .by(Actor::Server)
        .subject(key.user_id)
        .with("passkey", key.id.to_string());
    let (id, user, now) = (key.id, key.user_id, app.clock.now());
    let keys = app
        .store
        .read(move |tx| Box::pin(users::find(tx, user)))
        .await?
        .map(|user| user.keys);
    let event = app.pending(event, caller, keys.as_ref())?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if webauthn::block(tx, id, now).await? {
                    tx.record(event);
                }
                Ok(())
            })
        })
        .await
}

/// The checks, for this site alone: its host is the RP ID, its origin the only one.
pub(super) fn core(config: &Config) -> Result<WebauthnCore, Fault> {
    let issuer = &config.issuer;
    let origin = Url::parse(issuer.as_str()).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(WebauthnCore::new_unsafe_experts_only(
        &config.institution.name,
        issuer.host(),
        vec![origin],
        Lifetimes::PASSKEY,
        Some(false),
        Some(false),
    ))
}

/// A failure of ours, where nothing of the person's is looked at.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands on")]
pub(super) fn broken(error: WebauthnError) -> Fault {
    Fault::Internal(format!("web authentication: {error}"))
}

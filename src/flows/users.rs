//! People's accounts, as an operator makes and stops them. Nobody can sign in to a new account
//! until its invitation was used.

mod edit;

use rules::audit::{Actor, Kind};
use rules::identity::{Password, Username};
use rules::protocol::{acr, claims};
use rules::time::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::epochs::{self, Whose};
use super::{AdminFailure, Caller};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, Token};
use crate::store::audit::PendingEvent;
use crate::store::feed::EPOCH_MARGIN;
use crate::store::mails::{Content, NewMail};
use crate::store::users::{self, Profile, User, UserState};
use crate::store::{Tx, factors, invites, reproofs, sessions};

pub use edit::{Changed, UserEdit, set};

/// How many people one look shows at most.
pub const LONGEST_PAGE: u32 = 1000;

/// A person to be invited.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What she will sign in with; brought into its canonical form here.
    pub username: String,
    /// Standard claims about her (OpenID Connect Core §5.1).
    pub claims: Map<String, Value>,
}

/// An invitation, as it leaves once.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The account.
    pub user_id: Uuid,
    /// Its name, canonical.
    pub username: String,
    /// `<issuer>/invite/<token>`: single use, a secret.
    pub link: Secret,
    /// From when on the link is worth nothing.
    pub expires_at: Timestamp,
}

/// What is shown of a person.
#[derive(Clone)]
pub struct UserInfo {
    /// The subject identifier.
    pub id: Uuid,
    /// Where the account is in its life.
    pub state: UserState,
    /// Who she is.
    pub profile: Profile,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When she asked to close her access.
    pub close_asked_at: Option<Timestamp>,
    /// When the institution closed it.
    pub closed_at: Option<Timestamp>,
}

/// Makes an account that nobody can use yet, and the invitation that activates it.
///
/// # Errors
/// [`AdminFailure::Refused`] when the name is taken or does not fit, or a claim does not.
pub async fn invite(app: &App, new: NewUser, caller: &Caller) -> Result<Invited, AdminFailure> {
    let username = Username::parse(&new.username)
        .map_err(|error| AdminFailure::Refused(format!("the username cannot be used: {error}")))?;
    for (name, value) in &new.claims {
        claims::check(name, value).map_err(AdminFailure::Refused)?;
    }
    let now = app.clock.now();
    let id = rng::uuid(now)?;
    let link = NewLink::make(app, id, Kind::UserInvited, caller)?;
    let mut claims = new.claims;
    // OpenID Connect Core §5.1: when it was last updated. An import may know better.
    claims
        .entry("updated_at")
        .or_insert_with(|| now.secs().into());
    let profile = Profile {
        username: username.as_str().to_owned(),
        claims,
        former: Vec::new(),
    };
    let invited = link.invited(profile.username.clone());
    let made = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !users::insert(tx, id, &profile, now).await? {
                    return Ok(false);
                }
                link.store(tx, now).await?;
                Ok(true)
            })
        })
        .await?;
    if made {
        return Ok(invited);
    }
    Err(AdminFailure::Refused(format!(
        "the username {0} is taken; see it with `countersign user show {0}`",
        username.as_str()
    )))
}

/// A new link for somebody who has not activated her account; earlier ones end.
///
/// # Errors
/// [`AdminFailure::Refused`] when nobody has this name, or the account is past its activation.
pub async fn reinvite(app: &App, name: &str, caller: &Caller) -> Result<Invited, AdminFailure> {
    let user = find(app, name).await?;
    let username = user.profile.username;
    let now = app.clock.now();
    let link = NewLink::make(app, user.id, Kind::UserInvited, caller)?;
    let invited = link.invited(username.clone());
    let state = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                users::keep(tx, link.user_id).await?;
                let Some(user) = users::find(tx, link.user_id).await? else {
                    return Err(Fault::Unreadable("users: an account is gone".to_owned()));
                };
                let was_set_up = users::was_activated(tx, user.id).await?;
                if user.state == UserState::Invited && !was_set_up {
                    link.store(tx, now).await?;
                }
                Ok((user.state, was_set_up, user.password.is_some()))
            })
        })
        .await?;
    match state {
        (UserState::Invited, false, _) => Ok(invited),
        (UserState::Invited, true, _) => Err(AdminFailure::Refused(format!(
            "{username} set the account up before, so one operator alone does not open it: run \
             `countersign user disable {username}`, and then `countersign user re-proof {username} --by \
             OPERATOR`"
        ))),
        // NIST SP 800-63B-4 §3.2.2, §4.2.2.2: an ended password is bound anew, by two operators.
        (UserState::Active, _, false) => Err(AdminFailure::Refused(format!(
            "the password of {username} was ended after too many failures; let it be bound anew with \
             `countersign user re-proof {username} --by OPERATOR`"
        ))),
        (UserState::Active, _, true) => Err(AdminFailure::Refused(format!(
            "{username} has activated the account already; an invitation is for its first use only"
        ))),
        (UserState::Disabled, ..) => Err(AdminFailure::Refused(format!(
            "{username} is disabled; enable the account first with `countersign user enable {username}`"
        ))),
    }
}

/// Whether somebody's password is this one; the demonstration asks it about its own people, and nobody
/// else may.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody.
pub async fn has_password(app: &App, name: &str, password: &Secret) -> Result<bool, AdminFailure> {
    let wanted = Wanted::parse(name);
    let found = app
        .store
        .read(move |tx| Box::pin(async move { wanted.find(tx).await }))
        .await?;
    let user = found.ok_or_else(|| unknown(name))?;
    let password = Password::normalise(password.expose());
    Ok(app.hasher.verify(password, user.password).await?)
}

/// People by the time their accounts were made, after the account `after`; at most `limit`
/// (and [`LONGEST_PAGE`]).
///
/// # Errors
/// [`Fault`].
pub async fn list(app: &App, after: Option<Uuid>, limit: u32) -> Result<Vec<UserInfo>, Fault> {
    let limit = limit.min(LONGEST_PAGE);
    let people = app
        .store
        .read(move |tx| Box::pin(users::page(tx, after, limit)))
        .await?;
    Ok(people.into_iter().map(info).collect())
}

/// Those active people, after the account `after`, who have no factor that is as strong as the
/// strongest class that any app, resource or scope requires: whom that policy stops. At most `limit`.
///
/// # Errors
/// [`Fault`].
pub async fn blocked_by_policy(
    app: &App,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<UserInfo>, Fault> {
    let limit = limit.min(LONGEST_PAGE);
    let policy = app.config.passkeys.policy;
    let registered = app.registry.now();
    let required = acr::strongest(registered.clients(), registered.resources());
    let (mut after, mut blocked) = (after, Vec::new());
    loop {
        let people = app
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let mut people = Vec::new();
                    for user in users::page(tx, after, LONGEST_PAGE).await? {
                        let reach = factors::reach(tx, user.id, policy).await?;
                        people.push((user, reach));
                    }
                    Ok(people)
                })
            })
            .await?;
        let Some((last, _)) = people.last() else {
            return Ok(blocked);
        };
        after = Some(last.id);
        for (user, reach) in people {
            let stopped = user.state == UserState::Active && reach < Some(required);
            if stopped {
                blocked.push(info(user));
            }
            if blocked.len() >= limit as usize {
                return Ok(blocked);
            }
        }
    }
}

/// One person, by name or by identifier.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody.
pub async fn find(app: &App, name: &str) -> Result<UserInfo, AdminFailure> {
    let wanted = Wanted::parse(name);
    let found = app
        .store
        .read(move |tx| Box::pin(async move { wanted.find(tx).await }))
        .await?;
    found.map(info).ok_or_else(|| unknown(name))
}

/// Stops an account: its sessions end, and everything issued for it is void at once. Its invitations end,
/// and a re-proofing that stands; one that is begun afterwards lets the person in again.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, or the account is disabled already.
pub async fn disable(app: &App, name: &str, caller: &Caller) -> Result<UserInfo, AdminFailure> {
    let user = find(app, name).await?;
    let id = user.id;
    let event = app
        .event(Kind::UserDisabled, caller)?
        .by(Actor::Operator)
        .subject(id);
    let event = app.pending(event, caller, None)?;
    let clock = app.clock.clone();
    let disabled = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Not before: the wait for the writer must not eat up the margin of the epoch.
                let now = clock.now();
                let changed = users::disable(tx, id, now).await?;
                if changed {
                    sessions::end_all(tx, id, now).await?;
                    sessions::forget_devices(tx, id, None).await?;
                    reproofs::cancel(tx, id, now).await?;
                    invites::end_all(tx, id, now).await?;
                    tx.record(event);
                }
                Ok(changed.then_some(now))
            })
        })
        .await?;
    if let Some(at) = disabled {
        epochs::outlast(app, Whose::User(id), at.plus(EPOCH_MARGIN)).await?;
        return find(app, name).await;
    }
    Err(AdminFailure::Refused(format!(
        "{} is disabled already",
        user.profile.username
    )))
}

/// Lets a disabled account be used again; one that was never activated waits for a new invitation.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, or the account is not disabled.
pub async fn enable(app: &App, name: &str, caller: &Caller) -> Result<UserInfo, AdminFailure> {
    let user = find(app, name).await?;
    let id = user.id;
    let event = app
        .event(Kind::UserEnabled, caller)?
        .by(Actor::Operator)
        .subject(id);
    let event = app.pending(event, caller, None)?;
    let now = app.clock.now();
    let changed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // What nobody ever activated must not become usable here; and what was, not open to an
                // invitation, whatever became of its factors.
                let to = if users::was_activated(tx, id).await? {
                    UserState::Active
                } else {
                    UserState::Invited
                };
                let changed = users::change_state(tx, id, UserState::Disabled, to, now).await?;
                if changed {
                    tx.record(event);
                }
                Ok(changed)
            })
        })
        .await?;
    if changed {
        return find(app, name).await;
    }
    if user.closed_at.is_some() {
        return Err(AdminFailure::Refused(
            "that access was closed for good; invite the person anew, under an account of its own"
                .to_owned(),
        ));
    }
    Err(AdminFailure::Refused(format!(
        "{} is not disabled (it is {})",
        user.profile.username,
        user.state.as_str()
    )))
}

/// An invitation that is about to be stored, with its audit event.
pub(super) struct NewLink {
    user_id: Uuid,
    token: Token,
    link: Secret,
    expires_at: Timestamp,
    event: PendingEvent,
    /// Whether it goes by mail, too.
    mailed: bool,
}

impl NewLink {
    pub(super) fn make(
        app: &App,
        user_id: Uuid,
        kind: Kind,
        caller: &Caller,
    ) -> Result<Self, Fault> {
        let event = app
            .event(kind, caller)?
            .by(Actor::Operator)
            .subject(user_id);
        let token = Token::generate(Purpose::Invite)?;
        let path = Secret::new(format!("/invite/{}", token.expose()));
        Ok(Self {
            user_id,
            link: Secret::new(app.config.issuer.at(path.expose())),
            mailed: app
                .config
                .mail
                .as_ref()
                .is_some_and(|mail| mail.invitations),
            token,
            expires_at: app.clock.now().plus(app.config.people.invite),
            event: app.pending(event, caller, None)?,
        })
    }

    /// The same, with a detail in its audit event.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.event = self.event.with(name, value);
        self
    }

    pub(super) fn invited(&self, username: String) -> Invited {
        Invited {
            user_id: self.user_id,
            username,
            link: self.link.clone(),
            expires_at: self.expires_at,
        }
    }

    /// Stores the link of a re-proofing, which no mail ever holds; the event is to be recorded.
    pub(super) async fn store_for(
        self,
        tx: &mut Tx,
        reproof: Uuid,
        now: Timestamp,
    ) -> Result<PendingEvent, Fault> {
        let whose = (self.user_id, Some(reproof));
        invites::insert(tx, self.token.hash(), whose, now, self.expires_at).await?;
        Ok(self.event)
    }

    async fn store(self, tx: &mut Tx, now: Timestamp) -> Result<(), Fault> {
        let whose = (self.user_id, None);
        invites::insert(tx, self.token.hash(), whose, now, self.expires_at).await?;
        let user = users::find(tx, self.user_id).await?;
        // An address alone must never be enough to take over what was set up before.
        let mailed = self.mailed && !users::was_activated(tx, self.user_id).await?;
        let mail = match user.filter(|_| mailed) {
            Some(user) => {
                let content = Content {
                    link: Some(self.link.expose().to_owned()),
                    until: Some(self.expires_at.millis()),
                    ..Content::default()
                };
                Some(NewMail::with(
                    (self.event.id(), user.id),
                    &content,
                    &user.keys,
                )?)
            }
            None => None,
        };
        tx.record(self.event.mailed(mail));
        Ok(())
    }
}

/// How an operator names a person: by identifier, which the audit log shows, or by name.
struct Wanted {
    id: Option<Uuid>,
    name: Option<Username>,
}

impl Wanted {
    fn parse(text: &str) -> Self {
        Self {
            id: Uuid::try_parse(text).ok(),
            name: Username::parse(text).ok(),
        }
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<User>, Fault> {
        if let Some(id) = self.id
            && let Some(user) = users::find(tx, id).await?
        {
            return Ok(Some(user));
        }
        match &self.name {
            Some(name) => users::find_by_name(tx, name).await,
            None => Ok(None),
        }
    }
}

fn unknown(name: &str) -> AdminFailure {
    AdminFailure::Refused(format!(
        "there is no user {name:?}; `countersign user list` shows who there is"
    ))
}

fn info(user: User) -> UserInfo {
    UserInfo {
        id: user.id,
        state: user.state,
        profile: user.profile,
        created_at: user.created_at,
        close_asked_at: user.close_asked_at,
        closed_at: user.closed_at,
    }
}

//! Carries an operator's command out: one command, one flow.

use super::command::{AdminCommand, AuthRequest, ClientRequest, ReProofStep};
use super::keep_view;
use super::view::{AdminReply, ClientView, Shown, UserView};
use crate::app::App;
use crate::flows::backup::{self, NewBackup};
use crate::flows::clients::{self, NewAuth, NewClient};
use crate::flows::reproof::{self, Reproof};
use crate::flows::users::{self, NewUser, UserInfo};
use crate::flows::{
    AdminFailure, Caller, Progress, close, inspect, read_audit, resources, rotate_keys, seal_audit,
    send_mail, tell_logouts,
};
use rules::protocol::{Scopes, target};

/// Carries a command out, for the socket or for the command line itself.
///
/// # Errors
/// [`AdminFailure`]: refused with a sentence for the operator, or the server failed.
pub async fn execute(
    app: &App,
    command: AdminCommand,
    caller: &Caller,
    progress: &Progress,
) -> Result<AdminReply, AdminFailure> {
    use AdminCommand as C;
    let mut reply = match command {
        C::UserAdd { username, claims } => {
            let new = NewUser { username, claims };
            users::invite(app, new, caller).await?.into()
        }
        C::UserInvite { user } => users::reinvite(app, &user, caller).await?.into(),
        C::UserList {
            after,
            limit,
            blocked_by_policy: true,
        } => AdminReply::Users(views(users::blocked_by_policy(app, after, limit).await?)),
        C::UserList { after, limit, .. } => {
            AdminReply::Users(views(users::list(app, after, limit).await?))
        }
        C::UserShow { user } => show_user(app, &user).await?,
        C::UserReProof { user, by, step } => re_proof(app, (&user, &by), step, caller).await?,
        C::UserClose { user } => close::close(app, &user, caller).await?.into(),
        C::UserSet { user, edit } => users::set(app, &user, edit, caller).await?.into(),
        C::UserDisable { user } => users::disable(app, &user, caller).await?.into(),
        C::UserEnable { user } => users::enable(app, &user, caller).await?.into(),
        C::MailTest { to } => {
            send_mail::test(app, &to).await?;
            AdminReply::MailSent { to }
        }
        C::ClientAdd(request) => {
            let new = (*request).into();
            clients::register(app, new, caller).await?.into()
        }
        C::ClientList => AdminReply::Clients(views(clients::list(app).await?)),
        C::ClientRegister => AdminReply::Register(views(clients::register_of_all(app).await?)),
        C::ClientSet { id, edit } => clients::set(app, &id, *edit, caller).await?.into(),
        C::ClientRemove { id } => clients::remove(app, &id, caller).await?.into(),
        C::ClientShow { id } => show_client(app, &id).await?,
        C::ClientDisable { id } => clients::disable(app, &id, caller).await?.into(),
        C::ClientEnable { id } => clients::enable(app, &id, caller).await?.into(),
        C::ClientRotateSecret { id, end_older } => {
            let secret = if end_older {
                clients::replace_secret(app, &id, caller).await?
            } else {
                clients::rotate_secret(app, &id, caller).await?
            };
            AdminReply::Registered {
                client: Box::new(clients::find(app, &id).await?.into()),
                client_secret: Some(Shown(secret)),
            }
        }
        C::ClientSetJwks { id, jwks } => clients::set_jwks(app, &id, jwks, caller).await?.into(),
        C::ResourceAdd { resource, replace } => {
            let stored = resource.clone();
            if replace {
                resources::put(app, stored, caller).await?;
            } else {
                resources::add(app, stored, caller).await?;
            }
            AdminReply::Resource(resource)
        }
        C::ResourceSet { uri, edit } => resources::set(app, &uri, edit, caller).await?.into(),
        C::ResourceRemove { uri } => {
            resources::remove(app, &uri, caller).await?;
            AdminReply::ResourceRemoved { uri }
        }
        C::ResourceList => AdminReply::Resources(resources::list(app).await?),
        C::Inspect => {
            let (issuer, now) = (&app.config.issuer, app.clock.now());
            let facts = inspect::look(&app.store, Ok(&app.vault), issuer, now).await?;
            AdminReply::Facts(Box::new(facts))
        }
        C::BackupMake { to, keep } => {
            let made = backup::make(app, NewBackup { to, keep }, caller, progress).await?;
            AdminReply::Backup(made.into())
        }
        C::AuditVerify { checkpoint } => {
            let verdict = read_audit::verify(app, checkpoint.as_deref(), caller, progress).await?;
            AdminReply::Audit(verdict.into())
        }
        C::AuditCheckpoint => AdminReply::Checkpoint(seal_audit::newest_checkpoint(app).await?),
        C::AuditKey => AdminReply::AuditKey(seal_audit::verifying_key(app)?.to_string()),
        C::AuditList(wanted) => {
            let events = read_audit::list(app, wanted, caller).await?;
            AdminReply::Events(events.iter().map(keep_view::event).collect())
        }
        C::AuditExport { from } => {
            let (leaves, checkpoint) = read_audit::export(app, from, caller).await?;
            AdminReply::Leaves { leaves, checkpoint }
        }
        C::KeyList => AdminReply::Keys(views(rotate_keys::list(app).await?)),
        C::KeyRotate { alg } => {
            AdminReply::Keys(views(rotate_keys::rotate(app, alg, caller).await?))
        }
    };
    say_unknown_scopes(app, &mut reply);
    Ok(reply)
}

/// Says of a client that is shown by itself which of its scopes nothing here has.
fn say_unknown_scopes(app: &App, reply: &mut AdminReply) {
    let (AdminReply::Client(client)
    | AdminReply::Registered { client, .. }
    | AdminReply::ClientChanged { after: client, .. }) = reply
    else {
        return;
    };
    if let Ok(scopes) = Scopes::parse(&client.scope) {
        let unknown = target::unknown(&scopes, app.registry.now().resources());
        client.unknown_scope = Some(unknown.to_string()).filter(|names| !names.is_empty());
    }
}

/// A person, and the re-proofing that stands for her.
async fn show_user(app: &App, user: &str) -> Result<AdminReply, AdminFailure> {
    let found = users::find(app, user).await?;
    let standing = reproof::standing(app, found.id).await?;
    Ok(re_proofed(found, standing))
}

/// One step of a re-proofing.
async fn re_proof(
    app: &App,
    (user, by): (&str, &str),
    step: ReProofStep,
    caller: &Caller,
) -> Result<AdminReply, AdminFailure> {
    Ok(match step {
        ReProofStep::Begin => {
            let (user, begun) = reproof::begin(app, user, by, caller).await?;
            re_proofed(user, Some(begun))
        }
        ReProofStep::Approve | ReProofStep::ApproveUntold => {
            let by = (by, step == ReProofStep::ApproveUntold);
            reproof::approve(app, user, by, caller).await?.into()
        }
        ReProofStep::Cancel => reproof::cancel(app, user, by, caller).await?.into(),
    })
}

fn re_proofed(user: UserInfo, standing: Option<Reproof>) -> AdminReply {
    let mut shown = UserView::from(user);
    shown.re_proof = standing.map(Into::into);
    AdminReply::User(shown)
}

/// A client, and how telling it of logouts goes.
async fn show_client(app: &App, id: &str) -> Result<AdminReply, AdminFailure> {
    let mut shown = ClientView::from(clients::find(app, id).await?);
    shown.backchannel_logout = tell_logouts::standing(app, id).await?.map(Into::into);
    Ok(AdminReply::Client(Box::new(shown)))
}

fn views<T, V: From<T>>(items: Vec<T>) -> Vec<V> {
    items.into_iter().map(V::from).collect()
}

impl From<ClientRequest> for NewClient {
    fn from(request: ClientRequest) -> Self {
        Self {
            id: request.id,
            name: request.name,
            auth: match request.auth {
                AuthRequest::None => NewAuth::None,
                AuthRequest::Secret => NewAuth::Secret,
                AuthRequest::Jwks(jwks) => NewAuth::Jwks(jwks),
                AuthRequest::Certificate(subject, jwks) => NewAuth::Certificate(subject, jwks),
                AuthRequest::SelfSigned(jwks) => NewAuth::SelfSigned(jwks),
            },
            redirect_uris: request.redirect_uris,
            grant_types: request.grant_types,
            scopes: request.scopes,
            id_token_signed_response_alg: request.id_token_signed_response_alg,
            profile: request.profile,
            metadata: request.metadata,
        }
    }
}

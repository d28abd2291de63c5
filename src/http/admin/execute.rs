//! Carries an operator's command out: one command, one flow.

use super::command::{AdminCommand, AuthRequest, ClientRequest, ReProofStep};
use super::keep_view;
use super::view::{AdminReply, ClientView, ReProofView, Shown, UserView};
use crate::app::App;
use crate::flows::backup::{self, NewBackup};
use crate::flows::clients::{self, NewAuth, NewClient};
use crate::flows::users::{self, NewUser};
use crate::flows::{
    AdminFailure, Caller, Progress, close, inspect, read_audit, reproof, resources, rotate_keys,
    seal_audit, send_mail, tell_logouts,
};

/// Carries a command out, for the socket or for the command line itself.
///
/// # Errors
/// [`AdminFailure`]: refused with a sentence for the operator, or the server failed.
#[expect(clippy::too_many_lines, reason = "one line or two for each command")]
pub async fn execute(
    app: &App,
    command: AdminCommand,
    caller: &Caller,
    progress: &Progress,
) -> Result<AdminReply, AdminFailure> {
    use AdminCommand as C;
    Ok(match command {
        C::UserAdd { username, claims } => {
            let new = NewUser { username, claims };
            AdminReply::Invite(users::invite(app, new, caller).await?.into())
        }
        C::UserInvite { user } => {
            AdminReply::Invite(users::reinvite(app, &user, caller).await?.into())
        }
        C::UserList {
            after,
            limit,
            blocked_by_policy,
        } => {
            let people = if blocked_by_policy {
                users::blocked_by_policy(app, after, limit).await?
            } else {
                users::list(app, after, limit).await?
            };
            AdminReply::Users(views(people))
        }
        C::UserShow { user } => {
            let found = users::find(app, &user).await?;
            let standing = reproof::standing(app, found.id).await?;
            let mut shown = UserView::from(found);
            shown.re_proof = standing.map(ReProofView::from);
            AdminReply::User(shown)
        }
        C::UserReProof { user, by, step } => match step {
            ReProofStep::Begin => {
                let (user, begun) = reproof::begin(app, &user, &by, caller).await?;
                let mut shown = UserView::from(user);
                shown.re_proof = Some(begun.into());
                AdminReply::User(shown)
            }
            ReProofStep::Approve => {
                AdminReply::Invite(reproof::approve(app, &user, &by, caller).await?.into())
            }
            ReProofStep::Cancel => {
                AdminReply::User(reproof::cancel(app, &user, &by, caller).await?.into())
            }
        },
        C::UserClose { user } => AdminReply::User(close::close(app, &user, caller).await?.into()),
        C::UserSet { user, edit } => {
            AdminReply::User(users::set(app, &user, edit, caller).await?.into())
        }
        C::UserDisable { user } => {
            AdminReply::User(users::disable(app, &user, caller).await?.into())
        }
        C::UserEnable { user } => AdminReply::User(users::enable(app, &user, caller).await?.into()),
        C::MailTest { to } => {
            send_mail::test(app, &to).await?;
            AdminReply::MailSent { to }
        }
        C::ClientAdd(request) => clients::register(app, (*request).into(), caller)
            .await?
            .into(),
        C::ClientList => AdminReply::Clients(views(clients::list(app).await?)),
        C::ClientRegister => AdminReply::Register(views(clients::register_of_all(app).await?)),
        C::ClientSet { id, edit } => clients::set(app, &id, *edit, caller).await?.into(),
        C::ClientRemove { id } => clients::remove(app, &id, caller).await?.into(),
        C::ClientShow { id } => {
            let mut shown = ClientView::from(clients::find(app, &id).await?);
            shown.backchannel_logout = tell_logouts::standing(app, &id).await?.map(Into::into);
            AdminReply::Client(Box::new(shown))
        }
        C::ClientDisable { id } => one_client(clients::disable(app, &id, caller).await?),
        C::ClientEnable { id } => one_client(clients::enable(app, &id, caller).await?),
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
        C::ClientSetJwks { id, jwks } => {
            one_client(clients::set_jwks(app, &id, jwks, caller).await?)
        }
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
            let facts = inspect::look(
                &app.store,
                Ok(&app.vault),
                &app.config.issuer,
                app.clock.now(),
            );
            AdminReply::Facts(Box::new(facts.await?))
        }
        C::BackupMake { to, keep } => {
            let new = NewBackup { to, keep };
            AdminReply::Backup(backup::make(app, new, caller, progress).await?.into())
        }
        C::AuditVerify { checkpoint } => {
            let kept = checkpoint.as_deref();
            AdminReply::Audit(
                read_audit::verify(app, kept, caller, progress)
                    .await?
                    .into(),
            )
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
    })
}

fn views<T, V: From<T>>(items: Vec<T>) -> Vec<V> {
    items.into_iter().map(V::from).collect()
}

fn one_client(client: rules::protocol::Client) -> AdminReply {
    AdminReply::Client(Box::new(client.into()))
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

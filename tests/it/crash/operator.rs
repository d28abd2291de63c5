//! Walks of an operator.

use std::collections::BTreeMap;

use countersign::flows::clients::ClientEdit;
use countersign::flows::read_audit::Wanted;
use countersign::flows::resources::ResourceEdit;
use countersign::flows::users::UserEdit;
use countersign::http::admin::{AdminCommand, AdminReply, AuthRequest, ClientRequest};
use rules::jose::{Alg, JwkSet, SigningKey};
use rules::protocol::access::Format;
use rules::protocol::client::{GrantType, Profile};
use rules::protocol::client_metadata::Metadata;
use rules::protocol::resource::{Resource, ScopeInfo};
use rules::protocol::scope::Scopes;

use super::people::{enter, tokens};
use super::world::World;
use crate::support::apps::Method;
use crate::support::{ClientApp, people};

fn basic(id: &str, secret: &str) -> ClientApp {
    ClientApp {
        id: id.to_owned(),
        method: Method::Basic,
        secret: secret.to_owned(),
        key: None,
        redirect_uri: String::new(),
    }
}

fn secret(reply: Option<AdminReply>) -> Option<String> {
    match reply {
        Some(AdminReply::Registered { client_secret, .. }) => {
            client_secret.map(|secret| secret.0.expose().to_owned())
        }
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

async fn gets_a_token(w: &mut World, client: &ClientApp) -> bool {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "accounts:read"),
    ];
    w.surely_post(client, "/token", &form).await.status == 200
}

/// A client from its registration to its removal.
pub async fn clients(w: &mut World) {
    let id = w.name("partner");
    let add = AdminCommand::ClientAdd(Box::new(ClientRequest {
        id: Some(id.clone()),
        name: "A partner".to_owned(),
        auth: AuthRequest::Secret,
        redirect_uris: vec!["https://partner.example/cb".to_owned()],
        grant_types: vec![GrantType::ClientCredentials, GrantType::AuthorizationCode],
        scopes: Scopes::parse("accounts:read cards:read").unwrap(),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata: Metadata::default(),
    }));
    let first = secret(w.surely(add).await);
    let rotate = AdminCommand::ClientRotateSecret {
        id: id.clone(),
        end_older: false,
    };
    let second = secret(w.surely(rotate).await);
    // Whoever lost an answer rotates again: a secret is good until the rotation after the next.
    let died = w.died();
    let still = first.iter().filter(|_| !died);
    for one in still.chain(&second) {
        assert!(gets_a_token(w, &basic(&id, one)).await, "a secret is lost");
    }
    let replace = AdminCommand::ClientRotateSecret {
        id: id.clone(),
        end_older: true,
    };
    let third = secret(w.surely(replace).await).unwrap();
    let client = basic(&id, &third);
    assert!(gets_a_token(w, &client).await, "the last secret is lost");
    for one in first.iter().chain(&second) {
        assert!(!gets_a_token(w, &basic(&id, one)).await, "an ended secret");
    }
    let set = AdminCommand::ClientSet {
        id: id.clone(),
        edit: Box::new(ClientEdit {
            scopes: Some(Scopes::parse("accounts:read").unwrap()),
            ..ClientEdit::default()
        }),
    };
    w.surely(set).await;
    w.surely(AdminCommand::ClientDisable { id: id.clone() })
        .await;
    assert!(!gets_a_token(w, &client).await, "a disabled client");
    w.surely(AdminCommand::ClientEnable { id: id.clone() })
        .await;
    w.advance(10);
    assert!(gets_a_token(w, &client).await, "an enabled client");
    w.surely(AdminCommand::ClientRemove { id: id.clone() })
        .await;
    assert!(!gets_a_token(w, &client).await, "a removed client");
    let keys = SigningKey::generate(Alg::Es256).unwrap();
    let machine = w.machine.clone();
    let jwks = JwkSet::new(vec![keys.public_jwk().clone()]).unwrap();
    let id = machine.id.clone();
    w.surely(AdminCommand::ClientSetJwks { id, jwks }).await;
    w.machine.key = Some(std::sync::Arc::new(keys));
    assert!(!gets_a_token(w, &machine).await, "a replaced key");
    let machine = w.machine.clone();
    assert!(gets_a_token(w, &machine).await, "the new key is lost");
}

/// A client whom people gave their consent is removed: it ends for all of them.
pub async fn client_removed(w: &mut World) {
    let id = w.name("leaving");
    let add = AdminCommand::ClientAdd(Box::new(ClientRequest {
        id: Some(id.clone()),
        name: "One that leaves".to_owned(),
        auth: AuthRequest::None,
        redirect_uris: vec!["https://leaving.example/cb".to_owned()],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: Scopes::parse("openid offline_access accounts:read").unwrap(),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata: Metadata::default(),
    }));
    w.surely(add).await;
    let client = ClientApp {
        id: id.clone(),
        method: Method::None,
        secret: String::new(),
        key: None,
        redirect_uri: "https://leaving.example/cb".to_owned(),
    };
    let mut b = w.visitor();
    tokens(w, &mut b, &client).await;
    // What was taken away and is given again is not in tokens from before.
    for scopes in [
        "openid offline_access",
        "openid offline_access accounts:read",
    ] {
        let edit = ClientEdit {
            scopes: Some(Scopes::parse(scopes).unwrap()),
            ..ClientEdit::default()
        };
        let set = AdminCommand::ClientSet {
            id: id.clone(),
            edit: Box::new(edit),
        };
        w.surely(set).await;
    }
    let alive = std::mem::take(&mut w.alive);
    w.ended.extend(alive);
    w.compare().await;
    let remove = AdminCommand::ClientRemove { id: id.clone() };
    if w.command(remove.clone()).await.is_none() {
        // What is left of it goes when the command is given again, if it was not removed whole.
        w.command(remove).await.unwrap();
    }
    let alive = std::mem::take(&mut w.alive);
    w.ended.extend(alive);
    let left =
        format!("SELECT COUNT(*) FROM grants WHERE revoked_at IS NULL AND client_id = '{id}'");
    assert_eq!(w.count(&left).await, 0, "consents of a client that is gone");
}

/// A resource from its registration to its removal.
pub async fn resources(w: &mut World) {
    let uri = format!("https://api.bank.example/{}", w.name("resource"));
    let resource = Resource {
        uri: uri.clone(),
        name: "Another".to_owned(),
        client_id: w.api.id.clone(),
        scopes: vec![ScopeInfo {
            name: w.name("scope"),
            title: "See another".to_owned(),
            titles: BTreeMap::default(),
            detail: None,
            optional: false,
            require_acr: None,
        }],
        token_format: Format::Opaque,
        names: BTreeMap::default(),
        read_only: false,
        require_acr: None,
        access_token_lifetime: 300,
    };
    let replace = false;
    w.surely(AdminCommand::ResourceAdd { resource, replace })
        .await;
    let edit = ResourceEdit {
        name: Some("Another name".to_owned()),
        ..ResourceEdit::default()
    };
    let set = AdminCommand::ResourceSet {
        uri: uri.clone(),
        edit,
    };
    w.surely(set).await;
    assert_eq!(listed(w, &uri).await.unwrap().name, "Another name");
    let remove = AdminCommand::ResourceRemove { uri: uri.clone() };
    w.surely(remove).await;
    assert!(listed(w, &uri).await.is_none());
}

async fn listed(w: &mut World, uri: &str) -> Option<Resource> {
    let Some(AdminReply::Resources(all)) = w.surely(AdminCommand::ResourceList).await else {
        panic!("no list");
    };
    all.into_iter().find(|one| one.uri == uri)
}

/// An account that is disabled and enabled; its person's sessions do not come back.
pub async fn disabled(w: &mut World) {
    let client = w.web.clone();
    let (ada, mut b) = (w.ada.clone(), w.visitor());
    enter(w, &mut b, &ada).await;
    tokens(w, &mut b, &client).await;
    let user = ada.username.clone();
    let mut edit = UserEdit::default();
    let nickname = w.name("nickname").into();
    edit.claims.insert("nickname".to_owned(), nickname);
    let set = AdminCommand::UserSet {
        user: user.clone(),
        edit,
    };
    w.surely(set).await;
    w.surely(AdminCommand::UserDisable { user: user.clone() })
        .await;
    let alive = std::mem::take(&mut w.alive);
    w.ended.extend(alive);
    w.compare().await;
    w.surely(AdminCommand::UserEnable { user }).await;
    w.advance(10);
    assert!(!b.is_signed_in(w).await, "an ended session lives again");
    let mut other = w.visitor();
    enter(w, &mut other, &ada).await;
}

/// Somebody is invited a second time: one link is good.
pub async fn invited_again(w: &mut World) {
    let username = w.name("late");
    let add = AdminCommand::UserAdd {
        username: username.clone(),
        claims: people::claims(&username),
    };
    w.surely(add).await;
    let user = username.clone();
    let mut links = Vec::new();
    for _ in 0..2 {
        let user = user.clone();
        if let Some(AdminReply::Invite(invited)) = w.surely(AdminCommand::UserInvite { user }).await
        {
            let link = invited.link.0.expose().strip_prefix(w.issuer()).unwrap();
            links.push(link.to_owned());
        }
    }
    let mut good = 0;
    for link in &links {
        let page = w.visitor().open(w, link).await;
        good += u32::from(page.form(link).is_some());
    }
    assert_eq!(good, 1, "of {} links", links.len());
}

/// Signing keys are rotated, and later withdrawn.
pub async fn keys(w: &mut World) {
    let alg = Alg::Es256.into();
    let rotated = w.surely(AdminCommand::KeyRotate { alg }).await;
    assert!(rotated.is_some(), "a second rotation is no mistake");
    w.advance(26 * 3600);
    w.surely_tick("key_schedule");
    assert_eq!(
        w.count("SELECT COUNT(*) FROM signing_keys WHERE state = 'retiring'")
            .await,
        0
    );
}

/// The audit log is read, which is written down first, and a backup is made.
pub async fn kept(w: &mut World) {
    let wanted = Wanted {
        limit: 5,
        ..Wanted::default()
    };
    w.surely(AdminCommand::AuditList(wanted)).await;
    w.surely_tick("audit_sealer");
    w.surely(AdminCommand::AuditExport { from: 0 }).await;
    let verified = w
        .surely(AdminCommand::AuditVerify { checkpoint: None })
        .await;
    let Some(AdminReply::Audit(view)) = verified else {
        panic!("{verified:?}");
    };
    let view = serde_json::to_value(view).unwrap();
    assert_eq!(view["intact"], true, "{view}");
    let name = w.name("backup");
    let to = w.left.directory.path().join(name);
    let make = AdminCommand::BackupMake { to, keep: None };
    w.command(make).await;
}

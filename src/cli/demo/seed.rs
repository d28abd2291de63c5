//! What the demo's database holds: an API, a few clients and two people. Made once, found again at
//! the next start. Everything goes through the same flows as in any installation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rules::identity::totp::STEP_SECONDS;
use rules::jose::{Alg, JwkSet, SigningKey};
use rules::protocol::{Client, Format, GrantType, Metadata, Profile, Resource, ScopeInfo};
use rules::time::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Addresses;
use super::api::{ACCOUNTS_READ, TRANSACTIONS_READ};
use super::authenticator::Key;
use super::client_certificate::Files;
use super::notebook::{Credentials, Notebook};
use super::payment::PAYMENT;
use super::people::{self, ADA, INVITED};
use super::phone::Mail;
use crate::app::App;
use crate::cli::Failed;
use crate::flows::activate::{self, Stepped, View};
use crate::flows::clients::{self, ClientEdit, NewAuth, NewClient};
use crate::flows::users::{self, NewUser};
use crate::flows::{AdminFailure, Caller, resources};
use crate::secret::Secret;
use crate::store::users::UserState;

/// The API's own client: it introspects, and gets no tokens.
pub const ACCOUNTS_API: &str = "accounts-api";
/// The partner app in the browser.
pub const POCKET_BUDGET: &str = "pocket-budget";
/// The partner without a browser, for the command line.
pub const NIGHTLY_REPORT: &str = "nightly-report";
/// A partner that signs assertions instead of keeping a secret (RFC 7523).
pub const LEDGER_SYNC: &str = "ledger-sync";
/// An app that can keep no secret (RFC 6749 §2.1).
pub const PHONE_APP: &str = "pocket-budget-phone";
/// With `--fapi`: another app like Pocket Budget, so that one can try to use what is the other's.
const RAINY_DAY: &str = "rainy-day";
/// The same two with certificates instead of assertions and proofs.
const CERTIFIED: [(&str, &str); 2] = [
    ("pocket-budget-mtls", "Pocket Budget (certificate)"),
    ("rainy-day-mtls", "Rainy Day (certificate)"),
];

/// The same two with keys, and certificates that their tokens are bound to.
const BOUND: [(&str, &str); 2] = [
    ("pocket-budget-bound", "Pocket Budget (key and certificate)"),
    ("rainy-day-bound", "Rainy Day (key and certificate)"),
];

/// What an app in a browser may ask for.
const PERSONAL: [&str; 8] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
    ACCOUNTS_READ,
    TRANSACTIONS_READ,
];

/// How long the API's access tokens live, in seconds.
const ACCESS_TOKEN_LIFETIME: u32 = 300;

/// What was made or found.
pub struct Seeded {
    /// The invitation of somebody who has not activated her account; none when all have.
    pub invitation: Option<Mail>,
    /// From when on it is worth nothing.
    pub invitation_expires_at: Option<Timestamp>,
}

/// Makes what is missing.
///
/// # Errors
/// [`Failed`], with a remedy.
pub async fn seed(
    app: &Arc<App>,
    notebook: &Notebook,
    (addresses, data): (&Addresses, &Path),
) -> Result<Seeded, Failed> {
    seed_clients(app, notebook, (addresses, data)).await?;
    // An API needs its client first.
    let resource = resource(addresses);
    let all = resources::list(app).await?;
    let known = all.iter().find(|known| known.uri == resource.uri);
    // What an older version registered is brought up to date.
    if known.is_none_or(|known| !same(known, &resource)) {
        resources::put(app, resource, &Caller::default()).await?;
    }
    seed_ada(app, notebook).await?;
    let (invitation, invitation_expires_at) = invite_somebody(app).await?.unzip();
    Ok(Seeded {
        invitation,
        invitation_expires_at,
    })
}

/// The API as it is registered.
fn resource(addresses: &Addresses) -> Resource {
    let german = |text: &str| BTreeMap::from([("de".to_owned(), text.to_owned())]);
    let scope = |name: &str, [title, titel]: [&str; 2], optional| ScopeInfo {
        name: name.to_owned(),
        title: title.to_owned(),
        titles: german(titel),
        detail: None,
        optional,
        require_acr: None,
    };
    Resource {
        uri: addresses.resource(),
        name: "Accounts".to_owned(),
        names: german("Konten"),
        read_only: true,
        client_id: ACCOUNTS_API.to_owned(),
        scopes: vec![
            scope(
                ACCOUNTS_READ,
                [
                    "See your accounts and balances",
                    "Ihre Konten und Kontostände sehen",
                ],
                false,
            ),
            scope(
                TRANSACTIONS_READ,
                [
                    "See your transactions of the last 90 days",
                    "Ihre Umsätze der letzten 90 Tage sehen",
                ],
                true,
            ),
        ],
        token_format: Format::Opaque,
        require_acr: None,
        access_token_lifetime: ACCESS_TOKEN_LIFETIME,
    }
}

/// The clients, but for keys and secrets, which are put in when they are registered.
pub fn registrations(addresses: &Addresses) -> Vec<NewClient> {
    use GrantType::{AuthorizationCode, ClientCredentials, RefreshToken};
    let client = |id: &str, name: &str, grant_types: &[GrantType], scopes: &[&str]| NewClient {
        id: Some(id.to_owned()),
        name: name.to_owned(),
        auth: NewAuth::Secret,
        redirect_uris: vec![],
        grant_types: grant_types.to_vec(),
        scopes: scopes.iter().copied().collect(),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata: Metadata::default(),
    };
    // By FAPI 2.0 there are two of each, for themselves too: one can try to use what is the other's.
    let grants: &[GrantType] = if addresses.fapi {
        &[AuthorizationCode, RefreshToken, ClientCredentials]
    } else {
        &[AuthorizationCode, RefreshToken]
    };
    let in_browser = |id: &str, name: &str| NewClient {
        redirect_uris: addresses.callbacks(),
        metadata: Metadata {
            legal_entity: Some("Pocket Budget Example Ltd".to_owned()),
            licence: Some("Account information, BaFin 123456".to_owned()),
            hosting_country: Some("DE".to_owned()),
            contacts: vec!["privacy@pocket-budget.example".to_owned()],
            client_uri: Some(addresses.partner.clone()),
            ..Metadata::default()
        },
        ..client(id, name, grants, &PERSONAL)
    };
    let mut pocket_budget = in_browser(POCKET_BUDGET, "Pocket Budget");
    let metadata = &mut pocket_budget.metadata;
    metadata.post_logout_redirect_uris = vec![addresses.signed_out()];
    metadata.backchannel_logout_uri = Some(addresses.backchannel_logout());
    metadata.backchannel_logout_session_required = true;
    let mut api = client(ACCOUNTS_API, "Accounts API", &[], &[]);
    // FAPI 2.0 Message Signing §5.5: nothing is signed with RS256.
    api.metadata.introspection_signed_response_alg = addresses.fapi.then_some(Alg::Es256);
    let nightly_report = client(
        NIGHTLY_REPORT,
        "Nightly report",
        &[ClientCredentials],
        &[ACCOUNTS_READ],
    );
    let keyed = |client: NewClient| NewClient {
        auth: NewAuth::Jwks(JwkSet::default()),
        ..client
    };
    let ledger_sync = keyed(client(
        LEDGER_SYNC,
        "Ledger sync",
        &[ClientCredentials],
        &[ACCOUNTS_READ, TRANSACTIONS_READ],
    ));
    if !addresses.fapi {
        let phone_app = NewClient {
            auth: NewAuth::None,
            ..in_browser(PHONE_APP, "Pocket Budget for phones")
        };
        return vec![api, pocket_budget, phone_app, nightly_report, ledger_sync];
    }
    let fapi2 = |client: NewClient| NewClient {
        profile: Profile::Fapi2,
        ..client
    };
    let bound = |client: NewClient| {
        let mut client = fapi2(client);
        client.metadata.tls_client_certificate_bound_access_tokens = true;
        client
    };
    let certified = |client: NewClient| NewClient {
        auth: NewAuth::SelfSigned(JwkSet::default()),
        ..bound(client)
    };
    let asking = |mut client: NewClient| {
        client.metadata.require_signed_request_object = addresses.signed;
        client.metadata.authorization_details_types = vec![PAYMENT.to_owned()];
        client
    };
    let in_browser = |id: &str, name: &str| asking(in_browser(id, name));
    let [budget_mtls, rainy_mtls] = CERTIFIED.map(|(id, name)| certified(in_browser(id, name)));
    let [budget_bound, rainy_bound] = BOUND.map(|(id, name)| bound(keyed(in_browser(id, name))));
    vec![
        api,
        fapi2(keyed(asking(pocket_budget))),
        fapi2(keyed(in_browser(RAINY_DAY, "Rainy Day"))),
        budget_mtls,
        rainy_mtls,
        budget_bound,
        rainy_bound,
        certified(nightly_report),
        fapi2(ledger_sync),
    ]
}

async fn seed_clients(
    app: &App,
    notebook: &Notebook,
    (addresses, data): (&Addresses, &Path),
) -> Result<(), Failed> {
    let registered = clients::list(app).await?;
    let caller = Caller::default();
    for mut new in registrations(addresses) {
        let id = new.id.clone().unwrap_or_default();
        let before = registered.iter().find(|client| client.id == id);
        let known = before.is_some();
        if let Some(before) = before {
            refresh(app, before, &new).await?;
        }
        let notes = notebook.read();
        let certified = new.metadata.tls_client_certificate_bound_access_tokens;
        let of_certificate = if certified {
            Files::of(data, &id).ensure(&id, app.clock.now())?
        } else {
            JwkSet::default()
        };
        let secret = match &new.auth {
            NewAuth::SelfSigned(_) => {
                let jwks = of_certificate;
                match before.map(|before| before.own_keys()) {
                    Some(Some(registered)) if *registered == jwks => {}
                    Some(_) => drop(clients::set_jwks(app, &id, jwks, &caller).await?),
                    None => {
                        new.auth = NewAuth::SelfSigned(jwks);
                        clients::register(app, new, &caller).await?;
                    }
                }
                None
            }
            NewAuth::Jwks(_) if known && notes.client_keys.contains_key(&id) => None,
            NewAuth::Jwks(_) if known => {
                clients::set_jwks(app, &id, keys(notebook, &id)?, &caller).await?;
                None
            }
            NewAuth::Jwks(_) => {
                new.auth = NewAuth::Jwks(keys(notebook, &id)?);
                clients::register(app, new, &caller).await?.secret
            }
            NewAuth::Secret if known && notes.client_secrets.contains_key(&id) => None,
            // It was registered, and then the demo ended before the secret was written down.
            NewAuth::Secret if known => Some(clients::replace_secret(app, &id, &caller).await?),
            NewAuth::None if known => None,
            _ => clients::register(app, new, &caller).await?.secret,
        };
        if let Some(secret) = secret {
            let secret = secret.expose().to_owned();
            notebook.change(|notes| drop(notes.client_secrets.insert(id, secret)))?;
        }
    }
    Ok(())
}

/// Brings a client that an older version registered up to date.
async fn refresh(app: &App, before: &Client, new: &NewClient) -> Result<(), Failed> {
    let same = same(&before.metadata, &new.metadata)
        && before.name == new.name
        && before.redirect_uris == new.redirect_uris
        && before.grant_types == new.grant_types
        && before.scopes == new.scopes
        && before.profile == new.profile;
    if same {
        return Ok(());
    }
    let members = |metadata: &Metadata| match serde_json::to_value(metadata) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    // What is not registered any more is taken away (RFC 7396 §2).
    let mut metadata: serde_json::Map<_, _> = members(&before.metadata)
        .into_iter()
        .map(|(name, _)| (name, Value::Null))
        .collect();
    metadata.extend(members(&new.metadata));
    let edit = ClientEdit {
        name: Some(new.name.clone()),
        redirect_uris: Some(new.redirect_uris.clone()),
        grant_types: Some(new.grant_types.clone()),
        scopes: Some(new.scopes.clone()),
        profile: Some(new.profile),
        metadata,
        ..ClientEdit::default()
    };
    match clients::set(app, &before.id, edit, &Caller::default()).await {
        // What somebody changed by hand, so that it does not fit any more, is left as it is.
        Ok(_) => Ok(()),
        // Whoever names an address hears why it is not taken.
        Err(AdminFailure::Refused(_)) if new.redirect_uris.len() <= 1 => Ok(()),
        Err(failed) => Err(failed.into()),
    }
}

/// Whether two things are written alike.
fn same<T: serde::Serialize>(one: &T, other: &T) -> bool {
    match (serde_json::to_value(one), serde_json::to_value(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The public half of a client's key, which is made when there is none.
fn keys(notebook: &Notebook, id: &str) -> Result<JwkSet, Failed> {
    let unusable = |why: String| Failed::from(format!("the key of the client {id}: {why}"));
    let key = if let Some(text) = notebook.read().client_keys.get(id) {
        signing_key(text).map_err(unusable)?
    } else {
        let made = SigningKey::generate(Alg::Es256).map_err(|e| unusable(e.to_string()))?;
        let der = made.to_pkcs8().map_err(|e| unusable(e.to_string()))?;
        let text = STANDARD.encode(der.as_slice());
        notebook.change(|notes| drop(notes.client_keys.insert(id.to_owned(), text)))?;
        made
    };
    JwkSet::new(vec![key.public_jwk().clone()]).map_err(|e| unusable(e.to_string()))
}

/// A client's key as a JWK set, the private half included (RFC 7518 §6.2.2).
///
/// # Errors
/// What is wrong with it.
pub fn private_jwks(text: &str) -> Result<Value, String> {
    let key = signing_key(text)?;
    let der = key.to_pkcs8().map_err(|e| e.to_string())?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
    let pair = pair.map_err(|e| e.to_string())?;
    let d: EcPrivateKeyBin<'_> = pair
        .private_key()
        .as_be_bytes()
        .map_err(|e| e.to_string())?;
    let mut jwk = serde_json::to_value(key.public_jwk()).map_err(|e| e.to_string())?;
    jwk["d"] = URL_SAFE_NO_PAD.encode(d.as_ref()).into();
    Ok(json!({ "keys": [jwk] }))
}

/// A key as the notes hold it.
///
/// # Errors
/// What is wrong with it.
pub fn signing_key(text: &str) -> Result<SigningKey, String> {
    let der = STANDARD
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|e| e.to_string())?;
    SigningKey::from_pkcs8(Alg::Es256, &der).map_err(|e| e.to_string())
}

async fn state_of(app: &App) -> Result<BTreeMap<String, UserState>, Failed> {
    let people = users::list(app, None, users::LONGEST_PAGE).await?;
    let states = people
        .into_iter()
        .map(|user| (user.profile.username, user.state));
    Ok(states.collect())
}

async fn seed_ada(app: &Arc<App>, notebook: &Notebook) -> Result<(), Failed> {
    let caller = Caller::default();
    let invited = match state_of(app).await?.get(ADA) {
        Some(UserState::Active | UserState::Disabled) => {
            let known = notebook.read().people.get(ADA).cloned();
            return match known.filter(|credentials| credentials.totp_secret.is_some()) {
                Some(credentials) => forget_a_changed_password(app, notebook, credentials).await,
                None => Err(Failed::from(format!(
                    "{ADA} has an account, but demo.json does not know how she signs in; delete the \
                     demo's data folder to begin anew"
                ))),
            };
        }
        Some(UserState::Invited) => users::reinvite(app, ADA, &caller).await?,
        None => {
            let new = NewUser {
                username: ADA.to_owned(),
                claims: people::ada_claims(app.clock.now().secs()),
            };
            users::invite(app, new, &caller).await?
        }
    };
    let password = people::new_password()?;
    // Written down first: whatever the ceremony binds, the notes know it.
    let credentials = Credentials {
        password: password.clone(),
        totp_secret: None,
    };
    notebook.change(|notes| drop(notes.people.insert(ADA.to_owned(), credentials)))?;
    let token = invited.link.expose().rsplit('/').next().unwrap_or_default();
    activate(app, notebook, token, &Secret::new(password)).await
}

/// What somebody changed on the account page is hers alone to know: the notes must not tell another.
async fn forget_a_changed_password(
    app: &App,
    notebook: &Notebook,
    credentials: Credentials,
) -> Result<(), Failed> {
    let password = Secret::new(credentials.password);
    if password.expose().is_empty() || users::has_password(app, ADA, &password).await? {
        return Ok(());
    }
    Ok(notebook.change(|notes| {
        if let Some(credentials) = notes.people.get_mut(ADA) {
            credentials.password.clear();
        }
    })?)
}

/// Goes through the whole ceremony, as a person would in her browser.
async fn activate(
    app: &Arc<App>,
    notebook: &Notebook,
    invite: &str,
    password: &Secret,
) -> Result<(), Failed> {
    let Some(ceremony) = activate::begin(app, invite).await? else {
        return Err(refused("the invitation"));
    };
    let ceremony = ceremony.expose();
    let chosen = activate::choose_password(app, ceremony, password, password).await?;
    on(&chosen, "the password")?;
    let Some(View::Factor { secret, .. }) = activate::view(app, ceremony).await? else {
        return Err(refused("the second factor"));
    };
    let key = Key::new(secret);
    let text = key.to_base32();
    notebook.change(|notes| {
        if let Some(credentials) = notes.people.get_mut(ADA) {
            credentials.totp_secret = Some(text);
        }
    })?;
    prove(app, ceremony, &key).await?;
    let Some(View::Codes { codes, asked, .. }) = activate::view(app, ceremony).await? else {
        return Err(refused("the recovery codes"));
    };
    let code = codes
        .get(asked.saturating_sub(1))
        .map_or("", String::as_str);
    match activate::confirm_codes(app, ceremony, code, &Caller::default()).await? {
        Stepped::Done => Ok(()),
        _ => Err(refused("the recovery code")),
    }
}

/// Proves the authenticator app with the code before the present one, which stays unspent for the
/// first sign-in.
async fn prove(app: &App, ceremony: &str, key: &Key) -> Result<(), Failed> {
    let step = Duration::from_secs(STEP_SECONDS);
    let code = key.code(app.clock.now().minus(step));
    let proved = activate::prove_factor(app, ceremony, &code).await?;
    if matches!(proved, Stepped::Next) {
        return Ok(());
    }
    // A new step began in between, and the code before is too old by now.
    let code = key.code(app.clock.now());
    let proved = activate::prove_factor(app, ceremony, &code).await?;
    on(&proved, "the code")
}

fn on(stepped: &Stepped, what: &str) -> Result<(), Failed> {
    match stepped {
        Stepped::Next => Ok(()),
        _ => Err(refused(what)),
    }
}

fn refused(what: &str) -> Failed {
    format!("the demo could not activate {ADA}: {what} was refused").into()
}

/// Invites the first of a few people who has not activated her account; a link that was handed out
/// before ends, because nobody but its reader can know it.
async fn invite_somebody(app: &App) -> Result<Option<(Mail, Timestamp)>, Failed> {
    let states = state_of(app).await?;
    let caller = Caller::default();
    for (username, name) in INVITED {
        let invited = match states.get(username) {
            Some(UserState::Active | UserState::Disabled) => continue,
            Some(UserState::Invited) => users::reinvite(app, username, &caller).await?,
            None => {
                let new = NewUser {
                    username: username.to_owned(),
                    claims: people::invited_claims(username, name, app.clock.now().secs()),
                };
                users::invite(app, new, &caller).await?
            }
        };
        let mail = Mail {
            username: invited.username,
            name: name.to_owned(),
            link: invited.link,
        };
        return Ok(Some((mail, invited.expires_at)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pocket_budget_may_ask_for_what_it_asks_for() {
        let addresses = Addresses::new(9400, false);
        let clients = registrations(&addresses);
        let budget = clients
            .iter()
            .find(|c| c.id.as_deref() == Some(POCKET_BUDGET))
            .unwrap();
        for scope in crate::cli::demo::partner::SCOPES {
            assert!(budget.scopes.contains(scope), "{scope}");
        }
        assert_eq!(budget.redirect_uris, ["http://127.0.0.1:9401/callback"]);
    }

    #[test]
    fn the_api_owns_both_scopes_and_one_can_be_left_out() {
        let resource = resource(&Addresses::new(9400, false));
        assert_eq!(resource.uri, "http://127.0.0.1:9402/accounts");
        let optional: Vec<bool> = resource.scopes.iter().map(|scope| scope.optional).collect();
        assert_eq!(optional, [false, true]);
    }
}

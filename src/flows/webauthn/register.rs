//! Making a new passkey or security key (Web Authentication Level 3 §7.1).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::identity::{KeyKind, authenticator};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use webauthn_rs_core::proto::{
    AttestationCaList, AttestationCaListBuilder, AttestationConveyancePreference, CredProtect,
    CredentialProtectionPolicy, RegisterPublicKeyCredential, RegistrationState,
    RequestRegistrationExtensions, UserVerificationPolicy,
};

use super::{broken, core, read};
use crate::app::App;
use crate::config::Attestation;
use crate::fault::Fault;
use crate::rng;
use crate::secret::Secret;
use crate::store::users::Profile;
use crate::store::webauthn::{self, NewKey};
use crate::store::{Tx, users::User};

/// How many keys a person may have.
const MOST: usize = 20;

/// The longest name of a key, in characters.
const LONGEST_NAME: usize = 60;

/// What lies in the database until an authenticator has answered: what is asked, and what it is for.
#[derive(Serialize, Deserialize)]
pub(in crate::flows) struct Registering {
    state: RegistrationState,
    /// `PublicKeyCredentialCreationOptions`, as JSON.
    pub options: Value,
    handle: Vec<u8>,
    /// What the key is for.
    pub kind: KeyKind,
    /// What she calls it.
    pub name: String,
}

/// A key that an authenticator made, ready to be bound. In an activation it lies sealed until the
/// end of the ceremony.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::flows) struct Made {
    credential_id: String,
    handle: String,
    kind: KeyKind,
    data: String,
    name: String,
    aaguid: [u8; 16],
    counter: u32,
    backup_eligible: bool,
    backup_state: bool,
}

/// What is asked for a new key of a person who has these already ([`webauthn::bound`]); none when
/// she has too many. It must be one that names her by itself, or it could be asked only by telling
/// everybody which keys she has; a passkey verifies her, too.
pub(in crate::flows) fn ask(
    app: &App,
    profile: &Profile,
    (kind, name): (KeyKind, &str),
    bound: &[(Vec<u8>, zeroize::Zeroizing<Vec<u8>>)],
) -> Result<Option<Registering>, Fault> {
    if bound.len() >= MOST {
        return Ok(None);
    }
    let handle = match bound.first() {
        Some((handle, _)) => handle.clone(),
        None => rng::bytes::<32>()?.to_vec(),
    };
    let known = bound
        .iter()
        .map(|(_, data)| Ok(read(data)?.cred_id))
        .collect::<Result<Vec<_>, Fault>>()?;
    let (verification, protection) = match kind {
        KeyKind::Passkey => (UserVerificationPolicy::Required, None),
        // Browsers would let a key be found only by its identifier or after a PIN, otherwise.
        KeyKind::SecurityKey => (
            UserVerificationPolicy::Discouraged_DO_NOT_USE,
            Some(CredProtect {
                credential_protection_policy: CredentialProtectionPolicy::UserVerificationOptional,
                enforce_credential_protection_policy: Some(false),
            }),
        ),
    };
    let conveyance = match &app.config.passkeys.attestation {
        Attestation::None => AttestationConveyancePreference::None,
        Attestation::Direct | Attestation::Allowed { .. } => {
            AttestationConveyancePreference::Direct
        }
    };
    let core = core(&app.config)?;
    let builder = core
        .new_challenge_register_builder(&handle, &profile.username, profile.display_name())
        .map_err(broken)?
        .attestation(conveyance)
        .user_verification_policy(verification)
        .require_resident_key(true)
        .exclude_credentials(Some(known))
        .extensions(protection.map(|protection| RequestRegistrationExtensions {
            cred_protect: Some(protection),
            ..RequestRegistrationExtensions::default()
        }));
    let (options, state) = core.generate_challenge_register(builder).map_err(broken)?;
    let options = serde_json::to_value(options.public_key)
        .map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(Some(Registering {
        state,
        options,
        handle,
        kind,
        name: fit_name(name),
    }))
}

/// What an authenticator made; none when it is not what was asked for, its model is not taken, or it
/// is bound already.
pub(in crate::flows) async fn made(
    app: &App,
    registering: Registering,
    answer: &Secret,
) -> Result<Option<Made>, Fault> {
    let Ok(answer) = serde_json::from_str::<RegisterPublicKeyCredential>(answer.expose()) else {
        return Ok(None);
    };
    let roots = roots(&app.config.passkeys.attestation)?;
    let registered =
        core(&app.config)?.register_credential(&answer, &registering.state, roots.as_ref());
    let credential = match registered {
        Ok(credential) => credential,
        Err(error) => {
            tracing::info!(error = %error, "an authenticator is not taken");
            return Ok(None);
        }
    };
    let credential_id = credential.cred_id.clone();
    let known = app
        .store
        .read(move |tx| Box::pin(async move { webauthn::find(tx, &credential_id).await }))
        .await?;
    if known.is_some() {
        return Ok(None);
    }
    let Some(aaguid) = authenticator::aaguid(&answer.response.attestation_object) else {
        return Ok(None);
    };
    let data =
        serde_json::to_string(&credential).map_err(|error| Fault::Internal(error.to_string()))?;
    let model = authenticator::model_name(aaguid);
    let name = match registering.name {
        name if name.is_empty() => model.unwrap_or_default().to_owned(),
        name => name,
    };
    Ok(Some(Made {
        credential_id: STANDARD.encode(&credential.cred_id),
        handle: STANDARD.encode(&registering.handle),
        kind: registering.kind,
        data,
        name,
        aaguid,
        counter: credential.counter,
        backup_eligible: credential.backup_eligible,
        backup_state: credential.backup_state,
    }))
}

/// Binds a key that was made; none when somebody has it already.
pub(in crate::flows) async fn bind(
    tx: &mut Tx,
    user: &User,
    made: &Made,
    now: Timestamp,
) -> Result<Option<Uuid>, Fault> {
    let decode = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| Fault::Unreadable("a key that was made".to_owned()))
    };
    let id = rng::uuid(now)?;
    let new = NewKey {
        id,
        user_id: user.id,
        credential_id: &decode(&made.credential_id)?,
        user_handle: &decode(&made.handle)?,
        kind: made.kind,
        data: made.data.as_bytes(),
        name: &made.name,
        aaguid: made.aaguid,
        counter: made.counter,
        backup_eligible: made.backup_eligible,
        backup_state: made.backup_state,
    };
    let bound = webauthn::insert(tx, &new, &user.keys, now).await?;
    Ok(bound.then_some(id))
}

impl Made {
    /// What the audit log says of it.
    pub(in crate::flows) fn facts(&self) -> [(&'static str, String); 3] {
        [
            ("kind", self.kind.as_str().to_owned()),
            ("aaguid", Uuid::from_bytes(self.aaguid).to_string()),
            ("backup_eligible", self.backup_eligible.to_string()),
        ]
    }
}

/// A name without line breaks and ends, and not too long.
pub(in crate::flows) fn fit_name(name: &str) -> String {
    let plain = name.chars().filter(|c| !c.is_control());
    let cut: String = plain.take(LONGEST_NAME).collect();
    cut.trim().to_owned()
}

/// The makers whose models are taken.
fn roots(attestation: &Attestation) -> Result<Option<AttestationCaList>, Fault> {
    let Attestation::Allowed { models, roots } = attestation else {
        return Ok(None);
    };
    let mut list = AttestationCaListBuilder::new();
    for root in roots {
        for model in models {
            let name = authenticator::model_name(model.into_bytes()).unwrap_or_default();
            list.insert_device_pem(root.as_bytes(), *model, name.to_owned(), BTreeMap::new())
                .map_err(|error| Fault::Internal(format!("passkeys.attestation_roots: {error}")))?;
        }
    }
    Ok(Some(list.build()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_not_too_long() {
        assert_eq!(fit_name("  my\r\nkey\0 "), "mykey");
        assert_eq!(fit_name(&"é".repeat(200)).chars().count(), LONGEST_NAME);
        assert_eq!(fit_name("\n"), "");
    }
}

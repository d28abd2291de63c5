//! What passkeys and security keys are taken for, and which are taken at all.

use std::path::PathBuf;

use rules::identity::{Acr, Policy};
use serde::Deserialize;
use uuid::Uuid;

use super::Refused;
use super::file::refuse;
use super::list::list;

/// `[passkeys]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct PasskeysFile {
    pub synced: String,
    pub attestation: String,
    #[serde(deserialize_with = "list")]
    pub allowed_models: Vec<String>,
    pub attestation_roots: Option<PathBuf>,
}

impl Default for PasskeysFile {
    fn default() -> Self {
        Self {
            synced: "phr".to_owned(),
            attestation: "none".to_owned(),
            allowed_models: Vec::new(),
            attestation_roots: None,
        }
    }
}

/// Which authenticators are taken, and what for.
#[derive(Clone, Debug, Default)]
pub struct Passkeys {
    /// What their sign-ins are worth.
    pub policy: Policy,
    /// What a new one must say about its maker.
    pub attestation: Attestation,
}

/// What a new authenticator must say about its maker (Web Authentication Level 3 §6.5).
#[derive(Clone, Debug, Default)]
pub enum Attestation {
    /// Nothing.
    #[default]
    None,
    /// It is asked; what it says must be consistent, and is kept.
    Direct,
    /// It is asked, and must be one of these models, vouched for by one of these makers.
    Allowed {
        /// The models (AAGUID).
        models: Vec<Uuid>,
        /// The certificates of their makers, PEM, each by itself.
        roots: Vec<String>,
    },
}

impl PasskeysFile {
    pub(super) fn check(self) -> Result<Passkeys, Refused> {
        let synced = match self.synced.as_str() {
            "phr" => Acr::PhishingResistant,
            "2fa" => Acr::TwoFactor,
            other => return refuse("passkeys.synced", format!("{other:?} must be phr or 2fa")),
        };
        let direct = match self.attestation.as_str() {
            "none" => false,
            "direct" => true,
            other => {
                let why = format!("{other:?} must be none or direct");
                return refuse("passkeys.attestation", why);
            }
        };
        let mut models = Vec::new();
        for model in &self.allowed_models {
            if let Ok(model) = Uuid::try_parse(model) {
                models.push(model);
            } else {
                let why =
                    format!("{model:?} is no AAGUID, such as cb69481e-8ff7-4039-93ec-0a2729a154a8");
                return refuse("passkeys.allowed_models", why);
            }
        }
        let attestation = match (direct, models.is_empty(), self.attestation_roots) {
            (false, true, None) => Attestation::None,
            (true, true, None) => Attestation::Direct,
            (true, false, Some(path)) => Attestation::Allowed {
                models,
                roots: roots(&path)?,
            },
            _ => {
                let why = "an authenticator may call itself any model: allowed_models needs attestation = \
                           \"direct\" and attestation_roots, a file with its makers' certificates, and they need it";
                return refuse("passkeys.allowed_models", why.to_owned());
            }
        };
        Ok(Passkeys {
            policy: Policy { synced },
            attestation,
        })
    }
}

/// The certificates in a file, each by itself.
fn roots(path: &std::path::Path) -> Result<Vec<String>, Refused> {
    const END: &str = "-----END CERTIFICATE-----";
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let why = format!("{shown} cannot be read: {error}");
            return refuse("passkeys.attestation_roots", why);
        }
    };
    let mut roots = Vec::new();
    for part in text.split_inclusive(END) {
        let Some(begin) = part.find("-----BEGIN CERTIFICATE-----") else {
            continue;
        };
        let pem = format!("{}\n", &part[begin..]);
        if x509_parser::pem::parse_x509_pem(pem.as_bytes()).is_err() {
            let why = format!("{shown} holds something that is no certificate");
            return refuse("passkeys.attestation_roots", why);
        }
        roots.push(pem);
    }
    if roots.is_empty() {
        let why = format!("{shown} holds no certificate (PEM)");
        return refuse("passkeys.attestation_roots", why);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut PasskeysFile)) -> &'static str {
        let mut file = PasskeysFile::default();
        change(&mut file);
        file.check().unwrap_err().setting
    }

    #[test]
    fn the_defaults_are_taken_and_each_mistake_names_its_setting() {
        let checked = PasskeysFile::default().check().unwrap();
        assert_eq!(checked.policy.synced, Acr::PhishingResistant);
        assert_eq!(
            refused(|file| file.synced = "aal3".to_owned()),
            "passkeys.synced"
        );
        let indirect = |file: &mut PasskeysFile| file.attestation = "indirect".to_owned();
        assert_eq!(refused(indirect), "passkeys.attestation");
        let no_model = |file: &mut PasskeysFile| file.allowed_models = vec!["YubiKey".to_owned()];
        assert_eq!(refused(no_model), "passkeys.allowed_models");
        // A list that anybody could pass by a lie is no list.
        let model = "cb69481e-8ff7-4039-93ec-0a2729a154a8";
        for attestation in ["none", "direct"] {
            let unproven = |file: &mut PasskeysFile| {
                file.attestation = attestation.to_owned();
                file.allowed_models = vec![model.to_owned()];
            };
            assert_eq!(refused(unproven), "passkeys.allowed_models");
        }
        let nowhere = |file: &mut PasskeysFile| {
            file.attestation = "direct".to_owned();
            file.allowed_models = vec![model.to_owned()];
            file.attestation_roots = Some("/nowhere/roots.pem".into());
        };
        assert_eq!(refused(nowhere), "passkeys.attestation_roots");
    }
}

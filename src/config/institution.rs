//! Whose pages these are, as written and as checked.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::Refused;
use super::brand::{Colours, Logo};
use super::list::list;
use crate::words::Lang;

/// `[institution]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct InstitutionFile {
    pub name: String,
    pub help_phone: Option<String>,
    pub language: String,
    #[serde(deserialize_with = "list")]
    pub languages: Vec<String>,
    pub logo: Option<PathBuf>,
    pub logo_dark: Option<PathBuf>,
    pub action_colour: String,
    pub action_colour_dark: String,
    pub documentation_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub terms_uri: Option<String>,
}

impl Default for InstitutionFile {
    fn default() -> Self {
        Self {
            name: "Countersign".to_owned(),
            help_phone: None,
            language: Lang::default().tag().to_owned(),
            languages: Vec::new(),
            logo: None,
            logo_dark: None,
            action_colour: Colours::OWN.light.to_string(),
            action_colour_dark: Colours::OWN.dark.to_string(),
            documentation_uri: None,
            policy_uri: None,
            terms_uri: None,
        }
    }
}

/// Whose pages these are.
#[derive(Clone, Debug)]
pub struct Institution {
    /// Its name.
    pub name: String,
    /// Where people get help, as they would dial it.
    pub help_phone: Option<String>,
    /// The language of pages for browsers that ask for none of ours.
    pub language: Lang,
    /// The languages that pages may be in; never empty.
    pub languages: Vec<Lang>,
    /// Its logo, beside which the name is not repeated.
    pub logo: Option<Logo>,
    /// The logo for dark pages, when it is another one.
    pub logo_dark: Option<Logo>,
    /// The colours of its buttons and links.
    pub colours: Colours,
    /// Where developers read more (`service_documentation`, RFC 8414 §2).
    pub documentation_uri: Option<String>,
    /// What a developer may do with data from here (`op_policy_uri`).
    pub policy_uri: Option<String>,
    /// The terms of service (`op_tos_uri`).
    pub terms_uri: Option<String>,
}

impl InstitutionFile {
    /// Demands of each setting what it needs; reads the logo.
    ///
    /// # Errors
    /// [`Refused`], naming the setting.
    pub fn check(self) -> Result<Institution, Refused> {
        if self.name.trim().is_empty() {
            return Err(Refused {
                setting: "institution.name",
                why: "must not be empty".to_owned(),
            });
        }
        let languages = self
            .languages
            .iter()
            .map(|tag| spoken("institution.languages", tag, &Lang::ALL))
            .collect::<Result<Vec<_>, _>>()?;
        let languages = if languages.is_empty() {
            Lang::ALL.to_vec()
        } else {
            languages
        };
        let logo = |setting, path: Option<PathBuf>| {
            let path = path.filter(|path| !path.as_os_str().is_empty());
            path.map(|path| Logo::read(setting, &path)).transpose()
        };
        Ok(Institution {
            language: spoken("institution.language", &self.language, &languages)?,
            languages,
            logo: logo("institution.logo", self.logo)?,
            logo_dark: logo("institution.logo_dark", self.logo_dark)?,
            colours: Colours::check(&self.action_colour, &self.action_colour_dark)?,
            documentation_uri: page("institution.documentation_uri", self.documentation_uri)?,
            policy_uri: page("institution.policy_uri", self.policy_uri)?,
            terms_uri: page("institution.terms_uri", self.terms_uri)?,
            name: self.name,
            help_phone: self.help_phone,
        })
    }
}

/// The address of a page on the web.
fn page(setting: &'static str, uri: Option<String>) -> Result<Option<String>, Refused> {
    let Some(uri) = uri.filter(|uri| !uri.is_empty()) else {
        return Ok(None);
    };
    if Url::parse(&uri).is_ok_and(|url| url.scheme() == "https") {
        return Ok(Some(uri));
    }
    let why = format!("{uri:?} must be an address that begins with https://");
    Err(Refused { setting, why })
}

fn spoken(setting: &'static str, tag: &str, among: &[Lang]) -> Result<Lang, Refused> {
    let found = among.iter().find(|lang| lang.tag() == tag);
    found.copied().ok_or_else(|| {
        let tags: Vec<_> = among.iter().map(|lang| lang.tag()).collect();
        let why = format!("{tag:?} must be one of: {}", tags.join(", "));
        Refused { setting, why }
    })
}

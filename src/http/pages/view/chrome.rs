//! The frame around every page.

use crate::words::{Lang, Words};

/// What surrounds every page: header, footer, style sheet and language.
pub struct Chrome {
    /// The institution's name, shown as its logo.
    pub institution: String,
    /// The number to call for help, as people write it: `+31 20 555 0100`.
    pub help_phone: Option<String>,
    /// Address of the style sheet, with its content hash: `/static/countersign.css?v=…`.
    pub css_href: String,
    /// Address of the script that asks for passkeys and security keys; none where this server's
    /// address takes none.
    pub keys_href: Option<String>,
    /// Address of the script that shows passwords: `/static/reveal.js?v=…`.
    pub reveal_href: String,
    /// Address of its logo; without one its name is shown.
    pub logo: Option<String>,
    /// Address of its logo for dark pages, when that is another one.
    pub logo_dark: Option<String>,
    /// The languages to choose from.
    pub languages: Vec<Lang>,
    /// The page's texts, in its language.
    pub say: Words,
    /// The path of this page, where a choice of language leads back to.
    pub here: String,
    /// The issuer URL: the address people should find in their browser.
    pub issuer: String,
}

impl Chrome {
    /// The language, for the `lang` and `dir` attributes.
    #[must_use]
    pub const fn lang(&self) -> Lang {
        self.say.lang
    }

    /// First letter of the institution's name: the mark beside it.
    #[must_use]
    pub fn initial(&self) -> String {
        let first = self.institution.chars().find(|c| c.is_alphanumeric());
        first.map_or_else(String::new, |c| c.to_uppercase().collect())
    }

    /// Target of the help link, a `tel:` address (RFC 3966) of digits and a leading plus.
    #[must_use]
    pub fn help_href(&self) -> Option<String> {
        let phone = self.help_phone.as_deref()?;
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let plus = if phone.trim_start().starts_with('+') {
            "+"
        } else {
            ""
        };
        Some(format!("tel:{plus}{digits}"))
    }

    /// Host and port of the issuer, as the address bar shows them.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self
            .issuer
            .split_once("://")
            .map_or(self.issuer.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The host alone: what a certificate is for.
    #[must_use]
    pub fn name(&self) -> &str {
        let host = self.host();
        let ends = host.rfind(':').filter(|at| !host[*at..].contains(']'));
        ends.map_or(host, |at| &host[..at])
    }

    /// Whether a certificate vouches for the address; false only on a loopback demonstration.
    #[must_use]
    pub fn encrypted(&self) -> bool {
        self.issuer.starts_with("https://")
    }
}

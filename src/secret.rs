//! Values that must not be seen: secrets, and the random tokens that leave once and are kept as
//! hashes only.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::rng;

/// A secret text. `Debug` shows nothing, dropping it wipes it.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself; whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a token is for. A hash made for one purpose never matches another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An authorization code (RFC 6749 §4.1.2).
    Code,
    /// The reference part of a `request_uri` (RFC 9126 §2.2).
    PushedRequest,
    /// A browser's hold on one interaction.
    Interaction,
    /// A browser's hold on a session.
    Session,
    /// A browser that has signed this person in before.
    Device,
    /// An invitation link.
    Invite,
    /// A browser's hold on one activation ceremony.
    Activation,
    /// A client secret (RFC 6749 §2.3.1).
    ClientSecret,
    /// A browser's hold on its ceremonies with passkeys and security keys.
    Ceremony,
    /// A link that goes to a person's e-mail address.
    MailedLink,
}

impl Purpose {
    /// What such a token begins with, so that secret scanners recognise a leaked one.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "cs_ac_",
            Self::PushedRequest => "",
            Self::Interaction => "cs_ix_",
            Self::Session => "cs_se_",
            Self::Device => "cs_dv_",
            Self::Invite => "cs_iv_",
            Self::Activation => "cs_av_",
            Self::ClientSecret => "cs_sk_",
            Self::Ceremony => "cs_pk_",
            Self::MailedLink => "cs_ml_",
        }
    }

    const fn domain(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::PushedRequest => "pushed-request",
            Self::Interaction => "interaction",
            Self::Session => "session",
            Self::Device => "device",
            Self::Invite => "invite",
            Self::Activation => "activation",
            Self::ClientSecret => "client-secret",
            Self::Ceremony => "ceremony",
            Self::MailedLink => "mailed-link",
        }
    }
}

/// A random token of 256 bits. It leaves once; only its [`TokenHash`] is stored.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret,
    hash: TokenHash,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn generate(purpose: Purpose) -> Result<Self, Fault> {
        let random = Zeroizing::new(rng::bytes::<32>()?);
        let mut text = purpose.prefix().to_owned();
        URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut text);
        let hash = TokenHash::of(purpose, &text);
        let text = Secret::new(text);
        Ok(Self { text, hash })
    }

    /// The token as it is handed out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What is stored of it.
    #[must_use]
    pub const fn hash(&self) -> TokenHash {
        self.hash
    }
}

/// The domain-separated SHA-256 of a token: enough to recognise it, useless to forge it.
#[derive(Clone, Copy, Debug)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of what somebody presented.
    #[must_use]
    pub fn of(purpose: Purpose, presented: &str) -> Self {
        Self(sha256(&[
            b"countersign/",
            purpose.domain().as_bytes(),
            b"\0",
            presented.as_bytes(),
        ]))
    }

    /// As stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for TokenHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

/// SHA-256 over the parts, one after another.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_for_one_purpose_never_matches_another() {
        let code = TokenHash::of(Purpose::Code, "x");
        assert_ne!(code, TokenHash::of(Purpose::Session, "x"));
        assert_eq!(code, TokenHash::of(Purpose::Code, "x"));
    }

    #[test]
    fn debug_shows_nothing() {
        let token = Token::generate(Purpose::Code).unwrap();
        assert!(!format!("{token:?}").contains(token.expose()));
    }
}

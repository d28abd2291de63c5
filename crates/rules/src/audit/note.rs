//! Signed notes (C2SP `signed-note`): text that carries its signatures below it, with Ed25519.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The signature type of Ed25519 in key ids and encoded keys.
const ED25519_TYPE: u8 = 0x01;
/// Longer notes are refused unread.
const MAX_BYTES: usize = 256 * 1024;
/// The specification asks verifiers to accept at least 16 signatures.
const MAX_SIGNATURES: usize = 64;

/// The name of a signing key, such as `log.bank.example/audit`: not empty, and without spaces,
/// control characters and plus signs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Takes a name that fits.
    ///
    /// # Errors
    /// When the name is empty or holds a space, a control character or a plus sign.
    pub fn parse(name: &str) -> Result<Self, NoteError> {
        let fits = |c: char| !(c.is_whitespace() || c.is_control() || c == '+');
        if !name.is_empty() && name.chars().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NoteError::KeyName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key that signs notes. Its debug output shows the public half only.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// From the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// When the cryptography library refuses the key.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::Key)?;
        let public =
            <[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| NoteError::Key)?;
        Ok(Self {
            pair,
            public: VerifyingKey::new(name, public),
        })
    }

    /// The half that verifies.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a text and returns the note. Ed25519 is deterministic: the same text gives the
    /// same note.
    ///
    /// # Errors
    /// When the text does not end in a newline or holds another control character.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        if !text.ends_with('\n') || has_controls(text) {
            return Err(NoteError::Text);
        }
        let mut signature = self.public.id.to_vec();
        signature.extend(self.pair.sign(text.as_bytes()).as_ref());
        let name = self.public.name.as_str();
        Ok(format!(
            "{text}\n\u{2014} {name} {}\n",
            STANDARD.encode(signature)
        ))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// A key that verifies notes. Written as `name+id+key`: the form in which verifiers are handed
/// to auditors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: KeyName,
    id: [u8; 4],
    key: [u8; 32],
}

impl VerifyingKey {
    /// From the 32 bytes of an Ed25519 public key.
    #[must_use]
    pub fn new(name: KeyName, key: [u8; 32]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(name.as_str().as_bytes());
        context.update(&[b'\n', ED25519_TYPE]);
        context.update(&key);
        let mut id = [0; 4];
        id.copy_from_slice(&context.finish().as_ref()[..4]);
        Self { name, id, key }
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id: the first four bytes of a hash over name, type and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id);
        let mut encoded = vec![ED25519_TYPE];
        encoded.extend(self.key);
        write!(
            f,
            "{}+{id:08x}+{}",
            self.name.as_str(),
            STANDARD.encode(encoded)
        )
    }
}

impl FromStr for VerifyingKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Key)?;
        let [ED25519_TYPE, key @ ..] = bytes.as_slice() else {
            return Err(NoteError::Key);
        };
        let key = key.try_into().map_err(|_| NoteError::Key)?;
        let parsed = Self::new(KeyName::parse(name)?, key);
        // The id in the middle must be the one that belongs to this name and key.
        if parsed.to_string() == text {
            Ok(parsed)
        } else {
            Err(NoteError::Key)
        }
    }
}

/// Why a note, a key or a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// A key name is empty or holds a space, a control character or a plus sign.
    KeyName,
    /// A key is not an Ed25519 key in the form `name+id+key`.
    Key,
    /// A text does not end in a newline or holds a control character.
    Text,
    /// A note is not text, an empty line and signature lines.
    Malformed,
    /// A signature by a known key is wrong.
    WrongSignature,
    /// No known key has signed the note.
    Unsigned,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyName => {
                "a key name must not be empty or hold spaces, control characters or plus signs"
            }
            Self::Key => "not an Ed25519 key in the form name+id+key",
            Self::Text => "a note's text must end in a newline and hold no other control character",
            Self::Malformed => "not a signed note: text, an empty line, then signature lines",
            Self::WrongSignature => "a signature by a known key does not fit the text",
            Self::Unsigned => "no known key has signed the note",
        })
    }
}

impl std::error::Error for NoteError {}

/// Opens a note: its text, if at least one of `keys` has signed it. Signatures by other keys are
/// ignored; a wrong signature by one of `keys` refuses the whole note.
///
/// Returned with the text are the keys whose signatures were verified.
///
/// # Errors
/// When the note is malformed, a signature by a known key is wrong, or there is none.
pub fn open<'n, 'k>(
    note: &'n str,
    keys: &'k [VerifyingKey],
) -> Result<(&'n str, Vec<&'k VerifyingKey>), NoteError> {
    let (text, signatures) = parse(note)?;
    let mut signers: Vec<&VerifyingKey> = Vec::new();
    for signature in signatures {
        let known =
            |key: &&VerifyingKey| key.name.as_str() == signature.name && key.id == signature.key_id;
        for key in keys.iter().filter(known) {
            UnparsedPublicKey::new(&ED25519, key.key)
                .verify(text.as_bytes(), &signature.bytes)
                .map_err(|_| NoteError::WrongSignature)?;
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
    }
    if signers.is_empty() {
        return Err(NoteError::Unsigned);
    }
    Ok((text, signers))
}

/// One signature line.
struct Signature<'n> {
    name: &'n str,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

fn parse(note: &str) -> Result<(&str, Vec<Signature<'_>>), NoteError> {
    if note.len() > MAX_BYTES || has_controls(note) {
        return Err(NoteError::Malformed);
    }
    // The text keeps its final newline; the empty line after it belongs to neither part.
    let end = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, rest) = (&note[..=end], &note[end + 2..]);
    let lines = rest.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let signatures: Vec<_> = lines
        .split('\n')
        .map(parse_signature)
        .collect::<Result<_, _>>()?;
    if signatures.len() > MAX_SIGNATURES {
        return Err(NoteError::Malformed);
    }
    Ok((text, signatures))
}

fn parse_signature(line: &str) -> Result<Signature<'_>, NoteError> {
    let (name, encoded) = line
        .strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(NoteError::Malformed)?;
    KeyName::parse(name).map_err(|_| NoteError::Malformed)?;
    let decoded = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
    match decoded.split_first_chunk::<4>() {
        Some((key_id, bytes)) if !bytes.is_empty() => Ok(Signature {
            name,
            key_id: *key_id,
            bytes: bytes.to_vec(),
        }),
        _ => Err(NoteError::Malformed),
    }
}

fn has_controls(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

#[cfg(test)]
mod tests;

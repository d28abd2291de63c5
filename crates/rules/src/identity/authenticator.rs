//! Passkeys and security keys: what each kind is good for, and which model an authenticator says
//! that it is (Web Authentication Level 3 §6.5).

use serde::{Deserialize, Serialize};

/// What a key that a person bound is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// The whole sign-in: the device verifies the person itself.
    Passkey,
    /// A second factor beside the password.
    SecurityKey,
}

impl KeyKind {
    /// The name that is stored and posted.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::SecurityKey => "security_key",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Passkey, Self::SecurityKey]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Models that people meet often. What an authenticator says of itself is believed for a name on a
/// page and for nothing else, unless its attestation was verified.
const MODELS: [(u128, &str); 18] = [
    (0x0897_0588_cadc_4b81_b6e1_30de_50dc_be96, "Windows Hello"),
    (0x0ea2_42b4_43c4_4a1b_8b17_dd6d_0b6b_aec6, "Keeper"),
    (0x2fc0_579f_8113_47ea_b116_bb5a_8db9_202a, "YubiKey 5 NFC"),
    (0x5311_26d6_e717_415c_9320_3d9a_a698_1239, "Dashlane"),
    (0x5341_4d53_554e_4700_0000_0000_0000_0000, "Samsung Pass"),
    (0x6028_b017_b1d4_4c02_b4b3_afcd_afc9_6bb2, "Windows Hello"),
    (0x9ddd_1817_af5a_4672_a2b9_3e3d_d950_00a9, "Windows Hello"),
    (0xadce_0002_35bc_c60a_648b_0b25_f1f0_5503, "Chrome on Mac"),
    (0xb84e_4048_15dc_4dd0_8640_f4f6_0813_c8af, "NordPass"),
    (0xbada_5566_a7aa_401f_bd96_4561_9a55_120d, "1Password"),
    (0xcb69_481e_8ff7_4039_93ec_0a27_29a1_54a8, "YubiKey 5"),
    (0xd548_826e_79b4_db40_a3d8_1111_6f7e_8349, "Bitwarden"),
    (0xdd4e_c289_e01d_41c9_bb89_70fa_845d_4bf2, "iCloud Keychain"),
    (
        0xea9b_8d66_4d01_1d21_3ce4_b6b4_8cb5_75d4,
        "Google Password Manager",
    ),
    (0xee88_2879_721c_4913_9775_3dfc_ce97_072a, "YubiKey 5"),
    (0xfa2b_99dc_9e39_4257_8f92_4a30_d23c_4118, "YubiKey 5 NFC"),
    (0xfbfc_3007_154e_4ecc_8c0b_6e02_0557_d7bd, "Apple Passwords"),
    (0xfdb1_41b2_5d84_443e_8a35_4698_c205_a502, "KeePassXC"),
];

/// What a model is called; none for one that is not known, or says nothing (all zeros).
#[must_use]
pub fn model_name(aaguid: [u8; 16]) -> Option<&'static str> {
    let wanted = u128::from_be_bytes(aaguid);
    MODELS
        .iter()
        .find(|(model, _)| *model == wanted)
        .map(|(_, name)| *name)
}

/// The AAGUID in an attestation object (§6.5.4): in its authenticator data (§6.1) after the hash of
/// the RP ID (32 bytes), the flags (1) and the counter (4). None when the object is not well formed
/// or carries no new credential.
#[must_use]
pub fn aaguid(attestation_object: &[u8]) -> Option<[u8; 16]> {
    const ATTESTED: u8 = 0x40;
    let mut reader = Cbor(attestation_object);
    let (5, pairs) = reader.head()? else {
        return None;
    };
    for _ in 0..pairs {
        let key = reader.text()?;
        if key == b"authData" {
            let (2, length) = reader.head()? else {
                return None;
            };
            let data = reader.take(length)?;
            let attested = data.get(32).is_some_and(|flags| flags & ATTESTED != 0);
            return data.get(37..53).filter(|_| attested)?.try_into().ok();
        }
        reader.skip(8)?;
    }
    None
}

/// Reads CBOR (RFC 8949) in the canonical form that CTAP2 demands, as far as finding one value takes.
struct Cbor<'a>(&'a [u8]);

impl<'a> Cbor<'a> {
    /// Major type and argument (§3).
    fn head(&mut self) -> Option<(u8, usize)> {
        let first = *self.take(1)?.first()?;
        let (major, short) = (first >> 5, first & 0x1f);
        let argument = match short {
            0..=23 => u64::from(short),
            24..=27 => {
                let bytes = self.take(1 << (short - 24))?;
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        Some((major, usize::try_from(argument).ok()?))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        match self.head()? {
            (3, length) => self.take(length),
            _ => None,
        }
    }

    /// Passes over one value, at most so deep.
    fn skip(&mut self, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let (major, argument) = self.head()?;
        match major {
            2 | 3 => drop(self.take(argument)?),
            4 => {
                for _ in 0..argument {
                    self.skip(depth)?;
                }
            }
            5 => {
                for _ in 0..argument {
                    self.skip(depth)?;
                    self.skip(depth)?;
                }
            }
            6 => self.skip(depth)?,
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const YUBIKEY: [u8; 16] = 0x2fc0_579f_8113_47ea_b116_bb5a_8db9_202a_u128.to_be_bytes();

    fn object(flags: u8, statement: &[u8]) -> Vec<u8> {
        let mut data = vec![0x11; 32];
        data.push(flags);
        data.extend([0, 0, 0, 1]);
        data.extend(YUBIKEY);
        data.extend([0, 1, 0xff]);
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt");
        object.push(0x64);
        object.extend(b"none");
        object.push(0x67);
        object.extend(b"attStmt");
        object.extend(statement);
        object.push(0x68);
        object.extend(b"authData");
        object.extend([0x58, u8::try_from(data.len()).unwrap()]);
        object.extend(data);
        object
    }

    #[test]
    fn the_model_is_read_past_whatever_statement_stands_before_it() {
        // A statement that holds the words `authData` itself.
        let sly = [
            &[0xa1, 0x68][..],
            b"authData",
            &[0x82, 0x41, 0x00, 0x19, 1, 0],
        ]
        .concat();
        for statement in [&[0xa0][..], &sly] {
            let found = aaguid(&object(0x45, statement)).unwrap();
            assert_eq!(found, YUBIKEY);
            assert_eq!(model_name(found), Some("YubiKey 5 NFC"));
        }
    }

    #[test]
    fn what_is_not_well_formed_has_no_model() {
        let good = object(0x45, &[0xa0]);
        for length in 0..good.len() - 3 {
            assert_eq!(aaguid(&good[..length]), None, "{length} bytes");
        }
        assert_eq!(aaguid(&object(0x05, &[0xa0])), None, "no new credential");
        let deep = vec![0x81; 64];
        assert_eq!(aaguid(&object(0x45, &deep)), None);
        let huge = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(aaguid(&object(0x45, &huge)), None);
    }

    #[test]
    fn an_authenticator_that_says_nothing_has_no_name() {
        assert_eq!(model_name([0; 16]), None);
        let models: std::collections::HashSet<_> = MODELS.iter().map(|(id, _)| id).collect();
        assert_eq!(models.len(), MODELS.len());
    }

    #[test]
    fn kinds_are_known_by_their_names() {
        for kind in [KeyKind::Passkey, KeyKind::SecurityKey] {
            assert_eq!(KeyKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(KeyKind::parse("platform"), None);
    }
}

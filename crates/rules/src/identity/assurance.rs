//! How strong a sign-in was: `acr`, `amr` and `auth_time` from the dated proofs of a session.
//!
//! Two *distinct* factors are needed, always: something the person knows (the password) and
//! something they have, or one passkey that verified the person itself (a PIN or a fingerprint on
//! the device). The same factor twice is one factor.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The password: something known.
    Password,
    /// A code from an authenticator app: something possessed.
    Totp,
    /// A recovery code: something possessed, for signing in.
    Recovery,
    /// A security key beside a password: something possessed, resistant to phishing.
    SecurityKey,
    /// A passkey, resistant to phishing.
    Passkey {
        /// The device checked a PIN or a biometric (the `WebAuthn` UV flag): two factors in one.
        /// Without it, the passkey is something possessed and nothing more.
        user_verified: bool,
        /// It may be copied to other devices of the person (the `WebAuthn` BE flag).
        synced: bool,
    },
    /// The institution's own `OpenID` Provider vouches for the person.
    Upstream {
        /// It says what it asked for, and is believed: two factors. Otherwise it is one, of a kind
        /// that nobody here knows, and something possessed is asked for beside it.
        two_factors: bool,
    },
}

impl Method {
    /// Whether what the browser sends is bound to our origin, so that a false page gains nothing.
    #[must_use]
    pub fn resists_phishing(self) -> bool {
        matches!(self, Self::SecurityKey | Self::Passkey { .. })
    }

    /// Whether this is a key that may be copied to other devices.
    fn is_synced(self) -> bool {
        matches!(self, Self::Passkey { synced: true, .. })
    }

    /// Whether this proves possession, and so makes two factors with a password.
    fn is_possession(self) -> bool {
        !matches!(self, Self::Password | Self::Upstream { .. })
    }
}

/// A proof that the person gave, and when. Sessions store these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// How.
    pub method: Method,
    /// When it was verified.
    pub at: Timestamp,
}

/// The authentication context class (`OpenID` Connect Core §2, `acr`), from weaker to stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Acr {
    /// `urn:countersign:acr:2fa`: any two distinct factors (NIST SP 800-63B-4 AAL2).
    #[serde(rename = "urn:countersign:acr:2fa")]
    TwoFactor,
    /// `urn:countersign:acr:phr`: two distinct factors, one of which resists phishing. Also
    /// requested as `phr`, the name in `OpenID` EAP ACR Values 1.0 §4.
    #[serde(rename = "urn:countersign:acr:phr")]
    PhishingResistant,
}

impl Acr {
    /// All of them, from weaker to stronger: `acr_values_supported`.
    pub const ALL: [Self; 2] = [Self::TwoFactor, Self::PhishingResistant];

    /// The name in tokens and metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TwoFactor => "urn:countersign:acr:2fa",
            Self::PhishingResistant => "urn:countersign:acr:phr",
        }
    }

    /// The class that a client asks for by this name; `None` for a name that we do not know.
    ///
    /// `phrh` (hardware-protected) is not known: without attestation nobody can promise it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "phr" => Some(Self::PhishingResistant),
            _ => Self::ALL.into_iter().find(|acr| acr.as_str() == name),
        }
    }

    /// Whether this class is as strong as the `required` one, or stronger.
    #[must_use]
    pub fn satisfies(self, required: Self) -> bool {
        self >= required
    }
}

impl std::str::FromStr for Acr {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || format!("{name:?} must be 2fa or phr");
        match name {
            "2fa" => Ok(Self::TwoFactor),
            _ => Self::parse(name).ok_or_else(known),
        }
    }
}

/// What an institution decides about the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The class that a key reaches which may be copied to other devices of the person: who holds
    /// her account at the keeper of the copies holds the key (NIST SP 800-63B-4 appendix B).
    pub synced: Acr,
}

impl Policy {
    /// What an issuance is worth today that was of class `acr` by these methods (`amr`, separated by
    /// spaces): what the institution decides later counts for it, too.
    #[must_use]
    pub fn today(self, acr: Acr, amr: &str) -> Acr {
        let synced = amr.split(' ').any(|method| method == "swk");
        if synced { acr.min(self.synced) } else { acr }
    }
}

impl Default for Policy {
    /// Synchronised passkeys resist phishing like others.
    fn default() -> Self {
        Self {
            synced: Acr::PhishingResistant,
        }
    }
}

/// What a session proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assurance {
    /// The class reached.
    pub acr: Acr,
    /// The methods counted, by RFC 8176 §2: `pwd`, `otp`, `hwk`, `swk`, `user`, `mfa`.
    pub amr: Vec<&'static str>,
    /// When the oldest proof counted was given.
    pub auth_time: Timestamp,
}

impl Assurance {
    /// What the newest usable proofs show; `None` unless they are two distinct factors.
    ///
    /// Of all ways to make two factors, the one with the newest `auth_time` counts; of two equally
    /// new ones, the stronger. Use [`Assurance::reaching`] where a class is required.
    #[must_use]
    pub fn of(proofs: &[Proof], policy: Policy) -> Option<Self> {
        Self::reaching(Acr::TwoFactor, proofs, policy)
    }

    /// What the newest proofs show that reach at least `required`; `None` when none do.
    ///
    /// A passkey at nine and a code at ten are both in the session: a client that requires
    /// phishing resistance gets nine o'clock as `auth_time`, another gets ten.
    #[must_use]
    pub fn reaching(required: Acr, proofs: &[Proof], policy: Policy) -> Option<Self> {
        let newest = |method| {
            let proofs = proofs.iter().filter(|proof| proof.method == method);
            proofs.map(|proof| proof.at).max()
        };
        let beside = Beside {
            password: newest(Method::Password),
            upstream: newest(Method::Upstream { two_factors: false }),
        };
        proofs
            .iter()
            .flat_map(|proof| Counted::of(*proof, beside, policy))
            .flatten()
            .filter(|counted| counted.acr.satisfies(required))
            .max_by_key(|counted| (counted.auth_time, counted.acr))
            .map(Self::from)
    }
}

/// When what can stand beside something possessed was proved last.
#[derive(Clone, Copy)]
struct Beside {
    password: Option<Timestamp>,
    upstream: Option<Timestamp>,
}

/// Two factors: a passkey that verified the person, a provider that is believed, or a thing they have
/// beside a password or a provider that is not.
#[derive(Clone, Copy)]
struct Counted {
    possession: Method,
    acr: Acr,
    with_password: bool,
    auth_time: Timestamp,
}

impl Counted {
    fn of(proof: Proof, beside: Beside, policy: Policy) -> [Option<Self>; 2] {
        let possession = proof.method;
        let acr = match possession {
            _ if possession.is_synced() => policy.synced,
            _ if possession.resists_phishing() => Acr::PhishingResistant,
            _ => Acr::TwoFactor,
        };
        let verified = Method::Passkey {
            user_verified: true,
            synced: possession.is_synced(),
        };
        let vouched = Method::Upstream { two_factors: true };
        if possession == verified || possession == vouched {
            let alone = Self {
                possession,
                acr,
                with_password: false,
                auth_time: proof.at,
            };
            return [Some(alone), None];
        }
        if !possession.is_possession() {
            return [None, None];
        }
        let with_password = beside.password.map(|at| Self {
            possession,
            acr,
            with_password: true,
            auth_time: proof.at.min(at),
        });
        // What the provider asked for is not known: it may be a thing that is possessed, too, and a
        // false page may have got it.
        let with_upstream = beside.upstream.map(|at| Self {
            possession,
            acr: Acr::TwoFactor,
            with_password: false,
            auth_time: proof.at.min(at),
        });
        [with_password, with_upstream]
    }

    /// RFC 8176 §2. It has no value for a look-up secret, and `otp` and `kba` would both say
    /// something false, so a recovery code shows as `pwd`, `mfa`. A key that may be copied between
    /// devices shows as `swk`, one that may not as `hwk`. `user`: someone touched the device. What a
    /// provider asked for is for it to name: it shows as nothing but `mfa`.
    fn amr(&self) -> Vec<&'static str> {
        let possession: &[&str] = match self.possession {
            Method::Password | Method::Recovery | Method::Upstream { .. } => &[],
            Method::Totp => &["otp"],
            Method::Passkey { synced: true, .. } => &["swk", "user"],
            Method::SecurityKey | Method::Passkey { .. } => &["hwk", "user"],
        };
        let password: &[&str] = if self.with_password { &["pwd"] } else { &[] };
        [password, possession, &["mfa"]].concat()
    }
}

impl From<Counted> for Assurance {
    fn from(counted: Counted) -> Self {
        Self {
            acr: counted.acr,
            amr: counted.amr(),
            auth_time: counted.auth_time,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const VERIFIED: Method = Method::Passkey {
        user_verified: true,
        synced: true,
    };
    const UNVERIFIED: Method = Method::Passkey {
        user_verified: false,
        synced: true,
    };
    const BOUND: Method = Method::Passkey {
        user_verified: true,
        synced: false,
    };
    const ANY: Policy = Policy {
        synced: Acr::PhishingResistant,
    };
    const STRICT: Policy = Policy {
        synced: Acr::TwoFactor,
    };
    const POSSESSIONS: [Method; 4] = [
        Method::Totp,
        Method::Recovery,
        Method::SecurityKey,
        UNVERIFIED,
    ];

    fn proof(method: Method, at: i64) -> Proof {
        Proof {
            method,
            at: Timestamp::from_secs(at),
        }
    }

    fn seen(proofs: &[Proof]) -> Option<(Acr, i64)> {
        Assurance::of(proofs, ANY).map(|a| (a.acr, a.auth_time.secs()))
    }

    #[test]
    fn one_factor_is_not_enough() {
        assert_eq!(Assurance::of(&[], ANY), None);
        assert_eq!(Assurance::of(&[proof(Method::Password, 1)], ANY), None);
        for method in POSSESSIONS {
            assert_eq!(Assurance::of(&[proof(method, 1)], ANY), None, "{method:?}");
        }
    }

    #[test]
    fn the_same_kind_of_factor_twice_is_not_two() {
        let password = proof(Method::Password, 1);
        assert_eq!(
            Assurance::of(&[password, proof(Method::Password, 2)], ANY),
            None
        );
        for one in POSSESSIONS {
            for other in POSSESSIONS {
                let proofs = [proof(one, 1), proof(other, 2)];
                assert_eq!(Assurance::of(&proofs, ANY), None, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn two_factors_show_their_class_and_methods() {
        let table: [(&[Method], Acr, &[&str]); 7] = [
            (
                &[Method::Password, Method::Totp],
                Acr::TwoFactor,
                &["pwd", "otp", "mfa"],
            ),
            (
                &[Method::Password, Method::Recovery],
                Acr::TwoFactor,
                &["pwd", "mfa"],
            ),
            (
                &[Method::SecurityKey, Method::Password],
                Acr::PhishingResistant,
                &["pwd", "hwk", "user", "mfa"],
            ),
            (
                &[Method::Password, UNVERIFIED],
                Acr::PhishingResistant,
                &["pwd", "swk", "user", "mfa"],
            ),
            (&[VERIFIED], Acr::PhishingResistant, &["swk", "user", "mfa"]),
            (&[BOUND], Acr::PhishingResistant, &["hwk", "user", "mfa"]),
            (
                &[Method::Password, VERIFIED],
                Acr::PhishingResistant,
                &["swk", "user", "mfa"],
            ),
        ];
        for (methods, acr, amr) in table {
            let proofs: Vec<_> = methods.iter().map(|m| proof(*m, 5)).collect();
            let assurance = Assurance::of(&proofs, ANY).unwrap();
            assert_eq!(assurance.acr, acr, "{methods:?}");
            assert_eq!(assurance.amr, amr, "{methods:?}");
        }
    }

    #[test]
    fn the_oldest_proof_of_the_newest_pair_dates_it() {
        let p = |at| proof(Method::Password, at);
        let t = |at| proof(Method::Totp, at);
        assert_eq!(seen(&[p(10), t(20)]), Some((Acr::TwoFactor, 10)));
        assert_eq!(seen(&[t(20), p(10)]), Some((Acr::TwoFactor, 10)));
        assert_eq!(seen(&[p(10), t(10), t(90)]), Some((Acr::TwoFactor, 10)));
        assert_eq!(
            seen(&[p(10), t(10), p(80), t(90)]),
            Some((Acr::TwoFactor, 80))
        );
        assert_eq!(
            seen(&[p(10), t(20), proof(VERIFIED, 15)]),
            Some((Acr::PhishingResistant, 15))
        );
    }

    #[test]
    fn of_two_equally_new_pairs_the_stronger_counts() {
        let proofs = [
            proof(Method::SecurityKey, 20),
            proof(Method::Password, 10),
            proof(Method::Totp, 20),
        ];
        assert_eq!(seen(&proofs), Some((Acr::PhishingResistant, 10)));
    }

    #[test]
    fn a_required_class_is_dated_by_the_proofs_that_reach_it() {
        let proofs = [
            proof(VERIFIED, 9),
            proof(Method::Password, 100),
            proof(Method::Totp, 100),
        ];
        let phr = Assurance::reaching(Acr::PhishingResistant, &proofs, ANY).unwrap();
        assert_eq!(phr.auth_time.secs(), 9);
        assert_eq!(seen(&proofs), Some((Acr::TwoFactor, 100)));
        assert_eq!(
            Assurance::reaching(Acr::PhishingResistant, &proofs[1..], ANY),
            None
        );
    }

    #[test]
    fn a_key_that_may_be_copied_reaches_what_the_institution_says() {
        let reached = |method, policy| Assurance::of(&[proof(method, 1)], policy).unwrap().acr;
        assert_eq!(reached(VERIFIED, ANY), Acr::PhishingResistant);
        assert_eq!(reached(VERIFIED, STRICT), Acr::TwoFactor);
        assert_eq!(reached(BOUND, STRICT), Acr::PhishingResistant);
        let beside = [proof(Method::Password, 1), proof(UNVERIFIED, 1)];
        assert_eq!(Assurance::of(&beside, STRICT).unwrap().acr, Acr::TwoFactor);
        // The weaker policy makes nothing of one factor.
        assert_eq!(Assurance::of(&beside[1..], STRICT), None);
    }

    #[test]
    fn a_provider_that_is_believed_is_two_factors_and_never_more() {
        let believed = proof(Method::Upstream { two_factors: true }, 5);
        let assurance = Assurance::of(&[believed], ANY).unwrap();
        assert_eq!(assurance.acr, Acr::TwoFactor);
        assert_eq!(assurance.amr, ["mfa"]);
        assert_eq!(assurance.auth_time.secs(), 5);
        let phr = Assurance::reaching(Acr::PhishingResistant, &[believed], ANY);
        assert_eq!(phr, None);
    }

    #[test]
    fn a_provider_that_is_not_believed_is_one_factor_beside_a_thing_of_ours() {
        let vouched = proof(Method::Upstream { two_factors: false }, 5);
        assert_eq!(Assurance::of(&[vouched], ANY), None);
        assert_eq!(Assurance::of(&[vouched, vouched], ANY), None);
        let password = proof(Method::Password, 6);
        assert_eq!(Assurance::of(&[vouched, password], ANY), None);
        for possession in POSSESSIONS {
            let proofs = [proof(possession, 9), vouched];
            assert_eq!(seen(&proofs), Some((Acr::TwoFactor, 5)), "{possession:?}");
        }
        let beside = Assurance::of(&[vouched, proof(Method::Totp, 9)], ANY).unwrap();
        assert_eq!(beside.amr, ["otp", "mfa"]);
        // With the password beside it, a key is what it is without the provider.
        let all = [vouched, password, proof(Method::SecurityKey, 9)];
        let phr = Assurance::reaching(Acr::PhishingResistant, &all, ANY).unwrap();
        assert_eq!(phr.auth_time.secs(), 6);
    }

    #[test]
    fn a_stronger_class_satisfies_a_weaker_one() {
        use Acr::{PhishingResistant, TwoFactor};
        assert!(TwoFactor.satisfies(TwoFactor) && PhishingResistant.satisfies(TwoFactor));
        assert!(PhishingResistant.satisfies(PhishingResistant));
        assert!(!TwoFactor.satisfies(PhishingResistant));
    }

    #[test]
    fn classes_are_known_by_their_names() {
        for acr in Acr::ALL {
            assert_eq!(Acr::parse(acr.as_str()), Some(acr));
            let json = serde_json::to_value(acr).unwrap();
            assert_eq!(json, acr.as_str());
            assert_eq!(serde_json::from_value::<Acr>(json).unwrap(), acr);
        }
        assert_eq!(Acr::parse("phr"), Some(Acr::PhishingResistant));
        for unknown in ["", "phrh", "0", "URN:COUNTERSIGN:ACR:2FA"] {
            assert_eq!(Acr::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn proofs_keep_their_stored_form() {
        let proofs = [proof(Method::Totp, 1), proof(VERIFIED, 2)];
        let json = r#"[{"method":"totp","at":1000},{"method":{"passkey":{"user_verified":true,"synced":true}},"at":2000}]"#;
        assert_eq!(serde_json::to_string(&proofs).unwrap(), json);
        assert_eq!(serde_json::from_str::<Vec<Proof>>(json).unwrap(), proofs);
        assert!(serde_json::from_str::<Proof>(r#"{"method":"sms","at":1}"#).is_err());
    }
}

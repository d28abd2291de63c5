//! `[limits]`: how often what may be asked, by whom.

use std::time::Duration;

use serde::Deserialize;

use super::Refused;

/// So many within a time; all of them may come at once, and then one more each time its share of
/// the time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Within how long.
    pub window: Duration,
}

impl Rate {
    /// The most that one rate may allow, within its window.
    const MOST: u64 = 1_000_000_000;

    /// Reads `60/min`, `100/10min`, `5/s`, `20/h`; `off` is no rate.
    fn parse(setting: &'static str, text: &str) -> Result<Option<Self>, Refused> {
        let refuse = || Refused {
            setting,
            why: format!("{text:?} must be a rate such as 60/min, 100/10min, 5/s or 20/h, or off"),
        };
        if text.trim() == "off" {
            return Ok(None);
        }
        let (count, window) = text.split_once('/').ok_or_else(refuse)?;
        let count: u64 = count.trim().parse().map_err(|_| refuse())?;
        let window = window.trim();
        let digits = window.bytes().take_while(u8::is_ascii_digit).count();
        let (times, unit) = window.split_at(digits);
        let times: u64 = match times {
            "" => 1,
            times => times.parse().map_err(|_| refuse())?,
        };
        let unit = match unit.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return Err(refuse()),
        };
        let seconds = times.checked_mul(unit).ok_or_else(refuse)?;
        if !(1..=Self::MOST).contains(&count) || !(1..=86_400).contains(&seconds) {
            return Err(refuse());
        }
        let window = Duration::from_secs(seconds);
        Ok(Some(Self { count, window }))
    }
}

/// `[limits]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct LimitsFile {
    pub pages_per_address: String,
    pub documents_per_address: String,
    pub authorize_per_address: String,
    pub sign_in_per_address: String,
    pub sign_in_failures_per_address: String,
    pub invitations_per_address: String,
    pub failures_per_address: String,
    pub client_failures_per_address: String,
    pub public_client_per_address: String,
    pub push_per_client: String,
    pub token_per_client: String,
    pub introspection_per_client: String,
    pub userinfo_per_token: String,
    pub proofs_per_person: String,
    pub connections_per_address: u64,
    pub memory_mib: u64,
}

// One table makes the limit, its setting and its default, so that none can be forgotten.
macro_rules! limits {
    ($($variant:ident $field:ident $default:literal $meaning:literal)*) => {
        /// What is limited. The names are those of the settings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit {
            $(#[doc = $meaning] $variant,)*
        }

        impl Limit {
            /// Every limit, in the order of the settings.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The setting's name within `[limits]`, which is also its policy's name in headers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)*
                }
            }

            /// The setting, dotted.
            #[must_use]
            pub const fn setting(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("limits.", stringify!($field)),)*
                }
            }
        }

        impl Default for LimitsFile {
            fn default() -> Self {
                Self {
                    $($field: $default.to_owned(),)*
                    proofs_per_person: "60/h".to_owned(),
                    connections_per_address: 512,
                    memory_mib: 8,
                }
            }
        }

        impl LimitsFile {
            /// Every limit set to the same rate.
            #[must_use]
            pub fn all(rate: &str) -> Self {
                Self {
                    $($field: rate.to_owned(),)*
                    ..Self::default()
                }
            }

            /// The same, checked, for tests of what counts.
            #[cfg(test)]
            pub(crate) fn checked(&self) -> Limits {
                self.check().unwrap()
            }

            pub(super) fn check(&self) -> Result<Limits, Refused> {
                super::file::within("limits.memory_mib", self.memory_mib, 1, 1024)?;
                let connections = self.connections_per_address;
                super::file::within("limits.connections_per_address", connections, 1, 1_000_000)?;
                let rates = vec![
                    $(Rate::parse(Limit::$variant.setting(), &self.$field)?,)*
                ];
                let memory = usize::try_from(self.memory_mib << 20).unwrap_or(usize::MAX);
                let connections = usize::try_from(connections).unwrap_or(usize::MAX);
                let proofs = Rate::parse("limits.proofs_per_person", &self.proofs_per_person)?;
                Ok(Limits {
                    rates,
                    proofs_per_person: proofs,
                    connections,
                    memory,
                })
            }
        }
    };
}

limits! {
    PagesPerAddress pages_per_address "1200/min"
        "Pages of people: interactions, activation, the account."
    DocumentsPerAddress documents_per_address "6000/min"
        "Discovery, the public keys and the pages that explain errors."
    AuthorizePerAddress authorize_per_address "600/min"
        "Authorization requests that browsers bring; each may open an interaction."
    SignInPerAddress sign_in_per_address "240/min"
        "Sign-in forms, whatever comes of them."
    SignInFailuresPerAddress sign_in_failures_per_address "100/10min"
        "Sign-ins that fail, for any names; a browser that signed the person in before is exempt."
    InvitationsPerAddress invitations_per_address "60/min"
        "Looks at invitations."
    FailuresPerAddress failures_per_address "600/min"
        "Requests to machine endpoints that do not prove who asks, in any client's name, and wrong tokens."
    ClientFailuresPerAddress client_failures_per_address "60/min"
        "Failed authentications of one client, from one address."
    PublicClientPerAddress public_client_per_address "1200/min"
        "Requests of one client without credentials, from one address."
    PushPerClient push_per_client "12000/min"
        "Pushed authorization requests of one client."
    TokenPerClient token_per_client "120000/min"
        "Requests for tokens, and to revoke them, of one client."
    IntrospectionPerClient introspection_per_client "3000000/min"
        "Introspections of one API."
    UserinfoPerToken userinfo_per_token "300/min"
        "Userinfo requests with one access token."
}

/// The limits that hold.
#[derive(Clone, Debug)]
pub struct Limits {
    rates: Vec<Option<Rate>>,
    /// How often one person may prove who she is; counted in the database.
    pub proofs_per_person: Option<Rate>,
    /// How many connections one address may have at once.
    pub connections: usize,
    /// How much memory the counting takes, in bytes.
    pub memory: usize,
}

impl Limits {
    /// The rate of a limit; `None` when it is off.
    #[must_use]
    pub fn rate(&self, limit: Limit) -> Option<Rate> {
        self.rates.get(limit as usize).copied().flatten()
    }

    /// The settings that are off.
    pub(super) fn loosened(&self) -> impl Iterator<Item = &'static str> {
        let off = Limit::ALL
            .iter()
            .filter(|limit| self.rate(**limit).is_none());
        let people = self.proofs_per_person.is_none();
        off.map(|limit| limit.setting())
            .chain(people.then_some("limits.proofs_per_person"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Rate>, Refused> {
        Rate::parse("limits.token_per_client", text)
    }

    #[test]
    fn rates_are_read() {
        for (text, count, seconds) in [
            ("60/min", 60, 60),
            ("100/10min", 100, 600),
            (" 5 / s ", 5, 1),
            ("20/24h", 20, 86_400),
        ] {
            let rate = parse(text).unwrap().unwrap();
            assert_eq!((rate.count, rate.window.as_secs()), (count, seconds));
        }
        assert_eq!(parse("off").unwrap(), None);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in [
            "", "60", "0/min", "60/", "60/week", "-1/min", "1/0s", "1/25h", "1/min/s",
        ] {
            let refused = parse(text).unwrap_err();
            assert_eq!(refused.setting, "limits.token_per_client", "{text}");
        }
    }

    #[test]
    fn the_defaults_are_rates_and_none_is_off() {
        let limits = LimitsFile::default().check().unwrap();
        assert_eq!(limits.loosened().count(), 0);
        let off = LimitsFile {
            authorize_per_address: "off".to_owned(),
            ..LimitsFile::default()
        };
        let off: Vec<_> = off.check().unwrap().loosened().collect();
        assert_eq!(off, ["limits.authorize_per_address"]);
    }
}

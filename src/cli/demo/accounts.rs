//! The invented accounts that the demo's API tells about: the same for everyone who may ask.

use serde::{Deserialize, Serialize};

use crate::words::Lang;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its identifier within the API.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Its number (ISO 13616): well-formed, but no bank of that name exists.
    pub iban: String,
    /// What is on it.
    pub balance: Money,
}

/// A movement on an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The day, as `2026-10-30`.
    pub date: String,
    /// With whom.
    pub counterparty: String,
    /// How much; negative when it went out.
    pub amount: Money,
}

/// An amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// As decimal text with two places, such as `-12.50`.
    pub amount: String,
    /// The currency (ISO 4217).
    pub currency: String,
}

const ACCOUNTS: [(&str, &str, &str, &str); 3] = [
    (
        "current",
        "Current account",
        "NL25FAKE0000000001",
        "2480.35",
    ),
    (
        "savings",
        "Rainy day savings",
        "NL95FAKE0000000002",
        "14250.00",
    ),
    ("household", "Household", "NL68FAKE0000000003", "312.08"),
];

/// Account, day, counterparty, amount.
const MOVEMENTS: [(&str, &str, &str, &str); 8] = [
    ("current", "2026-10-30", "Analytical Engines Ltd", "3150.00"),
    ("current", "2026-10-29", "Corner Bakery", "-8.40"),
    ("current", "2026-10-28", "City Trams", "-2.90"),
    ("current", "2026-10-27", "Loom & Punch Bookshop", "-34.50"),
    ("current", "2026-10-26", "Household", "-400.00"),
    ("savings", "2026-10-25", "Current account", "250.00"),
    ("household", "2026-10-26", "Current account", "400.00"),
    ("household", "2026-10-24", "Green Grocer", "-61.17"),
];

/// Every account.
#[must_use]
pub fn all() -> Vec<Account> {
    ACCOUNTS
        .iter()
        .map(|(id, name, iban, balance)| Account {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            iban: (*iban).to_owned(),
            balance: Money::eur(balance),
        })
        .collect()
}

/// The number of an account's card, which no bank issues; `None` when there is no such account.
pub fn card(id: &str) -> Option<String> {
    let at = ACCOUNTS.iter().position(|(known, ..)| *known == id)?;
    Some(format!("9999 0000 0000 000{}", at + 1))
}

/// The movements of an account, newest first; `None` when there is no such account.
#[must_use]
pub fn transactions(account: &str) -> Option<Vec<Movement>> {
    ACCOUNTS.iter().find(|(id, ..)| *id == account)?;
    let found = MOVEMENTS.iter().filter(|(id, ..)| *id == account).map(
        |(_, date, counterparty, amount)| Movement {
            date: (*date).to_owned(),
            counterparty: (*counterparty).to_owned(),
            amount: Money::eur(amount),
        },
    );
    Some(found.collect())
}

impl Money {
    fn eur(amount: &str) -> Self {
        Self {
            amount: amount.to_owned(),
            currency: "EUR".to_owned(),
        }
    }

    /// For people: `€2,480.35` and `−€8.40` in English, `2.480,35 €` in German.
    #[must_use]
    pub fn shown(&self, lang: Lang) -> String {
        let (group, point) = match lang {
            Lang::En => (',', '.'),
            Lang::De => ('.', ','),
        };
        let (sign, digits) = match self.amount.strip_prefix('-') {
            Some(digits) => ("\u{2212}", digits),
            None => ("", self.amount.as_str()),
        };
        let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
        let mut grouped = String::new();
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i).is_multiple_of(3) {
                grouped.push(group);
            }
            grouped.push(digit);
        }
        let symbol = match self.currency.as_str() {
            "EUR" => "€",
            other => other,
        };
        match lang {
            Lang::En => format!("{sign}{symbol}{grouped}{point}{cents}"),
            Lang::De => format!("{sign}{grouped}{point}{cents}\u{a0}{symbol}"),
        }
    }

    /// Whether money went out.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.amount.starts_with('-')
    }
}

impl Account {
    /// The number in groups of four.
    #[must_use]
    pub fn iban_shown(&self) -> String {
        let letters: Vec<char> = self.iban.chars().collect();
        let groups: Vec<String> = letters
            .chunks(4)
            .map(|group| group.iter().collect())
            .collect();
        groups.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO 13616: the number, its first four characters moved to the end and letters read as 10 to
    /// 35, leaves 1 when divided by 97.
    fn checksum(iban: &str) -> u64 {
        let (head, tail) = iban.split_at(4);
        tail.chars().chain(head.chars()).fold(0, |rest, c| {
            let value = u64::from(c.to_digit(36).unwrap());
            (rest * if value > 9 { 100 } else { 10 } + value) % 97
        })
    }

    #[test]
    fn account_numbers_are_well_formed_and_of_no_bank() {
        for account in all() {
            assert_eq!(checksum(&account.iban), 1, "{}", account.iban);
            assert!(account.iban.len() == 18 && account.iban.contains("FAKE"));
            assert!(transactions(&account.id).is_some_and(|found| !found.is_empty()));
        }
        assert_eq!(transactions("nobody"), None);
    }

    #[test]
    fn money_is_shown_as_people_write_it() {
        for (amount, english, german) in [
            ("2480.35", "€2,480.35", "2.480,35\u{a0}€"),
            ("-8.40", "−€8.40", "−8,40\u{a0}€"),
            ("312.08", "€312.08", "312,08\u{a0}€"),
            ("1234567.00", "€1,234,567.00", "1.234.567,00\u{a0}€"),
        ] {
            assert_eq!(Money::eur(amount).shown(Lang::En), english);
            assert_eq!(Money::eur(amount).shown(Lang::De), german);
        }
    }

    #[test]
    fn a_number_is_shown_in_groups_of_four() {
        assert_eq!(all()[0].iban_shown(), "NL25 FAKE 0000 0000 01");
    }
}

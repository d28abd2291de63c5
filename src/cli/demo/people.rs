//! The demo's people: invented accounts with the names of people who are long known.

use rules::identity::password::{Password, judge};
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::rng;

/// Who can sign in from the start.
pub const ADA: &str = "ada";

/// Who is invited: the first of them who has not activated her account.
pub const INVITED: [(&str, &str); 6] = [
    ("grace", "Grace Hopper"),
    ("hedy", "Hedy Lamarr"),
    ("emmy", "Emmy Noether"),
    ("mary", "Mary Somerville"),
    ("sofia", "Sofia Kovalevskaya"),
    ("maryam", "Maryam Mirzakhani"),
];

/// 128 words, so that each is worth seven bits.
const WORDS: [&str; 128] = [
    "acorn", "amber", "anvil", "apricot", "arrow", "atlas", "badger", "barley", "basil", "beacon",
    "bishop", "blanket", "bramble", "brook", "bucket", "butter", "cactus", "candle", "canyon",
    "carrot", "cedar", "cellar", "chalk", "cherry", "cinder", "clover", "cobalt", "comet",
    "copper", "coral", "cotton", "cradle", "crater", "cricket", "dagger", "daisy", "dapple",
    "desert", "donkey", "dragon", "drizzle", "eagle", "ember", "engine", "falcon", "feather",
    "fennel", "fiddle", "flint", "forest", "fossil", "garnet", "ginger", "glacier", "gravel",
    "hammer", "harbor", "hazel", "hermit", "hollow", "honey", "island", "ivory", "jacket",
    "jasmine", "jigsaw", "jungle", "kettle", "ladder", "lagoon", "lantern", "lemon", "lichen",
    "lilac", "linen", "lizard", "magnet", "maple", "marble", "meadow", "mellow", "mirror",
    "mitten", "mosaic", "mustard", "nectar", "nickel", "nutmeg", "orchid", "otter", "oyster",
    "paddle", "parcel", "pebble", "pepper", "pigeon", "pillow", "plover", "pocket", "poplar",
    "quartz", "quiver", "rabbit", "ribbon", "riddle", "ripple", "saddle", "saffron", "salmon",
    "sandal", "shovel", "silver", "sparrow", "spruce", "staple", "sunset", "tangle", "temple",
    "thistle", "timber", "tulip", "turnip", "velvet", "violet", "walnut", "willow", "winter",
    "yonder",
];

/// What a person of the demo is called.
#[must_use]
pub fn name_of(username: &str) -> &str {
    match INVITED.iter().find(|(known, _)| *known == username) {
        Some((_, name)) => name,
        None if username == ADA => "Ada Lovelace",
        None => username,
    }
}

/// What is known about Ada: every standard claim but the few that make no sense here.
#[must_use]
pub fn ada_claims(updated_at: i64) -> Map<String, Value> {
    let claims = json!({
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "middle_name": "Augusta",
        "family_name": "Lovelace",
        "nickname": "Ada",
        "preferred_username": ADA,
        "profile": "https://people.example/ada",
        "picture": "https://people.example/ada.png",
        "website": "https://ada.example",
        "gender": "female",
        "birthdate": "1985-12-10",
        "zoneinfo": "Europe/London",
        "locale": "en-GB",
        "updated_at": updated_at,
        "email": "ada@people.example",
        "email_verified": true,
        "phone_number": "+44 20 7946 0018",
        "phone_number_verified": true,
        "address": {
            "formatted": "12 Example Square\nLondon\nSW1Y 4AA\nUnited Kingdom",
            "street_address": "12 Example Square",
            "locality": "London",
            "postal_code": "SW1Y 4AA",
            "country": "United Kingdom",
        },
    });
    members(claims)
}

/// What is known about somebody who is invited.
#[must_use]
pub fn invited_claims(username: &str, name: &str, updated_at: i64) -> Map<String, Value> {
    members(json!({
        "name": name,
        "preferred_username": username,
        "email": format!("{username}@people.example"),
        "email_verified": true,
        "updated_at": updated_at,
    }))
}

/// A password that the policy accepts and that can be typed: four words and a number.
///
/// # Errors
/// [`Fault::Randomness`].
pub fn new_password() -> Result<String, Fault> {
    loop {
        let drawn = rng::bytes::<4>()?;
        let words = drawn.map(|byte| WORDS[usize::from(byte) % WORDS.len()]);
        let [number] = rng::bytes::<1>()?;
        let text = format!("{}-{}", words.join("-"), 10 + number % 90);
        // Only an unlucky draw (the same word again and again) is refused.
        if judge(&Password::normalise(&text), &[]).is_ok() {
            return Ok(text);
        }
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rules::protocol::claims;

    use super::*;

    #[test]
    fn every_standard_claim_about_ada_has_its_type() {
        let ada = ada_claims(1_700_000_000);
        for (name, _) in claims::STANDARD {
            claims::check(name, &ada[name]).unwrap();
        }
        assert_eq!(ada.len(), claims::STANDARD.len());
    }

    #[test]
    fn words_are_all_different_and_passwords_are_too() {
        assert_eq!(BTreeSet::from(WORDS).len(), WORDS.len());
        assert_ne!(new_password().unwrap(), new_password().unwrap());
    }

    #[test]
    fn nearly_every_password_is_accepted_at_the_first_try() {
        let words =
            |n: usize| -> Vec<&str> { (0..4).map(|i| WORDS[(n * 37 + i * 29) % 128]).collect() };
        for n in 0..16 {
            let text = words(n).join("-") + "-42";
            assert_eq!(
                judge(
                    &Password::normalise(&text),
                    &["Harbour Bank", "ada", "Ada Lovelace"]
                ),
                Ok(()),
                "{text}"
            );
        }
    }
}

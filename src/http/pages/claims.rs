//! Claims that are asked for one by one, in words that people understand (OpenID Connect Core §5.5).

use std::collections::BTreeSet;

use super::view::ConsentItem;
use crate::words::Words;

/// What telling a claim means to a person.
fn title(claim: &str, say: Words) -> Option<String> {
    Some(match claim {
        "name" => say.claim_name(),
        "family_name" => say.claim_family_name(),
        "given_name" => say.claim_given_name(),
        "middle_name" => say.claim_middle_name(),
        "nickname" => say.claim_nickname(),
        "preferred_username" => say.claim_preferred_username(),
        "profile" => say.claim_profile(),
        "picture" => say.claim_picture(),
        "website" => say.claim_website(),
        "gender" => say.claim_gender(),
        "birthdate" => say.claim_birthdate(),
        "zoneinfo" => say.claim_zoneinfo(),
        "locale" => say.claim_locale(),
        "updated_at" => say.claim_updated_at(),
        "email" => say.claim_email(),
        "email_verified" => say.claim_email_verified(),
        "address" => say.claim_address(),
        "phone_number" => say.claim_phone_number(),
        "phone_number_verified" => say.claim_phone_number_verified(),
        _ => return None,
    })
}

/// What each of these claims means, as the consent page lists it. None may be left out: a person
/// who does not want to tell it says no.
pub(super) fn items(
    asked: &BTreeSet<String>,
    say: Words,
    is_granted: impl Fn(&str) -> bool,
) -> Vec<ConsentItem> {
    let asked = asked
        .iter()
        .filter_map(|name| Some((name, title(name, say)?)));
    asked
        .map(|(name, title)| ConsentItem {
            id: name.clone(),
            title,
            detail: None,
            optional: false,
            checked: true,
            already: is_granted(name),
        })
        .collect()
}

/// What each of these claims means, as the account page lists it.
pub(super) fn titles(granted: &BTreeSet<String>, say: Words) -> impl Iterator<Item = String> {
    granted.iter().filter_map(move |name| title(name, say))
}

#[cfg(test)]
mod tests {
    use rules::protocol::claims::STANDARD;

    use super::*;

    #[test]
    fn every_claim_that_can_be_asked_for_can_be_explained() {
        for (name, _) in STANDARD {
            assert!(title(name, Words::default()).is_some(), "{name}");
        }
    }
}

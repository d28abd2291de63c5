//! Authentication context classes as clients ask for them (OpenID Connect Core §3.1.2.1, §5.5.1.1).

use super::error::{ErrorCode, OAuthError};
use crate::identity::Acr;

/// What a person can reach here today: `acr_values_supported`. Everybody proves two factors; the
/// class that resists phishing waits for passkeys.
pub const OFFERED: [Acr; 1] = [Acr::TwoFactor];

/// The weakest class that satisfies one of the essential values.
///
/// # Errors
/// `unmet_authentication_requirements` when none of them can be reached here (OpenID Connect Core
/// Error Code `unmet_authentication_requirements` 1.0 §2).
pub fn essential<'a>(named: impl Iterator<Item = &'a str>) -> Result<Acr, OAuthError> {
    named
        .filter_map(Acr::parse)
        .filter(|acr| OFFERED.contains(acr))
        .min()
        .ok_or_else(|| {
            OAuthError::new(
                ErrorCode::UnmetAuthenticationRequirements,
                "none of the essential acr values can be reached here; see acr_values_supported",
            )
        })
}

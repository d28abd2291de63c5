use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Alg;

/// The value of `at_hash` or `c_hash` for an access token or a code: the left half of its hash,
/// base64url (OIDC Core §3.1.3.6 and §3.3.2.11).
///
/// `alg` is the algorithm that signs the ID token. The hash is SHA-256 for those named `…256`, and
/// SHA-512 for Ed25519, whose own hash that is.
#[must_use]
pub fn half_hash(alg: Alg, value: &str) -> String {
    let algorithm = match alg {
        Alg::Es256 | Alg::Rs256 | Alg::Ps256 => &digest::SHA256,
        Alg::EdDsa => &digest::SHA512,
    };
    let hash = digest::digest(algorithm, value.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_openid_connect_core_a_3_is_reproduced() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Alg::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn ed25519_takes_half_of_sha_512() {
        assert_eq!(half_hash(Alg::EdDsa, "abc").len(), 43);
        assert!(half_hash(Alg::EdDsa, "abc").starts_with("3a81oZNherrMQXNJriBB"));
        assert_eq!(half_hash(Alg::Es256, "abc"), "ungWv48Bz-pBQUDeXa4iIw");
    }
}

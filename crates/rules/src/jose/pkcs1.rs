//! Just enough DER to take modulus and exponent out of an `RSAPublicKey` (RFC 8017 §A.1.1).

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// Modulus and public exponent, big-endian, without leading zeros.
pub(super) fn modulus_and_exponent(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, rest) = element(SEQUENCE, der)?;
    let (modulus, after) = element(INTEGER, sequence)?;
    let (exponent, end) = element(INTEGER, after)?;
    let whole = rest.is_empty() && end.is_empty();
    whole.then(|| (without_zeros(modulus), without_zeros(exponent)))
}

/// Likewise out of a `SubjectPublicKeyInfo` (RFC 5280 §4.1, RFC 8017 §A.1).
pub(super) fn of_public_key_info(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, _) = element(SEQUENCE, der)?;
    let (_, rest) = element(SEQUENCE, info)?;
    let (bits, _) = element(BIT_STRING, rest)?;
    // No bit of the last byte is unused.
    modulus_and_exponent(bits.strip_prefix(&[0])?)
}

/// The contents of the first element, which must have `tag`, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |sum, &digit| sum * 256 + usize::from(digit));
            (length, rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

fn without_zeros(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|&&byte| byte == 0).count();
    integer.split_at(zeros).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modulus_and_exponent_come_out_without_their_sign_byte() {
        let der = [0x30, 0x09, 0x02, 0x02, 0x00, 0xc5, 0x02, 0x03, 1, 0, 1];
        let expected: (&[u8], &[u8]) = (&[0xc5], &[1, 0, 1]);
        assert_eq!(modulus_and_exponent(&der), Some(expected));
    }

    #[test]
    fn a_cut_or_extended_key_is_refused() {
        let der = [0x30, 0x09, 0x02, 0x02, 0x00, 0xc5, 0x02, 0x03, 1, 0, 1];
        for end in 0..der.len() {
            assert_eq!(modulus_and_exponent(&der[..end]), None);
        }
        assert_eq!(modulus_and_exponent(&[der.as_slice(), &[0]].concat()), None);
    }
}

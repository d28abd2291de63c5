//! Which language a request is answered in.

use super::Lang;

/// How much of an `Accept-Language` header is read: browsers send a few entries, and nothing
/// after the first dozen is worth the time.
const ENTRIES: usize = 12;

/// The language of those `spoken` that an `Accept-Language` header likes best (RFC 9110 §12.5.4); of equals
/// the first. What it refuses with `q=0` is never taken.
#[must_use]
pub fn accepted(header: &str, spoken: &[Lang]) -> Option<Lang> {
    let mut best: Option<(u16, Lang)> = None;
    for entry in header.split(',').take(ENTRIES) {
        let mut parts = entry.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let Some(weight) = parts.next().map_or(Some(1000), weight) else {
            continue;
        };
        let Some(lang) = Lang::of(tag).filter(|lang| weight > 0 && spoken.contains(lang)) else {
            continue;
        };
        if best.is_none_or(|(heaviest, _)| weight > heaviest) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

/// The thousandths of `q=0.8` (RFC 9110 §12.4.2): at most three digits after the point.
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter
        .strip_prefix("q=")
        .or(parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", some) => Some(some),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_language_that_we_speak_is_taken() {
        for (header, lang) in [
            ("de", Some(Lang::De)),
            ("de-CH,de;q=0.9,en;q=0.8", Some(Lang::De)),
            ("en;q=0.8, de;q=0.9", Some(Lang::De)),
            ("en;q=0.9,de;q=0.9", Some(Lang::En)),
            ("fr, en;q=0.5", Some(Lang::En)),
            ("de;q=0, en;q=0.1", Some(Lang::En)),
            ("de;q=0.000", None),
            ("de;q=2, en;q=0.12345, fr", None),
            ("*", None),
            ("", None),
            (";;,,q=1", None),
        ] {
            assert_eq!(accepted(header, &Lang::ALL), lang, "{header}");
        }
    }

    #[test]
    fn a_header_without_end_is_read_a_little() {
        let header = format!("{}de", "fr,".repeat(5000));
        assert_eq!(accepted(&header, &Lang::ALL), None);
        assert_eq!(accepted("de, en;q=0.1", &[Lang::En]), Some(Lang::En));
    }
}

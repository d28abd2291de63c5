//! Dates and browsers in plain words.

use std::time::Duration;

use rules::time::Timestamp;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// "21 February 2027", with spaces that do not break.
pub fn date(at: Timestamp) -> String {
    let Ok(at) = jiff::Timestamp::from_millisecond(at.millis()) else {
        return String::new();
    };
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    let month = usize::try_from(at.month() - 1)
        .ok()
        .and_then(|i| MONTHS.get(i));
    format!(
        "{}\u{a0}{}\u{a0}{}",
        at.day(),
        month.unwrap_or(&""),
        at.year()
    )
}

/// "21 February 2027, 14:05 UTC".
pub fn date_and_time(at: Timestamp) -> String {
    let Ok(zoned) = jiff::Timestamp::from_millisecond(at.millis()) else {
        return String::new();
    };
    let zoned = zoned.to_zoned(jiff::tz::TimeZone::UTC);
    format!(
        "{}, {:02}:{:02}\u{a0}UTC",
        date(at),
        zoned.hour(),
        zoned.minute()
    )
}

/// "just now", "5 minutes ago", "3 hours ago", or the date.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let count = |n: u64, unit: &str| {
        let plural = if n == 1 { "" } else { "s" };
        format!("{n}\u{a0}{unit}{plural}\u{a0}ago")
    };
    match now.since(at).as_secs() {
        0..60 => "just now".to_owned(),
        secs @ 60..3600 => count(secs / 60, "minute"),
        secs @ 3600..86_400 => count(secs / 3600, "hour"),
        _ => date(at),
    }
}

/// "30 seconds", "5 minutes": rounded up.
pub fn wait(time: Duration) -> String {
    let secs = time.as_secs().max(1);
    let (n, unit) = if secs < 60 {
        (secs, "second")
    } else {
        (secs.div_ceil(60), "minute")
    };
    let plural = if n == 1 { "" } else { "s" };
    format!("{n}\u{a0}{unit}{plural}")
}

/// "Chrome on Linux", as far as a `User-Agent` tells.
pub fn browser(agent: &str) -> String {
    let find = |table: &[(&str, &'static str)]| {
        let found = table.iter().find(|(sign, _)| agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    // Most claim to be others too, so the order decides.
    let program = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "An unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser(agent), "Chrome on Linux");
        assert_eq!(browser(""), "An unknown browser");
    }

    #[test]
    fn times_are_worded() {
        let then = Timestamp::from_secs(1_800_000_000);
        assert_eq!(date(then), "15\u{a0}January\u{a0}2027");
        assert_eq!(ago(then, then.plus(Duration::from_secs(59))), "just now");
        assert_eq!(
            ago(then, then.plus(Duration::from_mins(1))),
            "1\u{a0}minute\u{a0}ago"
        );
        assert_eq!(wait(Duration::from_secs(61)), "2\u{a0}minutes");
    }
}

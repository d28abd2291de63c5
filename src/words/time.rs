//! Dates, times and browsers in plain words.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use rules::time::Timestamp;

use super::{Lang, Words};

impl Words {
    /// "21 February 2027", with spaces that do not break.
    #[must_use]
    pub fn date(self, at: Timestamp) -> String {
        let Some(at) = utc(at) else {
            return String::new();
        };
        let month = self.month_name(format!("m{}", at.month()));
        self.date_long(i32::from(at.day()), month, at.year().to_string())
    }

    /// "21 February 2027, 14:05 UTC".
    #[must_use]
    pub fn date_and_time(self, at: Timestamp) -> String {
        let Some(zoned) = utc(at) else {
            return String::new();
        };
        let clock = format!("{:02}:{:02}", zoned.hour(), zoned.minute());
        self.date_with_time(self.date(at), clock)
    }

    /// "just now", "5 minutes ago", "3 hours ago", or the date.
    #[must_use]
    pub fn ago(self, at: Timestamp, now: Timestamp) -> String {
        match now.since(at).as_secs() {
            0..60 => self.just_now(),
            secs @ 60..3600 => self.minutes_ago(secs / 60),
            secs @ 3600..86_400 => self.hours_ago(secs / 3600),
            _ => self.date(at),
        }
    }

    /// "30 seconds", "5 minutes": rounded up.
    #[must_use]
    pub fn wait(self, time: Duration) -> String {
        let secs = time.as_secs().max(1);
        if secs < 60 {
            self.seconds(secs)
        } else {
            self.minutes(secs.div_ceil(60))
        }
    }

    /// "one, two and three".
    #[must_use]
    pub fn list(self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => self.list_and(first.join(", "), last),
        }
    }

    /// A name as it stands within a sentence: "accounts", but "IBAN check", and German nouns keep
    /// their capital.
    #[must_use]
    pub fn within(self, name: &str) -> String {
        let mut letters = name.chars();
        let (first, second) = (letters.next(), letters.next());
        let abbreviation = second.is_some_and(char::is_uppercase);
        match first {
            Some(first) if !abbreviation && self.lang != Lang::De => {
                let rest = &name[first.len_utf8()..];
                first.to_lowercase().chain(rest.chars()).collect()
            }
            _ => name.to_owned(),
        }
    }

    /// "Chrome on Linux", as far as a `User-Agent` tells.
    #[must_use]
    pub fn browser(self, agent: &str) -> String {
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
            (Some(program), Some(system)) => self.browser_on(program, system),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => self.browser_unknown(),
        }
    }
}

fn utc(at: Timestamp) -> Option<Zoned> {
    let at = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
    Some(at.to_zoned(TimeZone::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn browsers_are_named() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        let (en, de) = (Lang::En.words(), Lang::De.words());
        assert_eq!(en.browser(agent), "Chrome on Linux");
        assert_eq!(de.browser(agent), "Chrome auf Linux");
        assert_eq!(en.browser(""), "An unknown browser");
    }

    #[test]
    fn times_are_worded() {
        let say = Lang::En.words();
        assert_eq!(say.date(THEN), "15\u{a0}January\u{a0}2027");
        assert_eq!(
            say.date_and_time(THEN),
            "15\u{a0}January\u{a0}2027, 08:00\u{a0}UTC"
        );
        let after = |time| THEN.plus(time);
        assert_eq!(say.ago(THEN, after(Duration::from_secs(59))), "just now");
        assert_eq!(
            say.ago(THEN, after(Duration::from_mins(1))),
            "1\u{a0}minute\u{a0}ago"
        );
        assert_eq!(say.wait(Duration::from_secs(61)), "2\u{a0}minutes");
    }

    #[test]
    fn times_are_worded_in_german() {
        let say = Lang::De.words();
        assert_eq!(say.date(THEN), "15.\u{a0}Januar\u{a0}2027");
        assert_eq!(
            say.date_and_time(THEN),
            "15.\u{a0}Januar\u{a0}2027, 08:00\u{a0}Uhr\u{a0}(UTC)"
        );
        assert_eq!(
            say.ago(THEN, THEN.plus(Duration::from_hours(2))),
            "vor\u{a0}2\u{a0}Stunden"
        );
        assert_eq!(say.wait(Duration::from_secs(1)), "1\u{a0}Sekunde");
    }

    #[test]
    fn names_stand_within_a_sentence() {
        let (en, de) = (Lang::En.words(), Lang::De.words());
        assert_eq!(en.within("Accounts"), "accounts");
        assert_eq!(en.within("IBAN check"), "IBAN check");
        assert_eq!(de.within("Konten"), "Konten");
        assert_eq!(en.within(""), "");
    }

    #[test]
    fn lists_end_with_and() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(Lang::En.words().list(&items), "a, b and c");
        assert_eq!(Lang::De.words().list(&items[..2]), "a und b");
        assert_eq!(Lang::De.words().list(&[]), "");
    }
}

//! How the pages look like the institution's: its colour and its logo, checked at start, so that no
//! page is ever hard to read or reaches for something elsewhere.

use std::fmt;
use std::path::Path;

use super::Refused;

/// The contrast that text must have (WCAG 2.2, 1.4.3).
const CONTRAST: f64 = 4.5;

/// The largest logo, in bytes.
const LOGO: usize = 64 * 1024;

/// What the action colour must stand out from by day: the text on a button, a card, the page.
const LIGHT: [Colour; 3] = [
    Colour(255, 255, 255),
    Colour(255, 255, 255),
    Colour(0xF5, 0xF3, 0xEF),
];

/// The same by night.
const DARK: [Colour; 3] = [
    Colour(0x0F, 0x17, 0x1D),
    Colour(0x18, 0x23, 0x2B),
    Colour(0x0F, 0x17, 0x1D),
];

const BLACK: Colour = Colour(0, 0, 0);
const WHITE: Colour = Colour(255, 255, 255);

/// A colour in sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// `#0B5D57`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self(part(0)?, part(2)?, part(4)?))
    }

    /// How bright it looks, 0 to 1 (WCAG 2.2, relative luminance).
    #[must_use]
    pub fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// The contrast with another colour, 1 to 21 (WCAG 2.2, contrast ratio).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Moved towards another by so many of 255 steps.
    #[must_use]
    pub fn towards(self, other: Self, steps: u8) -> Self {
        let mix = |a: u8, b: u8| {
            let (a, b, steps) = (u32::from(a), u32::from(b), u32::from(steps));
            u8::try_from((a * (255 - steps) + b * steps + 127) / 255).unwrap_or(u8::MAX)
        };
        Self(
            mix(self.0, other.0),
            mix(self.1, other.1),
            mix(self.2, other.2),
        )
    }

    fn stands_out(self, grounds: &[Self]) -> bool {
        grounds
            .iter()
            .all(|ground| self.contrast(*ground) >= CONTRAST)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }
}

/// The colours of buttons and links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// By day.
    pub light: Colour,
    /// By night.
    pub dark: Colour,
}

impl Colours {
    /// The pages' own, as their style sheet has them.
    pub const OWN: Self = Self {
        light: Colour(0x0B, 0x5D, 0x57),
        dark: Colour(0x5F, 0xC9, 0xBC),
    };

    /// Checks what was set.
    ///
    /// # Errors
    /// [`Refused`], with the nearest colour that can be read.
    pub fn check(light: &str, dark: &str) -> Result<Self, Refused> {
        Ok(Self {
            light: colour("institution.action_colour", light, &LIGHT, BLACK)?,
            dark: colour("institution.action_colour_dark", dark, &DARK, WHITE)?,
        })
    }

    /// The rules that go after the pages' own style sheet; none for its own colours.
    #[must_use]
    pub fn css(self) -> String {
        let mut css = String::new();
        if self.light != Self::OWN.light {
            let strong = self.light.towards(BLACK, 64);
            let tint = WHITE.towards(self.light, 22);
            let root = root(self.light, strong, tint);
            css += &for_scheme("not ", &root);
        }
        if self.dark != Self::OWN.dark {
            let strong = self.dark.towards(WHITE, 64);
            let tint = DARK[1].towards(self.dark, 26);
            let root = root(self.dark, strong, tint);
            css += &for_scheme("", &root);
        }
        css
    }
}

/// Rules for the dark scheme, or for those that are not.
fn for_scheme(not: &str, rules: &str) -> String {
    format!("@media {not}(prefers-color-scheme: dark) {{ {rules} }}\n")
}

fn root(action: Colour, strong: Colour, tint: Colour) -> String {
    format!(":root {{ --action: {action}; --action-strong: {strong}; --success-tint: {tint}; }}")
}

fn colour(
    setting: &'static str,
    text: &str,
    grounds: &[Colour],
    end: Colour,
) -> Result<Colour, Refused> {
    let Some(colour) = Colour::parse(text) else {
        let why = format!("{text:?} must be a colour such as #0B5D57");
        return Err(Refused { setting, why });
    };
    if colour.stands_out(grounds) {
        return Ok(colour);
    }
    let mut nearer = (1..=u8::MAX).map(|steps| colour.towards(end, steps));
    let near = nearer.find(|near| near.stands_out(grounds));
    let least = grounds
        .iter()
        .map(|ground| colour.contrast(*ground))
        .fold(f64::INFINITY, f64::min);
    Err(Refused {
        setting,
        why: format!(
            "{colour} has a contrast of {least:.1}:1 and cannot be read well; at least {CONTRAST}:1 is \
             needed, and the nearest colour that has it is {}",
            near.unwrap_or(end)
        ),
    })
}

/// A picture, as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is SVG; otherwise it is PNG.
    pub svg: bool,
}

impl Logo {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`Refused`] when it cannot be read, is too large, is neither SVG nor PNG, or is an SVG that
    /// runs or fetches something.
    pub fn read(setting: &'static str, path: &Path) -> Result<Self, Refused> {
        let refuse = |why: String| Refused {
            setting,
            why: format!("{} {why}", path.display()),
        };
        let bytes =
            std::fs::read(path).map_err(|error| refuse(format!("cannot be read ({error})")))?;
        Self::of(bytes).map_err(|why| refuse(why.to_owned()))
    }

    fn of(bytes: Vec<u8>) -> Result<Self, &'static str> {
        if bytes.len() > LOGO {
            return Err("is larger than 64 KiB");
        }
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self { bytes, svg: false });
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| "is neither SVG nor PNG")?;
        harmless(text)?;
        Ok(Self { bytes, svg: true })
    }

    /// Its name below `/static/`.
    #[must_use]
    pub const fn extension(&self) -> &'static str {
        if self.svg { "svg" } else { "png" }
    }
}

/// Refuses an SVG that is more than a drawing. What is refused in doubt can be drawn otherwise.
fn harmless(text: &str) -> Result<(), &'static str> {
    let text = text.to_ascii_lowercase();
    if !text.contains("<svg") {
        return Err("is neither SVG nor PNG");
    }
    for (sign, why) in [
        (
            "<script",
            "has a script in it; export it as a plain drawing",
        ),
        (
            "javascript:",
            "has a script in it; export it as a plain drawing",
        ),
        (
            "<foreignobject",
            "has a web page in it; export it as a plain drawing",
        ),
        ("<!entity", "defines entities; export it as a plain drawing"),
        (
            "<?xml-stylesheet",
            "fetches a style sheet; export it as a plain drawing",
        ),
        (
            "@import",
            "fetches a style sheet; export it as a plain drawing",
        ),
    ] {
        if text.contains(sign) {
            return Err(why);
        }
    }
    if has_handler(&text) {
        return Err("has a script in it; export it as a plain drawing");
    }
    let inside = |target: &str| {
        let target = target.trim_start_matches([' ', '\t', '\r', '\n', '=', '"', '\'']);
        target.starts_with('#')
            || target.starts_with("data:image/png")
            || target.starts_with("data:image/jpeg")
    };
    // `href` also within `xlink:href`; `src` as an attribute.
    let mut targets = ["href", " src", "url("]
        .into_iter()
        .flat_map(|sign| text.split(sign).skip(1));
    if targets.all(inside) {
        Ok(())
    } else {
        Err("refers to something outside itself; embed it, or export it as a plain drawing")
    }
}

/// Whether an attribute such as `onload=` is in the text.
fn has_handler(text: &str) -> bool {
    let space = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '/');
    text.match_indices("on").any(|(at, _)| {
        let begins = text[..at].ends_with(space);
        let rest = text[at..].trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        begins && rest.trim_start().starts_with('=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 2] = ["#0B5D57", "#5FC9BC"];

    #[test]
    fn contrast_is_that_of_the_standard() {
        let round = |contrast: f64| (contrast * 100.0).round() / 100.0;
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 1e-9);
        // WCAG's own example of a grey that just passes.
        let grey = Colour::parse("#767676").unwrap();
        assert!((round(grey.contrast(WHITE)) - 4.54).abs() < 1e-9);
    }

    #[test]
    fn a_pale_colour_is_refused_with_the_nearest_that_passes() {
        let refused = Colours::check("#3FA9F5", OWN[1]).unwrap_err();
        assert_eq!(refused.setting, "institution.action_colour");
        let near = refused.why.rsplit(' ').next().unwrap();
        assert!(Colours::check(near, OWN[1]).is_ok(), "{}", refused.why);
        let refused = Colours::check(OWN[0], OWN[0]).unwrap_err();
        let near = refused.why.rsplit(' ').next().unwrap();
        assert!(Colours::check(OWN[0], near).is_ok(), "{}", refused.why);
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        for text in ["", "#fff", "0B5D57", "#0B5D5G", "teal", "#0B5D57;}"] {
            assert!(Colours::check(text, OWN[1]).is_err(), "{text}");
        }
    }

    #[test]
    fn the_pages_own_colours_pass() {
        let own = Colours::check(OWN[0], OWN[1]).unwrap();
        assert_eq!(own, Colours::OWN);
        assert!(own.css().is_empty());
        let other = Colours::check("#123456", "#ABCDEF").unwrap();
        assert_eq!(other.css().matches("--action:").count(), 2);
    }

    #[test]
    fn a_drawing_is_taken_and_more_than_a_drawing_refused() {
        let svg = |inner: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>");
        for good in [
            "<path d='M0 0'/>",
            "<use href=\"#a\"/>",
            "<rect fill=\"url(#a)\"/>",
            "<text>one = two</text>",
            "<image xlink:href='data:image/png;base64,AA'/>",
        ] {
            assert!(Logo::of(svg(good).into_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "<script>x</script>",
            "<SCRIPT/>",
            "<path onload=\"x\"/>",
            "<path\nonclick = 'x'/>",
            "<a href=\"javascript:x\"/>",
            "<a href=\"&#106;avascript:x\"/>",
            "<image href=\"https://evil.example/x.png\"/>",
            "<image xlink:href='//evil.example/x'/>",
            "<style>@import 'x'</style>",
            "<rect fill=\"url(https://evil.example/#a)\"/>",
            "<foreignObject/>",
            "<image href='data:image/svg+xml;base64,AA'/>",
        ] {
            assert!(Logo::of(svg(bad).into_bytes()).is_err(), "{bad}");
        }
        assert!(Logo::of(b"\x89PNG\r\n\x1a\nrest".to_vec()).is_ok());
        assert!(Logo::of(b"GIF89a".to_vec()).is_err());
        assert!(Logo::of(svg(&" ".repeat(LOGO)).into_bytes()).is_err());
    }
}

//! What the pages say, in every language.
//!
//! The texts are in `locales/<language>/<area>.ftl`, in the form of Project Fluent. The build makes
//! a method of [`Words`] of each: the message `sign-in-for = Sign in to { $app }` is
//! `say.sign_in_for(app)`. Its variables are parameters, in the order of the alphabet. A message that
//! one language lacks stops the build; one that nothing shows fails a test.
//!
//! A handler has the language from its caller, and hands it to the page with the frame:
//!
//! ```ignore
//! let caller = caller(&request);               // or from `own_form`
//! let say = caller.say();                      // for texts made in Rust
//! let problem = Problem::of(say.sign_in_refused());
//! let view = MyPage { chrome: &chrome(&app, &caller), problem };
//! ```
//!
//! and the template, with `chrome` at hand:
//!
//! ```html
//! <h1>{{ chrome.say.my_heading() }}</h1>
//! <p>{{ chrome.say.my_text(app_name|isolate)|rich }}</p>
//! ```
//!
//! `|isolate` marks what others wrote, and `|rich` makes a `<bdi>` of the mark; without them a text
//! is plain, and askama escapes it. Dates and counts: [`Words::date`], [`Words::ago`] and their
//! neighbours. To add a language, add a folder.

mod choose;
mod time;
mod value;

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

pub use choose::accepted;
pub use value::{ISOLATE, Value, isolate};

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// The texts of one language: a method a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Which language.
    pub lang: Lang,
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<Vec<Bundle>> =
    LazyLock::new(|| Lang::ALL.into_iter().map(bundle).collect());

impl Lang {
    /// Its texts.
    #[must_use]
    pub const fn words(self) -> Words {
        Words { lang: self }
    }

    /// The language of a tag: `de-CH` is German when nothing closer is there (RFC 4647 §3.4).
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let same = |one: &Self| one.tag().eq_ignore_ascii_case(tag);
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        let near = |one: &Self| one.tag().eq_ignore_ascii_case(primary);
        Self::ALL
            .into_iter()
            .find(same)
            .or_else(|| Self::ALL.into_iter().find(near))
    }

    /// The direction it is written in, for `dir`.
    #[must_use]
    pub fn dir(self) -> &'static str {
        match self.tag().split('-').next() {
            Some("ar" | "fa" | "he" | "ur") => "rtl",
            _ => "ltr",
        }
    }
}

impl Words {
    /// What a message says. The build knows every key, so none is ever missing.
    fn say(self, key: &str, arguments: &[(&str, FluentValue<'_>)]) -> String {
        let bundle = BUNDLES.get(self.lang as usize);
        let pattern = bundle.and_then(|bundle| bundle.get_message(key)?.value());
        let (Some(bundle), Some(pattern)) = (bundle, pattern) else {
            return key.to_owned();
        };
        let arguments: FluentArgs<'_> = arguments.iter().cloned().collect();
        let mut errors = Vec::new();
        let said = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        said.into_owned()
    }
}

/// A bundle of everything in one language. The build has parsed the same texts without an error.
fn bundle(lang: Lang) -> Bundle {
    let id: LanguageIdentifier = lang.tag().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![id]);
    // What others wrote is isolated where it is shown; a text in a title or a mail stays plain.
    bundle.set_use_isolating(false);
    for source in lang.sources() {
        let parsed = FluentResource::try_new((*source).to_owned());
        let resource = parsed.unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
    }
    let _ = bundle.add_builtins();
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_everything() {
        for lang in Lang::ALL {
            assert!(!lang.words().language_name().is_empty(), "{lang:?}");
        }
        assert_eq!(Lang::En.words().language_name(), "English");
        assert_eq!(Lang::De.words().language_name(), "Deutsch");
    }

    #[test]
    fn the_nearest_language_is_found() {
        for (tag, lang) in [
            ("de", Some(Lang::De)),
            ("DE-ch", Some(Lang::De)),
            ("en-GB", Some(Lang::En)),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(Lang::of(tag), lang, "{tag}");
        }
    }

    #[test]
    fn what_others_wrote_stands_in_the_text_as_it_is() {
        let said = Lang::De.words().sign_in_for("{ $app } <b>");
        assert_eq!(said, "um mit { $app } <b> fortzufahren");
    }
}

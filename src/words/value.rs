//! What may stand in a text for a variable.

use fluent_bundle::FluentValue;

/// Marks around what others wrote: FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (Unicode
/// Standard Annex #9), which say of plain text what `<bdi>` says of HTML.
pub const ISOLATE: (char, char) = ('\u{2068}', '\u{2069}');

/// A text or a number, by value or by reference.
pub trait Value {
    /// As Fluent takes it.
    fn value(&self) -> FluentValue<'_>;
}

impl Value for str {
    fn value(&self) -> FluentValue<'_> {
        FluentValue::from(self)
    }
}

impl Value for String {
    fn value(&self) -> FluentValue<'_> {
        FluentValue::from(self.as_str())
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn value(&self) -> FluentValue<'_> {
        (**self).value()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl Value for $number {
            fn value(&self) -> FluentValue<'_> {
                FluentValue::from(*self)
            }
        })*
    };
}
numbers!(u8 u16 u32 u64 usize i32 i64);

/// Marks a text as somebody else's, so that its writing direction stays its own.
#[must_use]
pub fn isolate(text: &str) -> String {
    let (open, close) = ISOLATE;
    let bare = text.replace([open, close], "");
    format!("{open}{bare}{close}")
}

//! What templates do to texts.

#![allow(
    clippy::inline_always,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "askama's macro writes functions of one shape"
)]

use std::fmt::Display;

use askama::filters::Safe;
use askama::{Result, Values};

use crate::words;

/// Marks what others wrote, so that it keeps its own writing direction.
#[askama::filter_fn]
pub fn isolate(text: impl Display, _: &dyn Values) -> Result<String> {
    Ok(words::isolate(&text.to_string()))
}

/// Takes the marks out, for a place without markup.
#[askama::filter_fn]
pub fn plain(text: impl Display, _: &dyn Values) -> Result<String> {
    let (open, close) = words::ISOLATE;
    Ok(text.to_string().replace([open, close], ""))
}

/// Escapes a text, and makes `<bdi>` of the marks in it.
#[askama::filter_fn]
pub fn rich(text: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    let (open, close) = words::ISOLATE;
    let escaped = askama::filters::escape(text.to_string(), askama::filters::Html)?.to_string();
    let marked = escaped.replace(open, "<bdi>").replace(close, "</bdi>");
    Ok(Safe(marked))
}

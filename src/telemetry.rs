//! Logs: one line an event, to standard error, as JSON or as text.
//!
//! Fields are dotted and the same everywhere:
//!
//! | field | what |
//! |---|---|
//! | `request.id` | the request's id; the answer's `x-request-id` and audit events carry the same |
//! | `http.method`, `http.route`, `http.status` | the request, by its route and never by its path or query, which hold codes and links |
//! | `client.id` | the client, as registered |
//! | `error.code`, `error.description`, `error.detail` | the OAuth error as it was answered, and what is known beyond that |
//! | `fault` | a failure of this server or of what it stands on |
//! | `job` | the background job that speaks |
//! | `panic.location`, `panic.message` | where the program broke, and its fixed message, when it has one |
//!
//! No secret, token, code, password, name or address of a person is logged. What shall be known
//! about people stands in the audit log, sealed.

use std::any::Any;
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Log;

/// Sets up logging and the logging of panics, once in a process.
///
/// # Errors
/// A sentence that names the setting and the remedy.
pub fn init(log: &Log) -> Result<(), String> {
    let filter = filter(&log.filter)?;
    let builder = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if log.json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init()
    } else {
        let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
        builder.with_ansi(ansi).finish().try_init()
    };
    started.map_err(|error| format!("logging was set up before: {error}"))?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|error| {
        format!("log.filter: {text:?} is no filter ({error}); use info, or info,countersign=debug")
    })
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let message = fixed_message(info.payload()).unwrap_or("not shown: it may hold data");
    tracing::error!(
        panic.location = location,
        panic.message = message,
        "the program broke"
    );
}

/// A message that is part of the program's text. One that was put together while running may hold
/// anything, so it is not shown.
fn fixed_message(payload: &(dyn Any + Send)) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panics_message_is_shown_only_when_it_is_part_of_the_program() {
        let fixed: Box<dyn Any + Send> = Box::new("broken");
        assert_eq!(fixed_message(&*fixed), Some("broken"));
        let made: Box<dyn Any + Send> = Box::new(String::from("broken: hunter2"));
        assert_eq!(fixed_message(&*made), None);
    }

    #[test]
    fn a_wrong_filter_is_refused_with_the_settings_name() {
        assert!(filter("info,countersign=debug").is_ok());
        let why = filter("countersign=loudly").err();
        assert!(why.is_some_and(|why| why.starts_with("log.filter: ")));
    }
}

//! The certificate that the listener presents.

use rules::time::Timestamp;

use super::finding::Finding;
use crate::config::Config;
use crate::server::tls::{Certificate, Tls, WARN_BEFORE};

/// How many days before its end it must be renewed at once.
const LAST_DAYS: i64 = 7;

/// Reads the certificate and its key.
///
/// # Errors
/// Why the server would not take them.
pub(super) fn look(config: &Config, now: Timestamp) -> Result<Option<Certificate>, String> {
    let tls = Tls::open(config, now)?;
    Ok(tls.map(|tls| tls.certificate()))
}

/// Judges them.
pub(super) fn judge(seen: Result<Option<Certificate>, String>, now: Timestamp) -> Vec<Finding> {
    const RENEW: &str =
        "renew it, put it in place, and send the server SIGHUP (`systemctl reload countersign`)";
    let certificate = match seen {
        Ok(Some(certificate)) => certificate,
        Ok(None) => return Vec::new(),
        Err(why) => return vec![Finding::new("tls.refused", why, RENEW)],
    };
    let mut found = Vec::new();
    let days = certificate.days_left(now);
    let soon = WARN_BEFORE.as_secs().cast_signed() / (24 * 3600);
    if days < soon {
        let id = if days < LAST_DAYS {
            "tls.ends_this_week"
        } else {
            "tls.ends_soon"
        };
        let what = format!(
            "the certificate of {} ends in {days} {}",
            certificate.subject,
            if days == 1 { "day" } else { "days" }
        );
        found.push(Finding::new(id, what, RENEW));
    }
    if certificate.of_another_name {
        found.push(Finding::new(
            "tls.other_name",
            format!("the certificate is for {}", certificate.subject),
            "use a certificate for the issuer's host, or let only the proxy reach the listener",
        ));
    }
    found
}

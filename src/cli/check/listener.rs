//! The certificates that the listeners present.

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
fn look(config: &Config, now: Timestamp) -> Result<Option<Certificate>, String> {
    let tls = Tls::open(config, now)?;
    Ok(tls.map(|tls| tls.certificate()))
}

/// The same of the listener that asks clients for certificates.
///
/// # Errors
/// As [`look`].
fn look_asking(config: &Config, now: Timestamp) -> Result<Option<Certificate>, String> {
    let tls = Tls::open_asking(config, now)?;
    Ok(tls.map(|tls| tls.certificate()))
}

/// How the findings about a listener are called.
pub(super) struct Ids {
    refused: &'static str,
    ends_this_week: &'static str,
    ends_soon: &'static str,
    other_name: &'static str,
}

/// Those of the listener itself.
pub(super) const OWN: Ids = Ids {
    refused: "tls.refused",
    ends_this_week: "tls.ends_this_week",
    ends_soon: "tls.ends_soon",
    other_name: "tls.other_name",
};

/// Those of the one that asks; a certificate of another name is refused there.
pub(super) const ASKING: Ids = Ids {
    refused: "mtls.refused",
    ends_this_week: "mtls.ends_this_week",
    ends_soon: "mtls.ends_soon",
    other_name: "mtls.refused",
};

/// Judges both; a certificate that both present is told of once.
pub(super) fn both(config: &Config, now: Timestamp) -> Vec<Finding> {
    let (own, asking) = (look(config, now), look_asking(config, now));
    let same =
        matches!((&own, &asking), (Ok(Some(own)), Ok(asking)) if asking.as_ref() == Some(own));
    let mut found = judge(own, &OWN, now);
    if !same {
        found.extend(judge(asking, &ASKING, now));
    }
    found
}

/// Judges one.
pub(super) fn judge(
    seen: Result<Option<Certificate>, String>,
    ids: &Ids,
    now: Timestamp,
) -> Vec<Finding> {
    const RENEW: &str =
        "renew it, put it in place, and send the server SIGHUP (`systemctl reload countersign`)";
    let certificate = match seen {
        Ok(Some(certificate)) => certificate,
        Ok(None) => return Vec::new(),
        Err(why) => return vec![Finding::new(ids.refused, why, RENEW)],
    };
    let mut found = Vec::new();
    let days = certificate.days_left(now);
    let soon = WARN_BEFORE.as_secs().cast_signed() / (24 * 3600);
    if days < soon {
        let id = if days < LAST_DAYS {
            ids.ends_this_week
        } else {
            ids.ends_soon
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
            ids.other_name,
            format!("the certificate is for {}", certificate.subject),
            "use a certificate for the issuer's host, or let only the proxy reach the listener",
        ));
    }
    found
}

//! Why PostgreSQL cannot be used, as a sentence for the operator: the driver's cause, and what to
//! do about it.

use sqlx::postgres::PgConnectOptions;

/// The oldest PostgreSQL that is served: its number, and how people write it.
const OLDEST: (u32, &str) = (140_000, "14");

/// Why a standby is of no use.
pub(super) const STANDBY: &str = "it is a standby, which takes no writes; let the address lead to the \
     primary";

/// Why a URL is none.
pub(super) fn of_url(error: &sqlx::Error) -> String {
    // The URL itself may hold a password, so it is not repeated.
    format!(
        "the URL cannot be read ({error}); write it as postgres://USER:PASSWORD@HOST/DATABASE, with \
         every special character of the password as %XX"
    )
}

/// Nobody answered in time.
pub(super) fn silent(options: &PgConnectOptions) -> String {
    format!(
        "PostgreSQL at {} does not answer; check host and port, and that no firewall is between",
        place(options)
    )
}

/// Why a connection was not made.
pub(super) fn why(options: &PgConnectOptions, error: &sqlx::Error) -> String {
    let place = place(options);
    let user = options.get_username();
    match error {
        sqlx::Error::Io(error) => format!(
            "PostgreSQL at {place} cannot be reached ({error}); check that it runs, listens there, \
             and that no firewall is between"
        ),
        sqlx::Error::Tls(error) => format!(
            "no TLS with PostgreSQL at {place} ({error}); turn ssl on there, give the authority's \
             certificate with sslrootcert=FILE in the URL, or correct the host name"
        ),
        sqlx::Error::Database(refused) => {
            let message = refused.message();
            let remedy = match refused.code().as_deref() {
                Some("28P01") => {
                    "the password is wrong; set the right one by COUNTERSIGN__DATABASE__URL or in \
                     database.url"
                }
                Some("28000") => {
                    "this account may not connect from here; allow it in pg_hba.conf, or correct \
                     the user name"
                }
                Some("3D000") => {
                    "make the database with `createdb`, or correct its name in the URL"
                }
                Some("53300") => {
                    "raise max_connections there, or stop something that holds connections"
                }
                Some("57P03") => "it is starting or stopping; try again in a moment",
                _ => "check user, password and database in the URL",
            };
            format!("PostgreSQL at {place} refused {user}: {message}; {remedy}")
        }
        error => format!("PostgreSQL at {place} cannot be used: {error}"),
    }
}

/// Why a server is too old, when it is.
pub(super) fn too_old(number: Option<u32>) -> Option<String> {
    let (oldest, name) = OLDEST;
    let number = number.filter(|number| *number < oldest)?;
    Some(format!(
        "PostgreSQL {}.{} is too old: {name} or newer is needed (older ones get no security fixes); \
         upgrade it with pg_upgrade, or use another server",
        number / 10_000,
        number % 10_000
    ))
}

fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => format!("{} (port {})", folder.display(), options.get_port()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_named() {
        assert_eq!(too_old(Some(140_000)), None);
        assert_eq!(too_old(Some(170_002)), None);
        assert_eq!(too_old(None), None);
        let why = too_old(Some(130_014)).unwrap_or_default();
        assert!(
            why.contains("13.14") && why.contains("14 or newer"),
            "{why}"
        );
    }
}

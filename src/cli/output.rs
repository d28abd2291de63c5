//! What is printed: short aligned text for people, or one JSON object.

mod keep;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use rules::jose::JwkSet;
use rules::protocol::{Format, Metadata, Resource};
use serde::Serialize;

use super::Failed;
use crate::http::admin::{
    AdminReply, ClientView, InviteView, KeyView, LogoutView, RegisterEntry, Shown, UserView,
};

/// Prints what a command gave.
pub(super) fn reply(reply: &AdminReply, json: bool) -> Result<(), Failed> {
    if json {
        return object(reply);
    }
    text(&match reply {
        AdminReply::Invite(invite) => invitation(invite),
        AdminReply::User(user) => one_user(user),
        AdminReply::Users(people) => users(people),
        AdminReply::Client(client) => one_client(client),
        AdminReply::Clients(all) => clients(all),
        AdminReply::Register(all) => register(all),
        AdminReply::ClientChanged { before, after } => {
            changed(&client_rows(before), &client_rows(after))
        }
        AdminReply::ClientRemoved {
            client,
            grants_ended,
        } => format!(
            "{} is removed. What {} agreed to has ended.\n",
            plain(&client.client_id),
            counted(*grants_ended, "person", "people")
        ),
        AdminReply::ResourceChanged { before, after } => {
            changed(&resource_rows(before), &resource_rows(after))
        }
        AdminReply::ResourceRemoved { uri } => format!("{} is removed.\n", plain(uri)),
        AdminReply::Registered {
            client,
            client_secret,
        } => registered(client, client_secret.as_ref()),
        AdminReply::Resource(one) => resources(std::slice::from_ref(one)),
        AdminReply::Resources(all) => resources(all),
        AdminReply::Keys(all) => keys(all),
        AdminReply::MailSent { to } => {
            format!("The mail server took a test mail to {}.\n", plain(to))
        }
        AdminReply::Facts(facts) => return object(facts),
        AdminReply::Backup(made) => keep::backup(made),
        AdminReply::Restored(done) => keep::restored(done),
        AdminReply::Audit(found) => keep::verified(found),
        AdminReply::Checkpoint(Some(note)) => note.clone(),
        AdminReply::Checkpoint(None) => "Nothing is sealed yet.\n".to_owned(),
        AdminReply::AuditKey(key) => format!("{key}\n"),
        AdminReply::Events(all) => keep::events(all),
        AdminReply::Leaves { leaves, .. } => leaves.join("\n") + "\n",
    })
}

/// Prints one JSON object on one line.
pub(super) fn object(value: &impl Serialize) -> Result<(), Failed> {
    let json = serde_json::to_string(value)
        .map_err(|error| Failed(format!("the answer cannot be written as JSON: {error}")))?;
    text(&format!("{json}\n"))
}

/// Prints text; a reader that has gone away is no failure.
pub(super) fn text(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failed(format!(
            "standard output cannot be written to: {error}"
        ))),
        _ => Ok(()),
    }
}

/// How an invitation is handed over.
pub(super) fn invitation(invite: &InviteView) -> String {
    let mut text = format!(
        "Invitation for {}\n\n  {}\n\nIt works once, until {}. Whoever opens it becomes this person: \
         hand it over\nby a way that nobody else reads.\n",
        plain(&invite.username),
        invite.link.0.expose(),
        invite.expires_at
    );
    note(&mut text, &invite.notes);
    text
}

/// Sentences after what was asked for.
fn note(text: &mut String, notes: &[String]) {
    for note in notes {
        text.push('\n');
        text.push_str(&plain(note));
        text.push('\n');
    }
}

fn one_user(user: &UserView) -> String {
    let mut rows = vec![
        ("Username", user.username.clone()),
        ("Id", user.user_id.to_string()),
        ("State", user.state.clone()),
        ("Created", user.created_at.clone()),
    ];
    let asked = user.close_asked_at.clone();
    rows.extend(asked.map(|at| ("Asks to close", format!("since {at}"))));
    rows.extend(user.closed_at.clone().map(|at| ("Closed", at)));
    if let Some(one) = &user.re_proof {
        let approved = match &one.approved_by {
            Some(by) => format!("approved by {by}, good until {}", one.expires_at),
            None => format!(
                "another operator can approve it from {} to {}",
                one.opens_at, one.expires_at
            ),
        };
        let begun = format!("begun by {} on {}; {approved}", one.begun_by, one.begun_at);
        rows.push(("Re-proofing", begun));
    }
    for (name, value) in &user.claims {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        rows.push((name, value));
    }
    let mut text = fields(&rows);
    note(&mut text, &user.notes);
    text
}

fn users(people: &[UserView]) -> String {
    let rows = people.iter().map(|user| {
        let name = user.claims.get("name").and_then(serde_json::Value::as_str);
        let asks = user.close_asked_at.is_some() && user.closed_at.is_none();
        let state = user.state.clone();
        vec![
            user.username.clone(),
            if asks {
                format!("{state}, asks to close")
            } else {
                state
            },
            name.unwrap_or("-").to_owned(),
            user.created_at.clone(),
            user.user_id.to_string(),
        ]
    });
    let empty = "There is nobody yet. Invite somebody with `countersign user add USERNAME`.\n";
    table(&["USERNAME", "STATE", "NAME", "CREATED", "ID"], rows, empty)
}

fn one_client(client: &ClientView) -> String {
    fields(&client_rows(client))
}

fn client_rows(client: &ClientView) -> Vec<(&'static str, String)> {
    let or_none = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    let state = match (&client.removed_at, &client.disabled_at) {
        (Some(at), _) => format!("removed on {at}"),
        (None, Some(at)) => format!("disabled since {at}"),
        (None, None) => "enabled".to_owned(),
    };
    let mut rows = vec![
        ("Client id", client.client_id.clone()),
        ("Name", client.client_name.clone()),
        ("State", state),
        ("Profile", client.profile.as_str().to_owned()),
        ("Authentication", authentication(client)),
        ("Grants", or_none(&client.grant_types.join(" "))),
        ("Scopes", or_none(&client.scope)),
        ("ID tokens", client.id_token_signed_response_alg.clone()),
    ];
    if let Some(unknown) = &client.unknown_scope {
        rows.push(("Ignored", format!("{unknown} (no resource has it)")));
    }
    rows.extend(
        client
            .redirect_uris
            .iter()
            .map(|uri| ("Redirect URI", uri.clone())),
    );
    rows.extend(metadata(&client.metadata));
    rows.extend(client.backchannel_logout.iter().flat_map(logout));
    let keys = client.jwks.iter().flat_map(JwkSet::keys);
    rows.extend(keys.map(|key| ("Key", key.thumbprint().to_owned())));
    rows
}

/// What differs, as `-` and `+` lines: before and after.
fn changed(before: &[(&str, String)], after: &[(&str, String)]) -> String {
    let gone = before.iter().filter(|row| !after.contains(row));
    let new = after.iter().filter(|row| !before.contains(row));
    let lines = gone.map(|row| ('-', row)).chain(new.map(|row| ('+', row)));
    let lines: Vec<_> = lines.collect();
    let longest = lines.iter().map(|(_, (name, _))| width(name)).max();
    let longest = longest.unwrap_or(0);
    let mut out = String::new();
    for (sign, (name, value)) in lines {
        let pad = " ".repeat(longest - width(name));
        let _ = writeln!(out, "{sign} {name}{pad}  {}", plain(value));
    }
    out
}

/// The register as CSV (RFC 4180), with a line of names first.
fn register(all: &[RegisterEntry]) -> String {
    let mut out = RegisterEntry::COLUMNS.join(",");
    out.push_str("\r\n");
    for entry in all {
        out.push_str(&entry.values().map(csv).join(","));
        out.push_str("\r\n");
    }
    out
}

/// A cell of CSV. What a spreadsheet would take for a formula begins with an apostrophe.
fn csv(value: &str) -> String {
    let value = plain(value);
    let guard = if value.starts_with(['=', '+', '-', '@']) && value != "-" {
        "'"
    } else {
        ""
    };
    if value.contains([',', '"']) {
        format!("\"{guard}{}\"", value.replace('"', "\"\""))
    } else {
        format!("{guard}{value}")
    }
}

/// What is registered beside; nothing that was left out.
/// How telling it of the end of sessions goes.
fn logout(logout: &LogoutView) -> Vec<(&'static str, String)> {
    let never = || "never".to_owned();
    let mut rows = vec![
        ("Logouts waiting", logout.pending.to_string()),
        (
            "Last taken",
            logout.last_told_at.clone().unwrap_or_else(never),
        ),
    ];
    if let Some(at) = &logout.last_failed_at {
        let why = logout.last_failure.as_deref().unwrap_or("-");
        rows.push(("Last failed", format!("{at}: {why}")));
    }
    rows
}

fn metadata(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let optional = [
        ("Legal entity", &metadata.legal_entity),
        ("Licence", &metadata.licence),
        ("Data kept in", &metadata.hosting_country),
        ("Home page", &metadata.client_uri),
        ("Privacy policy", &metadata.policy_uri),
        ("Terms of service", &metadata.tos_uri),
        ("Logo", &metadata.logo_uri),
        ("Sector", &metadata.sector_identifier_uri),
        ("Logout is told to", &metadata.backchannel_logout_uri),
    ];
    let several = [
        ("Contact", &metadata.contacts),
        ("Default acr", &metadata.default_acr_values),
        ("After sign-out", &metadata.post_logout_redirect_uris),
    ];
    let mut rows = vec![("Subjects", metadata.subject_type.as_str().to_owned())];
    rows.extend(
        optional
            .into_iter()
            .filter_map(|(label, value)| Some((label, value.clone()?))),
    );
    for (label, values) in several {
        rows.extend(values.iter().map(|value| (label, value.clone())));
    }
    let signed = metadata.userinfo_signed_response_alg;
    rows.extend(signed.map(|alg| ("Userinfo", format!("a JWT signed with {alg}"))));
    let max_age = metadata.default_max_age;
    rows.extend(max_age.map(|secs| ("Sign-in at most", format!("{secs} s old"))));
    rows
}

fn authentication(client: &ClientView) -> String {
    let method = client.token_endpoint_auth_method.as_str();
    match (method, client.live_secrets) {
        ("none", _) => "none (public)".to_owned(),
        (_, Some(1)) => "secret (one is good)".to_owned(),
        (_, Some(secrets)) => format!("secret ({secrets} are good)"),
        (method, None) => method.to_owned(),
    }
}

fn clients(all: &[ClientView]) -> String {
    let rows = all.iter().map(|client| {
        let state = if client.disabled_at.is_some() {
            "disabled"
        } else {
            "enabled"
        };
        vec![
            client.client_id.clone(),
            client.client_name.clone(),
            state.to_owned(),
            client.token_endpoint_auth_method.clone(),
            client.grant_types.join(" "),
        ]
    });
    let empty =
        "There is no client yet. `countersign client add --help` shows how to register one.\n";
    table(
        &["CLIENT ID", "NAME", "STATE", "AUTHENTICATION", "GRANTS"],
        rows,
        empty,
    )
}

fn registered(client: &ClientView, secret: Option<&Shown>) -> String {
    let mut out = one_client(client);
    if let Some(secret) = secret {
        let _ = write!(
            out,
            "\nClient secret, shown this once:\n\n  {}\n",
            secret.0.expose()
        );
        if client.live_secrets.is_some_and(|live| live > 1) {
            out.push_str("\nThe secret before it stays good until the next rotation.\n");
        }
    }
    out
}

fn resources(all: &[Resource]) -> String {
    if all.is_empty() {
        return "There is no resource yet. `countersign resource add --help` shows how to register one.\n"
            .to_owned();
    }
    let mut out = String::new();
    for (i, resource) in all.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str(&fields(&resource_rows(resource)));
    }
    out
}

fn resource_rows(resource: &Resource) -> Vec<(&'static str, String)> {
    let format = match resource.token_format {
        Format::Opaque => "opaque",
        Format::Jwt => "jwt",
    };
    let mut rows = vec![
        ("Resource", resource.uri.clone()),
        ("Name", resource.name.clone()),
        ("Client", resource.client_id.clone()),
        (
            "Tokens",
            format!("{format}, {} s", resource.access_token_lifetime),
        ),
    ];
    if resource.read_only {
        rows.push(("Nature", "read-only".to_owned()));
    }
    for (tag, name) in &resource.names {
        rows.push(("Name", format!("{name} ({tag})")));
    }
    for scope in &resource.scopes {
        let optional = if scope.optional { " (optional)" } else { "" };
        rows.push((
            "Scope",
            format!("{}: {}{optional}", scope.name, scope.title),
        ));
        for (tag, title) in &scope.titles {
            rows.push(("", format!("{tag}: {title}")));
        }
    }
    rows
}

fn keys(all: &[KeyView]) -> String {
    let rows = all.iter().map(|key| {
        vec![
            key.alg.clone(),
            key.state.clone(),
            key.created_at.clone(),
            key.changed_at.clone(),
            key.kid.clone(),
        ]
    });
    table(
        &["ALG", "STATE", "CREATED", "CHANGED", "KID"],
        rows,
        "There are no keys.\n",
    )
}

/// A number and what is counted: "1 person", "2 people".
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Names and values, the values aligned.
pub(super) fn fields(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in rows {
        let pad = " ".repeat(width - self::width(name));
        let _ = writeln!(out, "{name}{pad}  {}", plain(value));
    }
    out
}

/// A heading and rows, in columns; or a sentence when there are no rows.
fn table(heading: &[&str], rows: impl Iterator<Item = Vec<String>>, empty: &str) -> String {
    let mut lines = vec![
        heading
            .iter()
            .map(|&cell| cell.to_owned())
            .collect::<Vec<_>>(),
    ];
    lines.extend(rows.map(|row| row.iter().map(|cell| plain(cell)).collect()));
    if lines.len() == 1 {
        return empty.to_owned();
    }
    let mut widths = vec![0; heading.len()];
    for line in &lines {
        for (widest, cell) in widths.iter_mut().zip(line) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, widest) in line.iter().zip(&widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(widest - width(cell) + 2));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// Text in lines of at most 88 characters, each after `indent` spaces.
pub(super) fn paragraph(text: &str, indent: usize) -> String {
    const WIDTH: usize = 88;
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > WIDTH {
            let _ = writeln!(out, "{}{line}", " ".repeat(indent));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{}{line}", " ".repeat(indent));
    out
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Text that cannot steer the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_spaces() {
        let rows = [
            vec!["é".to_owned(), "b".to_owned()],
            vec!["long".to_owned(), String::new()],
        ];
        let out = table(&["A", "B"], rows.into_iter(), "");
        assert_eq!(out, "A     B\né     b\nlong\n");
    }

    #[test]
    fn cells_of_csv_are_quoted_and_no_formulas() {
        assert_eq!(csv("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("-"), "-");
        assert_eq!(csv("a\r\nb"), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn a_change_shows_what_was_and_what_is() {
        let before = [("Name", "A".to_owned()), ("Scopes", "x y".to_owned())];
        let after = [("Name", "A".to_owned()), ("Scopes", "x".to_owned())];
        assert_eq!(changed(&before, &after), "- Scopes  x y\n+ Scopes  x\n");
    }

    #[test]
    fn what_somebody_registered_cannot_steer_the_terminal() {
        let out = fields(&[("Name", "a\u{1b}[2Jb\nc".to_owned())]);
        assert_eq!(out, "Name  a\u{fffd}[2Jb\u{fffd}c\n");
    }
}

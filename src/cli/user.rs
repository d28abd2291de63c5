//! `countersign user …`.

use clap::{Args, Subcommand};
use rules::protocol::claims;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Failed;
use crate::flows::users::{LONGEST_PAGE, UserEdit};
use crate::http::admin::{AdminCommand, ReProofStep};

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Make an account, and print the single-use link that activates it
    ///
    /// The person opens the link, chooses a password, adds the account to an authenticator app and
    /// writes recovery codes down. Until then nobody can sign in to the account. The link is as
    /// good as the account until it was used: hand it over by a way that only this person reads.
    #[command(
        after_help = "  countersign user add ada --name 'Ada Lovelace' --email ada@example.com
  countersign user add ben@example.com --claim locale=de-CH --claim email_verified=true"
    )]
    Add(Add),
    /// Print a new link for an account that was not activated; earlier links end
    #[command(after_help = "  countersign user invite ada")]
    Invite(One),
    /// List people, oldest account first
    #[command(after_help = "  countersign user list
  countersign user list --blocked-by-policy
  countersign user list --limit 1000 --after 0190a6de-7b0c-7c3e-b6a7-3f6d5f0f7a11")]
    List(List),
    /// Show one person
    #[command(after_help = "  countersign user show ada
  countersign user show 0190a6de-7b0c-7c3e-b6a7-3f6d5f0f7a11     an id, as the audit log shows it")]
    Show(One),
    /// Change what apps are told of a person
    ///
    /// What is given replaces what was there, claim by claim; the rest stays. The name that the person
    /// signs in with cannot be changed.
    #[command(
        after_help = "  countersign user set ada --email ada@new.example --claim email_verified=true
  countersign user set ada --remove-claim phone_number --remove-claim phone_number_verified"
    )]
    Set(Set),
    /// Stop an account: sessions end, and everything issued for the person is void at once
    ///
    /// Invitations that are open end, and so does a re-proofing that stands. One that is begun afterwards
    /// lets the person in again with new factors, and nobody else.
    #[command(after_help = "  countersign user disable ada")]
    Disable(One),
    /// Let a disabled account be used again; what was issued before stays void
    ///
    /// What the person signs in with opens it again. When somebody else may have that, let her set it up
    /// anew with `user re-proof` instead. Somebody who never set the account up needs a new invitation.
    #[command(after_help = "  countersign user enable ada")]
    Enable(One),
    /// Let a person who lost what she signs in with set it up anew; two operators are needed
    ///
    /// One begins it when the person showed who she is, by the means that the institution demands for a
    /// new account. She is told, and has time to object. Then another operator approves it,
    /// and a single-use link is printed, to hand over. Until it was used, what she has goes on, and she or
    /// any operator can cancel it. When somebody else may have what she signs in with, disable the account
    /// first: then operators alone can cancel, and the last step opens it again. --by names who answers for the step; the audit log keeps it beside the
    /// account that ran the command.
    #[command(
        name = "re-proof",
        after_help = "  countersign user re-proof ada --by 'Olga Berg'
  countersign user re-proof ada --by 'Otto Lind' --approve
  countersign user re-proof ada --by 'Olga Berg' --cancel"
    )]
    ReProof(ReProof),
    /// Close a person's access for good: everything of it ends, and who she was is erased
    ///
    /// The key that opens who she was is destroyed. Events in the audit log stay, and so do the addresses
    /// and browsers in them, unless the settings say otherwise. Backups made before hold her
    /// until they are deleted.
    #[command(after_help = "  countersign user close ada --for-good")]
    Close(Close),
}

#[derive(Debug, Args)]
pub(super) struct ReProof {
    /// The name the person signs in with, or the account's id
    #[arg(value_name = "USERNAME")]
    user: String,
    /// The operator who answers for this step
    #[arg(long, value_name = "OPERATOR")]
    by: String,
    /// Approve what another operator began
    #[arg(long, conflicts_with = "cancel")]
    approve: bool,
    /// End what stands
    #[arg(long)]
    cancel: bool,
    /// With --approve: although the mail that tells the person still waits. The audit log keeps it
    #[arg(long, requires = "approve")]
    untold: bool,
}

#[derive(Debug, Args)]
pub(super) struct Close {
    /// The name the person signs in with, or the account's id
    #[arg(value_name = "USERNAME")]
    user: String,
    /// That it cannot be undone is meant
    #[arg(long, required = true)]
    for_good: bool,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The name the person signs in with, or the account's id
    #[arg(value_name = "USERNAME")]
    user: String,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What the person signs in with; an e-mail address will do. Capitals do not matter
    username: String,
    #[command(flatten)]
    told: Told,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The name the person signs in with, or the account's id
    #[arg(value_name = "USERNAME")]
    user: String,
    #[command(flatten)]
    told: Told,
    /// A claim to take away; may be given several times
    #[arg(long = "remove-claim", value_name = "NAME")]
    removed: Vec<String>,
}

/// What apps are told of a person.
#[derive(Debug, Default, Args)]
struct Told {
    /// Full name (of a new account made of --given-name and --family-name when it is not given)
    #[arg(long)]
    name: Option<String>,
    /// Given name
    #[arg(long)]
    given_name: Option<String>,
    /// Family name
    #[arg(long)]
    family_name: Option<String>,
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// Telephone number, as +41791234567
    #[arg(long)]
    phone: Option<String>,
    /// Another standard claim (OpenID Connect Core 5.1); the value is JSON, or a plain text
    #[arg(long = "claim", value_name = "NAME=JSON")]
    claims: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Begin after the account with this id
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_PAGE)))]
    limit: u32,
    /// Only active people who have no factor as strong as what apps, resources or scopes require
    #[arg(long)]
    blocked_by_policy: bool,
}

impl Act {
    /// What the server is asked to do.
    pub(super) fn command(self) -> Result<AdminCommand, Failed> {
        Ok(match self {
            Self::Add(add) => add.command()?,
            Self::Invite(One { user }) => AdminCommand::UserInvite { user },
            Self::List(List {
                after,
                limit,
                blocked_by_policy,
            }) => AdminCommand::UserList {
                after,
                limit,
                blocked_by_policy,
            },
            Self::Show(One { user }) => AdminCommand::UserShow { user },
            Self::Set(set) => AdminCommand::UserSet {
                user: set.user,
                edit: UserEdit {
                    claims: set.told.claims()?,
                    removed: set.removed,
                },
            },
            Self::Disable(One { user }) => AdminCommand::UserDisable { user },
            Self::Enable(One { user }) => AdminCommand::UserEnable { user },
            Self::ReProof(ReProof {
                user,
                by,
                approve,
                cancel,
                untold,
            }) => AdminCommand::UserReProof {
                user,
                by,
                step: match (approve, cancel) {
                    (true, _) if untold => ReProofStep::ApproveUntold,
                    (true, _) => ReProofStep::Approve,
                    (_, true) => ReProofStep::Cancel,
                    _ => ReProofStep::Begin,
                },
            },
            Self::Close(Close { user, .. }) => AdminCommand::UserClose { user },
        })
    }
}

impl Add {
    /// Somebody of whom only a name is known.
    pub(super) fn named(username: String, name: Option<String>) -> Self {
        let told = Told {
            name,
            ..Told::default()
        };
        Self { username, told }
    }

    pub(super) fn command(self) -> Result<AdminCommand, Failed> {
        let mut told = self.told;
        let parts = [&told.given_name, &told.family_name];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        if told.name.is_none() && !parts.is_empty() {
            told.name = Some(parts.join(" "));
        }
        Ok(AdminCommand::UserAdd {
            username: self.username,
            claims: told.claims()?,
        })
    }
}

impl Told {
    fn claims(self) -> Result<Map<String, Value>, Failed> {
        let mut claims = Map::new();
        for (claim, value) in [
            ("name", self.name),
            ("given_name", self.given_name),
            ("family_name", self.family_name),
            ("email", self.email),
            ("phone_number", self.phone),
        ] {
            if let Some(value) = value {
                claims.insert(claim.to_owned(), value.into());
            }
        }
        for text in &self.claims {
            let (name, value) = claim(text)?;
            claims.insert(name, value);
        }
        Ok(claims)
    }
}

/// Reads `name=JSON`. What is a text by the standard need not be quoted.
fn claim(text: &str) -> Result<(String, Value), Failed> {
    let Some((name, raw)) = text.split_once('=') else {
        return Err(Failed(format!(
            "--claim {text:?} must be NAME=JSON, such as locale=de-CH or email_verified=true"
        )));
    };
    let plain = Value::String(raw.to_owned());
    let value = match serde_json::from_str(raw) {
        Ok(value) if claims::check(name, &value).is_ok() => value,
        Ok(value) if claims::check(name, &plain).is_err() => value,
        _ => plain,
    };
    claims::check(name, &value).map_err(|why| Failed(format!("--claim: {why}")))?;
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_claim_is_read_as_the_type_it_must_have() {
        for (text, value) in [
            ("email_verified=true", Value::Bool(true)),
            ("phone_number=41791234567", "41791234567".into()),
            ("nickname=\"Ada\"", "Ada".into()),
            ("nickname=Ada", "Ada".into()),
            (
                "website=https://a.example/?x=1",
                "https://a.example/?x=1".into(),
            ),
        ] {
            assert_eq!(claim(text).unwrap().1, value, "{text}");
        }
    }

    #[test]
    fn a_wrong_claim_says_what_is_expected() {
        for (text, word) in [
            ("locale", "NAME=JSON"),
            ("email_verified=yes", "true or false"),
            ("shoe_size=43", "standard claim"),
        ] {
            let why = claim(text).unwrap_err().to_string();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn the_full_name_is_made_of_its_parts() {
        let mut add = Add::named("ada".to_owned(), None);
        add.told.given_name = Some("Ada".to_owned());
        add.told.family_name = Some("Lovelace".to_owned());
        let AdminCommand::UserAdd { claims, .. } = add.command().unwrap() else {
            panic!("not an account");
        };
        assert_eq!(claims["name"], "Ada Lovelace");
    }
}

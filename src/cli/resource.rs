//! `countersign resource …`.

use clap::{Args, Subcommand, ValueEnum};
use rules::protocol::{Format, Resource, ScopeInfo};

use super::Failed;
use crate::http::admin::AdminCommand;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Register an API and the scopes that it owns
    ///
    /// The URI names the API in tokens (aud) and in the resource parameter (RFC 8707). The title of
    /// a scope is what people read when an app asks for it. The client is the API's own: it may
    /// introspect the tokens that are for this API, and no others.
    #[command(
        after_help = "  countersign client add --id accounts-api --name 'Accounts API' --grant none
  countersign resource add https://api.bank.example/accounts --name Accounts --client accounts-api \\
      --scope 'accounts:read=See your accounts and balances' \\
      --optional-scope 'transactions.read=See your transactions of the last 90 days'"
    )]
    Add(Add),
    /// List resources and their scopes
    #[command(after_help = "  countersign resource list")]
    List,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The API's identifier: an absolute URI without a fragment
    uri: String,
    /// Its name, as people see it
    #[arg(long)]
    name: String,
    /// The client that introspects tokens for it
    #[arg(long, value_name = "CLIENT_ID")]
    client: String,
    /// A scope, and what it lets an app do; may be given several times
    #[arg(long = "scope", value_name = "NAME=TITLE")]
    scopes: Vec<String>,
    /// A scope that a person may leave out and still go on; may be given several times
    #[arg(long = "optional-scope", value_name = "NAME=TITLE")]
    optional_scopes: Vec<String>,
    /// How its access tokens look
    #[arg(long, default_value = "opaque")]
    format: TokenFormat,
    /// How long its access tokens live, 30 to 86400
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    lifetime: u32,
    /// Replace what is registered under this URI
    #[arg(long)]
    replace: bool,
}

/// How access tokens look.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TokenFormat {
    /// Sealed: the API asks the server about each token, and a revocation counts at once
    Opaque,
    /// A signed JWT (RFC 9068): the API can check it alone, until it expires
    Jwt,
}

impl Act {
    /// What the server is asked to do.
    pub(super) fn command(self) -> Result<AdminCommand, Failed> {
        let add = match self {
            Self::List => return Ok(AdminCommand::ResourceList),
            Self::Add(add) => add,
        };
        let required = add.scopes.iter().map(|text| scope(text, false));
        let optional = add.optional_scopes.iter().map(|text| scope(text, true));
        Ok(AdminCommand::ResourceAdd {
            resource: Resource {
                scopes: required.chain(optional).collect::<Result<_, _>>()?,
                uri: add.uri,
                name: add.name,
                client_id: add.client,
                token_format: match add.format {
                    TokenFormat::Opaque => Format::Opaque,
                    TokenFormat::Jwt => Format::Jwt,
                },
                access_token_lifetime: add.lifetime,
            },
            replace: add.replace,
        })
    }
}

fn scope(text: &str, optional: bool) -> Result<ScopeInfo, Failed> {
    match text.split_once('=') {
        Some((name, title)) => Ok(ScopeInfo {
            name: name.trim().to_owned(),
            title: title.trim().to_owned(),
            detail: None,
            optional,
        }),
        None => Err(Failed(format!(
            "the scope {text:?} must be NAME=TITLE, such as 'accounts:read=See your accounts'"
        ))),
    }
}

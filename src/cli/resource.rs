//! `countersign resource …`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use rules::identity::Acr;
use rules::protocol::{Format, Resource, ScopeInfo};

use super::Failed;
use crate::flows::resources::ResourceEdit;
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
    /// Change what is registered of an API
    ///
    /// What is given replaces what was registered; the rest stays. With scopes, name all of them:
    /// what is left out ends at once. Names and titles of other languages stay until each is replaced,
    /// or taken away by an empty one.
    #[command(
        after_help = "  countersign resource set https://api.bank.example/accounts --lifetime 120
  countersign resource set https://api.bank.example/accounts --client accounts-api-2
  countersign resource set https://api.bank.example/accounts --name-in de=Konten --read-only true \\
      --scope-title 'de:accounts:read=Ihre Konten sehen'"
    )]
    Set(Set),
    /// Remove an API: its tokens are good nowhere any more, and its scopes are free
    #[command(after_help = "  countersign resource remove https://api.bank.example/accounts --yes")]
    Remove(Remove),
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
    /// Its name on the pages of another language; may be given several times
    #[arg(long = "name-in", value_name = "LANGUAGE=NAME")]
    names: Vec<String>,
    /// What a scope lets an app do, for the pages of another language; may be given several times
    #[arg(long = "scope-title", value_name = "LANGUAGE:SCOPE=TITLE")]
    scope_titles: Vec<String>,
    /// Nothing that can be asked of it moves money or changes anything; people are told so
    #[arg(long)]
    read_only: bool,
    /// What people must prove behind its tokens: 2fa, or phr (a passkey or a security key)
    #[arg(long, value_name = "ACR")]
    require_acr: Option<Acr>,
    /// What people must prove behind one scope; may be given several times
    #[arg(long = "scope-acr", value_name = "SCOPE=ACR")]
    scope_acrs: Vec<String>,
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

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The API's identifier
    uri: String,
    /// Its name, as people see it
    #[arg(long)]
    name: Option<String>,
    /// The client that introspects tokens for it
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// A scope, and what it lets an app do; all of them, each with this flag
    #[arg(long = "scope", value_name = "NAME=TITLE")]
    scopes: Vec<String>,
    /// A scope that a person may leave out and still go on
    #[arg(long = "optional-scope", value_name = "NAME=TITLE")]
    optional_scopes: Vec<String>,
    /// Its name on the pages of another language; empty to take it away
    #[arg(long = "name-in", value_name = "LANGUAGE=NAME")]
    names: Vec<String>,
    /// What a scope lets an app do, for the pages of another language; empty to take it away
    #[arg(long = "scope-title", value_name = "LANGUAGE:SCOPE=TITLE")]
    scope_titles: Vec<String>,
    /// Whether nothing that can be asked of it moves money or changes anything
    #[arg(long, value_name = "true|false")]
    read_only: Option<bool>,
    /// What people must prove behind its tokens: 2fa, or phr (a passkey or a security key)
    #[arg(long, value_name = "ACR")]
    require_acr: Option<Acr>,
    /// What people must prove behind one of the scopes that are given; may be given several times
    #[arg(long = "scope-acr", value_name = "SCOPE=ACR")]
    scope_acrs: Vec<String>,
    /// How its access tokens look
    #[arg(long)]
    format: Option<TokenFormat>,
    /// How long its access tokens live, 30 to 86400
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The API's identifier
    uri: String,
    /// Do it
    #[arg(long)]
    yes: bool,
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
            Self::Set(set) => return set.command(),
            Self::Remove(Remove { uri, yes: true }) => {
                return Ok(AdminCommand::ResourceRemove { uri });
            }
            Self::Remove(Remove { uri, yes: false }) => {
                return Err(Failed(format!(
                    "with {uri} its scopes and tokens end; to go on, say `countersign resource \
                     remove {uri} --yes`"
                )));
            }
            Self::Add(add) => add,
        };
        let names = names(&add.names)?;
        let mut scopes = scopes(&add.scopes, &add.optional_scopes)?;
        for text in &add.scope_titles {
            translate(&mut scopes, text)?;
        }
        strengthen(&mut scopes, &add.scope_acrs)?;
        Ok(AdminCommand::ResourceAdd {
            resource: Resource {
                scopes,
                names,
                read_only: add.read_only,
                require_acr: add.require_acr,
                uri: add.uri,
                name: add.name,
                client_id: add.client,
                token_format: add.format.into(),
                access_token_lifetime: add.lifetime,
            },
            replace: add.replace,
        })
    }
}

impl Set {
    fn command(self) -> Result<AdminCommand, Failed> {
        let mut scopes = scopes(&self.scopes, &self.optional_scopes)?;
        strengthen(&mut scopes, &self.scope_acrs)?;
        let mut scope_titles = BTreeMap::<_, BTreeMap<_, _>>::new();
        for text in &self.scope_titles {
            let (tag, scope, title) = scope_title(text)?;
            scope_titles.entry(scope).or_default().insert(tag, title);
        }
        Ok(AdminCommand::ResourceSet {
            uri: self.uri,
            edit: ResourceEdit {
                name: self.name,
                names: names(&self.names)?,
                scope_titles,
                read_only: self.read_only,
                client_id: self.client,
                scopes: (!scopes.is_empty()).then_some(scopes),
                require_acr: self.require_acr,
                token_format: self.format.map(Into::into),
                access_token_lifetime: self.lifetime,
            },
        })
    }
}

impl From<TokenFormat> for Format {
    fn from(format: TokenFormat) -> Self {
        match format {
            TokenFormat::Opaque => Self::Opaque,
            TokenFormat::Jwt => Self::Jwt,
        }
    }
}

fn scopes(required: &[String], optional: &[String]) -> Result<Vec<ScopeInfo>, Failed> {
    let required = required.iter().map(|text| scope(text, false));
    let optional = optional.iter().map(|text| scope(text, true));
    required.chain(optional).collect()
}

fn scope(text: &str, optional: bool) -> Result<ScopeInfo, Failed> {
    match text.split_once('=') {
        Some((name, title)) => Ok(ScopeInfo {
            name: name.trim().to_owned(),
            title: title.trim().to_owned(),
            titles: BTreeMap::new(),
            detail: None,
            optional,
            require_acr: None,
        }),
        None => Err(Failed(format!(
            "the scope {text:?} must be NAME=TITLE, such as 'accounts:read=See your accounts'"
        ))),
    }
}

/// Names of other languages, by tag: `de=Konten`.
fn names(texts: &[String]) -> Result<BTreeMap<String, String>, Failed> {
    let example = "LANGUAGE=NAME, such as de=Konten";
    texts.iter().map(|text| pair(text, '=', example)).collect()
}

/// Language, scope and title: `de:accounts:read=Ihre Konten sehen`.
fn scope_title(text: &str) -> Result<(String, String, String), Failed> {
    let example = "LANGUAGE:SCOPE=TITLE, such as 'de:accounts:read=Ihre Konten sehen'";
    let (scope, title) = pair(text, '=', example)?;
    let (tag, name) = pair(&scope, ':', example)?;
    Ok((tag, name, title))
}

/// Adds a title of another language to its scope.
fn translate(scopes: &mut [ScopeInfo], text: &str) -> Result<(), Failed> {
    let (tag, name, title) = scope_title(text)?;
    let Some(scope) = scopes.iter_mut().find(|scope| scope.name == name) else {
        return Err(Failed(format!(
            "--scope-title names the scope {name}, which no --scope or --optional-scope has"
        )));
    };
    scope.titles.insert(tag, title);
    Ok(())
}

/// What people must prove behind a scope: `payments=phr`.
fn strengthen(scopes: &mut [ScopeInfo], texts: &[String]) -> Result<(), Failed> {
    for text in texts {
        let (name, acr) = pair(text, '=', "SCOPE=ACR, such as payments=phr")?;
        let Some(scope) = scopes.iter_mut().find(|scope| scope.name == name) else {
            return Err(Failed(format!(
                "--scope-acr names the scope {name}, which no --scope or --optional-scope has"
            )));
        };
        let acr = acr.parse::<Acr>();
        scope.require_acr = Some(acr.map_err(|why| Failed(format!("--scope-acr: {why}")))?);
    }
    Ok(())
}

/// The two sides of the first separator.
fn pair(text: &str, separator: char, example: &str) -> Result<(String, String), Failed> {
    match text.split_once(separator) {
        Some((left, right)) => Ok((left.trim().to_owned(), right.trim().to_owned())),
        None => Err(Failed(format!("{text:?} must be {example}"))),
    }
}

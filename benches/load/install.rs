//! Sets an installation up: settings, root key, clients, APIs, people who can sign in, what they
//! granted, and the tokens that are out.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::flows::clients::{self, NewAuth, NewClient};
use countersign::flows::issue::{self, Issuance};
use countersign::flows::{AdminFailure, Caller, Failure, resources};
use countersign::secret::Secret;
use countersign::store::authorizations::{self, Authorization, OnBehalf};
use countersign::store::grants::{self, Consent};
use countersign::store::users::{self, Profile};
use countersign::store::{Tx, factors};
use countersign::vault::RootKey;
use countersign::{fault::Fault, rng, totp};
use rules::identity::Password;
use rules::jose::Alg;
use rules::protocol::resource::ScopeInfo;
use rules::protocol::target::Target;
use rules::protocol::{self, Client, Format, GrantType, Metadata, Resource};
use rules::time::Timestamp;
use serde_json::Map;
use uuid::Uuid;

use crate::sign_in::{People, Person};
use crate::{Failed, Options, ceiling};

/// Everybody's password; nobody reads it but the benchmark.
pub const PASSWORD: &str = "nineteen quiet herons 7 wade";
/// Where the app's people go back to.
const REDIRECT_URI: &str = "https://app.example/cb";
/// The same as part of a query.
pub const REDIRECT_ENCODED: &str = "https%3A%2F%2Fapp.example%2Fcb";

/// How many people there are, each with a grant, an authorization and two families of refresh
/// tokens.
const PEOPLE: usize = 2000;
/// How many of them are stored together.
const CHUNK: usize = 50;

const ACCOUNTS: &str = "https://api.bank.example/accounts";
const CARDS: &str = "https://api.bank.example/cards";

/// One client and one address send all that the machine can serve: the limits count, and cut
/// nothing.
const LIMITS: &str = "[limits]\nsign_in_per_address = \"1000000/min\"\n\
                      sign_in_failures_per_address = \"1000000/min\"\n\
                      public_client_per_address = \"100000000/min\"\n\
                      token_per_client = \"100000000/min\"\n\
                      introspection_per_client = \"100000000/min\"\n\n";

/// Where an installation lies.
pub struct Place {
    /// Its folder.
    pub directory: PathBuf,
    /// Its settings.
    pub settings: PathBuf,
    /// Its command line's socket.
    pub socket: PathBuf,
    /// Where it listens, which is also its name.
    pub host: String,
}

/// What the load needs to know of an installation.
pub struct Installed {
    /// `127.0.0.1:<port>`.
    pub host: String,
    /// How the client authenticates that acts for itself.
    pub machine: String,
    /// How the accounts API authenticates.
    pub api: String,
    /// How the confidential app authenticates.
    pub app: String,
    /// Live access tokens.
    pub access_tokens: Arc<[String]>,
    /// Refresh tokens of the confidential app.
    pub kept: Vec<String>,
    /// Refresh tokens of the public app.
    pub rotating: Vec<String>,
    /// People.
    pub people: Arc<People>,
    /// The key of the ceiling's tokens.
    pub ceiling_key: [u8; 32],
    /// The ceiling's tokens.
    pub ceiling_tokens: Arc<[String]>,
}

impl Place {
    /// Chooses a free port and writes settings and root key.
    pub fn make(directory: &Path, database: &str, log: &str) -> Result<Self, Failed> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let host = format!("127.0.0.1:{port}");
        let settings = directory.join("countersign.toml");
        let root_key = directory.join("root.key");
        // A socket's path has at most 107 bytes, and the target folder may lie deep.
        let socket = PathBuf::from(format!("/tmp/countersign-bench-{port}.sock"));
        let text = format!(
            "issuer = \"http://{host}\"\n\n[server]\nlisten = \"{host}\"\nadmin_socket = '{}'\n\n\
             [database]\nurl = '{database}'\n\n[vault]\nroot_key_file = '{}'\n\n\
             {LIMITS}[log]\nfilter = '{log}'\n",
            socket.display(),
            root_key.display(),
        );
        fs::write(&settings, text)?;
        RootKey::generate()?.write_new(&root_key)?;
        Ok(Self {
            directory: directory.to_owned(),
            settings,
            socket,
            host,
        })
    }

    /// Fills the database, and leaves it closed.
    pub async fn fill(&self, options: &Options) -> Result<Installed, Failed> {
        let config = Config::load(&self.settings)?;
        let root = RootKey::read(&config.root_key_file)?;
        let app = App::open(config, &root, Clock::system()).await?;
        let installed = fill(&app, self.host.clone(), options.tokens).await;
        app.store.close().await;
        installed
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// A client and how it authenticates.
type Known = (Arc<Client>, String);

async fn fill(app: &Arc<App>, host: String, many: usize) -> Result<Installed, Failed> {
    use GrantType::{AuthorizationCode, ClientCredentials, RefreshToken};
    let code = [AuthorizationCode, RefreshToken];
    let person = "openid offline_access accounts:read";
    let (_, api) = client(app, "bench-api", NewAuth::Secret, &[], "").await?;
    for (uri, scope, format) in [
        (ACCOUNTS, "accounts:read", Format::Opaque),
        (CARDS, "cards:read", Format::Jwt),
    ] {
        let resource = resource(uri, scope, format);
        let put = resources::put(app, resource, &Caller::default()).await;
        put.map_err(refused)?;
    }
    let own = "accounts:read cards:read";
    let auth = NewAuth::Secret;
    let (_, machine) = client(app, "bench-machine", auth, &[ClientCredentials], own).await?;
    let (confidential, basic) = client(app, "bench-app", NewAuth::Secret, &code, person).await?;
    let (public, _) = client(app, "bench-public", NewAuth::None, &code, person).await?;

    let password = app.hasher.hash(Password::normalise(PASSWORD)).await?;
    let mut filled = Filled::default();
    for first in (0..PEOPLE).step_by(CHUNK) {
        let chunk = Chunk {
            names: (first..PEOPLE.min(first + CHUNK))
                .map(|n| format!("person{n}"))
                .collect(),
            password: password.clone(),
            clients: [Arc::clone(&confidential), Arc::clone(&public)],
            now: app.clock.now(),
        };
        let more = app
            .store
            .write(move |tx| Box::pin(async move { chunk.store(tx).await }))
            .await?;
        filled.add(more);
    }
    let access_tokens = access_tokens(app, &confidential, &filled.authorizations, many).await?;
    let ceiling_key = rng::bytes::<32>()?;
    Ok(Installed {
        host,
        machine,
        api,
        app: basic,
        access_tokens: access_tokens.into(),
        kept: filled.kept,
        rotating: filled.rotating,
        people: Arc::new(People::new(filled.people)),
        ceiling_key,
        ceiling_tokens: ceiling::tokens(&ceiling_key, many)?.into(),
    })
}

async fn client(
    app: &App,
    id: &str,
    auth: NewAuth,
    grants: &[GrantType],
    scopes: &str,
) -> Result<Known, Failed> {
    let new = NewClient {
        id: Some(id.to_owned()),
        name: id.to_owned(),
        auth,
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        grant_types: grants.to_vec(),
        scopes: scopes.split_ascii_whitespace().collect(),
        id_token_signed_response_alg: Some(Alg::Es256),
        profile: protocol::Profile::default(),
        metadata: Metadata::default(),
    };
    let registered = clients::register(app, new, &Caller::default()).await;
    let registered = registered.map_err(refused)?;
    let secret = registered.secret.unwrap_or_default();
    // Ids and secrets have no character that RFC 6749 §2.3.1 would have us encode.
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{id}:{}", secret.expose()))
    );
    Ok((Arc::new(registered.client), basic))
}

fn resource(uri: &str, scope: &str, token_format: Format) -> Resource {
    Resource {
        uri: uri.to_owned(),
        name: scope.to_owned(),
        client_id: "bench-api".to_owned(),
        scopes: vec![ScopeInfo {
            name: scope.to_owned(),
            title: scope.to_owned(),
            titles: BTreeMap::default(),
            detail: None,
            optional: false,
        }],
        token_format,
        // The tokens must outlive the benchmark.
        names: BTreeMap::default(),
        read_only: false,
        access_token_lifetime: 86_400,
    }
}

/// People who are stored in one transaction.
struct Chunk {
    names: Vec<String>,
    password: Secret,
    clients: [Arc<Client>; 2],
    now: Timestamp,
}

#[derive(Default)]
struct Filled {
    people: Vec<Person>,
    authorizations: Vec<Authorization>,
    kept: Vec<String>,
    rotating: Vec<String>,
}

impl Filled {
    fn add(&mut self, more: Self) {
        self.people.extend(more.people);
        self.authorizations.extend(more.authorizations);
        self.kept.extend(more.kept);
        self.rotating.extend(more.rotating);
    }
}

impl Chunk {
    async fn store(self, tx: &mut Tx) -> Result<Filled, Fault> {
        let mut filled = Filled::default();
        let now = self.now;
        for username in self.names {
            let id = rng::uuid(now)?;
            let profile = Profile {
                username,
                claims: Map::new(),
            };
            users::insert(tx, id, &profile, now).await?;
            users::activate(tx, id, &self.password, now).await?;
            let secret = rng::bytes::<{ totp::SECRET_BYTES }>()?;
            factors::bind_totp(tx, id, &secret, 0, now).await?;
            filled.people.push(Person::new(profile.username, secret));
            let [confidential, public] = &self.clients;
            let (authorization, token) = grant(tx, id, confidential, now).await?;
            filled.authorizations.push(authorization);
            filled.kept.push(token);
            filled.rotating.push(grant(tx, id, public, now).await?.1);
        }
        Ok(filled)
    }
}

/// What a person's consent leaves behind: grant, authorization, refresh token.
async fn grant(
    tx: &mut Tx,
    user: Uuid,
    client: &Client,
    now: Timestamp,
) -> Result<(Authorization, String), Fault> {
    let all = Target {
        scopes: client.scopes.clone(),
        resources: vec![ACCOUNTS.to_owned()],
    };
    let consent = Consent {
        user,
        client_id: &client.id,
        asked: &all,
        given: &all,
        claims: &std::collections::BTreeSet::new(),
        lapsed: rules::time::Timestamp::default(),
    };
    let grant = grants::give(tx, rng::uuid(now)?, &consent, now).await?;
    let authorization = Authorization {
        id: rng::uuid(now)?,
        client_id: client.id.clone(),
        person: Some(OnBehalf {
            user_id: user,
            grant_id: grant.id,
            session_id: rng::uuid(now)?,
            offline: true,
            acr: "urn:countersign:acr:2fa".to_owned(),
            amr: "pwd otp mfa".to_owned(),
            auth_time: now,
        }),
        // Without `openid`, so that a refresh makes an access token and nothing else.
        target: Target {
            scopes: all.scopes.filter(|scope| scope != "openid"),
            ..all
        },
        claims: rules::protocol::ClaimsRequest::default(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(24)),
        revoked: false,
    };
    authorizations::insert(tx, &authorization, now).await?;
    let token = issue::refresh_family(tx, client, &authorization, now).await?;
    let token =
        token.ok_or_else(|| Fault::Internal("the client gets no refresh token".to_owned()))?;
    Ok((authorization, token.expose().to_owned()))
}

/// Access tokens of many people, as the token endpoint makes them.
async fn access_tokens(
    app: &App,
    client: &Arc<Client>,
    authorizations: &[Authorization],
    many: usize,
) -> Result<Vec<String>, Failed> {
    let mut tokens = Vec::with_capacity(many);
    for authorization in authorizations.iter().cycle().take(many) {
        let issuance = Issuance {
            client: Arc::clone(client),
            at: app.clock.now(),
            authorization: authorization.clone(),
            target: authorization.target.clone(),
            refresh_token: None,
            id_token: false,
            nonce: None,
        };
        let minted = issue::mint(app, issuance)
            .await
            .map_err(|failure| match failure {
                Failure::Refused(error) => format!("{error:?}"),
                Failure::Limited(exceeded) => format!("{exceeded:?}"),
                Failure::Fault(fault) => fault.to_string(),
            })?;
        let token = minted["access_token"].as_str().unwrap_or_default();
        tokens.push(token.to_owned());
    }
    Ok(tokens)
}

fn refused(failure: AdminFailure) -> Failed {
    match failure {
        AdminFailure::Refused(why) => why.into(),
        AdminFailure::Fault(fault) => fault.to_string().into(),
    }
}

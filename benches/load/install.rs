//! Sets an installation up: settings, root key, clients, APIs, people who can sign in, what they
//! granted, and the tokens that are out.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::app::App;
use countersign::clock::Clock;
use countersign::config::Config;
use countersign::flows::clients::{self, NewAuth, NewClient};
use countersign::flows::issue::{self, Issuance, SignedInBy};
use countersign::flows::{AdminFailure, Caller, Failure, resources};
use countersign::secret::Secret;
use countersign::store::authorizations::{self, Authorization, OnBehalf};
use countersign::store::grants::{self, Consent};
use countersign::store::users::{self, Profile};
use countersign::store::{Tx, factors};
use countersign::vault::RootKey;
use countersign::{fault::Fault, rng, totp};
use rules::identity::{Method, Password, Policy, Proof};
use rules::jose::{Alg, JwkSet, SigningKey};
use rules::protocol::resource::ScopeInfo;
use rules::protocol::target::Target;
use rules::protocol::{
    self, Client, Confirmation, Format, GrantType, Metadata, Resource, Thumbprint,
};
use rules::time::Timestamp;
use serde_json::Map;
use uuid::Uuid;

use crate::sign_in::{People, Person};
use crate::signed::{self, Partner};
use crate::tls::Files;
use crate::{Failed, Options, ceiling, tls};

/// Everybody's password; nobody reads it but the benchmark.
pub const PASSWORD: &str = "nineteen quiet herons 7 wade";
/// Where the app's people go back to.
pub const REDIRECT_URI: &str = "https://app.example/cb";
/// The same as part of a query.
pub const REDIRECT_ENCODED: &str = "https%3A%2F%2Fapp.example%2Fcb";

/// How many people are signed in in a browser. Everybody has two grants, each with an authorization
/// and a family of refresh tokens.
const SIGNED_IN: usize = 2000;
/// How many of them are stored together.
const CHUNK: usize = 50;

/// How many of the tokens are JWTs, at the most.
const JWTS: usize = 20_000;

const ACCOUNTS: &str = "https://api.bank.example/accounts";
const CARDS: &str = "https://api.bank.example/cards";

/// One client and one address send all that the machine can serve: the limits count, and cut
/// nothing.
const LIMITS: [&str; 13] = [
    "pages_per_address",
    "documents_per_address",
    "authorize_per_address",
    "sign_in_per_address",
    "sign_in_failures_per_address",
    "invitations_per_address",
    "failures_per_address",
    "client_failures_per_address",
    "public_client_per_address",
    "push_per_client",
    "token_per_client",
    "introspection_per_client",
    "userinfo_per_token",
];

fn limits() -> String {
    let each = LIMITS.map(|limit| format!("{limit} = \"100000000/min\"\n"));
    format!("[limits]\n{}\n", each.concat())
}

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
    /// How the clients authenticate that act for themselves.
    pub machines: Vec<String>,
    /// How the accounts API authenticates.
    pub api: String,
    /// How the confidential apps authenticate; people granted something to the first.
    pub apps: Vec<String>,
    /// Live access tokens.
    pub access_tokens: Vec<String>,
    /// Live access tokens that are JWTs.
    pub jwts: Vec<String>,
    /// What is no token.
    pub garbage: Vec<String>,
    /// Session cookies.
    pub sessions: Vec<String>,
    /// The point of the key that verifies the JWTs, uncompressed.
    pub point: Vec<u8>,
    /// Refresh tokens of the confidential app.
    pub kept: Vec<String>,
    /// Refresh tokens of the public app.
    pub rotating: Vec<String>,
    /// People.
    pub people: Arc<People>,
    /// A client with keys.
    pub partner: Arc<Partner>,
    /// The key of the ceiling's tokens.
    pub ceiling_key: [u8; 32],
    /// The ceiling's tokens.
    pub ceiling_tokens: Vec<String>,
}

impl Place {
    /// Chooses a free port and writes settings and root key.
    pub fn make(
        directory: &Path,
        database: &str,
        log: &str,
        files: Option<&Files>,
    ) -> Result<Self, Failed> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let host = format!("127.0.0.1:{port}");
        let settings = directory.join("countersign.toml");
        let root_key = directory.join("root.key");
        // A socket's path has at most 107 bytes, and the target folder may lie deep.
        let socket = PathBuf::from(format!("/tmp/countersign-bench-{port}.sock"));
        let text = format!(
            "issuer = \"{scheme}://{host}\"\n\n[server]\nlisten = \"{host}\"\nadmin_socket = '{}'\n\n\
             [database]\nurl = '{database}'\n\n[vault]\nroot_key_file = '{}'\n\n\
             {tls}{limits}[hook]\npeers = [\"127.0.0.1\"]\n\n[log]\nfilter = '{log}'\n",
            socket.display(),
            root_key.display(),
            scheme = tls::scheme(),
            tls = files.map(Files::settings).unwrap_or_default(),
            limits = limits(),
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
        let installed = fill(&app, self.host.clone(), options).await;
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

async fn fill(app: &Arc<App>, host: String, options: &Options) -> Result<Installed, Failed> {
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
    let half = options.clients.max(4) / 2 - 1;
    let (mut machines, mut apps) = (Vec::new(), Vec::new());
    for n in 0..half {
        let own = "accounts:read cards:read";
        let id = format!("bench-machine-{n}");
        machines.push(client(app, &id, NewAuth::Secret, &[ClientCredentials], own).await?);
        let id = match n {
            0 => "bench-app".to_owned(),
            n => format!("bench-app-{n}"),
        };
        apps.push(client(app, &id, NewAuth::Secret, &code, person).await?);
    }
    let (public, _) = client(app, "bench-public", NewAuth::None, &code, person).await?;

    let password = app.hasher.turn(Uuid::nil()).await?;
    let password = password.hash(Password::normalise(PASSWORD)).await?;
    let mut filled = Filled::default();
    for first in (0..options.people).step_by(CHUNK) {
        let chunk = Chunk {
            names: (first..options.people.min(first + CHUNK))
                .map(|n| format!("person{n}"))
                .collect(),
            password: password.clone(),
            clients: [Arc::clone(&apps[0].0), Arc::clone(&public)],
            signed_in: first < SIGNED_IN,
            now: app.clock.now(),
        };
        let more = app
            .store
            .write(move |tx| Box::pin(async move { chunk.store(tx).await }))
            .await?;
        filled.add(more);
    }
    let many = options.tokens;
    let cards = ("cards:read", CARDS);
    let own = machines.iter().map(|(client, _)| own(client, cards, app));
    let own = own.collect::<Result<Vec<_>, _>>()?;
    let opaque = access_tokens(app, &apps, &filled.authorizations, (many, None)).await?;
    let jwts = access_tokens(app, &machines, &own, (many.min(JWTS), None)).await?;
    let ceiling_key = rng::bytes::<32>()?;
    Ok(Installed {
        host,
        machines: machines.into_iter().map(|(_, basic)| basic).collect(),
        api,
        apps: apps.into_iter().map(|(_, basic)| basic).collect(),
        garbage: opaque.iter().take(1000).map(|one| spoilt(one)).collect(),
        access_tokens: opaque,
        jwts,
        sessions: filled.sessions,
        point: point(app)?,
        kept: filled.kept,
        rotating: filled.rotating,
        people: Arc::new(People::new(filled.people)),
        partner: Arc::new(partner(app, many.min(JWTS)).await?),
        ceiling_key,
        ceiling_tokens: ceiling::tokens(&ceiling_key, many)?,
    })
}

/// A client of the profile `fapi2`, and tokens of its own that are bound to its key.
async fn partner(app: &App, many: usize) -> Result<Partner, Failed> {
    let [key, holder] = [
        SigningKey::generate(Alg::Es256)?,
        SigningKey::generate(Alg::Es256)?,
    ];
    let auth = NewAuth::Jwks(JwkSet::from(key.public_jwk().clone()));
    let grants = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ];
    let scopes = "openid offline_access accounts:read";
    let known = client(app, signed::CLIENT, auth, &grants, scopes).await?;
    let own = own(&known.0, ("accounts:read", ACCOUNTS), app)?;
    let bound = Thumbprint::parse(holder.kid()).map(Confirmation::Jkt);
    Ok(Partner {
        tokens: access_tokens(app, &[known], &[own], (many, bound)).await?,
        key,
        holder,
    })
}

/// As long as a token, and none.
fn spoilt(token: &str) -> String {
    token.chars().rev().collect()
}

/// The public key of the JWTs, from the document that every API reads.
fn point(app: &App) -> Result<Vec<u8>, Failed> {
    let signer = app.keys.now().signer(Alg::Es256)?;
    let public = serde_json::to_value(signer.public_jwk())?;
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(public[name].as_str().unwrap_or_default());
    Ok([vec![4], coordinate("x")?, coordinate("y")?].concat())
}

/// What a client has of its own.
fn own(
    client: &Client,
    (scope, resource): (&str, &str),
    app: &App,
) -> Result<Authorization, Failed> {
    let now = app.clock.now();
    Ok(Authorization {
        id: rng::uuid(now)?,
        client_id: client.id.clone(),
        person: None,
        target: Target {
            scopes: [scope].into_iter().collect(),
            resources: vec![resource.to_owned()],
        },
        claims: rules::protocol::ClaimsRequest::default(),
        details: rules::protocol::Details::default(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(24)),
        revoked: false,
    })
}

async fn client(
    app: &App,
    id: &str,
    auth: NewAuth,
    grants: &[GrantType],
    scopes: &str,
) -> Result<Known, Failed> {
    let profile = match auth {
        NewAuth::Jwks(_) => protocol::Profile::Fapi2,
        _ => protocol::Profile::default(),
    };
    let new = NewClient {
        id: Some(id.to_owned()),
        name: id.to_owned(),
        auth,
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        grant_types: grants.to_vec(),
        scopes: scopes.split_ascii_whitespace().collect(),
        id_token_signed_response_alg: Some(Alg::Es256),
        profile,
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
            require_acr: None,
        }],
        token_format,
        // The tokens must outlive the benchmark.
        names: BTreeMap::default(),
        read_only: false,
        require_acr: None,
        access_token_lifetime: 86_400,
    }
}

/// People who are stored in one transaction.
struct Chunk {
    names: Vec<String>,
    password: Secret,
    clients: [Arc<Client>; 2],
    signed_in: bool,
    now: Timestamp,
}

#[derive(Default)]
struct Filled {
    people: Vec<Person>,
    authorizations: Vec<Authorization>,
    kept: Vec<String>,
    rotating: Vec<String>,
    sessions: Vec<String>,
}

impl Filled {
    fn add(&mut self, more: Self) {
        self.people.extend(more.people);
        self.authorizations.extend(more.authorizations);
        self.kept.extend(more.kept);
        self.rotating.extend(more.rotating);
        self.sessions.extend(more.sessions);
    }
}

impl Chunk {
    async fn store(self, tx: &mut Tx) -> Result<Filled, Fault> {
        let mut filled = Filled::default();
        let now = self.now;
        for username in self.names {
            let id = rng::uuid(now)?;
            let profile = Profile {
                former: Vec::new(),
                username,
                claims: Map::new(),
            };
            users::insert(tx, id, &profile, now).await?;
            users::activate(tx, id, &self.password, now).await?;
            let secret = rng::bytes::<{ totp::SECRET_BYTES }>()?;
            factors::bind_totp(tx, id, &secret, 0, now).await?;
            filled.people.push(Person::new(profile.username, secret));
            if self.signed_in {
                filled.sessions.push(session(tx, id, now).await?);
            }
            let [confidential, public] = &self.clients;
            let (authorization, token) = grant(tx, id, confidential, now).await?;
            filled.authorizations.push(authorization);
            filled.kept.push(token);
            filled.rotating.push(grant(tx, id, public, now).await?.1);
        }
        Ok(filled)
    }
}

/// Signs a person in, and gives her browser's cookie.
async fn session(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<String, Fault> {
    let missing = || Fault::Internal("a person who was just stored is not there".to_owned());
    let proofs = [Method::Password, Method::Totp].map(|method| Proof { method, at: now });
    let person = users::find(tx, user).await?.ok_or_else(missing)?;
    let admission = issue::admit(tx, user, &proofs, Policy::default())
        .await?
        .ok_or_else(missing)?;
    let by = SignedInBy {
        user,
        keys: &person.keys,
        proofs: &proofs,
        agent: "bench",
        address: None,
    };
    let (_, token) = issue::session(tx, &admission, by, now).await?;
    Ok(token.expose().to_owned())
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
        details: rules::protocol::Details::default(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(24)),
        revoked: false,
    };
    authorizations::insert(tx, &authorization, now).await?;
    let token = issue::refresh_family(tx, client, &authorization, None, now).await?;
    let token =
        token.ok_or_else(|| Fault::Internal("the client gets no refresh token".to_owned()))?;
    Ok((authorization, token.expose().to_owned()))
}

/// Access tokens of many people and apps, as the token endpoint makes them, bound or not.
async fn access_tokens(
    app: &App,
    clients: &[Known],
    authorizations: &[Authorization],
    (many, confirmation): (usize, Option<Confirmation>),
) -> Result<Vec<String>, Failed> {
    let mut tokens = Vec::with_capacity(many);
    let clients = clients.iter().cycle();
    for ((client, _), authorization) in clients.zip(authorizations.iter().cycle()).take(many) {
        let issuance = Issuance {
            client: Arc::clone(client),
            at: app.clock.now(),
            authorization: authorization.clone(),
            target: authorization.target.clone(),
            details: rules::protocol::Details::default(),
            refresh_token: None,
            id_token: false,
            nonce: None,
            confirmation,
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

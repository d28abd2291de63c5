//! `countersign demo`: the three parties of OAuth on one machine. The server itself, a partner app
//! and an API, each on its own port of loopback, with data of their own in one folder.

mod accounts;
mod api;
mod asking;
mod authenticator;
mod certificate;
mod client_certificate;
mod mailbox;
mod notebook;
mod output;
mod partner;
mod payment;
mod people;
mod phone;
mod possession;
mod received;
mod seed;
mod web;
mod window;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asking::AskingListener;
use axum::Router;
use axum::routing::get;
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Failed;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, File, Log};
use crate::secret::Secret;
use crate::server::tls::Tls;
use crate::server::{self, Listener};
use crate::telemetry;
use crate::vault::RootKey;
use api::Api;
use certificate::Files;
use mailbox::Mailbox;
use notebook::Notebook;
use partner::{AccountsApi, Http, Keys, Partner, RelyingParty, Trust};
use phone::Phone;
use possession::Possessions;
use rules::protocol::redirect;
use seed::{ACCOUNTS_API, POCKET_BUDGET, Seeded};
use window::{Answers, Window};

/// Whose pages the demo's server shows.
const BANK: &str = "Harbour Bank";
/// From whom its mail comes.
const BANK_MAIL: &str = "Harbour Bank <no-reply@harbour-bank.example>";
/// A number of the range that is kept for fiction (Ofcom).
const HELP_PHONE: &str = "+44 20 7946 0000";

/// `countersign demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
It starts three servers on this machine's loopback addresses, which no other
machine reaches: the authorization server, a partner app (\"Pocket Budget\") and
an accounts API. It prints what to open and whom to sign in as. Ctrl-C stops it.
People, what they share and the phone's accounts stay for the next start; the
phone's mailbox and the app's own sessions do not.

  countersign demo
  countersign demo --data /tmp/demo --port-base 19400
  countersign demo --tls
  countersign demo --tls --fapi --json --redirect-uri https://suite.example/cb
  countersign demo --tls --fapi --signed --json
  countersign demo --json

Everything in the data folder, passwords included, is made for this folder
alone. Delete the folder to begin anew.")]
pub struct Arguments {
    /// Where the demo keeps its data; made when it does not exist
    #[arg(long, value_name = "DIR", default_value = "./demo-data")]
    data: PathBuf,
    /// The first of the ports in a row: server, partner app, API, and with --fapi the server's
    /// listener for client certificates
    #[arg(
        long,
        value_name = "N",
        default_value_t = 9400,
        value_parser = clap::value_parser!(u16).range(1..=65_532)
    )]
    port_base: u16,
    /// Speak TLS, with a certificate of the demo's own
    #[arg(long)]
    tls: bool,
    /// With --tls: live by FAPI 2.0: apps have keys or certificates, and the API takes bound tokens alone
    #[arg(long, requires = "tls")]
    fapi: bool,
    /// With --fapi: apps must sign their authorization requests (FAPI 2.0 Message Signing), for this start
    #[arg(long, requires = "fapi")]
    signed: bool,
    /// A further address that people may be sent back to, for this start; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI", value_parser = redirect_uri)]
    redirect_uris: Vec<String>,
}

fn redirect_uri(text: &str) -> Result<String, String> {
    redirect::check_registrable(text).map(|()| text.to_owned())
}

/// Where the three parties are. Loopback, always.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// The first port.
    base: u16,
    /// The server: its issuer identifier.
    issuer: String,
    /// The partner app's origin.
    partner: String,
    /// The API's origin.
    api: String,
    /// The server speaks TLS.
    tls: bool,
    /// Everybody lives by FAPI 2.0; the API speaks TLS too.
    fapi: bool,
    /// Apps must sign their authorization requests.
    signed: bool,
    /// The port of the mailbox, which the system chooses.
    mail_port: u16,
    /// Where people may come back to besides the partner app.
    more_callbacks: Vec<String>,
}

impl Addresses {
    fn new(base: u16, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        Self {
            base,
            tls,
            issuer: format!("{scheme}://localhost:{base}"),
            partner: format!("http://127.0.0.1:{}", base + 1),
            api: format!("http://127.0.0.1:{}", base + 2),
            fapi: false,
            signed: false,
            mail_port: 0,
            more_callbacks: Vec::new(),
        }
    }

    fn of(arguments: &Arguments) -> Self {
        let mut addresses = Self::new(arguments.port_base, arguments.tls);
        addresses
            .more_callbacks
            .clone_from(&arguments.redirect_uris);
        if arguments.fapi {
            addresses.fapi = true;
            addresses.signed = arguments.signed;
            // The name that the demo's certificate is for.
            addresses.api = format!("https://localhost:{}", addresses.base + 2);
        }
        addresses
    }

    /// Where the server asks clients for certificates, with `--fapi`.
    fn mtls(&self) -> Option<String> {
        self.fapi
            .then(|| format!("https://localhost:{}", self.base + 3))
    }

    /// The API's resource identifier (RFC 8707).
    fn resource(&self) -> String {
        format!("{}/accounts", self.api)
    }

    /// Where people come back to after they signed out.
    fn signed_out(&self) -> String {
        format!("{}/signed-out", self.partner)
    }

    /// Where the partner app is told that a session ended.
    fn backchannel_logout(&self) -> String {
        format!("{}/backchannel-logout", self.partner)
    }

    /// Where people come back to from the server.
    fn callback(&self) -> String {
        format!("{}/callback", self.partner)
    }

    /// Every address that people may come back to.
    fn callbacks(&self) -> Vec<String> {
        let more = self.more_callbacks.iter().cloned();
        std::iter::once(self.callback()).chain(more).collect()
    }
}

/// Runs the demo until it is told to stop.
///
/// # Errors
/// [`Failed`]: a port is taken, the data folder cannot be used, or a server broke.
pub async fn run(arguments: Arguments, json: bool) -> Result<(), Failed> {
    let mut addresses = Addresses::of(&arguments);
    // What the visitor should read stands on standard output; the log is for what goes wrong.
    telemetry::init(&Log {
        json: false,
        filter: "warn".to_owned(),
    })?;
    let listeners = Listeners::take(&addresses).await?;
    let (mailbox, mail_port) = Mailbox::open().await?;
    addresses.mail_port = mail_port;
    let (stopping, stop) = watch::channel(false);
    let signals = stop_signal()?;
    tokio::spawn(async move {
        signals.await;
        stopping.send_replace(true);
    });
    let notebook = Arc::new(Notebook::open(
        &arguments.data,
        addresses.base,
        (addresses.tls, addresses.fapi),
    )?);
    let certificate = addresses.tls.then(|| Files::of(&arguments.data));
    if let Some(files) = &certificate {
        files.ensure(Clock::system().now())?;
    }
    let app = open(&arguments.data, &addresses, certificate.as_ref()).await?;
    let ended = match seed::seed(&app, &notebook, (&addresses, &arguments.data)).await {
        Ok(seeded) => {
            let told = output::Told::new(&arguments.data, &addresses, &notebook.read(), &seeded)?;
            let http =
                web::http_client(certificate.as_ref().map(|files| files.authority.as_path()))?;
            let sites = Sites::new((&app, &notebook), &addresses, (seeded, mailbox), http)?;
            output::print(&told, json)?;
            serve(&app, listeners, sites, &stop).await
        }
        Err(failed) => Err(failed),
    };
    app.store.close().await;
    ended
}

/// The ports, taken before anything is written.
struct Listeners {
    issuer: TcpListener,
    partner: TcpListener,
    api: TcpListener,
    mtls: Option<TcpListener>,
}

impl Listeners {
    async fn take(addresses: &Addresses) -> Result<Self, String> {
        let base = addresses.base;
        let taken = Self {
            issuer: web::listen(base, "the server").await?,
            partner: web::listen(base + 1, "Pocket Budget").await?,
            api: web::listen(base + 2, "the accounts API").await?,
            mtls: if addresses.fapi {
                Some(web::listen(base + 3, "the server's mTLS").await?)
            } else {
                None
            },
        };
        web::check_other_family(base, "the server").await?;
        if addresses.fapi {
            web::check_other_family(base + 2, "the accounts API").await?;
            web::check_other_family(base + 3, "the server's mTLS").await?;
        }
        Ok(taken)
    }
}

/// Opens the installation in the data folder; makes it when there is none.
async fn open(
    data: &Path,
    addresses: &Addresses,
    certificate: Option<&Files>,
) -> Result<Arc<App>, Failed> {
    let config = config(data, addresses, certificate)?;
    let root_key = root_key(&config.root_key_file, data)?;
    Ok(App::open(config, &root_key, Clock::system()).await?)
}

/// The settings of any installation, written out here because the demo has no file of them.
fn config(
    data: &Path,
    addresses: &Addresses,
    certificate: Option<&Files>,
) -> Result<Config, String> {
    let settings = json!({
        "issuer": addresses.issuer,
        "server": {
            "listen": format!("127.0.0.1:{}", addresses.base),
            "stop_timeout_seconds": 5,
        },
        "database": { "url": format!("sqlite:{}", data.join("countersign.db").display()) },
        "vault": { "root_key_file": data.join("root.key") },
        // The partner app is told of ended sessions on this machine's loopback.
        "outbound": { "allow": ["127.0.0.1"] },
        "institution": { "name": BANK, "help_phone": HELP_PHONE },
        // The phone's page has the one invitation by itself, and whether it was used.
        "mail": {
            "host": "127.0.0.1",
            "port": addresses.mail_port,
            "security": "none",
            "from": BANK_MAIL,
            "timeout_seconds": 5,
            "invitations": false,
        },
        "tls": certificate.map_or_else(|| json!({}), |files| json!({
            "certificate_file": files.certificate,
            "key_file": files.key,
        })),
        // Every certificate of the demo's clients vouches for itself, by a key that is registered.
        "mtls": addresses.mtls().map_or_else(|| json!({}), |_| json!({
            "listen": format!("127.0.0.1:{}", addresses.base + 3),
        })),
        "authorization_details": addresses.fapi.then(|| payment::payment_type(addresses)).as_slice(),
    });
    let file: File = serde_json::from_value(settings).map_err(|error| error.to_string())?;
    file.check().map_err(|refused| refused.to_string())
}

fn root_key(path: &Path, data: &Path) -> Result<RootKey, String> {
    if path.exists() {
        return RootKey::read(path);
    }
    if data.join("countersign.db").exists() {
        return Err(format!(
            "{} is gone, and nothing else opens the data beside it; delete the folder {} to begin anew",
            path.display(),
            data.display()
        ));
    }
    let made = RootKey::generate().map_err(|fault| fault.to_string())?;
    made.write_new(path)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    Ok(made)
}

/// The partner app (with the phone) and the API.
struct Sites {
    partner: Router,
    api: Router,
    /// The API's `host:port`, when it speaks TLS.
    api_authority: Option<String>,
}

impl Sites {
    fn new(
        (app, notebook): (&Arc<App>, &Arc<Notebook>),
        addresses: &Addresses,
        (seeded, mailbox): (Seeded, Arc<Mailbox>),
        http: reqwest::Client,
    ) -> Result<Self, Failed> {
        let secret = |id: &str| -> Secret {
            Secret::new(
                notebook
                    .read()
                    .client_secrets
                    .get(id)
                    .cloned()
                    .unwrap_or_default(),
            )
        };
        let keys = if addresses.fapi {
            let text = notebook.read().client_keys.remove(POCKET_BUDGET);
            let key = seed::signing_key(&text.unwrap_or_default())
                .map_err(|why| format!("the key of {POCKET_BUDGET}: {why}"))?;
            let about = (addresses.issuer.as_str(), POCKET_BUDGET);
            Some(Arc::new(Keys::new(key, about, app.clock.clone())?))
        } else {
            None
        };
        let answers = Arc::new(Answers::default());
        let window = Arc::new(Window::new(Arc::clone(app), Arc::clone(&answers)));
        let api = Api {
            resource: addresses.resource(),
            issuer: addresses.issuer.clone(),
            client_id: ACCOUNTS_API.to_owned(),
            client_secret: secret(ACCOUNTS_API),
            http: http.clone(),
            answers,
            possessions: Possessions::new(&addresses.api, addresses.fapi, app.clock.clone()),
        };
        let partner = Partner {
            relying_party: RelyingParty {
                issuer: addresses.issuer.clone(),
                client_id: POCKET_BUDGET.to_owned(),
                trust: match &keys {
                    Some(keys) => Trust::Keys(Arc::clone(keys)),
                    None => Trust::Secret(secret(POCKET_BUDGET)),
                },
                redirect_uri: addresses.callback(),
                signed_out_uri: addresses.signed_out(),
                http: Http(http.clone()),
            },
            api: AccountsApi {
                origin: addresses.api.clone(),
                http,
                keys,
            },
            bank: BANK.to_owned(),
            window: Arc::clone(&window),
            sessions: partner::Sessions::default(),
            clock: app.clock.clone(),
        };
        let phone = Phone {
            notebook: Arc::clone(notebook),
            window,
            invitations: seeded.invitation.into_iter().collect(),
            mailbox,
            issuer: addresses.issuer.clone(),
        };
        let partner = partner::router(Arc::new(partner))
            .merge(phone::router(Arc::new(phone)))
            .route("/demo.css", get(web::style));
        let authority = addresses.api.strip_prefix("https://");
        Ok(Self {
            partner,
            api: api::router(Arc::new(api)),
            api_authority: authority.map(str::to_owned),
        })
    }
}

/// Serves all three until told to stop, or until one of them breaks.
async fn serve(
    app: &Arc<App>,
    listeners: Listeners,
    sites: Sites,
    stop: &watch::Receiver<bool>,
) -> Result<(), Failed> {
    let broke = |error| Failed::from(format!("one of the demo's servers broke: {error}"));
    let stopped = until(stop.clone());
    let now = app.clock.now();
    let asking = Tls::open_asking(&app.config, now)?;
    let issuer = Listener {
        tls: Tls::open(&app.config, now)?,
        mtls: listeners.mtls.zip(asking.clone()),
        ..listeners.issuer.into()
    };
    let api = async {
        match (asking, sites.api_authority) {
            (Some(tls), Some(authority)) => {
                let listener = AskingListener::new(listeners.api, tls);
                web::serve_asking(sites.api, listener, authority, stop.clone()).await
            }
            _ => web::serve(sites.api, listeners.api, stop.clone()).await,
        }
    };
    let served = tokio::try_join!(
        server::run(Arc::clone(app), issuer, stopped),
        web::serve(sites.partner, listeners.partner, stop.clone()),
        api,
    );
    served.map(drop).map_err(broke)
}

async fn until(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Resolves at the first SIGTERM or Ctrl-C.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failed> {
    let failed = |error| Failed::from(format!("signals cannot be handled: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_of_this_machine() {
        let addresses = Addresses::new(19_400, false);
        let config = config(Path::new("/tmp/demo"), &addresses, None).unwrap();
        assert!(config.issuer.is_loopback() && config.server.listen.ip().is_loopback());
        assert_eq!(config.issuer.as_str(), "http://localhost:19400");
        assert_eq!(config.server.listen.port(), 19_400);
        assert_eq!(config.mail.unwrap().host, "127.0.0.1");
        for url in [&addresses.partner, &addresses.api] {
            assert!(url.starts_with("http://127.0.0.1:1940"), "{url}");
        }
    }
}

//! What the demo prints: at most fifteen lines for a person, or one JSON object for a program.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::protocol::Profile;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::certificate::Files;
use super::notebook::Notes;
use super::people::{ADA, name_of};
use super::seed::{NIGHTLY_REPORT, Seeded, private_jwks, registrations, signing_key};
use super::{Addresses, client_certificate};
use crate::flows::clients::NewAuth;

/// Takes the access token out of an answer.
const TOKEN_OUT: &str = "sed 's/.*\"access_token\": *\"\\([^\"]*\\)\".*/\\1/'";

/// What there is to tell.
pub struct Told {
    text: String,
    json: Value,
}

impl Told {
    /// Words it.
    ///
    /// # Errors
    /// When a key in the notes cannot be read.
    pub fn new(
        data: &Path,
        addresses: &Addresses,
        notes: &Notes,
        seeded: &Seeded,
    ) -> Result<Self, String> {
        let ca = addresses.tls.then(|| Files::of(data).authority);
        let curl = match (&ca, addresses.mtls()) {
            (Some(ca), Some(mtls)) => certified_lines(addresses, (data, ca), &mtls),
            _ => curl_lines(addresses, notes, ca.as_deref()),
        };
        let mut json = object(addresses, notes, (seeded, ca.as_deref()), &curl);
        json["clients"] = clients(addresses, notes, data)?.into();
        Ok(Self {
            text: text(data, addresses, notes, &curl),
            json,
        })
    }
}

/// Prints it on standard output, all at once.
///
/// # Errors
/// When nobody reads.
pub fn print(told: &Told, json: bool) -> Result<(), String> {
    let printed = if json {
        told.json.to_string() + "\n"
    } else {
        told.text.clone()
    };
    let mut out = io::stdout().lock();
    out.write_all(printed.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output cannot be written: {error}"))
}

fn text(data: &Path, at: &Addresses, notes: &Notes, curl: &[String; 3]) -> String {
    let password = notes.people.get(ADA).map(|ada| ada.password.as_str());
    let password = password
        .filter(|password| !password.is_empty())
        .unwrap_or("the password that you chose");
    let data = data.display();
    let mut text = String::new();
    let _ = write!(
        text,
        "\
Countersign demo: three servers, reachable from this machine alone. The data lies in {data}.

  Open      {partner}   Pocket Budget, a partner app; choose \"Connect your bank\"
  Sign in   {ADA} / {password}
  Her code  {partner}/phone   the live code, and the mailbox: an invitation, every mail of the bank
  Account   {issuer}/account   what is connected, and how to stop it

Without a browser: get a token, call the API, revoke the token.
{}
{}
{}

Ctrl-C stops it. Delete {data} to begin anew.{trust}
",
        curl[0],
        curl[1],
        curl[2],
        partner = at.partner,
        issuer = at.issuer,
        trust = if at.tls {
            " The certificate is the demo's own: browsers ask."
        } else {
            ""
        },
    );
    text
}

/// Three lines to paste into a shell, in this order. Nothing but curl and sed is needed.
fn curl_lines(at: &Addresses, notes: &Notes, ca: Option<&Path>) -> [String; 3] {
    let secret = notes
        .client_secrets
        .get(NIGHTLY_REPORT)
        .map_or("", String::as_str);
    let issuer = &at.issuer;
    let curl = ca.map_or_else(
        || "curl -sS".to_owned(),
        |ca| format!("curl -sS --cacert {}", quoted(&ca.display().to_string())),
    );
    [
        format!(
            "TOKEN=$({curl} -u {NIGHTLY_REPORT}:{secret} -d grant_type=client_credentials \
             {issuer}/token | {TOKEN_OUT})"
        ),
        format!(
            "curl -sS -H \"Authorization: Bearer $TOKEN\" {}",
            at.resource()
        ),
        format!(
            "{curl} -u {NIGHTLY_REPORT}:{secret} -d \"token=$TOKEN\" -w 'revoked: %{{http_code}}\\n' \
             {issuer}/revoke"
        ),
    ]
}

/// The same with a certificate, which the token is bound to.
fn certified_lines(at: &Addresses, (data, ca): (&Path, &Path), mtls: &str) -> [String; 3] {
    let files = client_certificate::Files::of(data, NIGHTLY_REPORT);
    let [ca, certificate, key] =
        [ca, &files.certificate, &files.key].map(|path| quoted(&path.display().to_string()));
    let curl = format!("curl -sS --cacert {ca} --cert {certificate} --key {key}");
    [
        format!(
            "TOKEN=$({curl} -d client_id={NIGHTLY_REPORT} -d grant_type=client_credentials \
             {mtls}/token | {TOKEN_OUT})"
        ),
        format!(
            "{curl} -H \"Authorization: Bearer $TOKEN\" {}",
            at.resource()
        ),
        format!(
            "{curl} -d client_id={NIGHTLY_REPORT} -d \"token=$TOKEN\" -w 'revoked: %{{http_code}}\\n' \
             {mtls}/revoke"
        ),
    ]
}

/// As a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn object(
    at: &Addresses,
    notes: &Notes,
    (seeded, ca): (&Seeded, Option<&Path>),
    curl: &[String; 3],
) -> Value {
    let people: Vec<Value> = notes
        .people
        .iter()
        .map(|(username, credentials)| {
            json!({
                "username": username,
                "name": name_of(username),
                // None when she changed it: then she alone knows it.
                "password": Some(&credentials.password).filter(|known| !known.is_empty()),
                "totp_secret": credentials.totp_secret,
            })
        })
        .collect();
    let invitation = seeded.invitation.as_ref().map(|mail| {
        json!({
            "username": mail.username,
            "name": mail.name,
            "link": mail.link.expose(),
            "expires_at": seeded.invitation_expires_at.map(rules::time::Timestamp::secs),
        })
    });
    json!({
        "issuer": at.issuer,
        "ca_file": ca,
        "urls": {
            "issuer": at.issuer,
            "discovery": format!("{}/.well-known/openid-configuration", at.issuer),
            "account": format!("{}/account", at.issuer),
            "partner": at.partner,
            "phone": format!("{}/phone", at.partner),
            "api": at.api,
            "mtls": at.mtls(),
        },
        "resource": at.resource(),
        "people": people,
        "invitation": invitation,
        "curl": curl,
    })
}

/// The clients as they are registered (RFC 7591 §2 names), with what each proves itself by.
fn clients(at: &Addresses, notes: &Notes, data: &Path) -> Result<Vec<Value>, String> {
    let each = registrations(at).into_iter().map(|new| {
        let id = new.id.unwrap_or_default();
        let mut told = json!({ "client_id": id });
        if !new.redirect_uris.is_empty() {
            told["redirect_uris"] = new.redirect_uris.into();
        }
        if !new.scopes.is_empty() {
            told["scope"] = new.scopes.to_string().into();
        }
        told["token_endpoint_auth_method"] = match &new.auth {
            NewAuth::None | NewAuth::Certificate(..) => "none",
            NewAuth::Secret => "client_secret_basic",
            NewAuth::Jwks(_) => "private_key_jwt",
            NewAuth::SelfSigned(_) => "self_signed_tls_client_auth",
        }
        .into();
        match &new.auth {
            NewAuth::None | NewAuth::Certificate(..) => {}
            NewAuth::Secret => {
                told["client_secret"] = notes.client_secrets.get(&id).cloned().into();
            }
            NewAuth::Jwks(_) => {
                let text = notes.client_keys.get(&id).map_or("", String::as_str);
                let wrong = |why| format!("the key of {id}: {why}");
                let key = signing_key(text).map_err(wrong)?;
                told["token_endpoint_auth_signing_alg"] = key.alg().to_string().into();
                told["kid"] = key.kid().into();
                told["private_key"] = pem(text)?.into();
                told["jwks"] = private_jwks(text).map_err(wrong)?;
            }
            NewAuth::SelfSigned(_) => {
                told["jwks"] = client_certificate::Files::of(data, &id).private_jwks()?;
            }
        }
        if new.profile == Profile::Fapi2 {
            let certified = new.metadata.tls_client_certificate_bound_access_tokens;
            if certified {
                let files = client_certificate::Files::of(data, &id);
                told["certificate_file"] = files.certificate.display().to_string().into();
                told["key_file"] = files.key.display().to_string().into();
            }
            told["require_signed_request_object"] =
                new.metadata.require_signed_request_object.into();
            told["authorization_details_types"] = new.metadata.authorization_details_types.into();
            told["profile"] = new.profile.as_str().into();
            told["id_token_signed_response_alg"] = "ES256".into();
            told["tls_client_certificate_bound_access_tokens"] = certified.into();
            told["dpop_bound_access_tokens"] = (!certified).into();
        }
        Ok(told)
    });
    each.collect()
}

/// A PKCS#8 document as PEM (RFC 7468 §10).
fn pem(base64: &str) -> Result<String, String> {
    let der = STANDARD
        .decode(base64)
        .map(Zeroizing::new)
        .map_err(|e| e.to_string())?;
    let text = Zeroizing::new(STANDARD.encode(der.as_slice()));
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use rules::jose::{Alg, SigningKey};

    use super::super::notebook::Credentials;
    use super::*;

    fn told() -> Told {
        let mut notes = Notes {
            port_base: 9400,
            ..Notes::default()
        };
        let credentials = Credentials {
            password: "copper-lantern-vivid-marsh-42".to_owned(),
            totp_secret: Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned()),
        };
        notes.people.insert(ADA.to_owned(), credentials);
        let key = SigningKey::generate(Alg::Es256).unwrap();
        let key = STANDARD.encode(key.to_pkcs8().unwrap().as_slice());
        notes.client_keys.insert("ledger-sync".to_owned(), key);
        notes
            .client_secrets
            .insert(NIGHTLY_REPORT.to_owned(), "cs_sk_x".to_owned());
        let seeded = Seeded {
            invitation: None,
            invitation_expires_at: None,
        };
        Told::new(
            Path::new("./demo-data"),
            &Addresses::new(9400, false),
            &notes,
            &seeded,
        )
        .unwrap()
    }

    #[test]
    fn a_person_reads_at_most_fifteen_lines() {
        let told = told();
        assert!(told.text.lines().count() <= 15, "{}", told.text);
        for needed in [
            "http://127.0.0.1:9401 ",
            "ada / copper-",
            "/phone",
            "TOKEN=$(curl",
            "/revoke",
        ] {
            assert!(told.text.contains(needed), "{needed}");
        }
    }

    #[test]
    fn a_program_reads_one_object() {
        let told = told();
        assert_eq!(told.json["people"][0]["username"], "ada");
        assert_eq!(told.json["curl"].as_array().unwrap().len(), 3);
        assert_eq!(told.json["invitation"], Value::Null);
        assert!(!told.json.to_string().contains('\n'));
    }
}

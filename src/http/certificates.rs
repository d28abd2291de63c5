//! What a client presented at the TLS connection: the listener that asks for certificates says so,
//! or a configured proxy does (RFC 9440), where certificates are asked for. Anywhere else, and from
//! anybody else, such a header is an error, because whoever sends it wants to be taken for somebody.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::HeaderName;
use rules::protocol::{OAuthError, client_cert_header};
use rustls_pki_types::CertificateDer;

use super::forwarded::is_for;
use super::one::one;
use crate::certificate::ClientCertificate;
use crate::config::Config;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The connection is one to the listener that asks for certificates; here is the one presented.
#[derive(Clone, Debug)]
pub struct Presented(pub Option<Arc<ClientCertificate>>);

/// The client's certificate; `peer` is the other end of the connection. With `hook` the request is a
/// proxy's question about another: its own connection and certificate tell nothing about the caller.
///
/// # Errors
/// `invalid_request` for a header that is not believed or cannot be read.
pub fn of(
    config: &Config,
    request: &Request,
    peer: Option<IpAddr>,
    hook: bool,
) -> Result<Option<Arc<ClientCertificate>>, OAuthError> {
    let headers = request.headers();
    // Where the proxies do not hand certificates on, the caller may have written these.
    if hook && !config.hook.client_certificates {
        return Ok(None);
    }
    if !headers.contains_key(CLIENT_CERT) && !headers.contains_key(CLIENT_CERT_CHAIN) {
        let presented = request.extensions().get::<Presented>().filter(|_| !hook);
        return Ok(presented.and_then(|presented| presented.0.clone()));
    }
    // At the issuer's own host the proxy asks nobody for a certificate: the caller wrote it.
    let mtls = config.mtls.as_ref();
    let asked_for = mtls.is_some_and(|mtls| mtls.from_proxy && is_for(request, &mtls.url));
    let believed = hook || asked_for && peer.is_some_and(|peer| config.proxy.is_peer(peer));
    if !believed {
        return Err(OAuthError::invalid_request(
            "the headers Client-Cert and Client-Cert-Chain are for this server's own proxy; leave \
             them out, and connect with the certificate, at the addresses in mtls_endpoint_aliases",
        ));
    }
    let wrong = |detail: String| {
        OAuthError::invalid_request("the proxy handed on a client certificate that cannot be read")
            .detail(detail)
    };
    let own = one(headers, &CLIENT_CERT).map_err(|why| wrong(format!("Client-Cert {why}")))?;
    let own = own.ok_or_else(|| wrong("Client-Cert-Chain comes without Client-Cert".to_owned()))?;
    let mut presented = vec![client_cert_header::certificate(own).map_err(wrong)?];
    let mut rest = Vec::new();
    for line in headers.get_all(CLIENT_CERT_CHAIN) {
        let line = line.to_str().map_err(|error| wrong(error.to_string()))?;
        rest.extend(client_cert_header::chain(line).map_err(wrong)?);
    }
    presented.extend(rest);
    let presented: Vec<_> = presented.into_iter().map(CertificateDer::from).collect();
    ClientCertificate::read(&presented)
        .map(|read| Some(Arc::new(read)))
        .ok_or_else(|| wrong("Client-Cert holds no certificate".to_owned()))
}

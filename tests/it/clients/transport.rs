//! How the libraries reach the server.

use std::pin::Pin;

use oauth2::{AsyncHttpClient, HttpClientError, HttpRequest, HttpResponse};

use crate::support::TestServer;

/// The libraries' HTTP client; it follows no redirects. What they ask over https goes to the server
/// over http, as through the TLS proxy that stands in front of a real one.
pub struct Transport(reqwest::Client);

impl Transport {
    /// To this server.
    pub fn to(server: &TestServer) -> Self {
        Self(server.http.clone())
    }
}

impl<'c> AsyncHttpClient<'c> for Transport {
    type Error = HttpClientError<reqwest::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Self::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let mut request = reqwest::Request::try_from(request).map_err(Box::new)?;
            request.url_mut().set_scheme("http").unwrap();
            let response = self.0.execute(request).await.map_err(Box::new)?;
            let mut reply = HttpResponse::new(Vec::new());
            *reply.status_mut() = response.status();
            *reply.headers_mut() = response.headers().clone();
            *reply.body_mut() = response.bytes().await.map_err(Box::new)?.to_vec();
            Ok(reply)
        })
    }
}

//! OAuth 2.0 and OpenID Connect: what requests mean, and what is decided about them.

pub mod access;
pub mod acr;
pub mod authorize;
pub mod backchannel;
pub mod claims;
pub mod claims_request;
pub mod client;
pub mod client_assertion;
pub mod client_cert_header;
pub mod client_metadata;
pub mod credentials;
pub mod distinguished_name;
pub mod end_session;
pub mod error;
pub mod metadata;
pub mod params;
pub mod pkce;
pub mod redeem;
pub mod redirect;
pub mod refresh;
pub mod resource;
pub mod scope;
pub mod sector;
pub mod target;
pub mod token_request;

pub use access::{AccessRecord, Format};
pub use authorize::{AuthorizeRequest, ResponseMode};
pub use claims_request::ClaimsRequest;
pub use client::{Client, ClientAuth, GrantType, Profile};
pub use client_metadata::{Metadata, SubjectType};
pub use error::{ErrorCode, OAuthError};
pub use params::Params;
pub use resource::{Resource, ScopeInfo};
pub use scope::Scopes;

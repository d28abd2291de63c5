//! Clients and resources, in memory: institutions have thousands, not millions. A change rides the
//! feed and replaces the whole picture, so a request sees one consistent state.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Config;
use crate::document::Document;
use rules::protocol::{Client, Profile, Resource, metadata};

/// What is registered.
#[derive(Default)]
pub struct Registry(RwLock<Arc<Registered>>);

/// One consistent picture of it.
#[derive(Default)]
pub struct Registered {
    clients: HashMap<String, Arc<Client>>,
    resources: Vec<Resource>,
    metadata: Document,
}

impl Registry {
    /// The picture now.
    #[must_use]
    pub fn now(&self) -> Arc<Registered> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client that may act.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        let registered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        registered.client(id)
    }

    /// Replaces the picture.
    pub fn replace(&self, config: &Config, clients: Vec<Client>, resources: Vec<Resource>) {
        let spoken = config.institution.languages.iter().map(|lang| lang.tag());
        let languages: Vec<&str> = spoken.collect();
        let issuer = config.issuer.as_str();
        let mtls = config.mtls.as_ref().map(|mtls| metadata::Mtls {
            url: mtls.url.as_str(),
            certified: mtls.authorities_file.is_some(),
        });
        let mut metadata = metadata::document(issuer, &languages, resources.iter(), mtls);
        let whose = &config.institution;
        for (name, uri) in [
            ("service_documentation", &whose.documentation_uri),
            ("op_policy_uri", &whose.policy_uri),
            ("op_tos_uri", &whose.terms_uri),
        ] {
            if let Some(uri) = uri {
                metadata[name] = uri.as_str().into();
            }
        }
        let details: Vec<&str> = config.details.names().collect();
        if !details.is_empty() {
            // RFC 9396 §10
            metadata["authorization_details_types_supported"] = details.into();
        }
        let metadata = Document::new(metadata.to_string());
        let clients = clients
            .into_iter()
            .map(|client| (client.id.clone(), Arc::new(client)))
            .collect();
        let registered = Registered {
            clients,
            resources,
            metadata,
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registered);
    }
}

impl Registered {
    /// A client that may act: registered, not disabled.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        let client = self.clients.get(id)?;
        client.disabled_at.is_none().then(|| Arc::clone(client))
    }

    /// Any client, disabled ones too.
    #[must_use]
    pub fn any_client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id).map(Arc::as_ref)
    }

    /// The clients that live by weaker rules than the others (profile `compat`), by id.
    #[must_use]
    pub fn weak_clients(&self) -> Vec<&str> {
        let weak = |client: &&Arc<Client>| {
            client.profile == Profile::Compat && client.disabled_at.is_none()
        };
        let mut ids: Vec<&str> = self
            .clients
            .values()
            .filter(weak)
            .map(|c| c.id.as_str())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// The clients that may act.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        let clients = self.clients.values().map(Arc::as_ref);
        clients.filter(|client| client.disabled_at.is_none())
    }

    /// Every client that was not removed, disabled ones too.
    pub fn every_client(&self) -> impl Iterator<Item = &Client> {
        let clients = self.clients.values().map(Arc::as_ref);
        clients.filter(|client| client.removed_at.is_none())
    }

    /// Every resource.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// A resource by its URI.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.uri == uri)
    }

    /// The discovery document, ready to be sent.
    #[must_use]
    pub const fn metadata(&self) -> &Document {
        &self.metadata
    }
}

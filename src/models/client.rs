//! One request at a time to the hub and wherever it points: proxies, certificates, and whom the token is told.

use super::address::{Address, is_loopback};
use super::hub::Hub;
use super::trouble::Trouble;
use crate::error::Kind;
use anyhow::Context;
use std::cell::OnceCell;
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

/// Asks the hub's servers.
pub struct Client<'a> {
    hub: &'a Hub,
    endpoint: Address,
    plain: Agent,
    /// Made when first needed, for it reads the system's certificates.
    secure: OnceCell<Agent>,
}

impl<'a> Client<'a> {
    pub fn new(hub: &'a Hub) -> anyhow::Result<Self> {
        let wrong = |why| Kind::Usage.error(format!("HF_ENDPOINT={}: {why}", hub.endpoint_shown()));
        let endpoint = Address::parse(&hub.endpoint).map_err(wrong)?;
        Ok(Self { hub, endpoint, plain: config(hub).build().into(), secure: OnceCell::new() })
    }

    /// The address of `file` of `repo` at `revision`.
    pub fn address(&self, repo: &str, revision: &str, file: &str) -> Result<Address, String> {
        let revision = revision.replace('/', "%2F");
        Address::parse(&format!("{}/{repo}/resolve/{revision}/{file}", self.hub.endpoint))
    }

    /// Whether the address is on the hub itself.
    pub fn is_hub(&self, address: &Address) -> bool {
        self.endpoint.is_same_origin(address)
    }

    /// Whether the token goes along with a request to `address`: to the hub alone, and over plain HTTP only if neither
    /// the hub nor a proxy on the way is another machine.
    pub fn tells_token(&self, address: &Address) -> bool {
        let readable = |proxy: &str| Proxy::new(proxy).is_ok_and(|proxy| !is_loopback(proxy.host()));
        let open = !address.is_secure && (!address.is_local() || self.hub.proxies.of(address).is_some_and(readable));
        self.hub.token.is_some() && self.is_hub(address) && !open
    }

    /// The answer to one GET of the bytes from `start` on, redirects and refusals included.
    pub fn get(&self, address: &Address, start: Option<u64>) -> Result<Response<Body>, Trouble> {
        let agent = if address.is_secure { self.secure()? } else { &self.plain };
        // The body as it is: its length is then the file's, and ranges of it are ranges of the file.
        let mut request = agent.get(address.url()).header("accept-encoding", "identity");
        if self.tells_token(address) {
            let token = self.hub.token.as_deref().unwrap_or_default();
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(start) = start {
            request = request.header("range", format!("bytes={start}-"));
        }
        let proxy = self.hub.proxies.of(address).map(|url| self.proxy(url)).transpose()?;
        let request = request.config().proxy(proxy).build();
        request.call().map_err(|error| Trouble::of_request(&error, address, self.hub))
    }

    fn proxy(&self, url: &str) -> anyhow::Result<Proxy> {
        // The variable may hold a password: it is not repeated.
        let wrong =
            || Kind::Usage.error("HTTPS_PROXY, HTTP_PROXY or ALL_PROXY: expected http://[USER:PASSWORD@]HOST:PORT");
        Proxy::new(url).with_context(wrong)
    }

    fn secure(&self) -> anyhow::Result<&Agent> {
        if self.secure.get().is_none() {
            let tls = TlsConfig::builder().root_certs(roots()?).build();
            // Nobody else can have set it meanwhile.
            self.secure.set(config(self.hub).tls_config(tls).build().into()).unwrap_or_default();
        }
        self.secure.get().context("no client for https")
    }
}

fn config(hub: &Hub) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    Config::builder()
        .http_status_as_error(false)
        // Redirects are followed by hand: what each answer on the way tells is needed, and the token stays behind.
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(hub.patience))
        .timeout_connect(Some(hub.patience))
        .timeout_per_read(Some(hub.patience))
        .timeout_per_write(Some(hub.patience))
        // An answer may be the last one of its connection without saying so.
        .max_idle_connections(0)
}

/// The authorities to trust: those of `SSL_CERT_FILE` and `SSL_CERT_DIR` if they are set, else the system's; Mozilla's
/// where the system has none.
fn roots() -> anyhow::Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs();
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let Some(value) = std::env::var_os(variable).filter(|v| !v.is_empty()) else { continue };
        let why = found.errors.first().map_or_else(|| "it holds no certificate".to_string(), ToString::to_string);
        if found.certs.is_empty() {
            return Err(Kind::Usage.error(format!("{variable}={}: {why}", value.display())).into());
        }
    }
    if found.certs.is_empty() {
        return Ok(RootCerts::WebPki);
    }
    Ok(RootCerts::from(found.certs.iter().map(|der| Certificate::from_der(der).to_owned())))
}

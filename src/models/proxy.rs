//! Which proxy a request goes through: the variables that curl and Python's clients honour.
//!
//! ureq's own `Proxy::try_from_env` takes `ALL_PROXY` before `HTTPS_PROXY`, whatever the request's scheme, and its
//! `NO_PROXY` knows neither a domain's hosts by the domain's name, nor ports, networks and blanks after commas.

use super::address::Address;
use std::net::Ipv4Addr;

/// The proxies that the environment names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// `http_proxy` or `HTTP_PROXY`; and the other two alike.
    pub http: Option<String>,
    pub https: Option<String>,
    pub all: Option<String>,
    /// `NO_PROXY`: hosts to reach directly, by commas.
    pub none: Option<String>,
}

impl Proxies {
    /// As the environment states them; small letters win, as with curl.
    pub fn from_variables(set: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| set(&name.to_ascii_lowercase()).or_else(|| set(name));
        Self {
            http: either("HTTP_PROXY"),
            https: either("HTTPS_PROXY"),
            all: either("ALL_PROXY"),
            none: either("NO_PROXY"),
        }
    }

    /// The proxy for a request to `address`, if it goes through one.
    pub fn of(&self, address: &Address) -> Option<&str> {
        let own = if address.is_secure { &self.https } else { &self.http };
        let chosen = own.as_deref().or(self.all.as_deref())?;
        let direct = |entry: &str| is_exempt(entry.trim(), &address.host, address.port);
        let exempt = self.none.as_deref().is_some_and(|list| list.split([',', ' ']).any(direct));
        (!exempt).then_some(chosen)
    }
}

/// Whether an entry of `NO_PROXY` means this host: `*`, a domain with or without a leading dot, an address, a network
/// (`10.0.0.0/8`), each but the last with a port if need be.
fn is_exempt(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.to_ascii_lowercase();
    if let Some((network, bits)) = entry.split_once('/') {
        return is_in_network(host, network, bits).unwrap_or(false);
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let (name, only) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse().ok()),
        _ => (entry.as_str(), None),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name == "*" {
        return true;
    }
    let domain = name.trim_start_matches('*').trim_start_matches('.');
    let within = host == domain || host.strip_suffix(domain).is_some_and(|start| start.ends_with('.'));
    !domain.is_empty() && within && only.is_none_or(|only: u16| only == port)
}

fn is_in_network(host: &str, network: &str, bits: &str) -> Option<bool> {
    let host: Ipv4Addr = host.parse().ok()?;
    let network: Ipv4Addr = network.parse().ok()?;
    let bits: u32 = bits.parse().ok().filter(|&bits| bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some(host.to_bits() & mask == network.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], address: &str) -> Option<String> {
        let set = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        Proxies::from_variables(set).of(&Address::parse(address).unwrap()).map(str::to_string)
    }

    #[test]
    fn the_schemes_own_proxy_comes_before_the_one_for_all() {
        let variables = [("ALL_PROXY", "all"), ("HTTPS_PROXY", "secure"), ("http_proxy", "plain")];
        assert_eq!(chosen(&variables, "https://x.org").as_deref(), Some("secure"));
        assert_eq!(chosen(&variables, "http://x.org").as_deref(), Some("plain"));
        assert_eq!(chosen(&variables[..1], "https://x.org").as_deref(), Some("all"));
        assert_eq!(chosen(&[("HTTP_PROXY", "plain")], "https://x.org"), None);
        assert_eq!(chosen(&[("HTTPS_PROXY", "A"), ("https_proxy", "a")], "https://x.org").as_deref(), Some("a"));
    }

    #[test]
    fn no_proxy_names_hosts_domains_networks_and_ports() {
        let direct = |list: &str, address: &str| chosen(&[("ALL_PROXY", "p"), ("NO_PROXY", list)], address).is_none();
        for list in ["*", "x.org", ".x.org", "*.x.org", "a.x.org", "b.org, a.x.org", "A.X.ORG", "x.org:443"] {
            assert!(direct(list, "https://a.x.org"), "{list}");
        }
        for list in ["", ",", "y.org", "ax.org", "x.org:80", ".org.x", "10.0.0.0/8"] {
            assert!(!direct(list, "https://a.x.org"), "{list}");
        }
        assert!(direct("10.0.0.0/8", "http://10.1.2.3") && !direct("10.0.0.0/8", "http://11.1.2.3"));
        assert!(direct("[::1]:8080", "http://[::1]:8080") && direct("::1", "http://[::1]"));
        assert!(direct("127.0.0.1", "http://127.0.0.1:4321"));
    }
}

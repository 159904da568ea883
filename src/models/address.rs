//! Addresses on the web, as far as following redirects and keeping a secret to its host needs them.

use std::net::IpAddr;

/// An absolute `http` or `https` address without a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub is_secure: bool,
    /// `user:password`, if the address holds them.
    user: Option<String>,
    /// In lower case; IPv6 in brackets.
    pub host: String,
    pub port: u16,
    /// Path and query, beginning with `/`.
    rest: String,
}

impl Address {
    /// The address that `text` spells, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or("it has no http:// or https://")?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => return Err(format!("it is of the kind {other}://, not http or https")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_string()), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place, if is_secure { 443 } else { 80 })?;
        let path = path.split('#').next().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { is_secure, user, host, port, rest: encoded(&format!("{slash}{path}")) })
    }

    /// The address that a redirect's `location` names, seen from this one (RFC 3986, 5.2).
    pub fn join(&self, location: &str) -> Result<Self, String> {
        let location = location.trim().split('#').next().unwrap_or_default();
        let scheme = location.split(['/', '?']).next().and_then(|start| start.split_once(':'));
        if scheme.is_some_and(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphabetic())) {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        let path = self.rest.split('?').next().unwrap_or("/");
        let folder = &path[..=path.rfind('/').unwrap_or(0)];
        let joined = match location.chars().next() {
            None => return Err("the redirect names no address".into()),
            Some('/') => location.to_string(),
            Some('?') => format!("{path}{location}"),
            _ => format!("{folder}{location}"),
        };
        Ok(Self { rest: encoded(&without_dots(&joined)), ..self.clone() })
    }

    /// As a request takes it, with the credentials that it holds.
    pub fn url(&self) -> String {
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        format!("{}://{user}{}:{}{}", self.scheme(), self.host, self.port, self.rest)
    }

    /// As a message shows it: without query (signatures) and user (passwords).
    pub fn shown(&self) -> String {
        let usual = if self.is_secure { 443 } else { 80 };
        let port = if self.port == usual { String::new() } else { format!(":{}", self.port) };
        let path = self.rest.split('?').next().unwrap_or_default();
        format!("{}://{}{port}{path}", self.scheme(), self.host)
    }

    /// Whether both are on the same server: scheme, host and port.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        (self.is_secure, &self.host, self.port) == (other.is_secure, &other.host, other.port)
    }

    /// Whether it is on this machine, by name or number.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.host)
    }

    fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

/// Whether the host is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn host_and_port(place: &str, usual: u16) -> Result<(String, u16), String> {
    let split = match place.rfind(']') {
        Some(end) => end + 1,
        None => place.find(':').unwrap_or(place.len()),
    };
    let (host, port) = place.split_at(split);
    let port = match port.trim_start_matches(':') {
        "" => usual,
        digits => digits.parse().map_err(|_| format!("`{digits}` is no port"))?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.[]:%".contains(c);
    if host.is_empty() || !host.chars().all(plain) {
        return Err("it names no host".into());
    }
    Ok((host.to_ascii_lowercase(), port))
}

/// Bytes that may not stand in a path or query as `%XX`.
fn encoded(rest: &str) -> String {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
    rest.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The path without `.` and `..`; a query stays as it is.
fn without_dots(joined: &str) -> String {
    let (path, query) = joined.split_at(joined.find('?').unwrap_or(joined.len()));
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => (),
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let folder = if path.ends_with("/.") || path.ends_with("/..") { "/" } else { "" };
    format!("/{}{folder}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read_as_the_standard_says() {
        let base = Address::parse("https://Hub.co/a/b/c?x=1").unwrap();
        // Normal and abnormal examples in the manner of RFC 3986, 5.4.
        for (location, expected) in [
            ("/api/x?%2Fa=&etag=%22s%22", "https://hub.co:443/api/x?%2Fa=&etag=%22s%22"),
            ("d", "https://hub.co:443/a/b/d"),
            ("./d", "https://hub.co:443/a/b/d"),
            ("../d", "https://hub.co:443/a/d"),
            ("../../../d", "https://hub.co:443/d"),
            ("..", "https://hub.co:443/a/"),
            ("?y", "https://hub.co:443/a/b/c?y"),
            ("//cdn.co/f", "https://cdn.co:443/f"),
            ("http://cdn.co:8080", "http://cdn.co:8080/"),
            ("http://cdn.co?q#part", "http://cdn.co:80/?q"),
            ("/a b\"ç", "https://hub.co:443/a%20b%22%C3%A7"),
            ("/x:y/z", "https://hub.co:443/x:y/z"),
        ] {
            assert_eq!(base.join(location).unwrap().url(), expected, "{location}");
        }
        for wrong in ["file:///etc/passwd", "ftp://x/y", "", "http://", "http://a b/", "http://x:99999/"] {
            assert!(base.join(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_in_an_address_are_not_shown() {
        let address = Address::parse("https://ana:secret@hub.co/f?X-Amz-Signature=abc").unwrap();
        assert_eq!(address.shown(), "https://hub.co/f");
        assert_eq!(address.url(), "https://ana:secret@hub.co:443/f?X-Amz-Signature=abc");
    }

    #[test]
    fn a_server_is_its_scheme_host_and_port() {
        let same = |a: &str, b: &str| Address::parse(a).unwrap().is_same_origin(&Address::parse(b).unwrap());
        assert!(same("https://hub.co/a", "https://HUB.co:443/b?c"));
        for other in ["http://hub.co", "https://hub.co:8443", "https://hub.co.evil.org", "https://x@evil.org/hub.co"] {
            assert!(!same("https://hub.co", other), "{other}");
        }
    }

    #[test]
    fn this_machine_goes_by_several_names() {
        let local = |text: &str| Address::parse(text).unwrap().is_local();
        assert!(local("http://localhost:1") && local("http://127.0.0.2") && local("http://[::1]:8080/x"));
        assert!(!local("http://127.0.0.1.evil.org") && !local("http://10.0.0.1") && !local("http://localhost.org"));
    }
}

//! What can go wrong with a download: which troubles pass by themselves, and how to tell the user of the others.

use super::address::Address;
use super::client::Client;
use super::hub::Hub;
use super::registry::Entry;
use crate::error::Kind;
use std::io::ErrorKind;
use std::time::Duration;
use ureq::Body;
use ureq::http::Response;

/// Longest wait that a server may ask for.
pub const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Why one attempt at a download failed.
#[derive(Debug)]
pub enum Trouble {
    /// A server said no.
    Refused(Box<Refusal>),
    /// No connection, or it broke.
    Broke { what: String, passes: Passes },
    /// Nothing came for this long.
    Silence,
    /// The body ended early.
    Cut { got: u64, size: u64 },
    /// The connection ended, which nobody can tell from the body's end, and what came is not the file.
    Ended(String),
    /// A range was answered so that it cannot be used: ask for all.
    NoRanges(String),
    /// 416, and the whole size if it was told.
    NoSuchRange(Option<u64>),
    /// There is a part already: ask for the rest.
    Resume,
    /// What an earlier attempt had left was no beginning of the file.
    Spoilt(String),
    /// The file is not the published one.
    Mismatch(String),
    /// No answer that HTTP or the hub knows, from this address.
    Nonsense(String),
    /// Anything on this side, told already.
    Local(anyhow::Error),
}

/// When a broken connection is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    Always,
    /// Only where one was had before: no network at all is told at once.
    UnderWay,
    Never,
}

/// A status that is no success.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub from: String,
    /// By the hub itself, not by a server that it points to.
    pub by_hub: bool,
    token_told: bool,
    /// `x-error-code` and `x-error-message`, on one line.
    said: String,
    /// `retry-after`, or when the rate limit ends.
    wait: Option<Duration>,
}

impl Refusal {
    pub fn of(response: Response<Body>, address: &Address, client: &Client) -> Self {
        let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::trim);
        let said = [text("x-error-code"), text("x-error-message")].into_iter().flatten().filter(|t| !t.is_empty());
        let said: Vec<String> = said.map(|t| t.chars().filter(|c| !c.is_control()).take(300).collect()).collect();
        let seconds = || text("retry-after").and_then(|v| v.parse().ok()).or_else(|| reset(text("ratelimit")?));
        Self {
            status: response.status().as_u16(),
            from: address.shown(),
            by_hub: client.is_hub(address),
            token_told: client.tells_token(address),
            said: said.join(": "),
            wait: seconds().map(Duration::from_secs),
        }
    }

    fn passes(&self) -> bool {
        // A signed address that ran out is another one at the next request.
        let signed = !self.by_hub && matches!(self.status, 400 | 401 | 403 | 410);
        signed || matches!(self.status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=530)
    }

    fn advice(&self, hub: &Hub) -> &'static str {
        match (self.status, hub.token.is_some()) {
            (401 | 403, true) if !self.token_told => {
                "HF_TOKEN was not sent: it goes over plain http to no other machine; use an https:// HF_ENDPOINT"
            }
            (401 | 403, true) => {
                "the access token (HF_TOKEN) is refused: is it valid, and its licence accepted on the hub?"
            }
            (401 | 403, false) => {
                "it needs an access token, or does not exist: set HF_TOKEN, having accepted its licence on the hub"
            }
            (404 | 410, _) => "there is no such file: check the registry's repo, revision and file",
            (429, false) => "too many requests: wait a while, or set HF_TOKEN",
            (429, true) => "too many requests: wait a while",
            (407, _) => "the proxy wants a name and a password: http://USER:PASSWORD@HOST:PORT",
            (500.., _) => "the hub has a problem: try again later",
            _ => "the server cannot answer that",
        }
    }
}

/// Seconds until the limit ends, by `ratelimit: "resolvers";r=0;t=55` (IETF draft ratelimit-headers, as the hub sends
/// it).
fn reset(header: &str) -> Option<u64> {
    let field = |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name)?.parse::<u64>().ok());
    (field("r=")? == 0).then(|| field("t="))?
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble::Local(error)
    }
}

impl Trouble {
    /// `what` is wrong with an answer from `address`.
    pub fn nonsense(address: &Address, what: impl std::fmt::Display) -> Self {
        Trouble::Nonsense(format!("{} answered: {what}", address.shown()))
    }

    /// Why a request got no answer.
    pub fn of_request(error: &ureq::Error, address: &Address, hub: &Hub) -> Self {
        let through = match hub.proxies.of(address) {
            Some(_) => " through the proxy (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)",
            None => "",
        };
        let what = format!("no connection to {}{through}: {error}", address.shown());
        // ureq hands on what rustls has against a certificate as an input/output error.
        let advice = match what.contains("certificate") {
            true => ". A company's own certificate authority is given by SSL_CERT_FILE=FILE.pem",
            false => "",
        };
        Self::broke(error, format!("{what}{advice}"))
    }

    /// Why a body ended.
    pub fn of_read(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(inner) => Self::broke(inner, format!("the transfer broke: {inner}")),
            None if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => Trouble::Silence,
            None => Trouble::Broke { what: format!("the transfer broke: {error}"), passes: Passes::Always },
        }
    }

    fn broke(error: &ureq::Error, what: String) -> Self {
        use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
        let passes = match error {
            ureq::Error::Timeout(_) => return Trouble::Silence,
            ureq::Error::Io(e) if matches!(e.kind(), TimedOut | WouldBlock) => return Trouble::Silence,
            ureq::Error::Io(e) => match e.kind() {
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Passes::Always,
                _ => Passes::UnderWay,
            },
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Passes::UnderWay,
            ureq::Error::Protocol(_) => Passes::Always,
            _ => Passes::Never,
        };
        Trouble::Broke { what, passes }
    }

    /// What to say before another try, if trying again can help: `under_way` after anything came, `moved` if some came
    /// last.
    pub fn passing(&self, under_way: bool, moved: bool) -> Option<String> {
        match self {
            Trouble::Refused(refusal) if refusal.passes() => {
                Some(format!("status {} from {}", refusal.status, refusal.from))
            }
            Trouble::Broke { what, passes } => {
                let again = *passes == Passes::Always || *passes == Passes::UnderWay && under_way;
                again.then(|| what.clone())
            }
            Trouble::Silence => moved.then(|| "nothing came for a while".to_string()),
            Trouble::Cut { got, size } => Some(format!("the transfer ended at {got} of {size} bytes")),
            Trouble::Ended(_) => Some("the connection ended before the file did".to_string()),
            _ => None,
        }
    }

    /// How long the server asks to wait.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Trouble::Refused(refusal) => refusal.wait,
            _ => None,
        }
    }

    /// Whether another repository may have what this one has not.
    pub fn is_gone(&self) -> bool {
        match self {
            Trouble::Refused(refusal) => refusal.by_hub && matches!(refusal.status, 401 | 403 | 404 | 410 | 451),
            Trouble::Mismatch(_) => true,
            _ => false,
        }
    }

    /// The error for the user: what was wanted, from where, what happened, what to do.
    pub fn explain(self, hub: &Hub, entry: &Entry, file: &str) -> anyhow::Error {
        let wanted = format!("{file} of {} ({}) at {}", entry.repo, entry.revision, hub.endpoint_shown());
        let resume = "what has arrived is kept, run the same command again to go on";
        let what = match self {
            Trouble::Local(error) => return error,
            Trouble::Refused(refusal) => refused(&refusal, hub),
            Trouble::Silence => format!(
                "no byte for {} s: {resume}, or allow more with HF_HUB_DOWNLOAD_TIMEOUT",
                hub.patience.as_secs_f32()
            ),
            Trouble::Broke { what, .. } => format!(
                "{what}. Check the network, or set HF_ENDPOINT to a mirror; {resume}; models that are in the cache, \
                 local files and the built-in models (`--demo`) need no network"
            ),
            Trouble::Cut { got, size } => format!("the transfer ended at {got} of {size} bytes: {resume}"),
            Trouble::Mismatch(why) | Trouble::Spoilt(why) | Trouble::Ended(why) => format!(
                "not the file that was announced: {why}. Nothing was kept; try again, and if it happens again, do not \
                 trust that source"
            ),
            Trouble::NoRanges(why) | Trouble::Nonsense(why) => format!("{why}; is HF_ENDPOINT a Hugging Face hub?"),
            Trouble::NoSuchRange(_) => "the server answers 416 to a request for the whole file".to_string(),
            Trouble::Resume => resume.to_string(),
        };
        // Whatever a server echoes, the token is told to nobody.
        let what = hub.token.as_ref().map_or(what.clone(), |token| what.replace(token.as_str(), "***"));
        Kind::Network.error(format!("{wanted}: {what}")).into()
    }
}

fn refused(refusal: &Refusal, hub: &Hub) -> String {
    let said = if refusal.said.is_empty() { String::new() } else { format!(" ({})", refusal.said) };
    let wait = match refusal.wait {
        Some(wait) => format!("; it asks to wait {} s", wait.as_secs()),
        None => String::new(),
    };
    format!("status {} from {}{said}: {}{wait}", refusal.status, refusal.from, refusal.advice(hub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_rate_limit_is_read_as_the_hub_writes_it() {
        assert_eq!(reset("\"resolvers\";r=0;t=55"), Some(55));
        assert_eq!(reset("\"resolvers\"; r=0; t=7"), Some(7));
        assert_eq!(reset("\"resolvers\";r=12;t=55"), None, "there is some left");
        assert_eq!(reset("nonsense"), None);
    }
}

//! What can go wrong with a download: which troubles pass by themselves, and how to tell the user of the others.

use super::hub::Hub;
use super::registry::Entry;
use crate::error::Kind;
use hf_hub::api::sync::ApiError;
use std::io::ErrorKind;
use std::time::Duration;

/// Why one attempt at a download failed.
#[derive(Debug)]
pub enum Trouble {
    /// The request or the transfer failed.
    Api(ApiError),
    /// Another program downloads the same file.
    Busy,
    /// Nothing came for this long.
    Silence(Duration),
    /// What an earlier attempt had left was no beginning of the file.
    Spoilt(String),
    /// The hub's file is not the published one.
    Mismatch(String),
    /// The server is no hub.
    NoHub(String),
    /// Anything on this side, told already.
    Local(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble::Local(error)
    }
}

impl Trouble {
    /// Whether trying again can help. No connection at all is told at once, unless the download was `under_way`.
    pub fn is_passing(error: &ApiError, under_way: bool) -> bool {
        use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
        match error {
            ApiError::RequestError(request) => match request.as_ref() {
                ureq::Error::StatusCode(status) => matches!(status, 408 | 425 | 429 | 500..),
                ureq::Error::Io(e) => {
                    let broke = [BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof];
                    under_way || broke.contains(&e.kind())
                }
                ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => under_way,
                ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => true,
                _ => false,
            },
            ApiError::IoError(e) => !is_about_disk(e),
            _ => false,
        }
    }

    /// The error for the user: what was wanted, from where, what happened, what to do.
    pub fn explain(self, hub: &Hub, entry: &Entry, file: &str) -> anyhow::Error {
        let wanted = format!("{file} of {} ({}) at {}", entry.repo, entry.revision, hub.endpoint);
        let resume = "what has arrived is kept, run the same command again to go on";
        let network = |what: String| anyhow::Error::from(Kind::Network.error(format!("{wanted}: {what}")));
        match self {
            Trouble::Local(error) => error,
            Trouble::Busy => network("another program is downloading it".into()),
            Trouble::Silence(patience) => network(format!(
                "no byte for {} s: {resume}, or allow more with HF_HUB_DOWNLOAD_TIMEOUT",
                patience.as_secs_f32()
            )),
            Trouble::Mismatch(why) | Trouble::Spoilt(why) => network(format!(
                "not the file that the registry describes: {why}. Nothing was kept; try again, and if it happens \
                 again, do not trust that source"
            )),
            Trouble::NoHub(why) => network(format!("not a Hugging Face hub: {why}; check HF_ENDPOINT")),
            Trouble::Api(error) => explain_api(error, hub, &wanted, resume),
        }
    }
}

fn explain_api(error: ApiError, hub: &Hub, wanted: &str, resume: &str) -> anyhow::Error {
    if let ApiError::IoError(e) = &error
        && is_about_disk(e)
    {
        let told = format!("{wanted}: the model cache {} cannot be written: {e}", hub.cache.display());
        return Kind::Output.error(told).into();
    }
    let what = match &error {
        ApiError::RequestError(request) => match request.as_ref() {
            ureq::Error::StatusCode(status) => status_text(*status, hub),
            _ => format!(
                "{request}. Check the network, or set HF_ENDPOINT to a mirror; models that are in the cache, local \
                 files and the built-in set `demo` need no network"
            ),
        },
        ApiError::MissingHeader(_) | ApiError::InvalidHeader(_) | ApiError::ParseIntError(_) => {
            format!("not a Hugging Face hub ({error}); check HF_ENDPOINT")
        }
        _ => format!("{error}: {resume}"),
    };
    Kind::Network.error(format!("{wanted}: {what}")).into()
}

fn status_text(status: u16, hub: &Hub) -> String {
    let advice = match (status, hub.token.is_some()) {
        (404, _) => "there is no such file: check the registry's repo, revision and file",
        (401 | 403, false) => {
            "it needs an access token, or does not exist: set HF_TOKEN, having accepted its licence on the hub"
        }
        (401 | 403, true) => {
            "the access token (HF_TOKEN) is refused: is it valid, and its licence accepted on the hub?"
        }
        (429, _) => "too many requests: wait a while, or set HF_TOKEN",
        _ => "the hub has a problem: try again later",
    };
    format!("status {status}: {advice}")
}

/// Whether an input/output error is of the disk, not of the connection.
fn is_about_disk(error: &std::io::Error) -> bool {
    use ErrorKind::*;
    matches!(
        error.kind(),
        StorageFull | PermissionDenied | ReadOnlyFilesystem | QuotaExceeded | FileTooLarge | NotFound | NotADirectory
    )
}

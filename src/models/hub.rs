//! Where models come from and where they are kept: the variables that Hugging Face's own tools honour.
//!
//! | variable | meaning |
//! |---|---|
//! | `HF_ENDPOINT` | the hub's address, `https://huggingface.co` if unset |
//! | `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME` | the cache; `$HF_HOME/hub`; `huggingface/hub` in there |
//! | `HUGGINGFACE_HUB_CACHE` | the cache's older name |
//! | `HF_TOKEN`, `HF_TOKEN_PATH` | the access token, or a file that holds it (`$HF_HOME/token` if unset) |
//! | `HUGGING_FACE_HUB_TOKEN` | the token's older name |
//! | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE` | 1: make no request |
//! | `HF_HUB_DOWNLOAD_TIMEOUT` | seconds of silence after which a transfer is given up |
//! | `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | see [`Proxies`] |
//! | `SSL_CERT_FILE`, `SSL_CERT_DIR` | certificate authorities to trust, instead of the system's |

use super::proxy::Proxies;
use crate::error::Kind;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::time::Duration;

const ENDPOINT: &str = "https://huggingface.co";
const PATIENCE: Duration = Duration::from_secs(60);

/// How to reach the hub and its cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Address without a final slash.
    pub endpoint: String,
    /// The folder that holds `models--owner--name` folders.
    pub cache: PathBuf,
    pub token: Option<String>,
    /// Make no request at all.
    pub offline: bool,
    /// Longest silence of the server.
    pub patience: Duration,
    pub proxies: Proxies,
    /// `$XDG_CACHE_HOME/barkclone`: what is ours where the cache cannot be written.
    pub own: Option<PathBuf>,
}

impl Hub {
    /// The hub as the environment describes it; `offline` is the command line's own wish.
    pub fn from_env(offline: bool) -> Result<Self> {
        let home = std::env::home_dir();
        let mut hub = Self::from_variables(|name| std::env::var(name).ok(), home)?;
        hub.offline |= offline;
        Ok(hub)
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Result<Self> {
        let set = |name: &str| variable(name).map(|v| v.trim().to_string()).filter(|v| !v.is_empty());
        let folder = |name: &str| set(name).map(PathBuf::from);
        let user_cache = folder("XDG_CACHE_HOME").or_else(|| home.map(|p| p.join(".cache")));
        let hf_home = folder("HF_HOME").or_else(|| user_cache.as_ref().map(|p| p.join("huggingface")));
        let no_home = || Kind::Output.error("no place to keep models: set HF_HOME to a folder");
        let named = folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE"));
        let cache = named.or_else(|| hf_home.as_ref().map(|p| p.join("hub"))).with_context(no_home)?;
        let token_file = folder("HF_TOKEN_PATH").or_else(|| hf_home.map(|p| p.join("token")));
        let stored =
            || std::fs::read_to_string(token_file?).ok().map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
        let truth = |v: String| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
        Ok(Self {
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_string()).trim_end_matches('/').to_string(),
            cache: std::path::absolute(cache).with_context(no_home)?,
            token: set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(stored),
            offline: set("HF_HUB_OFFLINE").or_else(|| set("TRANSFORMERS_OFFLINE")).is_some_and(truth),
            patience: patience(set("HF_HUB_DOWNLOAD_TIMEOUT"))?,
            proxies: Proxies::from_variables(set),
            own: user_cache.map(|p| p.join("barkclone")),
        })
    }

    /// The endpoint as a message shows it: without a password.
    pub fn endpoint_shown(&self) -> String {
        match self.endpoint.split_once("://").zip(self.endpoint.rsplit_once('@')) {
            Some(((scheme, _), (_, host))) => format!("{scheme}://{host}"),
            None => self.endpoint.clone(),
        }
    }
}

fn patience(seconds: Option<String>) -> Result<Duration> {
    let Some(text) = seconds else { return Ok(PATIENCE) };
    let wrong = || Kind::Usage.error(format!("HF_HUB_DOWNLOAD_TIMEOUT={text}: expected a number of seconds above 0"));
    let seconds: f64 = text.parse().with_context(wrong)?;
    Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero()).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Result<Hub> {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        Hub::from_variables(find, Some(PathBuf::from("/home/ana")))
    }

    #[test]
    fn without_variables_the_usual_cache_and_hub_are_used() {
        let hub = hub(&[]).unwrap();
        assert_eq!(hub.endpoint, "https://huggingface.co");
        assert_eq!(hub.cache, PathBuf::from("/home/ana/.cache/huggingface/hub"));
        assert!(!hub.offline && hub.patience == PATIENCE);
    }

    #[test]
    fn every_variable_is_honoured() {
        let cache = |v: &[(&str, &str)]| hub(v).unwrap().cache;
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), PathBuf::from("/x/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")]), PathBuf::from("/h/hub"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]), PathBuf::from("/c"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/o")]), PathBuf::from("/o"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "/o"), ("HF_HUB_CACHE", "/c")]), PathBuf::from("/c"));
        assert_eq!(hub(&[("HUGGING_FACE_HUB_TOKEN", "hf_o")]).unwrap().token.as_deref(), Some("hf_o"));
        assert!(hub(&[("TRANSFORMERS_OFFLINE", "1")]).unwrap().offline);
        assert_eq!(hub(&[("XDG_CACHE_HOME", "/x")]).unwrap().own, Some(PathBuf::from("/x/barkclone")));
        assert_eq!(hub(&[("HF_ENDPOINT", "https://a:b@mirror")]).unwrap().endpoint_shown(), "https://mirror");
        assert_eq!(hub(&[("HF_ENDPOINT", "http://mirror/")]).unwrap().endpoint, "http://mirror");
        assert_eq!(hub(&[("HF_TOKEN", " hf_x\n")]).unwrap().token.as_deref(), Some("hf_x"));
        assert!(hub(&[("HF_HUB_OFFLINE", "YES")]).unwrap().offline);
        assert!(!hub(&[("HF_HUB_OFFLINE", "0")]).unwrap().offline);
        assert_eq!(hub(&[("HF_HUB_DOWNLOAD_TIMEOUT", "2.5")]).unwrap().patience, Duration::from_millis(2500));
        for wrong in ["soon", "-1", "0", "nan", "1e300"] {
            assert!(hub(&[("HF_HUB_DOWNLOAD_TIMEOUT", wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_file_serves_where_no_token_is_set() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_stored\n").unwrap();
        let home = folder.path().to_str().unwrap();
        assert_eq!(hub(&[("HF_HOME", home)]).unwrap().token.as_deref(), Some("hf_stored"));
        assert_eq!(hub(&[("HF_HOME", home), ("HF_TOKEN", "hf_set")]).unwrap().token.as_deref(), Some("hf_set"));
    }
}

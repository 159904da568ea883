//! Models by name, against a real HTTP server: fetching, resuming, checking, removing, through the real program.

mod fetching;
mod packing;
mod quickstart;
mod secure;
mod server;
mod shared;
mod upkeep;
mod ways;

use barkclone::models::{Hub, Models, Proxies, Registry};
use server::{COMMIT, Served, Server, sha256};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const REPO: &str = "ana/tiny";
const CONFIG: &[u8] = b"{\"tiny\": true}\n";

/// Recognisable, incompressible bytes.
fn weights() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn large() -> Served {
    Served { body: weights(), large: true, ..Served::default() }
}

/// A hub with one model of two files, an empty cache, and a registry that knows the model.
struct World {
    server: Server,
    folder: tempfile::TempDir,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl World {
    fn new() -> Self {
        let world = Self { server: Server::start(), folder: tempfile::tempdir().unwrap() };
        world.server.serve(REPO, "config.json", Served { body: CONFIG.to_vec(), ..Served::default() });
        world.server.serve(REPO, "model.bin", large());
        world.write_registry(&sha256(&weights()));
        world
    }

    fn write_registry(&self, model_sha256: &str) {
        self.write_registry_at("main", model_sha256);
    }

    /// A registry of the revision `tiny` is at, and the hash that it states.
    fn write_registry_at(&self, revision: &str, model_sha256: &str) {
        let text = format!(
            r#"
            [[model]]
            name = "tiny"
            kind = "bark"
            repo = "{REPO}"
            revision = "{revision}"
            format = "huggingface"
            licence = "MIT"
            purpose = "tests"
            files = [{{ file = "config.json" }}, {{ file = "model.bin", size = 300000, sha256 = "{model_sha256}" }}]
            [[model]]
            name = "again"
            kind = "codec"
            repo = "{REPO}"
            revision = "main"
            licence = "MIT"
            purpose = "shares a file with tiny"
            files = [{{ file = "config.json" }}]
            [[model]]
            name = "demo"
            kind = "bark"
            builtin = true
            licence = "MIT"
            purpose = "built in"
            [[model]]
            name = "voices"
            kind = "voices"
            repo = "{REPO}"
            revision = "main"
            licence = "MIT"
            purpose = "presets"
            presets = ["announcer", "v2/{{lang}}_speaker_{{0-9}}"]
            languages = ["pt"]
            files = [
                {{ file = "speaker_embeddings/{{preset}}_semantic_prompt.npy" }},
                {{ file = "speaker_embeddings/{{preset}}_coarse_prompt.npy" }},
                {{ file = "speaker_embeddings/{{preset}}_fine_prompt.npy" }},
            ]
            "#
        );
        fs::write(self.folder.path().join("registry.toml"), text).unwrap();
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn repo(&self) -> PathBuf {
        self.home().join("hub/models--ana--tiny")
    }

    fn snapshot(&self) -> PathBuf {
        self.repo().join("snapshots").join(COMMIT)
    }

    fn part(&self) -> PathBuf {
        self.repo().join("blobs").join(sha256(&weights())).with_extension("part")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program();
        command.arg("--registry").arg(self.folder.path().join("registry.toml")).arg("models").args(arguments);
        command
    }

    /// The program, in this world alone.
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barkclone"));
        for variable in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"] {
            command.env_remove(variable);
        }
        for variable in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(variable).env_remove(variable.to_uppercase());
        }
        command.env("XDG_CACHE_HOME", self.folder.path().join("own")).env("HF_HUB_DOWNLOAD_TIMEOUT", "15");
        command.env("HF_ENDPOINT", &self.server.address).env("HF_HOME", self.home());
        command.env("XDG_CONFIG_HOME", self.folder.path().join("own"));
        command
    }

    fn models(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    fn assert_whole(&self) {
        assert_eq!(fs::read(self.snapshot().join("model.bin")).unwrap(), weights());
        assert_eq!(fs::read(self.snapshot().join("config.json")).unwrap(), CONFIG);
        assert!(!self.part().exists());
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Ran {
    #[track_caller]
    fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    #[track_caller]
    fn fails(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// The same models through the library.
fn library(world: &World) -> Models {
    let hub = Hub {
        endpoint: world.server.address.clone(),
        cache: world.home().join("hub"),
        token: None,
        offline: false,
        patience: Duration::from_secs(15),
        proxies: Proxies::default(),
        own: None,
    };
    Models { registry: Registry::load(&world.folder.path().join("registry.toml")).unwrap(), hub }
}

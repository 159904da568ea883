//! Whom the token is told, and whom the program trusts.

use super::server::{COMMIT, Served, Server, Tunnel};
use super::{CONFIG, REPO, World, ran};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[test]
fn the_token_stays_with_the_hub() {
    let world = World::new();
    world.server.serve(REPO, "model.bin", Served { token: Some("hf_secret".into()), ..super::large() });
    let fetched = ran(world.command(&["fetch", "tiny"]).env("HF_TOKEN", "hf_secret")).succeeds();
    world.assert_whole();
    assert!(!fetched.stderr.contains("hf_secret"));
    let seen = world.server.seen();
    let told = |host: &str| seen.iter().filter(|s| s.host == host && s.authorization == "Bearer hf_secret").count();
    assert_eq!(told("hub"), seen.iter().filter(|s| s.host == "hub").count());
    assert!(seen.iter().any(|s| s.host == "storage"));
    assert!(seen.iter().filter(|s| s.host == "storage").all(|s| s.authorization.is_empty()), "{seen:?}");
}

#[test]
fn the_token_is_told_over_plain_http_to_no_other_machine_and_shown_in_no_message() {
    // A name that only the proxy resolves is another machine's.
    let (world, tunnel) = (World::new(), Tunnel::start());
    world.server.serve(REPO, "model.bin", Served { token: Some("hf_secret".into()), ..super::large() });
    let port = world.server.address.rsplit_once(':').unwrap().1;
    let elsewhere = format!("http://hub.example:{port}");
    let mut command = world.command(&["fetch", "tiny"]);
    command.env("HF_TOKEN", "hf_secret").env("HF_ENDPOINT", &elsewhere).env("HTTP_PROXY", &tunnel.address);
    let ended = ran(&mut command);
    assert!(!ended.stderr.contains("hf_secret"), "{}", ended.stderr);
    ended.fails(5, &["401", "plain http"]);
    assert!(world.server.seen().iter().all(|s| s.authorization.is_empty()));
}

#[test]
fn a_token_that_a_server_echoes_is_not_repeated() {
    let world = World::new();
    let refusal = Some((403, "GatedRepo", "hf_secret may not read this"));
    world.server.serve(REPO, "config.json", Served { refusal, ..Served::default() });
    let ended = ran(world.command(&["fetch", "tiny"]).env("HF_TOKEN", "hf_secret"));
    assert!(!ended.stderr.contains("hf_secret"), "{}", ended.stderr);
    ended.fails(5, &["*** may not read this"]);
}

#[test]
fn a_proxy_is_used_where_the_environment_says_so_and_nowhere_else() {
    for (variable, used) in [("HTTP_PROXY", true), ("all_proxy", true), ("ALL_PROXY", true), ("HTTPS_PROXY", false)] {
        let (world, tunnel) = (World::new(), Tunnel::start());
        ran(world.command(&["fetch", "tiny"]).env(variable, &tunnel.address)).succeeds();
        world.assert_whole();
        assert_eq!(!tunnel.hosts().is_empty(), used, "{variable}");
    }
    let (world, tunnel) = (World::new(), Tunnel::start());
    let mut command = world.command(&["fetch", "tiny"]);
    ran(command.env("ALL_PROXY", &tunnel.address).env("NO_PROXY", "localhost, 127.0.0.0/8")).succeeds();
    assert_eq!(tunnel.hosts(), Vec::<String>::new());
    let nobody = "http://ana:secret@127.0.0.1:9";
    let ended = ran(World::new().command(&["fetch", "tiny"]).env("ALL_PROXY", nobody));
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    ended.fails(5, &["config.json", "proxy"]);
}

/// A hub behind TLS, of one small file, with a certificate of an authority that nobody knows yet.
struct Secure {
    port: u16,
    authority: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Secure {
    fn start(world: &World) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_string(), "hub.example".to_string()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let pem = world.folder.path().join("authority.pem");
        fs::write(&pem, authority.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let (config, log) = (Arc::new(config), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
                // A client that does not trust it hangs up.
                answer(stream, &log).unwrap_or_default();
            }
        });
        Self { port, authority: pem, seen }
    }
}

fn answer(mut stream: impl Read + Write, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = vec![0; 8192];
    let n = stream.read(&mut head)?;
    log.lock().unwrap().push(String::from_utf8_lossy(&head[..n]).into_owned());
    let length = CONFIG.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nx-repo-commit: {COMMIT}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(CONFIG)?;
    stream.flush()
}

#[test]
fn a_private_authority_is_trusted_by_ssl_cert_file_alone_and_the_token_goes_there_encrypted() {
    let world = World::new();
    let hub = Secure::start(&world);
    let fetch = || {
        let mut command = world.command(&["fetch", "again"]);
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").env("HF_TOKEN", "hf_secret");
        command.env("HF_ENDPOINT", format!("https://localhost:{}", hub.port));
        command
    };
    ran(&mut fetch()).fails(5, &["config.json", "certificate", "SSL_CERT_FILE"]);
    ran(fetch().env("SSL_CERT_FILE", world.folder.path().join("none.pem"))).fails(2, &["SSL_CERT_FILE", "none.pem"]);
    ran(fetch().env("SSL_CERT_FILE", &hub.authority)).succeeds();
    assert_eq!(fs::read(world.snapshot().join("config.json")).unwrap(), CONFIG);
    assert!(
        hub.seen.lock().unwrap().iter().any(|head| head.to_lowercase().contains("authorization: bearer hf_secret"))
    );
}

#[test]
fn encryption_goes_through_a_proxy_to_a_name_that_only_the_proxy_knows() {
    let (world, tunnel) = (World::new(), Tunnel::start());
    let hub = Secure::start(&world);
    let mut command = world.command(&["fetch", "again"]);
    command.env("HF_ENDPOINT", format!("https://hub.example:{}", hub.port)).env("HTTPS_PROXY", &tunnel.address);
    ran(command.env("SSL_CERT_FILE", &hub.authority)).succeeds();
    assert_eq!(tunnel.hosts(), [format!("hub.example:{}", hub.port)]);
}

#[test]
fn an_endpoint_that_is_no_address_is_refused_and_one_with_a_password_does_not_show_it() {
    let world = World::new();
    for wrong in ["huggingface.co", "ftp://hub", "http://", "http://a b"] {
        ran(world.command(&["fetch", "tiny"]).env("HF_ENDPOINT", wrong)).fails(2, &["HF_ENDPOINT", wrong]);
    }
    let server = Server::start();
    let with_password = server.address.replace("http://", "http://ana:secret@");
    let ended = ran(world.command(&["fetch", "tiny"]).env("HF_ENDPOINT", with_password));
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    let basic = server.seen();
    assert!(basic.iter().all(|s| s.authorization == "Basic YW5hOnNlY3JldA=="), "{basic:?}");
    ended.fails(5, &["404"]);
}

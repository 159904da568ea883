//! A small Hugging Face hub on 127.0.0.1: `/{repo}/resolve/{revision}/{file}` as the real one answers it. Large files
//! redirect to another path with the SHA-256 as `x-linked-etag`; small ones come directly with git's hash as etag.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One way to misbehave, used up by one request for content.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    /// Closes the connection after this many bytes of the body.
    CutAfter(usize),
    /// Says nothing more after this many bytes of the body.
    StallAfter(usize),
    /// Sends all, with this pause before each quarter.
    Slow(Duration),
    /// Answers with this status.
    Status(u16),
    /// Sends the whole file whatever range is asked for.
    IgnoreRange,
}

#[derive(Clone, Default)]
pub struct Served {
    pub body: Vec<u8>,
    /// The hash it is announced under; computed from the body if empty.
    pub etag: String,
    /// Large files go through a redirect.
    pub large: bool,
    pub token: Option<String>,
    pub faults: Vec<Fault>,
}

type Files = Arc<Mutex<BTreeMap<String, Served>>>;

pub struct Server {
    pub address: String,
    files: Files,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (files, log) = (Files::default(), Arc::<Mutex<Vec<String>>>::default());
        let (shared_files, shared_log) = (files.clone(), log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, log) = (shared_files.clone(), shared_log.clone());
                // A client that goes away in the middle is part of the game.
                std::thread::spawn(move || answer(stream, &files, &log).unwrap_or_default());
            }
        });
        Self { address, files, log }
    }

    /// Serves `file` as `/{repo}/resolve/main/{name}`.
    pub fn serve(&self, repo: &str, name: &str, file: Served) {
        self.files.lock().unwrap().insert(format!("/{repo}/resolve/main/{name}"), file);
    }

    /// The requests since the last call, as `PATH RANGE TOKEN`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The hash that git gives a file of this content.
pub fn git_sha1(bytes: &[u8]) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(format!("blob {}\0", bytes.len()));
    sha1.update(bytes);
    hex(&sha1.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The request's path and its headers by lower-case name.
fn read_request(stream: &TcpStream) -> std::io::Result<(String, BTreeMap<String, String>)> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_string());
    }
    Ok((first.split(' ').nth(1).unwrap_or_default().to_string(), headers))
}

fn answer(mut stream: TcpStream, files: &Files, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (path, headers) = read_request(&stream)?;
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    log.lock().unwrap().push(format!("{path} {} {}", header("range"), header("authorization")));
    let start = header("range").trim_start_matches("bytes=").split('-').next().unwrap_or("0").parse().unwrap_or(0);
    let is_probe = header("range") == "bytes=0-0";
    let (resolved, redirected) = path.strip_prefix("/cdn").map_or((path.as_str(), false), |p| (p, true));
    let mut files = files.lock().unwrap();
    let Some(file) = files.get_mut(resolved) else { return status(&mut stream, 404) };
    if file.token.as_ref().is_some_and(|t| !redirected && header("authorization") != format!("Bearer {t}")) {
        return status(&mut stream, 401);
    }
    let faulty = !file.faults.is_empty() && (redirected || !file.large) && !is_probe;
    let fault = faulty.then(|| file.faults.remove(0));
    let file = file.clone();
    drop(files);
    if let Some(Fault::Status(code)) = fault {
        return status(&mut stream, code);
    }
    let hash = if file.large { sha256(&file.body) } else { git_sha1(&file.body) };
    let etag = if file.etag.is_empty() { hash } else { file.etag.clone() };
    if file.large && !redirected {
        let size = file.body.len();
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: /cdn{path}\r\nx-repo-commit: {COMMIT}\r\nx-linked-etag: \"{etag}\"\r\n\
             x-linked-size: {size}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    let start = if fault == Some(Fault::IgnoreRange) { 0 } else { start };
    send(stream, &file.body, &etag, start, is_probe, fault)
}

fn status(stream: &mut TcpStream, code: u16) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {code} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn send(
    mut stream: TcpStream,
    body: &[u8],
    etag: &str,
    start: usize,
    is_probe: bool,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let size = body.len();
    if start >= size {
        return status(&mut stream, 416);
    }
    let content = if is_probe { &body[..1] } else { &body[start..] };
    write!(
        stream,
        "HTTP/1.1 206 Partial\r\netag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\ncontent-length: {}\r\n\
         content-range: bytes {start}-{}/{size}\r\nconnection: close\r\n\r\n",
        content.len(),
        start + content.len() - 1
    )?;
    match fault {
        Some(Fault::CutAfter(n)) => stream.write_all(&content[..n.min(content.len())]),
        Some(Fault::StallAfter(n)) => {
            stream.write_all(&content[..n.min(content.len())])?;
            std::thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Some(Fault::Slow(pause)) => content.chunks(content.len().div_ceil(4)).try_for_each(|quarter| {
            std::thread::sleep(pause);
            stream.write_all(quarter)
        }),
        _ => stream.write_all(content),
    }
}

//! What the answers to one request tell, from the hub's first one over all redirects to the last one, which holds the
//! file.
//!
//! How the hub answered in public logs of 2025-07 to 2026-10: a small file (in git) by 307 to a relative address, with
//! `etag` (git's SHA-1) and `x-repo-commit`; a large one (LFS, Xet) by 302 to a signed address of another host, with
//! `x-linked-etag` (the SHA-256), `x-linked-size`, `x-repo-commit` and `x-xet-hash`, which is another hash. Mirrors and
//! caches in between leave out any of these or tell them in the last answer alone. So each header is taken from
//! wherever it comes.

use super::address::Address;
use super::client::Client;
use super::registry::is_plain_path;
use super::trouble::{Refusal, Trouble};
use ureq::Body;
use ureq::http::{HeaderMap, Response};

/// Redirects in a row that are followed.
const LONGEST_WAY: usize = 20;

/// What is known of a file from the answers' headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `x-repo-commit`.
    pub commit: Option<String>,
    /// The file's tag, without quotes: its name among the blobs.
    pub tag: Option<String>,
    /// Whole size in bytes.
    pub size: Option<u64>,
    /// `x-linked-etag`: surely the SHA-256.
    linked: bool,
    xet: Option<String>,
}

impl Facts {
    /// The SHA-256, where it is surely that.
    pub fn sha256(&self) -> Option<&str> {
        let tag = self.tag.as_deref().filter(|_| self.linked)?;
        (tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit())).then_some(tag)
    }

    fn learn(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
        let named = |name: &str| text(name).and_then(plain_tag);
        self.commit = self.commit.take().or_else(|| named("x-repo-commit"));
        self.xet = self.xet.take().or_else(|| named("x-xet-hash"));
        self.size = self.size.or_else(|| text("x-linked-size")?.parse().ok());
        if let Some(tag) = named("x-linked-etag").filter(|_| !self.linked) {
            (self.tag, self.linked) = (Some(tag), true);
        }
        let checksum = named("x-checksum-sha256").filter(|sum| sum.len() == 64);
        self.tag = self.tag.take().or(checksum).or_else(|| named("etag"));
        // Storage behind the hub tags its answers with the Xet hash, which looks like a SHA-256.
        self.tag = self.tag.take().filter(|tag| self.linked || Some(tag) != self.xet.as_ref());
    }
}

/// A tag that may become a file's name: without `W/`, quotes and a server's mark of compression; `None` if it may not.
fn plain_tag(text: &str) -> Option<String> {
    let tag = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    let tag = ["-gzip", "--gzip"].iter().find_map(|mark| tag.strip_suffix(mark)).unwrap_or(tag);
    let fits = tag.len() <= 128 && !tag.contains(['/', '.']) && is_plain_path(tag);
    fits.then(|| tag.to_string())
}

/// Where in the file a body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Position of the body's first byte.
    pub start: u64,
    /// Bytes of the body, if told.
    pub length: Option<u64>,
    /// Whether more may follow after it though no size is known.
    pub is_open: bool,
    /// Whether its end is the connection's, so that nobody can tell it from a cut.
    pub is_unbounded: bool,
}

/// How the body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
}

/// The last answer: the file, from somewhere on.
pub struct Answer {
    pub facts: Facts,
    pub span: Span,
    pub encoding: Encoding,
    pub body: Body,
}

/// Asks for the file at `first` from byte `start` on, and follows redirects for as long as `vet` has nothing against
/// the file.
pub fn ask(
    client: &Client,
    first: &Address,
    start: Option<u64>,
    vet: impl Fn(&Facts) -> Result<(), Trouble>,
) -> Result<Answer, Trouble> {
    let (mut address, mut facts) = (first.clone(), Facts::default());
    for _ in 0..=LONGEST_WAY {
        let response = client.get(&address, start)?;
        let status = response.status().as_u16();
        facts.learn(response.headers());
        match status {
            301 | 302 | 303 | 307 | 308 => {
                vet(&facts)?;
                let location = header(response.headers(), "location");
                let next = location.ok_or("location is missing".to_string()).and_then(|to| address.join(to));
                address = next.map_err(|why| Trouble::nonsense(&address, format!("a redirect ({status}): {why}")))?;
            }
            200 | 206 => {
                let answer = accept(response, &address, facts, start)?;
                vet(&answer.facts)?;
                return Ok(answer);
            }
            416 => return Err(Trouble::NoSuchRange(total(response.headers()))),
            _ => return Err(Trouble::Refused(Box::new(Refusal::of(response, &address, client)))),
        }
    }
    Err(Trouble::nonsense(first, format!("more than {LONGEST_WAY} redirects, the last one to {}", address.shown())))
}

/// Reads off what the body is.
fn accept(
    response: Response<Body>,
    address: &Address,
    mut facts: Facts,
    start: Option<u64>,
) -> Result<Answer, Trouble> {
    let partial = response.status().as_u16() == 206;
    let (parts, body) = response.into_parts();
    let encoding = encoding(&parts.headers, address)?;
    let length = header(&parts.headers, "content-length").and_then(|v| v.parse().ok());
    let length: Option<u64> = length.filter(|_| header(&parts.headers, "transfer-encoding").is_none());
    let known = facts.size;
    let span = if partial {
        facts.size = known.or_else(|| total(&parts.headers));
        partial_span(&parts.headers, length, start, facts.size)
    } else {
        // Only a body as it is has the file's length.
        let whole = length.filter(|_| encoding == Encoding::Identity);
        if let (Some(size), Some(length)) = (known, whole)
            && size != length
        {
            let why = format!("{length} bytes came from {}, {size} were announced (x-linked-size)", address.shown());
            return Err(Trouble::Mismatch(why));
        }
        facts.size = known.or(whole);
        let is_unbounded = length.is_none() && header(&parts.headers, "transfer-encoding").is_none();
        Some(Span { start: 0, length, is_open: false, is_unbounded })
    };
    let span = span.ok_or_else(|| Trouble::NoRanges("content-range is missing".into()))?;
    if encoding == Encoding::Gzip && (span.start > 0 || partial && facts.size.is_none()) {
        return Err(Trouble::NoRanges("the range is of a compressed body".into()));
    }
    Ok(Answer { facts, span, encoding, body })
}

/// The span of a 206: by `content-range`, or, where that is missing, the rest that was asked for if its length says so.
fn partial_span(headers: &HeaderMap, length: Option<u64>, start: Option<u64>, size: Option<u64>) -> Option<Span> {
    if let Some((first, last)) = content_range(headers) {
        let length = last.checked_sub(first)? + 1;
        return Some(Span { start: first, length: Some(length), is_open: size.is_none(), is_unbounded: false });
    }
    let start = start.unwrap_or(0);
    let rest = size?.checked_sub(start)?;
    let is_parts = header(headers, "content-type").is_some_and(|t| t.starts_with("multipart/"));
    (length == Some(rest) && !is_parts).then_some(Span { start, length, is_open: false, is_unbounded: false })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty())
}

/// First and last byte of `content-range: bytes 5-9/20`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let (range, _) = header(headers, "content-range")?.strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

/// The whole size by `content-range: bytes 5-9/20` or `bytes */20`.
fn total(headers: &HeaderMap) -> Option<u64> {
    header(headers, "content-range")?.strip_prefix("bytes")?.split_once('/')?.1.trim().parse().ok()
}

fn encoding(headers: &HeaderMap, address: &Address) -> Result<Encoding, Trouble> {
    let all = headers.get_all("content-encoding").iter().filter_map(|v| v.to_str().ok());
    let named: Vec<String> = all.flat_map(|v| v.split(',')).map(|v| v.trim().to_ascii_lowercase()).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).filter(|n| !matches!(*n, "" | "identity")).collect();
    match named.as_slice() {
        [] => Ok(Encoding::Identity),
        ["gzip" | "x-gzip"] => Ok(Encoding::Gzip),
        other => Err(Trouble::nonsense(
            address,
            format!(
                "the answer is compressed (content-encoding: {}), though it was asked for as it is",
                other.join(", ")
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn learnt(answers: &[&[(&'static str, &str)]]) -> Facts {
        let mut facts = Facts::default();
        answers.iter().for_each(|lines| facts.learn(&headers(lines)));
        facts
    }

    #[test]
    fn the_linked_tag_counts_wherever_it_comes_and_the_xet_hash_never() {
        let (sha, xet) = ("a".repeat(64), "b".repeat(64));
        let linked = [("x-linked-etag", format!("\"{sha}\"")), ("x-xet-hash", xet.clone())];
        let linked: Vec<(&str, &str)> = linked.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let stored = [("etag", xet.as_str())];
        assert_eq!(learnt(&[&linked, &stored]).tag, Some(sha.clone()));
        assert_eq!(learnt(&[&stored, &linked]).tag, Some(sha));
        assert_eq!(learnt(&[&[("x-xet-hash", &xet)], &stored]).tag, None);
    }

    #[test]
    fn tags_become_names_without_their_dress_or_not_at_all() {
        let tag = |text: &str| learnt(&[&[("etag", text)]]).tag;
        assert_eq!(tag("W/\"0123abc\"").as_deref(), Some("0123abc"));
        assert_eq!(tag("\"0123abc-gzip\"").as_deref(), Some("0123abc"));
        for hostile in ["\"../../x\"", "\"a/b\"", "\"\"", "\".\"", "\"a b\"", "\"a\\b\""] {
            assert_eq!(tag(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn ranges_say_where_the_body_lies() {
        let span = |lines: &[(&'static str, &str)], length, start, size| {
            partial_span(&headers(lines), length, start, size).map(|s| (s.start, s.length))
        };
        assert_eq!(span(&[("content-range", "bytes 5-9/20")], None, Some(5), None), Some((5, Some(5))));
        assert_eq!(span(&[("content-range", "bytes 0-9/*")], None, Some(5), None), Some((0, Some(10))));
        assert_eq!(span(&[], Some(15), Some(5), Some(20)), Some((5, Some(15))));
        assert_eq!(span(&[], Some(20), Some(5), Some(20)), None, "whole or rest? the length does not fit the rest");
        assert_eq!(span(&[("content-range", "bytes 9-5/20")], None, Some(5), None), None);
        assert_eq!(total(&headers(&[("content-range", "bytes */20")])), Some(20));
    }
}

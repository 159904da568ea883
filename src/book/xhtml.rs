//! XHTML -> the text that is read out: paragraphs, lists' items and verses on lines of their own, headings with a pause
//! after them; without what stands there for the eye: page numbers, notes' numbers, pictures, readings over characters.

use super::markdown::AFTER_HEADING;
use pulldown_cmark::{Event, Parser};

/// The text of a document.
#[derive(Debug, Default, PartialEq)]
pub struct Document {
    /// The first heading.
    pub heading: Option<String>,
    pub text: String,
}

/// Elements that are not spoken.
const SILENT: [&str; 9] = ["head", "script", "style", "svg", "math", "rt", "rp", "nav", "template"];
/// Elements that are a paragraph, or hold some.
const BLOCKS: [&str; 27] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "header",
    "hr",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tbody",
    "td",
    "th",
    "tr",
    "ul",
];

/// Takes the marks away.
pub fn text_of(source: &str) -> Document {
    let mut reader = Reader::default();
    let mut rest = source;
    while let Some(at) = rest.find('<') {
        reader.say(&rest[..at]);
        rest = reader.mark(&rest[at..]);
    }
    reader.say(rest);
    reader.end_paragraph();
    reader.made
}

#[derive(Default)]
struct Reader {
    made: Document,
    /// The paragraph so far.
    line: String,
    /// The element that is not spoken, and how many of its name are open within it.
    silent: Option<(String, usize)>,
    /// Open elements whose line ends are lines.
    verbatim: usize,
}

impl Reader {
    /// Reads what begins with `<`; gives what follows it.
    fn mark<'s>(&mut self, rest: &'s str) -> &'s str {
        let after = |end: &str, skip: usize| rest[skip..].find(end).map_or("", |at| &rest[skip + at + end.len()..]);
        if rest.starts_with("<!--") {
            return after("-->", 4);
        }
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let end = data.find("]]>").unwrap_or(data.len());
            self.say_plain(&data[..end]);
            return data.get(end + 3..).unwrap_or("");
        }
        if !rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            self.say_plain("<");
            return &rest[1..];
        }
        let end = end_of_tag(rest);
        self.tag(&rest[1..end]);
        rest.get(end + 1..).unwrap_or("")
    }

    fn tag(&mut self, tag: &str) {
        let (closes, named) = tag.strip_prefix('/').map_or((false, tag), |named| (true, named));
        let name = named.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        let empty = tag.ends_with('/');
        if let Some((silent, open)) = &mut self.silent {
            if *silent == name && !empty {
                *open = if closes { *open - 1 } else { *open + 1 };
            }
            self.silent.take_if(|(_, open)| *open == 0);
            return;
        }
        if !closes && !empty && (SILENT.contains(&name.as_str()) || is_for_the_eye(named)) {
            self.silent = Some((name, 1));
            return;
        }
        self.element(&name, closes);
    }

    fn element(&mut self, name: &str, closes: bool) {
        match name {
            "br" => self.end_line(),
            "li" if closes => {
                let mark = if self.line.trim_end().ends_with(char::is_alphanumeric) { "." } else { "" };
                self.line.push_str(mark);
                self.end_line();
            }
            "li" => self.end_line(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if closes => self.end_heading(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.end_paragraph(),
            "pre" => {
                self.verbatim = if closes { self.verbatim.saturating_sub(1) } else { self.verbatim + 1 };
                self.end_paragraph();
            }
            block if BLOCKS.contains(&block) => self.end_paragraph(),
            _ => (),
        }
    }

    fn end_heading(&mut self) {
        let heading = std::mem::take(&mut self.line).split_whitespace().collect::<Vec<_>>().join(" ");
        if !heading.is_empty() {
            self.made.text.push_str(&format!("{heading}\n{AFTER_HEADING}\n\n"));
            self.made.heading.get_or_insert(heading);
        }
    }

    fn say(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            self.say_plain(&rest[..at]);
            let (said, length) = reference(&rest[at..]);
            self.say_plain(&said);
            rest = &rest[at + length..];
        }
        self.say_plain(rest);
    }

    fn say_plain(&mut self, text: &str) {
        if self.silent.is_some() {
            return;
        }
        for c in text.chars() {
            match c {
                '\n' if self.verbatim > 0 => self.end_line(),
                c if c.is_ascii_whitespace() && self.line.ends_with([' ', '\n']) => (),
                c if c.is_ascii_whitespace() => self.line.push(' '),
                c => self.line.push(c),
            }
        }
    }

    fn end_line(&mut self) {
        let said = self.line.trim_end().len();
        self.line.truncate(said);
        if !self.line.is_empty() {
            self.line.push('\n');
        }
    }

    fn end_paragraph(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() {
            self.made.text.push_str(line.trim());
            self.made.text.push_str("\n\n");
        }
    }
}

/// Where the tag that `rest` begins with ends; a `>` within quotes does not end it.
fn end_of_tag(rest: &str) -> usize {
    let mut quote = None;
    let ends = |c: char| {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => (),
            None if c == '"' || c == '\'' => quote = Some(c),
            None => return c == '>',
        }
        false
    };
    let mut ends = ends;
    rest.char_indices().find(|(_, c)| ends(*c)).map_or(rest.len(), |(at, _)| at)
}

/// Whether an element is a page number or the number of a note (EPUB's structural semantics).
fn is_for_the_eye(tag: &str) -> bool {
    ["pagebreak", "noteref"].iter().any(|kind| tag.contains("epub:type") && tag.contains(kind))
        || ["doc-pagebreak", "doc-noteref"].iter().any(|role| tag.contains(role))
}

/// What a character reference such as `&eacute;` or `&#233;` stands for, and its length; `&` alone stands for itself.
fn reference(text: &str) -> (String, usize) {
    let end = text.bytes().take(40).position(|byte| byte == b';').map_or(1, |at| at + 1);
    let decoded = |event| if let Event::Text(text) = event { Some(text.into_string()) } else { None };
    let said: String = Parser::new(&text[..end]).filter_map(decoded).collect();
    // White space alone is no text there.
    let said = if said.is_empty() { " ".to_owned() } else { said };
    (said, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_words_stay() {
        let text = |source: &str| text_of(source).text;
        assert_eq!(text("<p>Ol&aacute;, <b>mundo</b> &#233; &x; & <i>fim</i></p>"), "Olá, mundo é &x; & fim\n\n");
        assert_eq!(text("a < b <p title='>'>c</p><![CDATA[d & e]]>"), "a < b\n\nc\n\nd & e\n\n");
        assert_eq!(text("<pre>um\n  dois</pre><svg><svg/><text>x</text></svg><script>1<2</script>"), "um\ndois\n\n");
        assert_eq!(text("<P>Um<BR>dois<li>três"), "Um\ndois\ntrês\n\n");
        assert_eq!(text("<"), "<\n\n");
        assert_eq!(text("<p"), "");
    }

    #[test]
    fn a_heading_is_a_line_with_a_pause() {
        let document = text_of("antes<h2>Um\n <em>dois</em></h2>três<h3> </h3>");
        assert_eq!(document.heading.as_deref(), Some("Um dois"));
        assert_eq!(document.text, format!("antes\n\nUm dois\n{AFTER_HEADING}\n\ntrês\n\n"));
    }
}

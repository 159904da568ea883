//! Markdown -> the text that is read out: headings with a pause after them, a list's items on lines of their own, links by their
//! words; code, pictures' addresses and HTML are passed over.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The silence after a heading, beside that of its paragraph, as a directive.
pub(super) const AFTER_HEADING: &str = "[pause 1]";

/// A text without its marks.
#[derive(Debug, Default, PartialEq)]
pub struct Markdown {
    /// Lines stand about where they stood.
    pub text: String,
    /// Blocks of code that are passed over.
    pub code_blocks: usize,
}

/// Takes the marks away.
pub fn markdown(source: &str) -> Markdown {
    let mut reader = Reader { source, ..Reader::default() };
    let notes = Options::ENABLE_FOOTNOTES | Options::ENABLE_TASKLISTS | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let more = Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS | Options::ENABLE_DEFINITION_LIST | Options::ENABLE_GFM;
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | notes | more;
    for (event, place) in Parser::new_ext(source, options).into_offset_iter() {
        reader.take(event, place.start);
    }
    reader.made
}

#[derive(Default)]
struct Reader<'a> {
    source: &'a str,
    made: Markdown,
    /// How many elements that are not spoken are open.
    silent: usize,
    /// Lines that were written, and the source's lines and bytes that were counted.
    written: usize,
    counted: (usize, usize),
}

impl Reader<'_> {
    fn take(&mut self, event: Event, at: usize) {
        match event {
            Event::Start(tag) => self.begin(&tag, at),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) if self.silent == 0 => self.say(&text),
            Event::InlineHtml(html) if html.to_lowercase().starts_with("<break") => self.say(&html),
            Event::InlineHtml(html) if html.to_lowercase().starts_with("<br") => self.say("\n"),
            Event::SoftBreak | Event::HardBreak if self.silent == 0 => self.say("\n"),
            Event::Rule => self.say("\n\n* * *\n\n"),
            _ => (),
        }
    }

    fn begin(&mut self, tag: &Tag, at: usize) {
        match tag {
            Tag::CodeBlock(_) => (self.silent, self.made.code_blocks) = (self.silent + 1, self.made.code_blocks + 1),
            Tag::MetadataBlock(_) | Tag::HtmlBlock => self.silent += 1,
            Tag::List(_) if self.made.text.ends_with(char::is_alphanumeric) => self.stop(),
            Tag::Paragraph | Tag::Heading { .. } | Tag::Item | Tag::TableHead | Tag::TableRow => self.begin_line(at),
            Tag::DefinitionListTitle | Tag::DefinitionListDefinition => self.begin_line(at),
            _ => (),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock | TagEnd::MetadataBlock(_) | TagEnd::HtmlBlock => {
                self.silent = self.silent.saturating_sub(1)
            }
            TagEnd::Heading(_) => self.say(&format!("\n{AFTER_HEADING}\n\n")),
            TagEnd::Paragraph | TagEnd::List(_) | TagEnd::Table => self.say("\n\n"),
            TagEnd::DefinitionList => self.say("\n\n"),
            TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead => self.stop(),
            TagEnd::DefinitionListTitle | TagEnd::DefinitionListDefinition => self.stop(),
            TagEnd::TableCell => self.say(", "),
            _ => (),
        }
    }

    /// The end of an item, which is a unit of its own.
    fn stop(&mut self) {
        let said = self.made.text.trim_end_matches([' ', ',', '\n']).len();
        self.written -= self.made.text[said..].matches('\n').count();
        self.made.text.truncate(said);
        let mark = if self.made.text.ends_with(char::is_alphanumeric) { ".\n" } else { "\n" };
        self.say(mark);
    }

    fn say(&mut self, text: &str) {
        self.written += text.matches('\n').count();
        self.made.text.push_str(text);
    }

    /// A line of its own, no higher than the source has it.
    fn begin_line(&mut self, at: usize) {
        if !self.made.text.is_empty() && !self.made.text.ends_with('\n') {
            self.say("\n");
        }
        let (lines, bytes) = self.counted;
        let lines = lines + self.source.get(bytes..at).map_or(0, |passed| passed.matches('\n').count());
        self.counted = (lines, at.max(bytes));
        let missing = lines.saturating_sub(self.written);
        // A list's items stay together, whatever stood between them.
        if missing > 0 && (self.made.text.is_empty() || self.made.text.ends_with("\n\n")) {
            self.say(&"\n".repeat(missing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<String> {
        let text = markdown(source).text;
        text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn marks_go_and_words_stay() {
        let source =
            "# Capítulo *um*\n\nEra **uma** vez um [rei](http://x.org \"t\") e ~~não~~ `sim`.\nFim & <b>mais</b>.\n";
        assert_eq!(lines(source), ["Capítulo um", AFTER_HEADING, "Era uma vez um rei e não sim.", "Fim & mais."]);
    }

    #[test]
    fn items_and_rows_are_lines_and_code_is_passed_over() {
        let source = "Leve:\n\n- pão\n- leite;\n  1. ovos\n\n```sh\nls -l\n```\n\n| a | b |\n|---|---|\n| um | dois |\n\n---\n\n![um gato](g.png)\n";
        assert_eq!(lines(source), ["Leve:", "pão.", "leite;", "ovos.", "a, b.", "um, dois.", "* * *", "um gato"]);
        assert_eq!(markdown(source).code_blocks, 1);
    }

    #[test]
    fn lists_within_items_tasks_and_notes_are_read_without_their_marks() {
        assert_eq!(lines("- pão\n- leite\n  - frio\n- [x] ovos"), ["pão.", "leite.", "frio.", "ovos."]);
        assert_eq!(lines("Fim[^1].\n\n[^1]: Uma nota."), ["Fim.", "Uma nota."]);
        assert_eq!(lines("Gato\n: bicho de casa\n\nFim."), ["Gato.", "bicho de casa.", "Fim."]);
    }

    #[test]
    fn what_other_programs_add_is_known_too() {
        assert_eq!(lines("+++\ntitle = \"Oi\"\n+++\n\nCorpo."), ["Corpo."]);
        assert_eq!(lines("---\ntitle: Oi\n---\n\nCorpo."), ["Corpo."]);
        assert_eq!(lines("Um<br>dois<br/>três."), ["Um", "dois", "três."]);
        assert_eq!(lines("> [!NOTE]\n> Leia."), ["Leia."]);
        assert_eq!(lines("[o site](https://a.b/c_(d)) e <https://a.b>"), ["o site e https://a.b"]);
    }

    #[test]
    fn paragraphs_keep_their_lines_and_directives_their_meaning() {
        let source = "Um.\n\nDois.\n\n\n\nTrês [pause 2] e <break time=\"1s\"/> já.\n\n[voice: ana]\n\nQuatro.";
        let text = markdown(source).text;
        for (number, line) in
            [(0, "Um."), (2, "Dois."), (6, "Três [pause 2] e <break time=\"1s\"/> já."), (10, "Quatro.")]
        {
            assert_eq!(text.lines().nth(number), Some(line), "{text:?}");
        }
        assert!(text.contains("\n[voice: ana]\n"));
    }

    #[test]
    fn what_is_no_markdown_stays() {
        let text = "Olá, mundo: 2 * 3 = 6 e a_b_c.";
        assert_eq!(markdown(text).text.trim(), text);
        assert_eq!(markdown("").text, "");
    }
}

//! A text of one utterance with directives in it, such as a line of a list: who says it, and the silence around it.

use super::directive::{Directive, Part, parts};
use crate::error::Kind;
use crate::normalize::is_said;
use anyhow::{Result, ensure};

/// What a text says besides its words.
#[derive(Debug, Default, PartialEq)]
pub struct Inline {
    /// Without directives; a pause between words is `…`, at which the models hesitate.
    pub text: String,
    /// Who speaks from here on, where that is said; `None` within: the default voice.
    pub voice: Option<Option<String>>,
    /// Silence before and after the words, seconds; where there are no words, all of it is before them.
    pub before: f64,
    pub after: f64,
}

/// Takes the directives out of `text`. `voices` are the names that may be given.
///
/// # Errors
/// A directive that means nothing, or a voice that changes within the text, since one utterance has one voice.
pub fn inline(text: &str, voices: &[String]) -> Result<Inline> {
    let mut inline = Inline::default();
    for part in parts(text, voices)? {
        let begun = is_said(&inline.text);
        match part {
            Part::Text(text) => inline.say(text),
            Part::Directive(Directive::Pause(seconds)) if begun => inline.after += seconds,
            Part::Directive(Directive::Pause(seconds)) => inline.before += seconds,
            Part::Directive(Directive::Voice(voice)) => {
                let told = "a voice changes where a line begins, not within it; begin another line";
                ensure!(!begun, Kind::Input.error(told));
                inline.voice = Some(voice);
            }
        }
    }
    inline.text.truncate(inline.text.trim_end().len());
    Ok(inline)
}

impl Inline {
    fn say(&mut self, text: &str) {
        if self.after > 0.0 && is_said(text) {
            self.after = 0.0;
            self.text.truncate(self.text.trim_end().len());
            self.text.push_str("… ");
        }
        let starts = self.text.is_empty() || self.text.ends_with(' ');
        self.text.push_str(if starts { text.trim_start() } else { text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Inline {
        inline(text, &["ana".to_owned()]).unwrap()
    }

    #[test]
    fn directives_go_and_words_stay() {
        let ana = Some(Some("ana".to_owned()));
        let of = |text: &str, voice: &Option<Option<String>>, before: f64, after: f64| Inline {
            text: text.to_owned(),
            voice: voice.clone(),
            before,
            after,
        };
        assert_eq!(read("Olá [risos] 1 < 2."), of("Olá [risos] 1 < 2.", &None, 0.0, 0.0));
        assert_eq!(read("[voz: ana] Olá."), of("Olá.", &ana, 0.0, 0.0));
        assert_eq!(read("[voice]"), of("", &Some(None), 0.0, 0.0));
        assert_eq!(read("[pause 1]<break time='500ms'/>"), of("", &None, 1.5, 0.0));
        assert_eq!(read("[pause 1] Olá. [pausa 2]"), of("Olá.", &None, 1.0, 2.0));
        assert_eq!(read("Olá, [pausa 1] mundo. [pause 1]"), of("Olá,… mundo.", &None, 0.0, 1.0));
    }

    #[test]
    fn a_voice_within_a_line_and_lengths_that_are_none_are_refused() {
        let refusal = |text| inline(text, &["ana".to_owned()]).unwrap_err().to_string();
        assert!(refusal("Olá. [voice: ana] Oi.").contains("begin another line"));
        assert!(refusal("[voice: eva] Oi.").contains("no voice named"));
        assert!(refusal("[pause 99]").contains("[pause 0.8]"));
    }
}

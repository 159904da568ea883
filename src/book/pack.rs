//! Sentences -> passages: as much as one utterance holds, and not much more than it says well.

use super::Ends;
use super::cut::cut;
use super::sentences::sentences;
use std::ops::Range;

/// How much one utterance may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Most tokens of text.
    pub tokens: usize,
    /// Longest speech, estimated, seconds.
    pub seconds: f64,
    /// Sentences are put together up to this many seconds.
    pub aim: f64,
}

impl Budget {
    /// Of a model that reads `tokens` and speaks for `longest` seconds at most: 15 % of these are room for a slow voice, and no more than
    /// what suits Bark is used.
    pub fn of(tokens: usize, longest: f64) -> Self {
        let bark = Self::default();
        Self { tokens, seconds: bark.seconds.min(0.85 * longest), aim: bark.aim.min(0.65 * longest) }
    }
}

impl Default for Budget {
    /// Bark reads 256 tokens, and speaks for 15.4 s at most (768 semantic tokens at 49.9 Hz): 13 s leave it room for a slow voice.
    fn default() -> Self {
        Self { tokens: 256, seconds: 13.0, aim: 10.0 }
    }
}

/// What is shorter, in seconds, is put beside its neighbour even past the aim: on a word or two alone, Bark rambles.
const SHORT: f64 = 2.5;
/// What is shorter, in seconds, and comes after a longer passage is evened out with it.
const LEFTOVER: f64 = 4.0;
/// Letters and spaces that are read aloud in a second, pauses apart: 150 to 170 Portuguese or English words a minute.
const LETTERS_PER_SECOND: f64 = 14.0;

/// The seconds that it takes to say `text`, roughly: its letters at 14 a second, a digit as 4 letters, an ideograph as 3, a
/// symbol as the word it is read as, and the pauses at its punctuation.
pub fn estimate(text: &str) -> f64 {
    let mut chars = text.chars().peekable();
    let mut seconds = 0.0;
    while let Some(c) = chars.next() {
        let wide = matches!(c, '。' | '！' | '？' | '、' | '，');
        let pauses = wide || chars.peek().is_none_or(|next| next.is_whitespace());
        seconds += letters(c) / LETTERS_PER_SECOND + if pauses { pause(c) } else { 0.0 };
    }
    seconds
}

fn letters(c: char) -> f64 {
    match c {
        _ if c.is_ascii_digit() => 4.0,
        '%' | '€' | '$' | '£' | '&' | '@' | '+' | '=' => 6.0,
        // From the CJK radicals on, scripts write syllables or words.
        '\u{2e80}'.. if c.is_alphabetic() => 3.0,
        _ => 1.0,
    }
}

fn pause(c: char) -> f64 {
    match c {
        ',' | ';' | ':' | '—' | '–' | ')' | '、' | '，' => 0.15,
        '.' | '!' | '?' | '…' | '。' | '！' | '？' => 0.3,
        _ => 0.0,
    }
}

/// The passages of a paragraph: where each is in `text`, which has single spaces, and what it ends.
pub(super) fn passages(text: &str, budget: &Budget, tokens: &dyn Fn(&str) -> usize) -> Vec<(Range<usize>, Ends)> {
    let packer = Packer { text, budget, tokens };
    let mut parts = Vec::new();
    for sentence in sentences(text) {
        packer.split(sentence, Ends::Sentence, &mut parts);
    }
    packer.merge(parts)
}

/// Where a run of parts is in the text.
fn whole(parts: &[(Range<usize>, Ends)], run: &Range<usize>) -> Range<usize> {
    parts[run.start].0.start..parts[run.end - 1].0.end
}

struct Packer<'a> {
    text: &'a str,
    budget: &'a Budget,
    tokens: &'a dyn Fn(&str) -> usize,
}

impl Packer<'_> {
    /// Cuts what is too long in two, and each half likewise.
    fn split(&self, range: Range<usize>, ends: Ends, parts: &mut Vec<(Range<usize>, Ends)>) {
        let text = &self.text[range.clone()];
        let at = if self.fits(text, self.budget.seconds) { None } else { cut(text) };
        let Some(at) = at else { return parts.push((range, ends)) };
        let (first, second) = (text[..at].trim_end(), text[at..].trim_start());
        self.split(range.start..range.start + first.len(), Ends::Clause, parts);
        self.split(range.end - second.len()..range.end, ends, parts);
    }

    fn merge(&self, parts: Vec<(Range<usize>, Ends)>) -> Vec<(Range<usize>, Ends)> {
        // Each passage as the parts it is made of.
        let mut passages: Vec<Range<usize>> = Vec::new();
        for (place, (range, _)) in parts.iter().enumerate() {
            match passages.last_mut() {
                Some(last) if self.go_together(&whole(&parts, last), range) => last.end = place + 1,
                _ => passages.push(place..place + 1),
            }
        }
        for second in 1..passages.len() {
            self.balance(&parts, &mut passages[second - 1..=second]);
        }
        passages.into_iter().map(|passage| (whole(&parts, &passage), parts[passage.end - 1].1)).collect()
    }

    /// A leftover takes parts from the passage before it, as long as that stays the longer one.
    fn balance(&self, parts: &[(Range<usize>, Ends)], pair: &mut [Range<usize>]) {
        let [first, second] = pair else { return };
        let seconds = |passage: &Range<usize>| estimate(&self.text[whole(parts, passage)]);
        while first.len() > 1 && seconds(second) < LEFTOVER {
            let (less, more) = (first.start..first.end - 1, second.start - 1..second.end);
            if seconds(&less) < seconds(&more) || !self.fits(&self.text[whole(parts, &more)], self.budget.seconds) {
                return;
            }
            (*first, *second) = (less, more);
        }
    }

    fn go_together(&self, first: &Range<usize>, second: &Range<usize>) -> bool {
        let short = [first, second].into_iter().any(|range| estimate(&self.text[range.clone()]) < SHORT);
        let seconds = self.budget.seconds.min(if short { f64::INFINITY } else { self.budget.aim });
        self.fits(&self.text[first.start..second.end], seconds)
    }

    /// The estimate first: a tokenizer need not see what is far too long.
    fn fits(&self, text: &str, seconds: f64) -> bool {
        estimate(text) <= seconds && (self.tokens)(text) <= self.budget.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack<'a>(text: &'a str, budget: &Budget) -> Vec<(&'a str, Ends)> {
        passages(text, budget, &str::len).into_iter().map(|(range, ends)| (&text[range], ends)).collect()
    }

    #[test]
    fn reading_goes_at_the_pace_of_an_audiobook() {
        let text = "O velho saiu de casa muito cedo, como todos os dias, e desceu a rua até ao cais. ".repeat(6);
        let words = text.split_whitespace().count() as f64;
        let a_minute = 60.0 * words / estimate(&text);
        assert!((140.0..=175.0).contains(&a_minute), "{a_minute} words a minute");
        assert!(estimate("1984") > estimate("mil"));
        assert!(estimate("今日は良い天気です") > 1.5);
    }

    #[test]
    fn short_sentences_go_together_up_to_the_aim() {
        let sentence = "Ela olhou pela janela e viu que chovia muito.";
        let text = [sentence; 7].join(" ");
        let passages = pack(&text, &Budget::default());
        let sentences: Vec<_> = passages.iter().map(|(text, _)| text.matches('.').count()).collect();
        assert_eq!(sentences, [2, 2, 2, 1], "3.3 s each");
        assert!(passages.iter().all(|&(_, ends)| ends == Ends::Sentence));
    }

    #[test]
    fn a_word_alone_joins_its_neighbour_past_the_aim() {
        let long = "O comboio da noite chegou com três horas de atraso à estação vazia, onde ninguém esperava por ele nem por nós.";
        let text = format!("{long} E então, para nosso espanto, alguém falou. Não.");
        let passages = pack(&text, &Budget { aim: 8.0, ..Budget::default() });
        assert_eq!(passages.len(), 2, "{passages:?}");
        assert!(passages[1].0.ends_with("falou. Não."));
    }

    #[test]
    fn a_leftover_is_evened_out_with_what_is_before_it() {
        let sentence = "Ela olhou pela janela e viu que chovia muito.";
        let text = format!("{} Não.", [sentence; 4].join(" "));
        let passages = pack(&text, &Budget { seconds: 13.8, aim: 13.8, ..Budget::default() });
        let sentences: Vec<_> = passages.iter().map(|(text, _)| text.matches('.').count()).collect();
        assert_eq!(sentences, [3, 2], "{passages:?}");
    }

    #[test]
    fn chinese_and_japanese_are_cut_at_their_own_marks() {
        let text = "今日はとても良い天気ですから、友達と一緒に公園へ散歩に行きましょう、と彼は言いました。".repeat(2);
        for (passage, _) in pack(&text, &Budget { tokens: 80, ..Budget::default() }) {
            assert!(passage.ends_with(['、', '。']), "{passage}");
        }
    }

    #[test]
    fn a_long_sentence_is_cut_into_clauses() {
        let text = "Quando o sol se punha, atrás dos montes; e as sombras cresciam; o pastor chamava, baixinho, o cão.";
        let passages = pack(text, &Budget { tokens: 60, ..Budget::default() });
        assert_eq!(
            passages,
            [
                ("Quando o sol se punha, atrás dos montes;", Ends::Clause),
                ("e as sombras cresciam; o pastor chamava, baixinho, o cão.", Ends::Sentence),
            ]
        );
    }

    #[test]
    fn a_model_that_holds_less_is_given_less() {
        assert_eq!(Budget::of(256, 768.0 / 49.9), Budget::default());
        assert_eq!(Budget::of(96, 8.0), Budget { tokens: 96, seconds: 6.8, aim: 5.2 });
    }

    #[test]
    fn a_character_past_the_budget_is_left_whole() {
        let passages = pack("é", &Budget { tokens: 1, ..Budget::default() });
        assert_eq!(passages, [("é", Ends::Sentence)]);
        assert!(pack("", &Budget::default()).is_empty());
    }
}

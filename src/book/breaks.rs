//! Where a line ends within a paragraph: in the middle of a sentence that was wrapped, in the middle of a word, or where the writer
//! meant it to end, as in poems, lists and headings.

/// What a line's end means where no blank line follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineBreaks {
    /// The end of what is said in one go, always.
    Keep,
    /// A space, always.
    Join,
    /// Whichever the lines look like.
    #[default]
    Auto,
}

/// How two lines go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    Space,
    /// With a pause between.
    Stop,
    /// Halves of a word, whose hyphen goes.
    Word,
    /// A word with a hyphen of its own.
    Compound,
}

/// Lines that are shorter than this are not wrapped, letters: no page is so narrow.
const NARROW: usize = 45;
/// First parts of compounds that keep their hyphen whatever follows (Acordo Ortográfico, base XV and XVI), and English ones.
const FIRST_PARTS: &[&str] = &[
    "afro", "além", "anglo", "aquém", "arco", "bem", "cachorro", "couve", "decreto", "gota", "grã", "grão", "joão",
    "luso", "mato", "médico", "meia", "meio", "mesa", "norte", "pé", "pós", "primeiro", "quarta", "quinta", "recém",
    "segunda", "self", "sexta", "sota", "sul", "terça", "vice", "vizo", "well",
];
/// First parts that are the beginnings of other words too, with how the second part begins where they are a compound's.
const SOMETIMES: &[(&str, &[&str])] = &[
    ("bel", &["praz"]),
    (
        "ex",
        &[
            "alun", "amig", "atlet", "campe", "chef", "coleg", "combat", "deput", "diret", "empregad", "espos",
            "escrav", "funcion", "govern", "jogad", "libris", "marid", "minist", "mulher", "namorad", "noiv", "patr",
            "prefeit", "presid", "prof", "rei", "rainha", "secret", "senad", "sóci", "soldad", "técnic", "treinad",
            "vice", "voto",
        ],
    ),
    ("mal", &["a", "á", "e", "h", "i", "o", "u"]),
    ("pan", &["a", "e", "h", "i", "o", "u", "m", "n"]),
    ("para", &["brisa", "choque", "lama", "raio", "sol"]),
    ("pró", &["ativ", "labore", "forma", "reitor"]),
    ("pré", &["c", "d", "e", "f", "h", "j", "l", "n", "o", "p", "r", "s", "t", "u", "v"]),
    ("sem", &["cerim", "fim", "nome", "número", "par", "sal", "terra", "teto", "vergonha"]),
    ("sub", &["b", "h", "r"]),
    ("hiper", &["h", "r"]),
    ("inter", &["h", "r"]),
    ("super", &["h", "r"]),
];
/// Second parts that make another word of "pré" and of verbs.
const ENDINGS: &[&str] = &[
    "dio", "dios", "vio", "via", "vios", "mio", "stimo", "do", "da", "dos", "das", "dor", "dora", "dores", "gem",
    "mos", "ndo", "nte", "ntes", "r", "ram", "rá", "ria", "rias", "rão", "va", "vam", "to", "tos", "bilidade", "mento",
    "ção",
];
/// Prefixes that keep their hyphen before h and before the vowel that they end with.
const PREFIXES: &[&str] = &[
    "agro", "ante", "anti", "arqui", "auto", "contra", "eletro", "entre", "extra", "infra", "intra", "macro", "mega",
    "micro", "mini", "multi", "neo", "poli", "pseudo", "semi", "sobre", "supra", "tele", "ultra",
];
/// Verbs that begin compounds.
const VERBS: &[&str] = &["arranha", "beija", "bota", "conta", "guarda", "porta", "quebra", "saca", "tira", "vira"];
/// Pronouns that follow a verb by a hyphen.
const PRONOUNS: &[&str] =
    &["a", "as", "la", "las", "lhe", "lhes", "lo", "los", "me", "na", "nas", "no", "nos", "o", "os", "se", "te", "vos"];

/// Looks at lines as they come.
#[derive(Default)]
pub(super) struct Breaks {
    mode: LineBreaks,
    /// The longest line so far, letters.
    width: usize,
    previous: Option<String>,
}

impl Breaks {
    pub fn new(mode: LineBreaks) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Nothing goes on into the next line.
    pub fn forget(&mut self) {
        self.previous = None;
    }

    /// How `line` goes together with the one before.
    pub fn before(&mut self, line: &str) -> Joint {
        let line = line.trim();
        self.width = self.width.max(line.chars().count());
        let joint = self.previous.as_deref().map_or(Joint::Space, |previous| self.joint(previous, line));
        self.previous = Some(line.to_owned());
        joint
    }

    fn joint(&self, previous: &str, next: &str) -> Joint {
        if let Some(joint) = halves(previous, next) {
            return joint;
        }
        let stops = match self.mode {
            LineBreaks::Keep => true,
            LineBreaks::Join => false,
            LineBreaks::Auto => !is_open(previous) && self.is_meant(previous, next),
        };
        if stops { Joint::Stop } else { Joint::Space }
    }

    /// A list's mark, or a capital after a line that had room for the next word, or a line half as long as others.
    fn is_meant(&self, previous: &str, next: &str) -> bool {
        let (length, word) = (previous.chars().count(), next.split(' ').next().unwrap_or_default());
        let had_room = length + 1 + word.chars().count() <= self.width;
        let begin = next.trim_start_matches(|c: char| !c.is_alphanumeric());
        let narrow = self.width < NARROW;
        // "3 ovos", under "Ingredientes"
        let capital =
            begin.starts_with(char::is_uppercase) || (narrow && begin.starts_with(|c: char| c.is_ascii_digit()));
        let prose = previous.contains(". ");
        is_item(next) || (capital && (narrow || had_room)) || (!narrow && !prose && 2 * length < self.width)
    }
}

/// Words that end no line that was meant to end, of the languages that poems and lists are often in.
const SMALL: &[&str] = &[
    "a", "à", "and", "ao", "aos", "as", "às", "com", "como", "da", "das", "de", "do", "dos", "e", "em", "entre", "for",
    "in", "mas", "muito", "na", "nas", "no", "nos", "of", "os", "ou", "para", "pela", "pelo", "por", "que", "se",
    "sem", "sobre", "the", "to", "um", "uma", "with",
];

/// Whether the line's last mark or word says that it goes on.
fn is_open(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or_default();
    line.ends_with([',', ';', '(', '-', '–', '—', '/']) || (last.len() < line.len() && SMALL.contains(&last))
}

/// A line without the mark of a list or a quotation that is no word: `* `, `• `, `> `.
pub(super) fn unmarked(line: &str) -> &str {
    let begin = line.trim_start();
    let rest = begin.trim_start_matches(['*', '•', '·', '▪', '◦', '‣', '●', '>', '+', ' ']);
    let marked = begin[..begin.len() - rest.len()].ends_with(' ');
    if marked && rest.starts_with(|c: char| c.is_alphanumeric() || "\"'“«([".contains(c)) { rest } else { line }
}

/// `- `, `* `, `• `, `1. `, `a) `, and the dash of a dialogue.
fn is_item(line: &str) -> bool {
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    let number = mark.strip_suffix(['.', ')']).is_some_and(|number| {
        let digits = number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit());
        !number.is_empty() && (digits || (number.len() == 1 && mark.ends_with(')')))
    });
    !rest.is_empty() && (matches!(mark, "-" | "*" | "•" | "·" | "–" | "—" | "+" | "▪" | "◦" | "‣") || number)
}

/// Whether a word was cut at the line's end.
fn halves(previous: &str, next: &str) -> Option<Joint> {
    if previous.ends_with('\u{ad}') {
        return Some(Joint::Word);
    }
    let stem = previous.strip_suffix(['-', '\u{2010}'])?;
    // Portuguese repeats the hyphen of a word at the line's end.
    let next = next.strip_prefix('-').unwrap_or(next);
    let first = stem.rsplit(|c: char| !c.is_alphanumeric()).next().filter(|first| !first.is_empty())?;
    let second = next.split(|c: char| !c.is_alphanumeric()).next().filter(|second| !second.is_empty())?;
    let known = keeps_hyphen(&first.to_lowercase(), second) || PRONOUNS.contains(&second);
    let compound = known || stem[..stem.len() - first.len()].ends_with('-') || !second.starts_with(char::is_lowercase);
    let letters = first.chars().all(char::is_alphabetic);
    Some(if compound || !letters { Joint::Compound } else { Joint::Word })
}

/// Whether two parts of a word are a compound with a hyphen.
fn keeps_hyphen(first: &str, second: &str) -> bool {
    let sometimes = SOMETIMES.iter().find(|(part, _)| *part == first);
    let verb = VERBS.contains(&first);
    if verb || sometimes.is_some() {
        let begins = |(_, seconds): &(_, &[&str])| seconds.iter().any(|begin| second.starts_with(begin));
        return !ENDINGS.contains(&second) && (verb || sometimes.is_some_and(begins));
    }
    let same = first.chars().next_back().is_some_and(|last| second.starts_with([last, 'h']));
    FIRST_PARTS.contains(&first) || (PREFIXES.contains(&first) && same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Joint::{Compound, Space, Stop, Word};

    fn joints(mode: LineBreaks, text: &str) -> Vec<Joint> {
        let mut breaks = Breaks::new(mode);
        text.lines().map(|line| breaks.before(line)).skip(1).collect()
    }

    #[test]
    fn lists_poems_and_headings_stop_at_their_lines() {
        let auto = |text| joints(LineBreaks::Auto, text);
        assert_eq!(auto("Compras:\nMaçã\nPera\nUva"), [Stop, Stop, Stop]);
        assert_eq!(auto("No meio do caminho tinha uma pedra\nTinha uma pedra no meio do caminho"), [Stop]);
        assert_eq!(auto("Leve:\n- pão\n- leite\n2) ovos"), [Stop, Stop, Stop]);
        assert_eq!(auto("— Bom dia\n— Olá"), [Stop]);
        assert_eq!(auto("batatinha quando nasce\nespalha a rama pelo chão"), [Space]);
        assert_eq!(auto("Ingredientes\n3 cenouras\n4 ovos"), [Stop, Stop]);
        assert_eq!(auto("o país que\nPedro viu"), [Space], "a small word goes on");
    }

    #[test]
    fn wrapped_prose_goes_on_also_before_a_name() {
        let prose = "Naquela tarde de domingo o velho capitão contou outra vez a história do\nJoão, que tinha ido ao mar e nunca mais voltou para a aldeia onde nascera\ne crescera.";
        assert_eq!(joints(LineBreaks::Auto, prose), [Space, Space]);
        assert_eq!(joints(LineBreaks::Keep, prose), [Stop, Stop]);
        let ragged =
            "Este texto foi quebrado em setenta colunas por um programa antigo e bom.\nA Maria foi. O fim vem\ndepois.";
        assert_eq!(joints(LineBreaks::Auto, ragged), [Space, Space]);
        assert_eq!(joints(LineBreaks::Join, "Compras:\nMaçã\nPera"), [Space, Space]);
        let heading = "Naquela tarde de domingo o velho capitão contou outra vez a história do mar.\nOUTRO DIA\nO sol nasceu cedo.";
        assert_eq!(joints(LineBreaks::Auto, heading), [Space, Stop], "the first has its stop");
    }

    #[test]
    fn words_that_were_cut_are_joined_and_compounds_keep_their_hyphen() {
        let cut = |text: &str| joints(LineBreaks::Join, text)[0];
        for text in ["uma nega-\ntiva", "o co\u{ad}\nração", "cora\u{2010}\nção"] {
            assert_eq!(cut(text), Word, "{text}");
        }
        for word in [
            "co-ração",
            "sem-pre",
            "ex-plicou",
            "pró-ximo",
            "pré-dio",
            "para-béns",
            "mal-dade",
            "auto-móvel",
            "conta-gem",
            "guarda-ram",
            "inter-nacional",
            "super-mercado",
            "micro-fone",
            "porta-dor",
        ] {
            assert_eq!(cut(&word.replace('-', "-\n")), Word, "{word}");
        }
        for word in [
            "ex-presidente",
            "sem-terra",
            "pré-história",
            "para-choque",
            "mal-estar",
            "super-homem",
            "anti-inflamatório",
            "micro-ondas",
            "porta-voz",
            "conta-gotas",
            "segunda-feira",
            "sub-região",
            "vice-versa",
        ] {
            assert_eq!(cut(&word.replace('-', "-\n")), Compound, "{word}");
        }
        for text in ["o bem-\nestar", "guarda-\nchuva", "disse-\nme", "Rio-\nSão Paulo", "1939-\n1945", "dá-se-\nlhe"]
        {
            assert_eq!(cut(text), Compound, "{text}");
        }
        assert_eq!(cut("disse ele -\ne saiu"), Space);
        assert_eq!(cut("dar-\n-lhe-ei"), Compound);
    }

    #[test]
    fn marks_of_lists_and_quotations_are_not_said() {
        for (line, said) in [
            ("* Uva", "Uva"),
            ("  • Pera", "Pera"),
            ("> > Oi", "Oi"),
            ("> \"Oi\"", "\"Oi\""),
            ("* * *", "* * *"),
            ("- Oi", "- Oi"),
            (">5", ">5"),
            ("*forte* sim", "*forte* sim"),
        ] {
            assert_eq!(unmarked(line), said);
        }
    }
}

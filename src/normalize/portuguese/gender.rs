//! The gender of what a number counts, from the words beside it.

use super::numbers::Gender;
use super::numbers::Gender::{Feminine, Masculine};

/// Nouns in -a that are masculine, without the plural's s.
const MASCULINE_IN_A: &[&str] = &[
    "acrobata",
    "aroma",
    "astronauta",
    "atleta",
    "autocrata",
    "axioma",
    "belga",
    "camarada",
    "carisma",
    "chá",
    "cinema",
    "clima",
    "colega",
    "cometa",
    "croata",
    "cromossoma",
    "delta",
    "democrata",
    "dia",
    "diagrama",
    "dilema",
    "diploma",
    "diplomata",
    "dogma",
    "drama",
    "dálmata",
    "eczema",
    "emblema",
    "enigma",
    "esquema",
    "estigma",
    "estratagema",
    "fantasma",
    "fonema",
    "glaucoma",
    "gorila",
    "grama",
    "hectograma",
    "hematoma",
    "holograma",
    "homicida",
    "idioma",
    "indígena",
    "internauta",
    "jesuíta",
    "karma",
    "koala",
    "lema",
    "linfoma",
    "magma",
    "mapa",
    "melanoma",
    "miligrama",
    "mioma",
    "monarca",
    "organograma",
    "panda",
    "panorama",
    "papa",
    "paradigma",
    "parasita",
    "patriarca",
    "patriota",
    "pediatra",
    "pijama",
    "pirata",
    "planeta",
    "plasma",
    "poema",
    "poeta",
    "prisma",
    "problema",
    "profeta",
    "programa",
    "psicopata",
    "psiquiatra",
    "puma",
    "quilograma",
    "sintoma",
    "sistema",
    "sofá",
    "suicida",
    "telefonema",
    "telegrama",
    "tema",
    "teorema",
    "terapeuta",
    "trauma",
    "trema",
    "guarda",
    "carcinoma",
    "coma",
    "ecossistema",
    "edema",
    "enfisema",
    "genoma",
    "mantra",
    "morfema",
    "pampa",
    "samba",
    "subsistema",
    "cinegrafista",
    "maná",
    "crachá",
    "alvará",
    "sabiá",
    "jacaré",
    "guaraná",
    "xá",
];
/// Feminine nouns that do not end in -a, -ção, -são, -dade, -gem or -tude, without the plural's s.
const FEMININE: &[&str] = &[
    "revista",
    "entrevista",
    "lista",
    "pista",
    "vista",
    "conquista",
    "crista",
    "bicicleta",
    "equipa",
    "alface",
    "análise",
    "apendicite",
    "arte",
    "artrite",
    "árvore",
    "atriz",
    "ave",
    "avó",
    "base",
    "boate",
    "bronquite",
    "calvície",
    "canção",
    "carne",
    "catástrofe",
    "chave",
    "cicatriz",
    "classe",
    "cidade",
    "colher",
    "colhere",
    "cor",
    "core",
    "corrente",
    "crase",
    "creche",
    "crise",
    "cruz",
    "cárie",
    "cútis",
    "diretriz",
    "dor",
    "dore",
    "dose",
    "elipse",
    "enchente",
    "enquete",
    "ênfase",
    "equipe",
    "espécie",
    "estante",
    "estirpe",
    "eletricidade",
    "face",
    "fase",
    "febre",
    "flor",
    "flore",
    "foice",
    "fome",
    "fonte",
    "foto",
    "frase",
    "fraude",
    "frente",
    "gente",
    "gestante",
    "greve",
    "gripe",
    "grade",
    "haste",
    "hipótese",
    "hélice",
    "imperatriz",
    "irmã",
    "lã",
    "lebre",
    "legião",
    "lei",
    "lente",
    "libido",
    "luz",
    "maçã",
    "manhã",
    "manchete",
    "matriz",
    "maternidade",
    "metade",
    "mente",
    "meretriz",
    "metrópole",
    "morte",
    "moto",
    "mulher",
    "mulhere",
    "mãe",
    "mão",
    "nave",
    "neve",
    "noite",
    "noz",
    "nuven",
    "nuvem",
    "ordem",
    "orden",
    "parede",
    "parte",
    "paz",
    "peste",
    "pele",
    "plebe",
    "ponte",
    "praxe",
    "prece",
    "prole",
    "raiz",
    "rã",
    "razão",
    "rede",
    "região",
    "religião",
    "reunião",
    "saúde",
    "sede",
    "semente",
    "serpente",
    "série",
    "sorte",
    "superfície",
    "sílfide",
    "síndrome",
    "síntese",
    "tarde",
    "tese",
    "torre",
    "tosse",
    "tribo",
    "união",
    "vale-transporte",
    "variante",
    "vez",
    "vertente",
    "vertigem",
    "virgem",
    "virgen",
    "vitrine",
    "voz",
    "opinião",
    "questão",
    "gestão",
    "sugestão",
    "rebelião",
    "conexão",
    "reflexão",
    "combustão",
    "digestão",
    "congestão",
    "exaustão",
    "pá",
    "fé",
    "pose",
    "posse",
    "prótese",
    "psicose",
    "raquete",
    "toalete",
    "chance",
    "performance",
    "gangue",
    "avalanche",
    "cabine",
    "madame",
    "mousse",
    "planície",
    "imundície",
    "barbárie",
    "intempérie",
    "efígie",
    "progênie",
    "laje",
    "couve",
    "hecatombe",
    "catequese",
    "gravidez",
    "surdez",
    "tez",
    "vastidão",
    "multidão",
    "escuridão",
    "solidão",
    "gratidão",
    "certidão",
    "servidão",
    "mansidão",
    "aptidão",
    "exatidão",
    "apólice",
    "babá",
    "capital",
    "catedral",
    "chaminé",
    "consoante",
    "diagonal",
    "diocese",
    "elite",
    "espiral",
    "filial",
    "foz",
    "gastrite",
    "glicose",
    "hepatite",
    "hortelã",
    "maionese",
    "maré",
    "meningite",
    "neurose",
    "overdose",
    "perdiz",
    "quermesse",
    "ré",
    "suíte",
    "sucursal",
    "trave",
    "trombose",
    "tuberculose",
    "virose",
    "vogal",
    "nascente",
    "patente",
    "tangente",
    "torrente",
];
/// Masculine though they end as feminine ones do.
const MASCULINE: &[&str] = &[
    "clã",
    "coração",
    "bastão",
    "pagem",
    "personagem",
    "fã",
    "ímã",
    "galã",
    "divã",
    "sutiã",
    "talismã",
    "brasão",
    "diapasão",
    "cristão",
    "cidadão",
];
/// Words that precede a noun without showing its gender.
const BETWEEN: &[&str] = &[
    "breve",
    "diferente",
    "distinto",
    "enorme",
    "excelente",
    "feliz",
    "felize",
    "forte",
    "grande",
    "importante",
    "jovem",
    "joven",
    "maior",
    "maiore",
    "melhor",
    "melhore",
    "mil",
    "menor",
    "menore",
    "pior",
    "piore",
    "possível",
    "possívei",
    "principal",
    "principai",
    "recente",
    "simples",
    "simple",
    "total",
    "triste",
    "tai",
    "quai",
    "semelhante",
];
/// Small words that are no nouns.
const NO_NOUN: &[&str] = &[
    "a", "à", "ainda", "agora", "além", "antes", "ao", "após", "as", "às", "até", "bem", "cada", "com", "como",
    "contra", "da", "das", "de", "dela", "delas", "depois", "desde", "do", "dos", "e", "é", "ela", "elas", "em",
    "embora", "entre", "era", "eram", "essa", "essas", "esta", "está", "estas", "fica", "foi", "foram", "fora", "hora",
    "já", "mais", "mas", "menos", "na", "nada", "nas", "no", "nos", "nunca", "o", "os", "ou", "para", "pela", "pelas",
    "pelo", "por", "porque", "quando", "que", "são", "se", "sem", "ser", "seus", "sob", "sobre", "toda", "todas",
    "todos", "tudo", "um", "uma", "vai", "através", "apenas", "vezes", "atrás", "nós", "eles", "dias",
];
/// Determiners that show that what follows is feminine.
const FEMININE_BEFORE: &[&str] = &[
    "as",
    "às",
    "das",
    "nas",
    "pelas",
    "umas",
    "essas",
    "estas",
    "aquelas",
    "minhas",
    "tuas",
    "suas",
    "nossas",
    "vossas",
    "todas",
    "poucas",
    "muitas",
    "outras",
    "quantas",
    "tantas",
    "várias",
    "duas",
    "certas",
    "mesmas",
    "últimas",
    "primeiras",
    "próximas",
];
/// Nouns that a number names rather than counts: página dois, sala vinte e um.
const LABELS: &[&str] = &[
    "ala",
    "alínea",
    "andar",
    "anexo",
    "apartamento",
    "art",
    "artigo",
    "ato",
    "aula",
    "bloco",
    "box",
    "caixa",
    "canal",
    "canto",
    "capítulo",
    "casa",
    "categoria",
    "cena",
    "classe",
    "código",
    "conjunto",
    "década",
    "edição",
    "episódio",
    "estrada",
    "etapa",
    "exercício",
    "fase",
    "figura",
    "fila",
    "grau",
    "grupo",
    "inciso",
    "item",
    "linha",
    "livro",
    "lote",
    "lição",
    "mesa",
    "módulo",
    "número",
    "nível",
    "opção",
    "página",
    "parte",
    "passo",
    "ponto",
    "porta",
    "portão",
    "posição",
    "questão",
    "quadra",
    "quadro",
    "quarto",
    "rodovia",
    "sala",
    "século",
    "seção",
    "secção",
    "série",
    "tabela",
    "temporada",
    "terminal",
    "tipo",
    "título",
    "tomo",
    "turma",
    "unidade",
    "versão",
    "vaga",
    "via",
    "volume",
    "ônibus",
    "agente",
    "ano",
    "anos",
    "faixa",
    "voo",
    "plataforma",
    "km",
];

/// Whether the last word of `before` takes a number as its name.
pub fn is_label(before: &str) -> bool {
    LABELS.contains(&last_word(before).to_lowercase().as_str())
}

/// The gender that a number has which counts `after` and follows `before`; `one`: it counts a single one.
pub fn counted(before: &str, after: &str, one: bool) -> Gender {
    if is_label(before) {
        return Masculine;
    }
    let first = following(after).next();
    if let Some(gender) = noun(after, one) {
        return gender;
    }
    if let Some(gender) = first.as_deref().and_then(|first| resumed(before, first)) {
        return gender;
    }
    let feminine_part = first.as_deref() == Some("das");
    let verb =
        ["são", "eram", "foram", "serão", "ficaram", "vieram"].contains(&last_word(before).to_lowercase().as_str());
    let subject = before.rsplit(['.', '!', '?']).next().unwrap_or_default().to_lowercase();
    let they = verb && subject.split_whitespace().any(|word| word == "elas");
    let determined = they || FEMININE_BEFORE.contains(&last_word(before).to_lowercase().as_str());
    if feminine_part || determined { Feminine } else { Masculine }
}

/// Words before which a noun is left out that was counted before: "3 medalhas: 2 de ouro".
const RESUMING: &[&str] = &["de", "à", "foram", "eram", "são", "delas"];

/// The gender of the noun that was counted last in this sentence, where it is left out.
fn resumed(before: &str, first: &str) -> Option<Gender> {
    let sentence = before.rsplit(['.', '!', '?']).next().unwrap_or_default();
    let counted =
        sentence.rmatch_indices(|c: char| c.is_ascii_digit()).map(|(at, digit)| &sentence[at + digit.len()..]);
    counted.filter(|_| RESUMING.contains(&first)).find_map(|after| noun(after, false))
}

/// The gender of the noun that `after` begins with, if it is one that a number counts.
pub fn noun(after: &str, one: bool) -> Option<Gender> {
    for word in following(after).take(3) {
        let stem = word.strip_suffix('s').unwrap_or(&word);
        if BETWEEN.contains(&stem) {
            continue;
        }
        let plural = word.ends_with('s');
        let known = word != "dias" && NO_NOUN.contains(&word.as_str()) && word != "vezes" && word != "hora";
        return if known || plural == one { exception(&word) } else { Some(of(&word)) };
    }
    None
}

/// "dias", "lápis", "ônibus": the same for one and several.
fn exception(word: &str) -> Option<Gender> {
    matches!(word, "lápis" | "ônibus" | "vírus" | "pires" | "atlas" | "tênis").then_some(Masculine)
}

/// The words that directly follow, in lower case; ends at any mark.
fn following(after: &str) -> impl Iterator<Item = String> {
    let mut rest = after;
    std::iter::from_fn(move || {
        let word = rest.strip_prefix([' ', '\u{a0}'])?;
        let end = word.find(|c: char| !(c.is_alphabetic() || c == '-')).unwrap_or(word.len());
        rest = &word[end..];
        (end > 0).then(|| word[..end].to_lowercase())
    })
}

fn last_word(before: &str) -> &str {
    let before = before.trim_end();
    before.rsplit(|c: char| !(c.is_alphanumeric() || c == '-')).next().unwrap_or_default()
}

/// A noun's gender by its ending, with the exceptions that are known.
pub fn of(word: &str) -> Gender {
    let word = word.to_lowercase();
    let singular = singular(&word);
    let stem = singular.as_str();
    let listed = |list: &[&str]| list.contains(&stem);
    let feminine_end = ["ção", "são", "xão", "dade", "gem", "tude", "ície", "a", "ã"];
    let masculine_end = ["ista", "atra", "nauta", "icida", "ocida", "grama"];
    let verb_and_noun = ["guarda-", "quebra-", "saca-", "porta-", "salva-", "mata-", "tira-", "toca-"];
    if listed(MASCULINE) || listed(MASCULINE_IN_A) || verb_and_noun.iter().any(|begin| stem.starts_with(begin)) {
        Masculine
    } else if listed(FEMININE) {
        Feminine
    } else if masculine_end.iter().any(|end| stem.ends_with(end)) {
        Masculine
    } else if feminine_end.iter().any(|end| stem.ends_with(end)) {
        Feminine
    } else {
        Masculine
    }
}

fn singular(word: &str) -> String {
    let endings = [("ões", "ão"), ("ães", "ãe"), ("gens", "gem"), ("ais", "al"), ("zes", "z"), ("ns", "m"), ("s", "")];
    let found = endings.iter().find_map(|(plural, one)| word.strip_suffix(plural).map(|stem| format!("{stem}{one}")));
    found.unwrap_or_else(|| word.to_owned())
}

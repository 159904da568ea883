//! Tables: units, currencies, months, abbreviations, acronyms and letters.

/// (symbol, one, several, whether it is feminine), in Brazil's spelling.
pub const UNITS: &[(&str, &str, &str, bool)] = &[
    ("km/h", "quilômetro por hora", "quilômetros por hora", false),
    ("km/l", "quilômetro por litro", "quilômetros por litro", false),
    ("km/L", "quilômetro por litro", "quilômetros por litro", false),
    ("km/s", "quilômetro por segundo", "quilômetros por segundo", false),
    ("m/s²", "metro por segundo ao quadrado", "metros por segundo ao quadrado", false),
    ("m/s", "metro por segundo", "metros por segundo", false),
    ("g/L", "grama por litro", "gramas por litro", false),
    ("mg/dL", "miligrama por decilitro", "miligramas por decilitro", false),
    ("mg/kg", "miligrama por quilo", "miligramas por quilo", false),
    ("hab/km²", "habitante por quilômetro quadrado", "habitantes por quilômetro quadrado", false),
    ("km²", "quilômetro quadrado", "quilômetros quadrados", false),
    ("km2", "quilômetro quadrado", "quilômetros quadrados", false),
    ("cm²", "centímetro quadrado", "centímetros quadrados", false),
    ("cm³", "centímetro cúbico", "centímetros cúbicos", false),
    ("mm²", "milímetro quadrado", "milímetros quadrados", false),
    ("m²", "metro quadrado", "metros quadrados", false),
    ("m2", "metro quadrado", "metros quadrados", false),
    ("m³", "metro cúbico", "metros cúbicos", false),
    ("m3", "metro cúbico", "metros cúbicos", false),
    ("km", "quilômetro", "quilômetros", false),
    ("hm", "hectômetro", "hectômetros", false),
    ("dm", "decímetro", "decímetros", false),
    ("cm", "centímetro", "centímetros", false),
    ("mm", "milímetro", "milímetros", false),
    ("µm", "micrômetro", "micrômetros", false),
    ("nm", "nanômetro", "nanômetros", false),
    ("m", "metro", "metros", false),
    ("kg", "quilo", "quilos", false),
    ("Kg", "quilo", "quilos", false),
    ("mg", "miligrama", "miligramas", false),
    ("µg", "micrograma", "microgramas", false),
    ("mcg", "micrograma", "microgramas", false),
    ("g", "grama", "gramas", false),
    ("ton", "tonelada", "toneladas", true),
    ("t", "tonelada", "toneladas", true),
    ("ml", "mililitro", "mililitros", false),
    ("mL", "mililitro", "mililitros", false),
    ("cl", "centilitro", "centilitros", false),
    ("dl", "decilitro", "decilitros", false),
    ("l", "litro", "litros", false),
    ("L", "litro", "litros", false),
    ("ha", "hectare", "hectares", false),
    ("°C", "grau Celsius", "graus Celsius", false),
    ("ºC", "grau Celsius", "graus Celsius", false),
    ("° C", "grau Celsius", "graus Celsius", false),
    ("º C", "grau Celsius", "graus Celsius", false),
    ("℃", "grau Celsius", "graus Celsius", false),
    ("°F", "grau Fahrenheit", "graus Fahrenheit", false),
    ("ºF", "grau Fahrenheit", "graus Fahrenheit", false),
    ("°", "grau", "graus", false),
    ("kWh", "quilowatt-hora", "quilowatts-hora", false),
    ("MW", "megawatt", "megawatts", false),
    ("kW", "quilowatt", "quilowatts", false),
    ("W", "watt", "watts", false),
    ("kV", "quilovolt", "quilovolts", false),
    ("V", "volt", "volts", false),
    ("mAh", "miliampere-hora", "miliamperes-hora", false),
    ("mA", "miliampere", "miliamperes", false),
    ("GHz", "giga-hertz", "giga-hertz", false),
    ("MHz", "mega-hertz", "mega-hertz", false),
    ("kHz", "quilo-hertz", "quilo-hertz", false),
    ("Hz", "hertz", "hertz", false),
    ("TB", "terabyte", "terabytes", false),
    ("GB", "gigabyte", "gigabytes", false),
    ("MB", "megabyte", "megabytes", false),
    ("KB", "quilobyte", "quilobytes", false),
    ("kB", "quilobyte", "quilobytes", false),
    ("Gbps", "gigabit por segundo", "gigabits por segundo", false),
    ("Mbps", "megabit por segundo", "megabits por segundo", false),
    ("kcal", "quilocaloria", "quilocalorias", true),
    ("cal", "caloria", "calorias", true),
    ("kJ", "quilojoule", "quilojoules", false),
    ("J", "joule", "joules", false),
    ("hPa", "hectopascal", "hectopascals", false),
    ("Pa", "pascal", "pascals", false),
    ("mmHg", "milímetro de mercúrio", "milímetros de mercúrio", false),
    ("dB", "decibel", "decibéis", false),
    ("px", "pixel", "pixels", false),
    ("pol", "polegada", "polegadas", true),
    ("cv", "cavalo", "cavalos", false),
    ("rpm", "rotação por minuto", "rotações por minuto", true),
    ("bpm", "batimento por minuto", "batimentos por minuto", false),
    ("min", "minuto", "minutos", false),
    ("seg", "segundo", "segundos", false),
    ("ms", "milissegundo", "milissegundos", false),
    ("s", "segundo", "segundos", false),
    ("hs", "hora", "horas", true),
    ("hrs", "hora", "horas", true),
    ("h", "hora", "horas", true),
    ("un", "unidade", "unidades", true),
    ("pts", "ponto", "pontos", false),
    ("p.p", "ponto percentual", "pontos percentuais", false),
];

/// A currency: its signs, one and several of it, whether it is feminine, and its hundredth part.
pub struct Currency {
    pub signs: &'static [&'static str],
    pub one: &'static str,
    pub several: &'static str,
    pub feminine: bool,
    pub cent: (&'static str, &'static str),
}

const CENTAVO: (&str, &str) = ("centavo", "centavos");

pub const CURRENCIES: &[Currency] = &[
    Currency { signs: &["R$", "BRL"], one: "real", several: "reais", feminine: false, cent: CENTAVO },
    Currency { signs: &["US$", "U$", "$", "USD"], one: "dólar", several: "dólares", feminine: false, cent: CENTAVO },
    Currency { signs: &["€", "EUR"], one: "euro", several: "euros", feminine: false, cent: CENTAVO },
    Currency { signs: &["£", "GBP"], one: "libra", several: "libras", feminine: true, cent: ("pêni", "pence") },
    Currency { signs: &["¥", "JPY"], one: "iene", several: "ienes", feminine: false, cent: CENTAVO },
];

/// How many a scale stands for: (as written, one in Brazil, several in Brazil, one in Portugal, several in Portugal).
pub const SCALES: &[(&str, &str, &str, &str, &str)] = &[
    ("mil", "mil", "mil", "mil", "mil"),
    ("k", "mil", "mil", "mil", "mil"),
    ("mi", "milhão", "milhões", "milhão", "milhões"),
    ("M", "milhão", "milhões", "milhão", "milhões"),
    ("bi", "bilhão", "bilhões", "mil milhões", "mil milhões"),
    ("tri", "trilhão", "trilhões", "bilião", "biliões"),
];

pub const MONTHS: [&str; 12] = [
    "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
    "dezembro",
];

/// Days that are named by number, from the second on.
pub const WEEKDAYS: [&str; 5] = ["segunda", "terça", "quarta", "quinta", "sexta"];

/// Words whose abbreviation is followed by a name, and so never ends a sentence within a text.
pub const TITLES: &[(&str, &str)] = &[
    ("sr", "senhor"), ("sra", "senhora"), ("srs", "senhores"), ("sras", "senhoras"), ("srta", "senhorita"), ("srtas", "senhoritas"),
    ("dr", "doutor"), ("dra", "doutora"), ("drs", "doutores"), ("dras", "doutoras"), ("drª", "doutora"), ("srª", "senhora"), ("prof", "professor"), ("profa", "professora"),
    ("profª", "professora"), ("profs", "professores"), ("profas", "professoras"), ("exmo", "excelentíssimo"),
    ("exma", "excelentíssima"), ("exmos", "excelentíssimos"), ("exmas", "excelentíssimas"), ("ilmo", "ilustríssimo"),
    ("ilma", "ilustríssima"), ("eng", "engenheiro"), ("engº", "engenheiro"), ("engo", "engenheiro"), ("enga", "engenheira"), ("engª", "engenheira"),
    ("arq", "arquiteto"), ("sto", "santo"), ("mons", "monsenhor"),
];
/// Titles that are abbreviated with a capital alone; without it they may be words.
pub const CAPITAL_TITLES: &[(&str, &str)] = &[
    ("Gov", "Governador"), ("Gen", "General"), ("Cel", "Coronel"), ("Cap", "Capitão"), ("Ten", "Tenente"), ("Sgt", "Sargento"),
    ("Maj", "Major"), ("Alm", "Almirante"), ("Brig", "Brigadeiro"), ("Pe", "Padre"), ("Fr", "Frei"), ("Sta", "Santa"), ("S", "São"), ("Dep", "Deputado"),
    ("Sen", "Senador"), ("Min", "Ministro"), ("Pres", "Presidente"), ("Des", "Desembargador"), ("Av", "Avenida"), ("Pça", "Praça"),
    ("Rod", "Rodovia"), ("Trav", "Travessa"), ("Tv", "Travessa"), ("Jd", "Jardim"), ("Pq", "Parque"), ("Lgo", "Largo"), ("Al", "Alameda"), ("Estr", "Estrada"),
    ("Ed", "Edifício"), ("Cond", "Condomínio"), ("Vl", "Vila"), ("Ver", "Vereador"), ("Com", "Comendador"), ("Rev", "Reverendo"),
];
/// Words whose abbreviation is followed by a number or a letter.
pub const NUMBERED: &[(&str, &str)] = &[
    ("pág", "página"), ("págs", "páginas"), ("pag", "página"), ("p", "página"), ("pp", "páginas"), ("vol", "volume"), ("vols", "volumes"),
    ("cap", "capítulo"), ("caps", "capítulos"), ("fig", "figura"), ("figs", "figuras"), ("tab", "tabela"), ("art", "artigo"), ("arts", "artigos"),
    ("inc", "inciso"), ("n", "número"), ("ap", "apartamento"), ("apto", "apartamento"), ("apt", "apartamento"), ("bl", "bloco"), ("cj", "conjunto"),
    ("séc", "século"), ("sécs", "séculos"), ("ed", "edição"), ("fl", "folha"), ("fls", "folhas"), ("lin", "linha"), ("nº", "número"), ("km", "quilômetro"),
    ("qd", "quadra"), ("lt", "lote"), ("sl", "sala"), ("ref", "referência"), ("proc", "processo"), ("reg", "registro"), ("ca", "cerca de"),
];
/// Other abbreviations.
pub const ABBREVIATIONS: &[(&str, &str)] = &[
    ("etc", "etcétera"), ("ltda", "limitada"), ("cia", "companhia"), ("jr", "Júnior"), ("vs", "versus"), ("obs", "observação"),
    ("aprox", "aproximadamente"), ("tel", "telefone"), ("tels", "telefones"), ("temp", "temperatura"), ("av", "avenida"), ("adm", "administração"),
    ("depto", "departamento"), ("dept", "departamento"), ("min", "minutos"), ("máx", "máximo"), ("mín", "mínimo"), ("méd", "médio"), ("qtd", "quantidade"), ("qtde", "quantidade"),
    ("end", "endereço"), ("ref", "referência"), ("gov", "governador"), ("univ", "universidade"), ("fac", "faculdade"), ("esq", "esquina"), ("hab", "habitantes"),
    ("jan", "janeiro"), ("fev", "fevereiro"), ("abr", "abril"), ("jun", "junho"), ("jul", "julho"), ("ago", "agosto"),
    ("nov", "novembro"), ("tb", "também"), ("pq", "porque"), ("cel", "celular"), ("apto", "apartamento"), ("séc", "século"), ("nasc", "nascimento"), ("trad", "tradução"),
];
/// Abbreviations that are words too: expanded only where they are surely none, before a colon.
pub const BEFORE_COLON: &[(&str, &str)] = &[("obs", "observação"), ("tel", "telefone"), ("fone", "telefone"), ("ex", "exemplo"), ("end", "endereço"), ("cel", "celular"), ("ref", "referência"), ("min", "mínimo")];

/// Names of rulers and popes.
pub const RULERS: &[&str] = &[
    "Afonso", "Alberto", "Alexandre", "Balduíno", "Bento", "Bonifácio", "Carlos", "Clemente", "Constantino", "Cristiano", "Dario", "Dinis",
    "Duarte", "Eduardo", "Felipe", "Fernando", "Filipe", "Francisco", "Frederico", "Gregório", "Guilherme", "Gustavo", "Haroldo", "Henrique", "Inocêncio",
    "Ivan", "Jaime", "Jorge", "José", "João", "Júlio", "Justiniano", "Leopoldo", "Leão", "Luis", "Luiz", "Luís", "Manuel", "Martinho", "Maximiliano",
    "Miguel", "Napoleão", "Nicolau", "Oto", "Paulo", "Pedro", "Pio", "Ptolomeu", "Ramsés", "Ricardo", "Rodolfo", "Sancho", "Sebastião", "Sisto", "Teodósio",
    "Umberto", "Urbano", "Vítor", "Xerxes", "Hirohito", "Harald", "Olavo", "Augusto", "Tutmés", "Amenófis", "Abdullah",
];
/// Names of queens.
pub const QUEENS: &[&str] = &["Ana", "Beatriz", "Catarina", "Cleópatra", "Elizabeth", "Elisabete", "Isabel", "Joana", "Leonor", "Margarida", "Maria", "Vitória"];
/// Parts that a Roman number counts.
pub const PARTS: &[&str] = &[
    "anexo", "apêndice", "artigo", "ato", "canto", "capítulo", "capítulos", "cena", "classe", "diabetes", "episódio", "etapa", "fase", "figura", "grau", "grupo", "inciso",
    "incisos", "item", "lição", "livro", "módulo", "nível", "parte", "quadro", "seção", "secção", "tabela", "tipo", "título", "tomo", "unidade", "volume", "volumes", "apolo",
    "quadrante", "categoria", "série", "turma", "estágio", "ciclo",
];

/// Acronyms that are read as words, though their letters alone do not tell.
pub const READ: &[&str] = &[
    "ONU", "OTAN", "NATO", "NASA", "FIFA", "UEFA", "UNESCO", "UNICEF", "SUS", "PIB", "CEP", "PIS", "MEC", "ONG", "VIP", "PEC", "CUT", "SAC", "TED", "PIX", "PET",
    "SESC", "SESI", "SENAC", "MASP", "USP", "PUC", "UNESP", "COVID", "AIDS", "SIDA", "DETRAN", "PROCON", "ENEM", "FUVEST", "IPEA", "IBAMA", "CAPES", "INEP", "ANVISA", "ANATEL", "ANEEL",
    "COFINS", "OPEP", "OVNI", "RAM", "ROM", "CAIC", "LASER", "RADAR", "GIF", "PIN", "SIM", "ZAP", "COP", "BRICS", "MERCOSUL", "IBOPE", "SELIC", "COPOM", "SPA", "CEO" , "FUNAI", "CAGED",
    "UNICAMP", "EMBRAER", "FIESP", "SEBRAE", "SENAI", "TAP", "GAL", "DIU", "UPA", "SAMU", "LOL", "RIP", "BID", "CEF", "OEA", "RENAVAM", "IBOVESPA", "BOPE", "ROTA", "COREN",
];
/// Acronyms that could be read, but are spelled.
pub const SPELLED: &[&str] = &["CEO", "CEF", "OEA", "IPI", "IOF", "USA", "EUA", "OAB", "UTI", "IPO", "UOL", "CIA", "TSE", "TOC", "DIU", "BID"];
/// Words that are often written in capitals.
pub const WORDS: &[&str] = &[
    "AO", "AOS", "AS", "ATE", "COM", "DA", "DAS", "DE", "DO", "DOS", "EM", "ELA", "ELE", "ELES", "ERA", "EU", "FOI", "HOJE", "JA", "LA", "MAIS", "MAS", "MEU", "MUITO", "NA", "NAS", "NEM", "NO",
    "NOS", "OI", "OK", "OS", "OU", "PARA", "PELA", "PELO", "POR", "QUE", "QUEM", "SE", "SEM", "SER", "SEU", "SIM", "SO", "SUA", "TEM", "TER", "TODO", "TODOS", "TU", "UM", "UMA", "VAI",
    "VEM", "FIM", "BOM", "BOA", "DIA", "PAI", "LUZ", "PAZ", "SOL", "MAR", "CASA", "VIDA", "AMOR", "NUNCA", "SEMPRE", "AGORA", "TUDO", "NADA", "AQUI", "PARE", "LEIA", "VEJA", "NOTA", "AVISO",
    "PERIGO", "CUIDADO", "URGENTE", "OBS", "VOTE", "LIVRE", "NOVO", "NOVA", "GRANDE", "BRASIL",
];

/// The name of a letter.
pub fn letter(c: char) -> Option<&'static str> {
    Some(match c.to_ascii_uppercase() {
        'A' => "á", 'B' => "bê", 'C' => "cê", 'D' => "dê", 'E' => "é", 'F' => "efe", 'G' => "gê", 'H' => "agá", 'I' => "i",
        'J' => "jota", 'K' => "cá", 'L' => "ele", 'M' => "eme", 'N' => "ene", 'O' => "ó", 'P' => "pê", 'Q' => "quê", 'R' => "erre",
        'S' => "esse", 'T' => "tê", 'U' => "u", 'V' => "vê", 'W' => "dáblio", 'X' => "xis", 'Y' => "ípsilon", 'Z' => "zê",
        _ => return None,
    })
}

/// Letters by their names.
pub fn spelled(letters: &str) -> String {
    letters.chars().filter_map(letter).collect::<Vec<_>>().join(" ")
}

/// The states of Brazil by their letters.
pub const STATES: &[(&str, &str)] = &[
    ("AC", "Acre"), ("AL", "Alagoas"), ("AM", "Amazonas"), ("AP", "Amapá"), ("BA", "Bahia"), ("CE", "Ceará"), ("DF", "Distrito Federal"),
    ("ES", "Espírito Santo"), ("GO", "Goiás"), ("MA", "Maranhão"), ("MG", "Minas Gerais"), ("MS", "Mato Grosso do Sul"), ("MT", "Mato Grosso"),
    ("PA", "Pará"), ("PB", "Paraíba"), ("PE", "Pernambuco"), ("PI", "Piauí"), ("PR", "Paraná"), ("RJ", "Rio de Janeiro"),
    ("RN", "Rio Grande do Norte"), ("RO", "Rondônia"), ("RR", "Roraima"), ("RS", "Rio Grande do Sul"), ("SC", "Santa Catarina"),
    ("SE", "Sergipe"), ("SP", "São Paulo"), ("TO", "Tocantins"),
];

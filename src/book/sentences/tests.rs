//! Tricky sentences of both languages; `|` marks where one ends.

use super::*;

const GOLDEN: &[&str] = &[
    // Plain ends.
    "O gato dorme.|A chuva cai.",
    "Quem bateu à porta?|Ninguém respondeu!|Voltou o silêncio.",
    "Não!!!|Sério???|Foi o que disse.",
    "Como assim?!|Não percebo.",
    "Uma frase sem ponto final",
    "Fim.",
    // Titles and forms of address.
    "O Sr. João e a Sra. Maria chegaram.|Vinham cansados.",
    "A Dra. Ana Lima consultou o Dr. Paulo.|Ele concordou.",
    "Falei com o prof. Silva e com a profa. Souza ontem.",
    "Exmo. Sr. Presidente, peço a palavra.|Obrigado.",
    "Dirijo-me a V. Exa. com respeito.|Peço deferimento.",
    "O Cap. Nemo e o Gen. Osório nunca se encontraram.",
    "A Av. Paulista cruza a R. Augusta.|É ali.",
    "O Pe. Antônio Vieira pregou aos peixes.",
    "Nasceu em S. Paulo e vive em Sta. Catarina.",
    "Mr. Darcy danced with Mrs. Bennet.|She smiled.",
    "St. John met Dr. Watson and Col. Moran.|Nobody spoke.",
    // Initials.
    "D. Pedro I proclamou a independência.|Foi em 1822.",
    "O livro de J. R. R. Tolkien vendeu muito.",
    "J.R.R. Tolkien e C.S. Lewis eram amigos.",
    "Leu J.-P. Sartre na juventude.",
    "Machado de Assis, ou J. M. Machado de Assis, nasceu no Rio.",
    "John F. Kennedy and George W. Bush were presidents.",
    "So did I.|Then we left.",
    // Numbers.
    "O pi vale 3,14 ou 3.1416.|Mais ou menos.",
    "Custou R$ 1.000.000,00 em 2024.|Foi caro.",
    "A cidade tem 1.250.000 habitantes.|Cresce todos os anos.",
    "Saiu às 10.30 e voltou às 14h.|Dormiu.",
    "Versão 2.0.1 lançada.|Atualize já.",
    "The price rose 3.5% in May.|It fell in June.",
    "Foi em 1984.|Depois mudou tudo.",
    // Ordinals and numbered things.
    "O 1.º lugar foi dela.|O 2.º foi meu.",
    "Mora no 3.º andar, apto. 12.|Tem elevador.",
    "Veja a pág. 25 e o cap. IV do vol. 2.|Depois responda.",
    "Conforme o art. 5.º da lei, todos são iguais.",
    "O nº 7 e o n.º 8 saíram.|O n. 9 ficou.",
    "Viveu no séc. XIX.|Morreu cedo.",
    "See fig. 3 and pp. 10-12.|No. 5 is missing.",
    "Did he win?|No.|I lost.",
    "1. Introdução ao tema.|2. Desenvolvimento.",
    "IV. O regresso.|Era noite.",
    // Other abbreviations.
    "Compre pão, leite, etc. e volte.|Rápido!",
    "Levou roupas, livros, etc.|Depois partiu.",
    "Cidades grandes, p. ex. Lisboa, são caras.",
    "Aves, p.ex. Pardais e pombos, voam.",
    "César morreu em 44 a.C. em Roma.|Foi nos idos de março.",
    "Augusto morreu no ano 14 d.C.|Tibério sucedeu-lhe.",
    "Mora nos E.U.A. desde 1990.|Gosta de lá.",
    "Trabalha na Silva & Cia. Ltda. há anos.",
    "Large animals, e.g. Elephants, i.e. Those with trunks, eat a lot.",
    "We met at 5 p.m. on Friday.|It rained.",
    "The U.S. Army arrived.|They left again.",
    "Brasil vs. Argentina joga hoje.",
    // Ellipses.
    "Bem... não sei.|Talvez.",
    "Não sei...|Talvez amanhã.",
    "Ele hesitou… e calou-se.|Depois saiu.",
    "Era tarde…|Ninguém veio.",
    "... e assim acabou.|Fim.",
    // Quotes.
    "Ele disse: «Vem cá.»|Ela foi.",
    "“Não vou”, disse ela.|“Nunca mais.”|E saiu.",
    "\"Vens?\" perguntou ela.|\"Não.\"",
    "'Stop!' he cried.|'Now!'",
    "(Ninguém sabia.)|Ela sorriu.",
    "Chegou (enfim!) a hora.|Partiram.",
    "“Quem vem lá?” gritou o guarda.|Silêncio.",
    // Dialogue with dashes.
    "— Vens comigo?|— Não posso.",
    "— Não! — gritou Pedro.|— Nunca!",
    "— Bom dia — disse ela.|— Dormiu bem?",
    "– Quem é?|– Sou eu.",
    "Ela parou.|— Quem está aí?",
    // Sounds and lyrics.
    "Que bom!|[laughs] Não acredito.",
    "[suspira] Enfim sós.|[música. Aplausos.] Obrigado.",
    "♪ Parabéns a você. Nesta data querida! ♪|Depois cantou outra.",
    "Ela cantou: ♪ Lá. Lá. Lá. ♪|Fim.",
    "Um [texto sem fim.|Outra frase.",
    // Addresses, names and other scripts.
    "Visite www.exemplo.com.br hoje.|Escreva a ana.silva@exemplo.pt agora.",
    "O Yahoo! ainda existe.|Quem diria.",
    "Ela usa o ponto.net e o Node.js.|Gosta.",
    "今日は良い天気です。|散歩に行きましょう。",
    "Él dijo: ¿Vienes?|¡Claro que sí!",
    "„Guten Tag!“, sagte er.|»Wie geht’s?«, fragte sie.",
    "Das ist z. B. die Nr. 5, d. h. die letzte.|Er ging am 3. Oktober.",
    // Numbers of notes.
    "Depois mudou-se.²|Como diz Silva,¹ a obra é vasta.",
    "Disse «não».¹²|E saiu.",
];

#[test]
fn tricky_sentences_end_where_a_reader_would_end_them() {
    assert!(GOLDEN.len() >= 60);
    let mut wrong = Vec::new();
    for golden in GOLDEN {
        let expected: Vec<&str> = golden.split('|').collect();
        let text = golden.replace('|', if golden.contains('。') { "" } else { " " });
        let found: Vec<&str> = sentences(&text).into_iter().map(|range| &text[range]).collect();
        if found != expected {
            wrong.push(format!("{expected:?}\n  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_empty_text_has_no_sentence() {
    assert!(sentences("").is_empty());
    assert!(sentences(" ").is_empty());
}

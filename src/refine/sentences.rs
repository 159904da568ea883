//! What candidates say, by language: short everyday sentences, with many of its sounds.

use crate::voice::provenance::ModelName;

/// Those of the languages that Bark's quantizers know, by their two letters.
const SENTENCES: [(&str, [&str; 3]); 7] = [
    (
        "pt",
        [
            "A minha vizinha comprou pão e queijo na feira.",
            "Hoje de manhã choveu muito, mas agora faz sol.",
            "Quando é que o João vai chegar com o carro novo?",
        ],
    ),
    (
        "en",
        [
            "My neighbour bought bread and cheese at the market.",
            "It rained this morning, but now the sun is shining.",
            "When will John come back with the new car?",
        ],
    ),
    (
        "de",
        [
            "Meine Nachbarin hat auf dem Markt Brot und Käse gekauft.",
            "Heute früh hat es geregnet, aber jetzt scheint die Sonne.",
            "Wann kommt Johann mit dem neuen Auto zurück?",
        ],
    ),
    (
        "pl",
        [
            "Moja sąsiadka kupiła na targu chleb i ser.",
            "Dziś rano padał deszcz, ale teraz świeci słońce.",
            "Kiedy Janek wróci nowym samochodem?",
        ],
    ),
    (
        "es",
        [
            "Mi vecina compró pan y queso en el mercado.",
            "Esta mañana llovió mucho, pero ahora hace sol.",
            "¿Cuándo va a volver Juan con el coche nuevo?",
        ],
    ),
    (
        "ja",
        [
            "隣の人が市場でパンとチーズを買いました。",
            "今朝は雨でしたが、今は晴れています。",
            "太郎さんはいつ新しい車で帰りますか。",
        ],
    ),
    (
        "tr",
        [
            "Komşum pazardan ekmek ve peynir aldı.",
            "Bu sabah yağmur yağdı ama şimdi güneş var.",
            "Ahmet yeni arabayla ne zaman dönecek?",
        ],
    ),
];

/// Sentences of the language that a quantizer was trained on; `None`: it is not known. The built-in one knows Portuguese.
pub fn sentences(quantizer: &ModelName) -> Option<[&'static str; 3]> {
    let language = if quantizer.name == "demo" { "pt" } else { quantizer.language.as_deref()? };
    SENTENCES.iter().find(|(known, _)| *known == language).map(|(_, sentences)| *sentences)
}

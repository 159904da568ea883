//! Words that are looked up, by the name of their list in lists.txt.

use std::collections::HashMap;
use std::sync::LazyLock;

type Lists = HashMap<&'static str, HashMap<&'static str, String>>;

static LISTS: LazyLock<Lists> = LazyLock::new(|| parsed(include_str!("lists.txt")));

/// A line that begins with `name:` begins a list, a `#` a remark. A word is itself or `short=what_it_means`.
fn parsed(text: &'static str) -> Lists {
    let (mut lists, mut name) = (Lists::new(), "");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (list, words) = line.split_once(':').unwrap_or((name, line));
        name = list;
        let words = words.split_whitespace().map(|word| word.split_once('=').unwrap_or((word, "")));
        lists.entry(name).or_default().extend(words.map(|(short, long)| (short, long.replace('_', " "))));
    }
    lists
}

/// Whether `list` has `word`.
pub fn is_in(list: &str, word: &str) -> bool {
    meaning(list, word).is_some()
}

/// What `short` means by `list`.
pub fn meaning(list: &str, short: &str) -> Option<&'static str> {
    LISTS.get(list)?.get(short).map(String::as_str)
}

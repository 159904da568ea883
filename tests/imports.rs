//! Which module imports which: every `crate::` and `barkclone::` path of the sources against the table at the top of
//! `src/lib.rs`. Tests inside the sources may import what they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The table of `src/lib.rs`: its rows in order, each a module and what it may import. A module may have several rows.
fn table(lib: &str) -> Vec<(String, BTreeSet<String>)> {
    let cells = |line: &str| line.trim_start_matches("//! |").trim_end_matches('|').split('|').map(names).collect();
    let rows = lib.lines().filter(|line| line.starts_with("//! | `"));
    rows.map(|row| {
        let cells: Vec<BTreeSet<String>> = cells(row);
        assert!(cells.len() == 2 && cells[0].len() == 1, "not a row of a module and its imports: {row}");
        (cells[0].first().unwrap().clone(), cells[1].clone())
    })
    .collect()
}

/// The names in backquotes.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

/// The module that a file below `src` belongs to; `None` for a file of tests.
fn module(file: &Path) -> Option<String> {
    let parts: Vec<_> = file.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
    (!parts.contains(&"tests")).then(|| parts[0].to_string())
}

/// The code of a file without comments and without its tests, which stand last.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules that `crate::` and `barkclone::` paths name, `{}` lists included.
fn imports(code: &str) -> BTreeSet<String> {
    let paths = code.match_indices("crate::").chain(code.match_indices("barkclone::"));
    paths.flat_map(|(at, root)| first_names(&code[at + root.len()..])).collect()
}

/// Of `a::b` the name `a`; of `{a::b, c::{d, e}}` the names `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let Some(list) = path.strip_prefix('{') else { return vec![first_name(path)] };
    let (mut depth, mut names, mut begins) = (0, Vec::new(), true);
    for (at, character) in list.char_indices() {
        match character {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => begins = true,
            letter if begins && letter.is_alphabetic() => {
                names.push(first_name(&list[at..]));
                begins = false;
            }
            _ => (),
        }
    }
    names
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn actual_imports() -> Imports {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Imports::new();
    for file in rust_files(&src) {
        let Some(module) = module(file.strip_prefix(&src).unwrap()) else { continue };
        let own = all.entry(module.clone()).or_default();
        own.extend(imports(&code(&fs::read_to_string(&file).unwrap())));
        own.remove(&module);
    }
    all
}

fn lib() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap()
}

#[test]
fn modules_import_what_the_table_of_lib_rs_allows_and_nothing_else() {
    let mut allowed = Imports::new();
    table(&lib()).into_iter().for_each(|(module, imports)| allowed.entry(module).or_default().extend(imports));
    let mut actual = actual_imports();
    actual.retain(|module, _| module != "lib" && module != "main");
    let mut wrong = Vec::new();
    for (module, imports) in &actual {
        match allowed.get(module) {
            None => wrong.push(format!("`{module}` has no row")),
            Some(allowed) => {
                let missing = imports
                    .difference(allowed)
                    .map(|other| format!("`{module}` imports `{other}`, which its row does not list"));
                let unused = allowed
                    .difference(imports)
                    .map(|other| format!("the row of `{module}` lists `{other}`, which it does not import"));
                wrong.extend(missing.chain(unused));
            }
        }
    }
    let gone = allowed.keys().filter(|module| !actual.contains_key(*module));
    wrong.extend(gone.map(|module| format!("`{module}` has a row and is no module")));
    assert!(wrong.is_empty(), "the table at the top of src/lib.rs does not hold:\n  {}", wrong.join("\n  "));
}

#[test]
fn each_row_imports_only_rows_above_it_so_that_data_flows_one_way() {
    let mut above = BTreeSet::new();
    for (module, imports) in table(&lib()) {
        let upward: Vec<_> = imports.difference(&above).collect();
        assert!(upward.is_empty(), "src/lib.rs: the row of `{module}` lists {upward:?}, which stand below it");
        above.insert(module);
    }
    assert!(above.len() > 10, "the table of src/lib.rs was not found");
}

#[test]
fn lists_paths_inside_of_code_and_comments_are_told_apart() {
    let text = "use crate::{audio::{Pcm, x}, voice};\n// crate::cli\nlet x = crate::error::Kind::Usage; // crate::net\n\
                pub(crate) fn f() {}\nuse barkclone::speak::Speaker;\n#[cfg(test)]\nmod tests { use crate::jobs; }";
    assert_eq!(imports(&code(text)).into_iter().collect::<Vec<_>>(), ["audio", "error", "speak", "voice"]);
}

//! What holds where a flag is not given: variables of the environment, then `config.toml`, then the flag's own default.

use super::choice::check_named;
use super::{Cli, models_folder, nets, out, together, written};
use anyhow::{Context, Error, Result, bail, ensure};
use barkclone::device;
use barkclone::error::{Kind, did_you_mean};
use barkclone::models::{ModelKind, Models};
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, value_parser};
use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::{env, fs};

/// The flags that can be kept, by their names on the command line: all but those that belong to one call.
const KEYS: [&str; 39] = [
    "models",
    "voice",
    "demo",
    "bark",
    "codec",
    "hubert",
    "quantizer",
    "tokenizer",
    "weights",
    "device",
    "keep-loaded",
    "text-temp",
    "waveform-temp",
    "fine-temp",
    "top-k",
    "top-p",
    "min-eos-p",
    "max-seconds",
    "coarse-history",
    "coarse-window",
    "fast",
    "retry",
    "trim-tail",
    "best-of",
    "loudness",
    "voice-ear",
    "word-ear",
    "batch",
    "normalize",
    "line-breaks",
    "sentence-silence",
    "paragraph-silence",
    "history",
    "float",
    "denoise",
    "no-ffmpeg",
    "registry",
    "threads",
    "offline",
];
/// Variables of the environment, and the flags that they stand for.
const VARIABLES: [(&str, &str); 2] = [("BARKCLONE_MODELS", "models"), ("BARKCLONE_VOICE", "voice")];
/// The flags that choose a model.
const MODELS: [(&str, ModelKind); 5] = [
    ("bark", ModelKind::Bark),
    ("codec", ModelKind::Codec),
    ("hubert", ModelKind::Hubert),
    ("quantizer", ModelKind::Quantizer),
    ("tokenizer", ModelKind::Tokenizer),
];
/// Those of them that only speech needs.
const SPEAKERS: [&str; 2] = ["bark", "tokenizer"];
/// Those of them that a command can do without.
const JUDGES: [&str; 2] = ["hubert", "quantizer"];
/// Keys beside those of [`MODELS`] whose values may be paths.
const PATHS: [&str; 3] = ["models", "voice", "registry"];
/// The heading of flags that shape a training.
pub const TRAINING: &str = "Training";
/// Most bytes of a `config.toml`.
const LONGEST: u64 = 1 << 20;

/// Where a value comes from; what stands later goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Config,
    Environment(&'static str),
    Flag,
}

#[derive(Clone, Debug)]
struct Setting {
    value: String,
    origin: Origin,
}

/// All models at once.
struct Set {
    /// `None`: those that are built in.
    folder: Option<PathBuf>,
    origin: Origin,
}

/// What is kept for all calls.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `config.toml`, which need not be there; `None`: there is no place for it.
    path: Option<PathBuf>,
    kept: BTreeMap<&'static str, Setting>,
}

/// The command line as it was meant.
pub struct Parsed {
    pub cli: Cli,
    /// The models that it chooses, of those that are asked for by name or path.
    pub models: Vec<(ModelKind, String)>,
}

/// Reads the command line over what is kept. Help, and flags that are wrong, end the process.
///
/// # Errors
/// Kind [`Kind::Usage`]: a `config.toml` that is wrong. Kind [`Kind::Model`]: a folder of models that lacks one.
pub fn parse() -> Result<Parsed> {
    if let Err(error) = Cli::command().try_get_matches()
        && !error.use_stderr()
    {
        written(error.print().and_then(|()| stdout().flush()))?;
        exit(error.exit_code());
    }
    let settings = Settings::of_user()?;
    let matches = settings.applied(Cli::command()).try_get_matches().map_err(told)?;
    let command = Cli::command();
    let matches = match settings.with_models(inner(&command, &matches), leaf(&matches))? {
        Some(settings) => settings.applied(Cli::command()).get_matches(),
        None => matches,
    };
    together::check(inner(&command, &matches), leaf(&matches))?;
    let asks = |key: &str| find_own(inner(&command, &matches), key).is_some();
    let models = MODELS.iter().filter(|(key, _)| asks(key)).filter_map(|(key, kind)| {
        let chosen = leaf(&matches).get_one::<String>(key)?;
        Some((*kind, chosen.clone()))
    });
    Ok(Parsed { models: models.collect(), cli: Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()) })
}

/// What is wrong with the flags ends the process, but for a text that clap takes for one.
fn told(error: clap::Error) -> barkclone::error::Error {
    let arguments: Vec<_> = env::args_os().skip(1).filter_map(|argument| argument.into_string().ok()).collect();
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if error.kind() == ErrorKind::UnknownArgument => flag.as_str(),
        _ => error.exit(),
    };
    let text = arguments.iter().find(|argument| is_text(argument, unknown));
    match text.filter(|_| arguments.iter().any(|argument| argument == "speak")) {
        Some(text) => Kind::Usage.error(format!(
            "a text that begins with a dash is taken for a flag: put -- before it, after all flags: -- '{text}'"
        )),
        None => error.exit(),
    }
}

/// Whether an argument is rather a text than the misspelled flag that clap takes it for: `-v` of `-vamos`.
fn is_text(argument: &str, unknown: &str) -> bool {
    let dashed = argument.starts_with('-') && !argument.contains('=');
    let short = unknown.chars().nth(1).filter(|letter| *letter != '-');
    let word = |letter: char| argument.chars().count() > 2 || !letter.is_ascii_alphabetic();
    let clustered =
        short.is_some_and(|letter| !argument.starts_with("--") && argument.contains(letter) && word(letter));
    dashed && (argument.contains(' ') || clustered)
}

/// The kind of model that a flag chooses.
pub fn kind_of(flag: &str) -> Option<ModelKind> {
    MODELS.iter().find(|(key, _)| *key == flag).map(|(_, kind)| *kind)
}

/// The innermost command, as it is described.
fn inner<'a>(command: &'a Command, matches: &ArgMatches) -> &'a Command {
    let next = matches.subcommand().and_then(|(name, below)| Some((command.find_subcommand(name)?, below)));
    next.map_or(command, |(command, below)| inner(command, below))
}

/// The innermost command, as it was given.
fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| leaf(inner))
}

impl Settings {
    fn of_user() -> Result<Self> {
        let path = folder().map(|folder| folder.join("barkclone/config.toml"));
        let mut kept = match &path {
            Some(path) if path.exists() => read(path)?,
            _ => BTreeMap::new(),
        };
        for (variable, key) in VARIABLES {
            let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) else { continue };
            let value = value.into_string();
            let value = value.map_err(|_| Kind::Usage.error(format!("{variable}: it is not UTF-8")))?;
            kept.insert(key, Setting { value, origin: Origin::Environment(variable) });
        }
        Ok(Self { path, kept })
    }

    /// The command with what is kept as its flags' defaults.
    fn applied(&self, mut command: Command) -> Command {
        let kept: Vec<_> =
            command.get_arguments().filter_map(|arg| Some((arg.get_id().clone(), self.of(arg)?))).collect();
        for (id, value) in kept {
            command = command.mut_arg(id, |arg| with_default(arg, value));
        }
        let inner: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
        inner.into_iter().fold(command, |command, name| command.mut_subcommand(name, |inner| self.applied(inner)))
    }

    /// What is kept for a flag. A training is told by its command line alone, so that it can be made again.
    fn of(&self, arg: &Arg) -> Option<String> {
        if arg.get_help_heading() == Some(TRAINING) {
            return None;
        }
        self.kept.get(arg.get_long()?).map(|setting| setting.value.clone())
    }

    /// These with each model that the flags of a call leave open and that --models or `demo` decide; `None`: they
    /// decide nothing.
    fn with_models(&self, command: &Command, call: &ArgMatches) -> Result<Option<Self>> {
        if find_own(command, "models").is_none() {
            return Ok(None);
        }
        let flag = call.get_one::<String>("models").filter(|_| is_given(call, "models"));
        let models = flag.map(|value| Setting { value: value.clone(), origin: Origin::Flag });
        let set = match is_given(call, "demo") {
            true => call.get_flag("demo").then_some(Set { folder: None, origin: Origin::Flag }),
            false => self.set(models)?,
        };
        let Some(set) = set else { return Ok(None) };
        let mut with = self.clone();
        // `speak` only judges by these, and does without: a folder of models need not hold them.
        let judges = |key: &str| set.folder.is_some() && call.value_source(key).is_none() && JUDGES.contains(&key);
        // `clone` speaks only to refine.
        let silent = find_own(command, "refine").is_some() && !is_given(call, "refine");
        let unused = |key: &str| judges(key) || silent && SPEAKERS.contains(&key);
        let open = |key: &str| find_own(command, key).is_some() && !is_given(call, key) && !unused(key);
        for (key, kind) in MODELS.into_iter().filter(|(key, _)| open(key)) {
            with.take((key, kind), &set, call.value_source(key).is_some())?;
        }
        if find_own(command, "tokenizer").is_some() && with.lacks_tokenizer(call, &set)? {
            with.kept.insert("tokenizer", Setting { value: "demo".to_owned(), origin: set.origin });
        }
        Ok(Some(with))
    }

    /// The setting that chooses all models at once: a folder, or `demo`; `flag` is --models.
    fn set(&self, flag: Option<Setting>) -> Result<Option<Set>> {
        let folder = flag.or(self.kept.get("models").cloned());
        let demo = self.kept.get("demo").filter(|setting| setting.value == "true");
        match (folder, demo) {
            (Some(folder), Some(demo)) if folder.origin == demo.origin => bail!(self.both()),
            (Some(Setting { value, origin }), _) => Ok(Some(Set { folder: Some(value.into()), origin })),
            (None, demo) => Ok(demo.map(|demo| Set { folder: None, origin: demo.origin })),
        }
    }

    /// Takes a model of the set, unless another one is named where that goes first.
    fn take(&mut self, (key, kind): (&'static str, ModelKind), set: &Set, needed: bool) -> Result<()> {
        if self.kept.get(key).is_some_and(|own| own.origin >= set.origin) {
            return Ok(());
        }
        let value = match &set.folder {
            Some(folder) => models_folder::find(kind, folder, needed)?,
            None => (kind != ModelKind::Tokenizer).then(|| "demo".to_owned()),
        };
        self.kept.extend(value.map(|value| (key, Setting { value, origin: set.origin })));
        Ok(())
    }

    /// Whether `demo` stands in for the tokenizer too: of Bark's files that are named, and have none with them. A name
    /// has its own.
    fn lacks_tokenizer(&self, call: &ArgMatches, set: &Set) -> Result<bool> {
        let named = is_given(call, "tokenizer") || self.kept.contains_key("tokenizer");
        let bark = call.get_one::<String>("bark").filter(|bark| is_given(call, "bark") && Path::new(bark).exists());
        match bark {
            Some(bark) if set.folder.is_none() && !named => Ok(nets::tokenizer_of(bark)?.is_none()),
            _ => Ok(false),
        }
    }

    /// Values that stand for nothing, with why; nothing is fetched to tell.
    fn wrong(&self, models: &Models) -> BTreeMap<&'static str, Error> {
        let fault = |key: &str, value: &str| match (key, kind_of(key)) {
            (_, Some(kind)) => models.check(kind, value).err(),
            ("voice", _) => check_named(value, models).err(),
            ("device", _) => device::open(value).err(),
            _ => None,
        };
        self.kept.iter().filter_map(|(key, setting)| Some((*key, fault(key, &setting.value)?))).collect()
    }

    fn both(&self) -> barkclone::error::Error {
        let path = self.path.as_deref().unwrap_or(Path::new("config.toml")).display();
        Kind::Usage.error(format!("{path}: `models` and `demo` name two sets of models; leave one of them out"))
    }

    fn told(&self, origin: Origin) -> String {
        match origin {
            Origin::Config => self.path.as_ref().map_or(String::new(), |path| path.display().to_string()),
            Origin::Environment(variable) => variable.to_owned(),
            Origin::Flag => "flag".to_owned(),
        }
    }
}

pub fn is_given(call: &ArgMatches, key: &str) -> bool {
    call.value_source(key) == Some(ValueSource::CommandLine)
}

/// A switch that is kept can be turned off again: `--fast=false`.
fn with_default(arg: Arg, value: String) -> Arg {
    match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(value_parser!(bool))
            .default_value(value),
        _ => arg.required(false).default_value(value),
    }
}

/// The user's folder of configurations: `$XDG_CONFIG_HOME`, else where the platform has it.
fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = |folder: &str| env::home_dir().map(|home| home.join(folder));
    let usual = || match () {
        _ if cfg!(windows) => absolute("APPDATA"),
        _ if cfg!(target_os = "macos") => home("Library/Application Support"),
        _ => home(".config"),
    };
    absolute("XDG_CONFIG_HOME").or_else(usual)
}

/// The keys of a `config.toml`, each checked as its flag would be.
fn read(path: &Path) -> Result<BTreeMap<&'static str, Setting>> {
    let shown = path.display();
    let unreadable = || Kind::Usage.error(format!("{shown}: cannot be read"));
    let size = fs::metadata(path).with_context(unreadable)?.len();
    ensure!(size <= LONGEST, Kind::Usage.error(format!("{shown}: larger than 1 MiB")));
    let text = fs::read_to_string(path).with_context(unreadable)?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| Kind::Usage.error(format!("{shown}: not a TOML file")))?;
    let (command, folder) = (Cli::command(), path.parent().unwrap_or(path));
    let mut kept = BTreeMap::new();
    for (written, value) in table {
        let told = |why: String| Kind::Usage.error(format!("{shown}: {written}: {why}"));
        let name = written.replace('_', "-");
        let key = KEYS.into_iter().find(|key| *key == name).ok_or_else(|| told(unknown(&name, &command)))?;
        let arg = find(&command, key).with_context(|| format!("{key}: no such flag"))?;
        let value = placed(key, text_of(arg, &value).map_err(told)?, folder);
        fits(arg, key, &value).map_err(told)?;
        kept.insert(key, Setting { value, origin: Origin::Config });
    }
    Ok(kept)
}

fn unknown(name: &str, command: &Command) -> String {
    match find(command, name) {
        Some(_) => format!("it is not kept, for it belongs to one call: give it as --{name}"),
        None => format!("no such key{}; the keys are: {}", did_you_mean(name, &KEYS), KEYS.join(", ")),
    }
}

/// The flag of that name, in whichever command has it.
fn find<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    find_own(command, long).or_else(|| command.get_subcommands().find_map(|inner| find(inner, long)))
}

pub fn find_own<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(long))
}

/// A value as it would stand on the command line.
fn text_of(arg: &Arg, value: &toml::Value) -> Result<String, String> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, toml::Value::Boolean(on)) => Ok(on.to_string()),
        (ArgAction::SetTrue, _) => Err("expected true or false".to_owned()),
        (_, toml::Value::String(text)) => Ok(text.clone()),
        (_, toml::Value::Integer(number)) => Ok(number.to_string()),
        (_, toml::Value::Float(number)) => Ok(number.to_string()),
        _ => Err("expected a text in quotes or a number".to_owned()),
    }
}

/// A path that begins with `~/` or lies beside the file is meant from there.
fn placed(key: &str, value: String, folder: &Path) -> String {
    if !PATHS.contains(&key) && kind_of(key).is_none() {
        return value;
    }
    let home = value.strip_prefix("~/").and_then(|rest| Some(env::home_dir()?.join(rest)));
    let beside = || Some(folder.join(&value)).filter(|path| path.exists());
    home.or_else(beside).and_then(|path| path.into_os_string().into_string().ok()).unwrap_or(value)
}

/// Refuses what the flag would refuse.
fn fits(arg: &Arg, key: &'static str, value: &str) -> Result<(), String> {
    let parser: ValueParser = match arg.get_action() {
        ArgAction::SetTrue => value_parser!(bool),
        _ => arg.get_value_parser().clone(),
    };
    let alone = Command::new("config").no_binary_name(true).arg(Arg::new(key).long(key).value_parser(parser));
    let tried = alone.try_get_matches_from([format!("--{key}={value}")]);
    let told = |error: clap::Error| error.to_string().lines().next().unwrap_or_default().replace("error: ", "");
    tried.map(drop).map_err(told)
}

/// Show what holds where a flag is not given, and where that comes from
///
/// Prints a line for each flag that can be kept: its value, and whether that is its default, or comes from a variable
/// of the environment or from config.toml. A flag on the command line goes first, then BARKCLONE_MODELS and
/// BARKCLONE_VOICE, then config.toml, then the default.
///
/// config.toml lies in $XDG_CONFIG_HOME/barkclone (~/.config/barkclone where that is not set). Its keys are the flags,
/// such as `voice = "ana"`, `weights = "q8_0"` or `fast = true`. A value that stands for nothing is marked. What is on there is turned off by --fast=false.
#[derive(Args, Debug)]
pub struct ConfigArgs {}

pub fn show(_: &ConfigArgs, models: &Models) -> Result<()> {
    let (mut settings, command) = (Settings::of_user()?, Cli::command());
    let mut wrong = settings.wrong(models);
    if let Some(set) = settings.set(None)? {
        let mut taken = MODELS.into_iter().map(|model| settings.take(model, &set, false));
        wrong.extend(taken.find_map(Result::err).map(|error| ("models", error)));
    }
    let path = settings.path.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
    let there = settings.path.as_ref().is_some_and(|path| path.exists());
    let mut lines = format!("# {path}{}\n", if there { "" } else { " (not there)" });
    for key in KEYS {
        let (value, origin) = match settings.kept.get(key) {
            Some(setting) => (setting.value.clone(), settings.told(setting.origin)),
            None => (default_of(&command, key), "default".to_owned()),
        };
        let mark = wrong.get(key).map_or(String::new(), |error| format!("  wrong: {error:#}"));
        lines += &format!("{key:<18}  {value:<12}  {origin}{mark}\n");
    }
    out(lines)
}

fn default_of(command: &Command, key: &str) -> String {
    let values = find(command, key).map(Arg::get_default_values).unwrap_or_default();
    match (values.first(), key) {
        (Some(value), _) => value.to_string_lossy().into_owned(),
        (None, _) if find(command, key).is_some_and(|arg| matches!(arg.get_action(), ArgAction::SetTrue)) => {
            "false".into()
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_a_flag_of_some_command() {
        let command = Cli::command();
        let none: Vec<_> = KEYS.iter().filter(|key| find(&command, key).is_none()).collect();
        assert!(none.is_empty(), "{none:?}");
    }
}

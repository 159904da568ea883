//! The kinds of failure that a script may want to tell apart, each with its documented exit code.
//! Everything else is plain `anyhow`, exit code 1.

use std::fmt;

/// What went wrong, as far as the exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Flags or arguments that do not go together (2, as clap's own).
    Usage,
    /// An audio file, text or voice that cannot be used (3).
    Input,
    /// A model file that is missing, damaged or of another kind (4).
    Model,
    /// A download that did not succeed (5).
    Network,
    /// An output that cannot be written, or that exists already (6).
    Output,
    /// Of many pieces of work some failed; the others are there (7).
    Partial,
    /// The user stopped it (130, as shells have it).
    Interrupted,
}

impl Kind {
    /// The process's exit code for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 2,
            Kind::Input => 3,
            Kind::Model => 4,
            Kind::Network => 5,
            Kind::Output => 6,
            Kind::Partial => 7,
            Kind::Interrupted => 130,
        }
    }

    /// An error of this kind: use with `bail!`, `ok_or_else` or as `.with_context(|| ...)`.
    pub fn error(self, message: impl Into<String>) -> Error {
        Error { kind: self, message: message.into() }
    }
}

/// A message with its [`Kind`]; works as an error and as `anyhow` context.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The outermost [`Kind`] in an error's chain.
pub fn kind(error: &anyhow::Error) -> Option<Kind> {
    error.downcast_ref::<Error>().map(|e| e.kind)
}

/// Whether it ends a run of many: what ails the model ails every one of them.
pub fn is_fatal(error: &anyhow::Error) -> bool {
    kind(error) == Some(Kind::Model)
}

/// The exit code of any error: that of its kind, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    kind(error).map_or(1, Kind::exit_code)
}

/// ` (did you mean ...?)` with the nearest of `names`, or nothing if none is near.
pub fn did_you_mean(name: &str, names: &[&str]) -> String {
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
    let near = |candidate: &str| {
        let allowed = (candidate.len().max(name.len()) / 3).max(1);
        distance(candidate) <= allowed || (name.len() > 1 && candidate.contains(name))
    };
    let nearest = names.iter().filter(|n| name.len() <= 100 && near(n)).min_by_key(|n| distance(n));
    nearest.map_or_else(String::new, |n| format!(" (did you mean `{n}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_kind_is_found_as_root_and_as_context() {
        let root = anyhow::Error::from(Kind::Input.error("no audio")).context("while cloning");
        assert_eq!(exit_code(&root), 3);
        let context = Err::<(), _>(std::io::Error::other("disk"))
            .with_context(|| Kind::Output.error("cannot write"))
            .unwrap_err();
        assert_eq!(exit_code(&context), 6);
        assert_eq!(exit_code(&anyhow::anyhow!("plain")), 1);
    }
}

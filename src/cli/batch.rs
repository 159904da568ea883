//! `--batch`: how many are spoken at a time.

use anyhow::Result;
use barkclone::speak::Speaker;
use std::str::FromStr;

#[derive(Clone, Copy, Debug)]
pub enum Batch {
    /// What the device gains from and the memory holds.
    Auto,
    Of(usize),
}

impl Batch {
    /// The number for this speaker.
    pub fn rows(self, speaker: &Speaker) -> Result<usize> {
        match self {
            Batch::Auto => speaker.automatic_batch(),
            Batch::Of(rows) => Ok(rows),
        }
    }
}

impl FromStr for Batch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Batch::Auto),
            Ok(rows) if (1..=256).contains(&rows) => Ok(Batch::Of(rows)),
            _ => Err("expected `auto` or a number from 1 to 256".into()),
        }
    }
}

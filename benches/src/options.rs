//! What was asked for on the command line.

use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::Result;

pub(crate) const USAGE: &str = "\
usage: startup [warm] [cold] [herd] [traffic] [rebuild] [options]

  warm, cold, …    these sections; all where none is named
  --quick          few rounds and small sizes, no rebuild: about a minute
  --rounds N       rounds of the sections that take milliseconds (others run a share of them)
  --sizes A,B,…    numbers of migrations of the section `warm`
  --write FILE     writes the page there too";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Warm,
    Cold,
    Herd,
    Traffic,
    Rebuild,
}

const ALL: [Section; 5] =
    [Section::Warm, Section::Cold, Section::Herd, Section::Traffic, Section::Rebuild];

impl Section {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Herd => "herd",
            Self::Traffic => "traffic",
            Self::Rebuild => "rebuild",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) sections: Vec<Section>,
    /// Rounds of what takes milliseconds.
    pub(crate) rounds: usize,
    pub(crate) sizes: Vec<usize>,
    /// How many migrations the long cold apply has.
    pub(crate) long: usize,
    pub(crate) write: Option<PathBuf>,
    /// As it was given, to be printed.
    pub(crate) command: String,
}

impl Options {
    /// `None` where help was all that was wanted.
    pub(crate) fn from_env() -> Result<Option<Self>> {
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        let words: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
        let mut it = Self::full();
        it.command = words.join(" ");
        let (mut named, mut parser) = (Vec::new(), Parser::from_args(arguments.clone()));
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("quick") => it.shorten(),
                Arg::Long("rounds") => it.rounds = parser.value()?.parse()?,
                Arg::Long("sizes") => {
                    it.sizes = parser.value()?.parse_with(|it| {
                        it.split(',').map(str::parse).collect::<std::result::Result<_, _>>()
                    })?;
                }
                Arg::Long("write") => it.write = Some(parser.value()?.into()),
                Arg::Long("help") | Arg::Short('h') => {
                    println!("{USAGE}");
                    return Ok(None);
                }
                Arg::Value(name) => named.push(section(&name.string()?)?),
                other => return Err(other.unexpected().into()),
            }
        }
        if !named.is_empty() {
            it.sections = named;
        }
        Ok(Some(it))
    }

    fn full() -> Self {
        Self {
            sections: ALL.into(),
            rounds: 32,
            sizes: vec![1, 100, 1_000, 10_000],
            long: 1_000,
            write: None,
            command: String::new(),
        }
    }

    fn shorten(&mut self) {
        self.sections.retain(|it| *it != Section::Rebuild);
        (self.rounds, self.long) = (10, 100);
        self.sizes = vec![1, 100, 1_000];
    }

    /// Rounds of what takes seconds.
    pub(crate) fn few_rounds(&self) -> usize {
        self.rounds.div_ceil(8)
    }
}

fn section(name: &str) -> Result<Section> {
    let found = ALL.into_iter().find(|it| it.name() == name);
    found.ok_or_else(|| format!("there is no section `{name}`").into())
}

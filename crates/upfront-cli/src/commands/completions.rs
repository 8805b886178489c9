//! `completions`, and the hidden `complete` that their scripts ask.

use std::path::PathBuf;

use clap::{Arg, Command};
use clap_complete::Shell;
use upfront::{ErrorKind, cli::Output};

use crate::{config::Project, context::ProjectArgs};

/// Options of `completions`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Print the script for this shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Options of `complete`: the words of a command line, the last of which is completed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Complete {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

const BASH: &str = r#"_upfront() {
    local word="${COMP_WORDS[COMP_CWORD]}" IFS=$'\n'
    COMPREPLY=($(upfront complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _upfront upfront"#;

const ZSH: &str = r#"#compdef upfront
_upfront() {
    local -a found
    found=("${(@f)$(upfront complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _upfront upfront"#;

const FISH: &str = r"function __upfront_complete
    set -l words (commandline -opc) (commandline -ct)
    upfront complete -- $words[2..] 2>/dev/null
end
complete -c upfront -a '(__upfront_complete)'";

impl Arguments {
    pub(crate) fn run(&self, mut command: Command, output: &Output) {
        let script = match self.shell {
            Shell::Bash => BASH.to_owned(),
            Shell::Zsh => ZSH.to_owned(),
            Shell::Fish => FISH.to_owned(),
            // Without environments and versions.
            shell => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut command, "upfront", &mut script);
                String::from_utf8_lossy(&script).into_owned()
            }
        };
        output.result(&script, || script.trim_end().to_owned());
    }
}

impl Complete {
    pub(crate) fn run(&self, mut command: Command, output: &Output) {
        command.build();
        let candidates = candidates(&command, &self.words);
        if !candidates.is_empty() {
            output.result(&candidates, || candidates.join("\n"));
        }
    }
}

/// The candidates for the last word.
fn candidates(command: &Command, words: &[String]) -> Vec<String> {
    let Some((word, before)) = words.split_last() else { return Vec::new() };
    let (verb, before) = verb(command, before);
    let open = before.last().and_then(|it| option(verb, it));
    let all = match (open, word.starts_with('-')) {
        (Some(it), _) => values(it, before),
        (None, true) => options(verb),
        (None, false) if verb.has_subcommands() => verbs(verb),
        (None, false) => verb.get_positionals().flat_map(|it| values(it, before)).collect(),
    };
    all.into_iter().filter(|it| it.starts_with(word)).collect()
}

/// The verb that the words name, and the words behind it.
fn verb<'a, 'w>(command: &'a Command, words: &'w [String]) -> (&'a Command, &'w [String]) {
    let found = words.iter().enumerate().find_map(|(at, it)| {
        let is_value = at > 0 && option(command, &words[at - 1]).is_some();
        let verb = command.find_subcommand(it).filter(|_| !is_value)?;
        Some((verb, at))
    });
    match found {
        Some((verb, _)) => (verb, words),
        None => (command, words),
    }
}

/// The option of a name, if it takes a value.
fn option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.strip_prefix("--")?;
    let is_it = |it: &&Arg| it.get_long() == Some(name) && it.get_action().takes_values();
    command.get_arguments().find(is_it)
}

fn options(command: &Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|it| !it.is_hide_set());
    shown.filter_map(|it| Some(format!("--{}", it.get_long()?))).collect()
}

fn verbs(command: &Command) -> Vec<String> {
    let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
    shown.map(|it| it.get_name().to_owned()).collect()
}

/// The values of an argument, by the name of its value.
fn values(argument: &Arg, before: &[String]) -> Vec<String> {
    let name = argument.get_value_names().and_then(|it| it.first()).map_or("", |it| it.as_str());
    match name {
        "ENV" => project(before).map(|it| it.environment_names()).unwrap_or_default(),
        "VERSION" => project(before).map(|it| versions(&it)).unwrap_or_default(),
        "KIND" => ErrorKind::ALL.iter().map(ToString::to_string).collect(),
        _ => argument
            .get_possible_values()
            .iter()
            .filter(|it| !it.is_hide_set())
            .map(|it| it.get_name().to_owned())
            .collect(),
    }
}

/// The versions of the files in the folder, which may have mistakes.
fn versions(project: &Project) -> Vec<String> {
    let Ok(folder) = project.folder() else { return Vec::new() };
    let entries = std::fs::read_dir(folder.path).into_iter().flatten().flatten();
    let names = entries.filter_map(|it| it.file_name().into_string().ok());
    let version = |it: String| Some(it.strip_suffix(".sql")?.split('_').next()?.to_owned());
    let mut versions: Vec<_> = names.filter_map(version).collect();
    versions.sort();
    versions.dedup();
    versions
}

/// The project that the options of the command line choose.
fn project(words: &[String]) -> Option<Project> {
    let after = |name: &str| {
        let at = words.iter().position(|it| it == name)?;
        words.get(at + 1).cloned()
    };
    let (env, dir) = (after("--env"), after("--dir").map(PathBuf::from));
    Project::find(&ProjectArgs { env, dir, ..ProjectArgs::default() }).ok()
}

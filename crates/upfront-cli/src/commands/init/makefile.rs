//! Targets of a Makefile, and of files like it, that call Atlas.

use std::path::Path;

use super::config::{Config, Environment, Note, has_password, image_of, take_parameter};
use crate::commands::other_tools;

/// The files that are looked at.
pub(super) const FILES: [&str; 8] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    "Taskfile.yml",
    "Taskfile.yaml",
    "package.json",
];

/// A line that calls Atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The target that the line belongs to.
    pub(super) target: Option<String>,
    line: usize,
    /// The words behind `atlas`.
    words: Vec<String>,
}

/// All calls in a file.
pub(super) fn calls(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut target = None;
    let mut joined = String::new();
    let mut first = 0;
    for (at, line) in text.lines().enumerate() {
        if joined.is_empty() {
            first = at + 1;
            target = target_of(line).or(target);
        }
        if let Some(it) = line.trim_end().strip_suffix('\\') {
            joined.push_str(it);
            joined.push(' ');
            continue;
        }
        joined.push_str(line);
        let mut rest = joined.as_str();
        while let Some(after) = call_in(rest) {
            let words = words(after);
            calls.push(Call { target: target.clone(), line: first, words });
            rest = after;
        }
        joined.clear();
    }
    calls
}

/// What follows the next `atlas` that is a command.
fn call_in(text: &str) -> Option<&str> {
    text.match_indices("atlas").find_map(|(at, it)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + it.len()..];
        let is_word =
            before.is_none_or(|it| !it.is_alphanumeric() && !"-_./".contains(it) || it == '/');
        let verb = after.strip_prefix(' ')?.trim_start();
        let is_call = verb.starts_with("migrate") || verb.starts_with("schema");
        (is_word && is_call).then_some(after)
    })
}

/// The name before a colon at the start of a line, or the key of a line in YAML or JSON.
fn target_of(line: &str) -> Option<String> {
    const KEYS: [&str; 7] = ["cmds", "cmd", "desc", "deps", "vars", "tasks", "scripts"];
    if line.starts_with('\t') || line.trim_start().starts_with(['#', '-']) {
        return None;
    }
    let (name, rest) = line.trim_start().split_once(':')?;
    let name = name.split_whitespace().next()?.trim_matches('"');
    let is_name = !name.is_empty()
        && !name.starts_with('.')
        && !KEYS.contains(&name)
        && name.chars().all(|it| it.is_alphanumeric() || "-_.:".contains(it));
    (is_name && !rest.starts_with('=')).then(|| name.to_owned())
}

/// The words of a command, up to its end.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut depth) = (None, 0_u32);
    for it in text.chars() {
        match (it, quote) {
            ('"' | '\'', None) if depth == 0 => quote = Some(it),
            (it, Some(open)) if it == open => quote = None,
            ('(' | '{', _) => {
                depth += 1;
                word.push(it);
            }
            (')' | '}', _) => {
                depth = depth.saturating_sub(1);
                word.push(it);
            }
            (';' | '|' | '&' | '\n', None) if depth == 0 => break,
            (it, None) if it.is_whitespace() && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            ('\\', _) => {}
            _ => word.push(it),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

impl Call {
    /// What the call becomes.
    pub(super) fn note(&self, file: &str) -> Note {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let verbs: Vec<_> = words.iter().take(2).copied().collect();
        let target = self.target.as_ref().map(|it| format!("target `{it}`: ")).unwrap_or_default();
        let command = other_tools::of_atlas(&words).map_or("upfront --help", |it| it.0);
        let environment = self.option("env").filter(|it| is_plain(it));
        let environment = environment.map(|it| format!(" --env {it}")).unwrap_or_default();
        let text = format!("{target}`atlas {}` becomes `{command}{environment}`", verbs.join(" "));
        Note::new(file, self.line, text)
    }

    /// The value of an option.
    fn option(&self, name: &str) -> Option<&str> {
        let long = format!("--{name}");
        let at =
            self.words.iter().position(|it| *it == long || it.starts_with(&format!("{long}=")))?;
        match self.words[at].split_once('=') {
            Some((option, value)) if option == long => Some(value),
            _ => self.words.get(at + 1).map(String::as_str),
        }
    }

    fn url(&self) -> Option<&str> {
        let short = self.words.iter().position(|it| it == "-u");
        let short = || self.words.get(short? + 1).map(String::as_str);
        self.option("url").or_else(short)
    }
}

/// A file of SQL, or a folder.
fn is_sql(path: &str) -> bool {
    Path::new(path).extension().is_none_or(|it| it.eq_ignore_ascii_case("sql"))
}

fn is_plain(it: &str) -> bool {
    !it.is_empty() && it.chars().all(|it| it.is_alphanumeric() || "-_".contains(it))
}

/// What the options of the calls say, where there is no `atlas.hcl`.
pub(super) fn config(file: &str, calls: &[Call]) -> Config {
    let mut config = Config::default();
    for call in calls {
        let path = |url: &str| {
            let path = expanded(url.strip_prefix("file://")?);
            let path = path.split('?').next().unwrap_or_default();
            Some(path.trim_start_matches("./").trim_end_matches('/').to_owned())
        };
        config.dir = config.dir.or_else(|| path(call.option("dir")?));
        let is_desired =
            |it: &String| !it.contains('$') && is_sql(it) && Some(it) != config.dir.as_ref();
        let desired = call.option("to").and_then(path).filter(is_desired);
        config.desired.sql.extend(desired.filter(|_| config.desired.sql.is_empty()));
        if let Some(dev) = call.option("dev-url") {
            config.version = config.version.or_else(|| image_of(dev)?.1);
            let path = take_parameter(dev, "search_path").1;
            if config.desired.schemas.is_empty() {
                config.desired.schemas.extend(path);
            }
        }
        if let (true, Some(url)) = (config.environments.is_empty(), call.url()) {
            config.environments.push(environment(file, call.line, url, &mut config.notes));
        }
    }
    config
}

fn environment(file: &str, line: usize, url: &str, notes: &mut Vec<Note>) -> Environment {
    let (url, path) = take_parameter(&expanded(url), "search_path");
    let url = match has_password(&url) {
        true => {
            let text = "its password is not copied: set DATABASE_URL to the URL, in `.env` or in the \
                        environment";
            notes.push(Note::new(file, line, text));
            "${DATABASE_URL}".to_owned()
        }
        false => url,
    };
    Environment {
        name: "dev".to_owned(),
        url: Some(url),
        search_path: path.into_iter().collect(),
        ..Environment::default()
    }
}

/// A text with the variables of `make` or of a shell as those of `upfront.toml`.
fn expanded(text: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let after = after.strip_prefix('$').unwrap_or(after);
        let close = match after.chars().next() {
            Some('(') => Some(')'),
            Some('{') => Some('}'),
            _ => None,
        };
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let (name, behind) = if let Some(close) = close {
            after[1..].split_once(close).unwrap_or((&after[1..], ""))
        } else {
            after.split_at(after.find(|it| !is_name(it)).unwrap_or(after.len()))
        };
        expanded.extend(["${", name, "}"]);
        rest = behind;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_calls() {
        let make = "DB_URL := postgres://u:p@h/d\n.PHONY: x\ngen-migration:\n\t@if [ -z \"$(name)\" ]; \
                    then exit 1; fi\n\tatlas migrate diff $(name) \\\n\t\t--dir \"file://db/migrations\" \
                    \\\n\t\t--to \"file://schema.sql\" --dev-url \
                    \"docker://postgres/17/test?search_path=public\"\nmigrate-dev:\n\tdoppler run \
                    --command=\"atlas migrate apply --env dev\"\napply:\n\tatlas migrate apply -u \
                    ${DB_URL}\n";
        let calls = calls(make);
        let notes: Vec<_> = calls.iter().map(|it| it.note("Makefile").to_string()).collect();
        assert_eq!(
            notes,
            [
                "Makefile:5: target `gen-migration`: `atlas migrate diff` becomes `upfront gen NAME`",
                "Makefile:9: target `migrate-dev`: `atlas migrate apply` becomes `upfront up --env dev`",
                "Makefile:11: target `apply`: `atlas migrate apply` becomes `upfront up`",
            ]
        );
        let config = config("Makefile", &calls);
        assert_eq!(config.dir.as_deref(), Some("db/migrations"));
        assert_eq!(config.desired.sql, ["schema.sql"]);
        assert_eq!(config.desired.schemas, ["public"]);
        assert_eq!(config.version, Some(17));
        assert_eq!(config.environments[0].url.as_deref(), Some("${DB_URL}"));
    }

    #[test]
    fn reads_other_files() {
        let tasks = "version: '3'\ntasks:\n  migrate:\n    desc: x\n    cmds:\n      - atlas migrate \
                     apply --env local\n";
        let scripts =
            "{\n  \"scripts\": {\n    \"migrate\": \"atlas migrate apply --env dev\"\n  }\n}\n";
        for text in [tasks, scripts] {
            assert_eq!(calls(text)[0].target.as_deref(), Some("migrate"));
        }
        assert_eq!(calls("x:\n\tgo run ariga.io/atlas-provider-gorm load\n\t./atlas.hcl\n"), []);
    }
}

//! The text of `upfront.toml`.

use std::fmt::Write;

use super::{
    config::{Desired, Environment},
    survey::Survey,
};

const HEAD: &str = "# What the `upfront` command works on, by `--env`; `dev` by default.\n";

const USUAL: &str = r#"
[env.dev]
url = "${DATABASE_URL}"

# [env.prod]
# url = "${PRODUCTION_DATABASE_URL}"
# protected = true
"#;

/// Writes the settings that fit what was found.
pub(super) fn text(it: &Survey, models: bool) -> String {
    let mut text = HEAD.to_owned();
    if let Some(origin) = &it.origin {
        let _ = writeln!(text, "# Translated from {origin}.");
    }
    for note in &it.config.notes {
        let _ = writeln!(text, "# {}", note.to_string().replace('\n', " "));
    }
    let _ = writeln!(text, "dir = {}", quoted(&it.dir));
    match it.config.environments.as_slice() {
        [] => text.push_str(USUAL),
        all => all.iter().for_each(|it| environment(&mut text, it)),
    }
    desired(&mut text, it, models);
    if it.config.version.is_some() || it.preset.is_some() {
        text.push_str("\n[scratch]\n");
    }
    if let Some(version) = it.config.version {
        let _ = writeln!(text, "version = {version}");
    }
    if let Some(preset) = it.preset {
        let _ = writeln!(text, "preset = {}", quoted(preset));
    }
    text
}

fn environment(text: &mut String, it: &Environment) {
    let _ = write!(text, "\n[env.{}]\n", key(&it.name));
    if let Some(url) = &it.url {
        let _ = writeln!(text, "url = {}", quoted(url));
    }
    if let Some(dir) = &it.dir {
        let _ = writeln!(text, "dir = {}", quoted(dir));
    }
    if !it.search_path.is_empty() {
        let _ = writeln!(text, "search_path = {}", list(&it.search_path));
    }
    if let Some(limit) = &it.wait_timeout {
        let _ = writeln!(text, "wait_timeout = {}", quoted(limit));
    }
    if is_production(&it.name) {
        text.push_str("protected = true\n");
    }
}

fn is_production(name: &str) -> bool {
    ["prod", "production", "live"].contains(&name.to_lowercase().as_str())
}

fn desired(text: &mut String, survey: &Survey, models: bool) {
    let Desired { sql, commands, schemas, exclude } = &survey.config.desired;
    let loader = survey.loader.as_ref().filter(|_| !models);
    let has_source = !models && survey.config.desired.has_source();
    let mut lines = String::new();
    if has_source && !sql.is_empty() {
        let _ = writeln!(lines, "sql = {}", list(sql));
    }
    if has_source && !commands.is_empty() {
        let _ = writeln!(lines, "command = {}", quoted(&commands.join(" && ")));
    }
    if let Some(loader) = loader {
        let command = quoted(&loader.command);
        let _ = match &loader.first {
            None => writeln!(lines, "# The models of {}.\ncommand = {command}", loader.orm),
            Some(first) => writeln!(
                lines,
                "# The models of {}: first {}; then\n# command = {command}",
                loader.orm,
                as_words(first)
            ),
        };
    }
    if !schemas.is_empty() {
        let _ = writeln!(lines, "schemas = {}", list(schemas));
    }
    if !exclude.is_empty() {
        let _ = writeln!(lines, "exclude = {}", list(exclude));
    }
    let is_empty = lines.lines().all(|it| it.starts_with('#'));
    if !lines.is_empty() {
        // A table without a source is a mistake.
        let head = if is_empty { "# [desired]" } else { "[desired]" };
        let _ = write!(text, "\n{head}\n{lines}");
    }
    if models {
        text.push_str("\n# `gen` asks `examples/upfront_models.rs` for the structs of this crate.\n[desired.models]\n");
    }
}

/// A command in backquotes; a sentence as it is.
fn as_words(step: &str) -> String {
    match step.starts_with("write ") {
        true => step.to_owned(),
        false => format!("`{step}`"),
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|it| quoted(it)).collect();
    format!("[{}]", texts.join(", "))
}

/// A text of TOML.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') && !text.contains(char::is_control) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for it in text.chars() {
        match it {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(it);
            }
            it if it.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(it));
            }
            it => quoted.push(it),
        }
    }
    quoted + "\""
}

fn key(name: &str) -> String {
    let is_bare = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

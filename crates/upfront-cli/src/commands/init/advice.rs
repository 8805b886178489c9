//! What is left to do after `init`.

use std::{collections::BTreeSet, fs, path::Path};

use super::{config::names_in, files::WrittenFiles, survey::Survey};
use crate::config::{Variables, package::Package};

/// The lines behind `next:`, without what is done already.
pub(super) fn next(survey: &Survey, variables: &Variables, with_desired: bool) -> Vec<String> {
    let mut steps = Vec::new();
    for (name, is_url) in missing_variables(survey, variables) {
        let value = if is_url { "postgres://…" } else { "…" };
        steps.push((format!("export {name}={value}"), "or write it into `.env`"));
    }
    if let Some(first) = survey.loader.as_ref().and_then(|it| it.first.clone()) {
        steps.push((first, "then set `[desired] command` in upfront.toml"));
    }
    let directory = &survey.directory;
    if !directory.has_migrations {
        steps.push(("upfront new NAME".to_owned(), "writes the first migration"));
        steps.push(("upfront up".to_owned(), "applies it"));
        return aligned(&steps);
    }
    if !directory.has_sum {
        steps.push(("upfront hash".to_owned(), "writes `atlas.sum`"));
    }
    if directory.is_of_atlas() {
        let what = "takes over the history that Atlas has in a database";
        steps.push(("upfront adopt".to_owned(), what));
    }
    if !directory.has_down {
        steps.push(("upfront gen --down".to_owned(), "writes the missing down scripts"));
    }
    let command = if with_desired { "upfront gen NAME" } else { "upfront new NAME" };
    steps.push((command.to_owned(), "writes the next migration"));
    steps.push(("upfront up".to_owned(), "applies it"));
    aligned(&steps)
}

/// Commands, and behind them what they do.
fn aligned(steps: &[(String, &str)]) -> Vec<String> {
    let wide = steps.iter().map(|it| it.0.chars().count()).max().unwrap_or_default();
    steps.iter().map(|(step, what)| format!("  {step:wide$}   {what}")).collect()
}

/// The variables in the URLs that have no value yet, and whether they are the whole URL.
fn missing_variables(survey: &Survey, variables: &Variables) -> Vec<(String, bool)> {
    let urls: Vec<_> = match survey.config.environments.as_slice() {
        [] => vec!["${DATABASE_URL}".to_owned()],
        all => all.iter().filter_map(|it| it.url.clone()).collect(),
    };
    let mut seen = BTreeSet::new();
    let of = |url: &String| {
        names_in(url).into_iter().map(|it| (format!("${{{it}}}") == *url, it)).collect::<Vec<_>>()
    };
    let missing = urls.iter().flat_map(of).filter(|(_, name)| variables.get(name).is_none());
    missing.filter(|it| seen.insert(it.1.clone())).map(|(is_url, name)| (name, is_url)).collect()
}

/// How to compile the migrations into the crate, without what it has already.
pub(super) fn embedding(dir: &str) -> Vec<String> {
    let Ok(manifest) = fs::read_to_string("Cargo.toml") else { return Vec::new() };
    let script = fs::read_to_string("build.rs").ok();
    let mut lines = Vec::new();
    let has = |name: &str| {
        let starts = |it: &str| {
            let it = it.trim_start().trim_start_matches('"');
            it.strip_prefix(name)
                .is_some_and(|it| it.trim_start_matches('"').trim_start().starts_with(['=', '.']))
        };
        manifest.lines().any(starts) || manifest.contains(&format!("dependencies.{name}]"))
    };
    let adds: Vec<_> =
        [("upfront", "cargo add upfront"), ("upfront-build", "cargo add --build upfront-build")]
            .into_iter()
            .filter(|(name, _)| !has(name))
            .map(|it| it.1)
            .collect();
    if !adds.is_empty() {
        lines.push(format!("  {}", adds.join(" && ")));
    }
    let dir = dir.replace('\\', "\\\\").replace('"', "\\\"");
    match script {
        Some(it) if it.contains("upfront_build") => {}
        Some(_) => lines.push(format!("  in build.rs:  upfront_build::embed(\"{dir}\");")),
        None => {
            lines.push(format!("  build.rs:     fn main() {{ upfront_build::embed(\"{dir}\"); }}"));
        }
    }
    if !is_in_sources("embedded!") {
        lines.push(
            "  in main.rs:   Migrator::new(upfront::embedded!(), pool.clone()).up().await?;"
                .to_owned(),
        );
    }
    lines
}

fn is_in_sources(needle: &str) -> bool {
    let files = super::orm::files(Path::new("src"));
    files
        .iter()
        .any(|it| fs::read_to_string(Path::new("src").join(it)).is_ok_and(|it| it.contains(needle)))
}

/// How `gen` learns of the structs of the crate.
pub(super) fn modelling(
    made: &WrittenFiles,
    here: Option<&Package>,
    models: Option<&Package>,
) -> Vec<String> {
    let keeps_settings = made.kept.iter().any(|it| it == "upfront.toml");
    match (models, here) {
        (Some(it), _) => it.steps(keeps_settings),
        (None, Some(_)) => vec!["`upfront init --models` is for a schema from structs".to_owned()],
        (None, None) => Vec::new(),
    }
}

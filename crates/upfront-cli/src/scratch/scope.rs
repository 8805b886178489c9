//! What of two databases is compared.

use upfront_schema::{Pattern, Scope};
use upfront_scratch::Database;

use crate::{config::Project, output::failure::Failure};

/// What of these databases is compared: not upfront's own schema, not other tools' histories, and
/// not what `upfront.toml` leaves out.
pub(crate) fn scope(project: &Project, databases: &[&Database<'_>]) -> Result<Scope, Failure> {
    let settings = project.settings()?;
    let mut scope =
        Scope { without_schemas: vec![settings.own_schema().to_owned()], ..Scope::default() };
    scope.exclude = excluded(project);
    scope.setup = project.setup.get().cloned().unwrap_or_default();
    if let Some(schemas) = project.schemas() {
        scope.narrow(schemas, databases)?;
    }
    Ok(scope)
}

/// What is left alone by its name: other tools' histories, what `upfront.toml` names, and what
/// belongs to the service of the preset.
pub(crate) fn excluded(project: &Project) -> Vec<Pattern> {
    let names = upfront::history_tables();
    let kinds = ["table", "sequence"].into_iter();
    let histories = kinds.flat_map(|kind| names.iter().map(move |it| format!("{kind} *.{it}")));
    // These schemas hold a history and nothing else.
    let schemas = ["atlas_schema_revisions", "drizzle", "graphile_migrate", "pgroll", "sqitch"];
    let schemas = schemas.iter().map(|it| format!("schema {it}"));
    let tools = project.missing_tools.get().into_iter().flatten();
    let tools = tools.map(|it| format!("extension {it}"));
    let never = histories.chain(schemas).chain(tools).map(|it| it.parse::<Pattern>());
    let never = never.map(|it| it.expect("these patterns are well formed"));
    never.chain(project.exclude()).collect()
}

/// The same for the two that are compared, one of which has to have each schema that counts.
pub(crate) fn scope_of_both(
    project: &Project,
    both: &[&Database<'_>; 2],
) -> Result<Scope, Failure> {
    let schemas = project.schemas().unwrap_or_default();
    let missing = Scope::missing(schemas, both)?;
    match missing.first() {
        None => scope(project, both),
        Some(it) => {
            Err(Failure::mistake(format!("`schemas` names `{it}`, which neither of the two has"))
                .help(
                    "take it out of `schemas` in `[desired]` of `upfront.toml`, or write it right",
                ))
        }
    }
}

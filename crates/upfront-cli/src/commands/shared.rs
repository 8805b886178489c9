//! The verbs that services mount, too.

use upfront::cli::{Exit, Operator, Output, Verb};

use crate::{
    config::Project,
    connection::database::{Requires, with},
    output::failure::Failure,
};

/// What a service's own `migrate` does, on a folder instead of an embedded set.
pub(crate) fn run(verb: &Verb, project: &Project, output: &Output) -> Result<Exit, Failure> {
    let needs = if matches!(verb, Verb::Log(_) | Verb::Resolve(_)) {
        Requires::Nothing
    } else {
        Requires::Folder
    };
    with(project, output, needs, async |it| {
        let operator = Operator::Person { protected: it.target.protected.clone() };
        Ok(verb.run(&it.migrator, &operator, output).await)
    })
}

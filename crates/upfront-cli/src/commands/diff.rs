//! `diff`

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_schema::{Change, Strategy};

use crate::{
    commands::generate::DecisionArgs,
    config::Project,
    output::failure::Failure,
    scratch::{scope, server, source::Source},
};

/// Options of `diff`.
///
/// Prints SQL for `psql -f`, proven on a scratch server. Comments before the statements name the
/// data loss. Without `--rename`, a renamed object is dropped and created.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Compare from this file or folder of SQL, folder of migrations, or URL
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// Compare to this source, as for `--from`
    #[arg(long, value_name = "SOURCE")]
    to: String,
    /// Build indexes and check rows online, in several transactions
    #[arg(long)]
    online: bool,
    #[command(flatten)]
    decisions: DecisionArgs,
}

#[derive(Serialize)]
struct Printed {
    sql: String,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let ends = [("the database of `--from`", &self.from), ("the database of `--to`", &self.to)];
        let [from, to] = ends.map(|(end, named)| Source::of(end, named, project, output));
        let sources = [&from?, &to?];
        let annotated = sources[1].annotated()?;
        let server = server::start_for(project, &sources)?;
        let [from, to] = sources.map(|it| it.build(project, &server, output));
        let (from, to) = (from?, to?);
        let mut scope = scope::scope_of_both(project, &[&from, &to])?;
        for it in sources {
            it.narrow(&mut scope);
        }
        let mut answers = self.decisions.read();
        answers.annotated = annotated;
        let strategy = if self.online { Strategy::Online } else { Strategy::Plain };
        let change = Change::between(&from, &to, &scope, &answers);
        let plan = change.and_then(|it| it.with_strategy(strategy).proven());
        let plan = plan?;
        if plan.is_empty() {
            output.note("there is no difference");
        }
        plan.notes.iter().for_each(|it| output.note(it));
        let printed = Printed { sql: if plan.is_empty() { String::new() } else { plan.script() } };
        if !plan.is_empty() || output.is_json() {
            output.result(&printed, || printed.sql.trim_end().to_owned());
        }
        Ok(Exit::Done)
    }
}

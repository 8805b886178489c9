//! The verbs on a database: what a service's own `migrate` does, on a folder instead of an
//! embedded set.

use std::process::ExitCode;

use upfront::{
    Builder, Migrations, Migrator,
    cli::{Exit, Operator, Output, Verb},
};
use upfront_directory::Directory;

use crate::{
    connection::Address,
    directory::Folder,
    failure::Failure,
    project::{Project, Target},
};

/// Connects, and does what the verb says.
pub(crate) fn run(verb: &Verb, project: &Project, output: &Output) -> Result<ExitCode, Failure> {
    let target = project.target()?;
    let address = Address::read(&target, &project.variables)?;
    let directory = directory(verb, &project.folder()?, output)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|err| Failure::new(Exit::Failed, format!("cannot start the runtime: {err}")))?;
    runtime.block_on(async {
        let pool = address.connect().await?;
        let builder = Migrator::builder(Migrations::from_directory(&directory), pool);
        let operator = Operator::Person { protected: target.protected.clone() };
        let migrator = target.apply(builder).build();
        let migrator = migrator.map_err(|err| Failure::mistake(err.to_string()))?;
        Ok(verb.run(&migrator, &operator, output).await)
    })
}

/// The folder. The log can be read without one.
fn directory(verb: &Verb, folder: &Folder, output: &Output) -> Result<Directory, Failure> {
    if matches!(verb, Verb::Log(_)) && !folder.path.exists() {
        return Directory::from_files(&folder.label, []).map_err(|it| folder.mistakes(&it));
    }
    folder.read_warned(output)
}

impl Target {
    fn apply(self, mut it: Builder) -> Builder {
        it = it.release(concat!("upfront-cli ", env!("CARGO_PKG_VERSION")));
        if let Some(app) = self.app {
            it = it.app(app);
        }
        if let Some(schema) = self.schema {
            it = it.schema(schema);
        }
        if let Some(role) = self.role {
            it = it.role(role);
        }
        if let Some(schemas) = self.search_path {
            it = it.search_path(schemas);
        }
        if let Some(limit) = self.lock_timeout {
            it = it.lock_timeout(limit);
        }
        if let Some(limit) = self.statement_timeout {
            it = it.statement_timeout(limit);
        }
        if let Some(limit) = self.wait_timeout {
            it = it.wait_timeout(limit);
        }
        if self.session_pooler {
            it = it.session_pooler();
        }
        if self.ignore_foreign_history {
            it = it.ignore_foreign_history();
        }
        it
    }
}

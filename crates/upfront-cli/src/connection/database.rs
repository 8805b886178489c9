//! A database and the folder for it, for the verbs that need both.

use deadpool_postgres::Pool;
use upfront::{
    Builder, Migrations, Migrator,
    cli::{Exit, Output},
};
use upfront_directory::Directory;

use crate::{
    config::{Project, Target, folder::Folder},
    connection::Address,
    context::block_on,
    output::failure::Failure,
};

/// A connection to a database, and the migrations for it.
pub(crate) struct Database {
    pub(crate) migrator: Migrator,
    pub(crate) directory: Directory,
    pub(crate) pool: Pool,
    pub(crate) address: Address,
    pub(crate) target: Target,
}

/// Whether a verb can do without a folder, as the log can be read from anywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requires {
    Folder,
    Nothing,
}

/// Connects, and does the work.
pub(crate) fn with(
    project: &Project,
    output: &Output,
    needs: Requires,
    work: impl AsyncFnOnce(&Database) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let target = project.target()?;
    let address = Address::read(&target, &project.variables)?;
    let directory = directory(needs, &project.folder()?, output)?;
    block_on(async {
        let pool = address.connect().await?;
        let migrations = Migrations::from_directory(&directory);
        let builder = Migrator::builder(migrations, pool.clone());
        let migrator = target.apply(builder).build();
        let migrator = migrator.map_err(|err| Failure::mistake(err.to_string()))?;
        work(&Database { migrator, directory, pool, address, target }).await
    })
}

fn directory(needs: Requires, folder: &Folder, output: &Output) -> Result<Directory, Failure> {
    if needs == Requires::Nothing && !folder.path.exists() {
        return Directory::from_files(&folder.label, []).map_err(|it| folder.mistakes(&it));
    }
    folder.read_warned(output)
}

impl Target {
    /// Makes the settings those of a migrator.
    pub(crate) fn apply(&self, mut it: Builder) -> Builder {
        it = it.release(concat!("upfront-cli ", env!("CARGO_PKG_VERSION")));
        if let Some(app) = &self.app {
            it = it.app(app);
        }
        if let Some(schema) = &self.schema {
            it = it.schema(schema);
        }
        if let Some(role) = &self.role {
            it = it.role(&**role);
        }
        if let Some(owner) = &self.trusted_owner {
            it = it.trusted_owner(&**owner);
        }
        if let Some(schemas) = &self.search_path {
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
            it = it.session_pooler(true);
        }
        if self.ignore_foreign_history {
            it = it.ignore_foreign_histories(true);
        }
        it = self
            .foreign_ignored
            .iter()
            .fold(it, Builder::ignore_foreign_history)
            .schemas(&self.schemas);
        if self.ignore_duplicate_history {
            it = it.ignore_duplicate_history(true);
        }
        it
    }

    /// As [`apply`](Self::apply), for a scratch server: it has no roles, and nobody waits.
    pub(crate) fn apply_alone(&self, it: Builder) -> Builder {
        let target = Self { role: None, session_pooler: false, ..self.clone() };
        target.apply(it).ignore_foreign_histories(true)
    }

    /// The schema of upfront's own tables.
    pub(crate) fn own_schema(&self) -> &str {
        self.schema.as_deref().unwrap_or("upfront")
    }
}

//! Where a schema is: in SQL, in migrations or in a database.

use std::path::Path;

use upfront::cli::{Exit, Output};
use upfront_schema::{Annotations, Owners, Scope};
use upfront_scratch::{Database, DumpFilter, Server};

use crate::{
    config::{Project, Target, folder::Folder, sql_files},
    connection::{Address, versions::major},
    context::block_on,
    output::failure::Failure,
    scratch::{self, live_database::LiveDatabase, replay::replayed, scope, setup},
};

/// One of them.
pub(crate) enum Source {
    /// A file or a folder of SQL.
    Sql(String),
    Migrations(Folder),
    /// A database, as libpq reads it, and the major version of its server.
    Live {
        libpq: String,
        major: u32,
        /// What messages call it, never by its URL.
        end: &'static str,
        found: LiveDatabase,
    },
}

impl Source {
    /// What a person named.
    pub(crate) fn of(
        end: &'static str,
        named: &str,
        project: &Project,
        output: &Output,
    ) -> Result<Self, Failure> {
        if ["postgres://", "postgresql://"].iter().any(|it| named.starts_with(it)) {
            return Self::at(end, named, project, output);
        }
        let path = Path::new(named);
        if !path.exists() {
            let title = format!("`{named}` is no file, no folder and no URL of PostgreSQL");
            return Err(Failure::mistake(title));
        }
        let own = project.folder()?;
        let is_own = path.canonicalize().ok() == own.path.canonicalize().ok();
        Ok(match is_own || path.join("atlas.sum").is_file() {
            true => {
                let label = named.trim_end_matches('/').to_owned();
                Self::Migrations(Folder { path: path.to_owned(), label })
            }
            false => Self::Sql(named.trim_end_matches('/').to_owned()),
        })
    }

    fn at(
        end: &'static str,
        url: &str,
        project: &Project,
        output: &Output,
    ) -> Result<Self, Failure> {
        let settings = project.settings()?;
        let (url, origin) = (Some(url.to_owned()), "the command line".to_owned());
        let target = Target { url, origin, root: None, ..settings };
        let address = Address::read(&target, &project.variables)?;
        let (major, found) = block_on(async {
            let pool = address.connect().await?;
            Ok((major(&pool).await?, LiveDatabase::ask(&pool, project).await?))
        })?;
        found.warn(project, output);
        Ok(Self::Live { libpq: address.libpq, major, end, found })
    }

    /// The major version that a scratch server has to have for it.
    pub(crate) fn major(&self) -> Option<u32> {
        match self {
            Self::Live { major, .. } => Some(*major),
            Self::Sql(_) | Self::Migrations(_) => None,
        }
    }

    /// What messages call it where it is a database.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Live { end, .. } => (*end).to_owned(),
            Self::Sql(path) => path.clone(),
            Self::Migrations(folder) => folder.label.clone(),
        }
    }

    /// Narrows a scope to what is known of a database, which is read without owners.
    pub(crate) fn narrow(&self, scope: &mut Scope) {
        if let Self::Live { found, .. } = self {
            scope.owners = Owners::LeftOut;
            scope.default_owners.extend(found.owner.clone());
        }
    }

    /// What SQL says in comments, where it is what is wanted.
    pub(crate) fn annotated(&self) -> Result<Annotations, Failure> {
        match self {
            Self::Sql(path) => {
                Annotations::read(&sql_files::texts(Path::new(path), path)?).map_err(Failure::from)
            }
            Self::Migrations(_) | Self::Live { .. } => Ok(Annotations::default()),
        }
    }

    /// Builds the schema on a scratch server.
    pub(crate) fn build<'s>(
        &self,
        project: &Project,
        server: &'s Server,
        output: &Output,
    ) -> Result<Database<'s>, Failure> {
        match self {
            Self::Sql(path) => {
                let database = scratch::database(server)?;
                let texts = sql_files::texts(Path::new(path), path)?;
                scratch::load(project, &database, texts, output)?;
                Ok(database)
            }
            Self::Migrations(folder) => {
                let directory = folder.read()?;
                setup::note_skipped(project, server, &directory, output)?;
                replayed(project, server, &setup::replayable(project, server, directory)?)
            }
            Self::Live { libpq, end, found, .. } => {
                let copy = Copy { project, server, libpq, end, found };
                copy.database()
            }
        }
    }
}

/// A database that is made again on a scratch server.
struct Copy<'a, 's> {
    project: &'a Project,
    server: &'s Server,
    libpq: &'a str,
    end: &'a str,
    found: &'a LiveDatabase,
}

impl<'s> Copy<'_, 's> {
    fn database(&self) -> Result<Database<'s>, Failure> {
        let omitted = self.found.omitted(self.project);
        let filter = self.found.filter(self.project);
        let (database, loaded) = self.load(&filter, &omitted)?;
        let Err(err) = loaded else { return Ok(database) };
        // What counts may need something of a schema that does not: that is read too, if it can be.
        let wider = self.found.wider_filter(self.project);
        if err.is_missing_object()
            && wider != filter
            && let Ok((database, Ok(()))) = self.load(&wider, &wider.schemas)
        {
            return Ok(database);
        }
        Err(self.not_loaded(err))
    }

    fn load(
        &self,
        filter: &DumpFilter,
        omitted: &[String],
    ) -> Result<(Database<'s>, Result<(), upfront_schema::Error>), Failure> {
        let database = scratch::database(self.server)?;
        let dump = self.server.schema_of(self.libpq, filter).map_err(|err| self.not_read(&err))?;
        let attached = self.project.setup.get().map(|it| self.found.attached(it));
        let text = self.found.without_owner(&(dump + &attached.unwrap_or_default()));
        let scope = scope::scope(self.project, &[&database])?;
        let dump = (self.end.to_owned(), text);
        let loaded = upfront_schema::load_dump(&database, dump, &scope, omitted);
        Ok((database, loaded))
    }

    fn not_read(&self, err: &upfront_scratch::Error) -> Failure {
        let failure = Failure::new(Exit::Failed, format!("cannot read {}: {err}", self.end));
        failure.help(
            "`schemas` and `exclude` in `[desired]` say what is read: what is left out needs no rights",
        )
    }

    fn not_loaded(&self, err: upfront_schema::Error) -> Failure {
        let end = self.end;
        Failure::from(err).more(format!(
            "this is the schema of {end} as `pg_dump` prints it, on the scratch server"
        ))
    }
}

//! Where a schema is: in SQL, in migrations or in a database.

use std::path::Path;

use upfront::cli::Output;
use upfront_schema::{Annotated, Owners, Scope};
use upfront_scratch::{Database, Server};

use crate::{
    adopt::major,
    connection::Address,
    database::block_on,
    desired,
    directory::Folder,
    failure::Failure,
    generate::replayed,
    live::Found,
    project::{Project, Target},
    scratch,
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
        found: Found,
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
            Ok((major(&pool).await?, Found::ask(&pool, project).await?))
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
    pub(crate) fn annotated(&self) -> Result<Annotated, Failure> {
        match self {
            Self::Sql(path) => Annotated::read(&desired::texts(Path::new(path), path)?)
                .map_err(|err| scratch::of_schema(&err)),
            Self::Migrations(_) | Self::Live { .. } => Ok(Annotated::default()),
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
                let texts = desired::texts(Path::new(path), path)?;
                scratch::load(project, &database, texts, output)?;
                Ok(database)
            }
            Self::Migrations(folder) => replayed(project, server, &folder.read()?),
            Self::Live { libpq, end, found, .. } => {
                let database = scratch::database(server)?;
                let sql = server.schema_of(libpq).map_err(|err| scratch::failed(&err))?;
                let texts = vec![((*end).to_owned(), found.without_owner(&sql))];
                let scope = scratch::scope(project, &[])?;
                let loaded = upfront_schema::load_within(&database, texts, &scope);
                loaded.map_err(|err| scratch::of_schema(&err))?;
                Ok(database)
            }
        }
    }
}

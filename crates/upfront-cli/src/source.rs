//! Where a schema is: in SQL, in migrations or in a database.

use std::path::Path;

use upfront_schema::Annotated;
use upfront_scratch::{Database, Server};

use crate::{
    adopt::major,
    connection::Address,
    database::block_on,
    desired,
    directory::Folder,
    failure::Failure,
    generate::replayed,
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
    },
}

impl Source {
    /// What a person named.
    pub(crate) fn of(named: &str, project: &Project) -> Result<Self, Failure> {
        if ["postgres://", "postgresql://"].iter().any(|it| named.starts_with(it)) {
            return Self::at(named, project);
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

    fn at(url: &str, project: &Project) -> Result<Self, Failure> {
        let settings = project.settings()?;
        let (url, origin) = (Some(url.to_owned()), "the command line".to_owned());
        let target = Target { url, origin, root: None, ..settings };
        let address = Address::read(&target, &project.variables)?;
        let major = block_on(async { major(&address.connect().await?).await })?;
        Ok(Self::Live { libpq: address.libpq, major })
    }

    /// The major version that a scratch server has to have for it.
    pub(crate) fn major(&self) -> Option<u32> {
        match self {
            Self::Live { major, .. } => Some(*major),
            Self::Sql(_) | Self::Migrations(_) => None,
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
    ) -> Result<Database<'s>, Failure> {
        match self {
            Self::Sql(path) => loaded(server, desired::texts(Path::new(path), path)?),
            Self::Migrations(folder) => replayed(project, server, &folder.read()?),
            Self::Live { libpq, .. } => {
                let sql = server.schema_of(libpq).map_err(|err| scratch::failed(&err))?;
                loaded(server, vec![("the database".to_owned(), sql)])
            }
        }
    }
}

fn loaded(server: &Server, texts: Vec<(String, String)>) -> Result<Database<'_>, Failure> {
    let database = scratch::database(server)?;
    upfront_schema::load(&database, texts).map_err(|err| scratch::of_schema(&err))?;
    Ok(database)
}

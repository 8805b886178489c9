//! Where a schema comes from.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use postgres::Client;
use upfront_directory::{Directory, Side};
use upfront_scratch::{Database, Server};

use crate::{
    catalog::{extract::extract, scope::Scope},
    diff::plan::plan,
    error::{Error, Kind, Result, is_missing, reason},
    options::Options,
    scratch::{apply, load, preflight::preflight, session},
};

/// Something that describes a schema.
///
/// ```
/// use upfront_schema::Source;
///
/// let source: Source = "postgresql://user@host/database".parse()?;
/// assert!(matches!(source, Source::Url(_)));
/// # Ok::<(), upfront_schema::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Source {
    /// A SQL file, or a folder with SQL files in any order.
    Sql(PathBuf),
    /// A directory of migrations, which has an `atlas.sum`.
    Migrations(PathBuf),
    /// A database, which is only read.
    Url(String),
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Source::Url(text.to_owned()));
        }
        if !path.exists() {
            return Err(Kind::NoSource(text.to_owned()).into());
        }
        match path.join("atlas.sum").exists() {
            true => Ok(Source::Migrations(path.to_owned())),
            false => Ok(Source::Sql(path.to_owned())),
        }
    }
}

impl Source {
    /// Builds the schema on an empty database of the scratch server.
    ///
    /// # Errors
    ///
    /// If SQL does not load: with file, line and column. If a database holds something that is not
    /// modelled.
    pub fn load<'s>(&self, server: &'s Server, scope: &Scope) -> Result<Database<'s>> {
        if let Source::Url(url) = self {
            return copy(server, &mut session::connect(url)?, scope);
        }
        let database = server.database()?;
        match self {
            Source::Sql(path) => load::load(&mut session::open(&database)?, path, scope)?,
            Source::Migrations(path) => replay(&database, path)?,
            Source::Url(_) => {}
        }
        Ok(database)
    }
}

/// The schema of a live database on a scratch server, where it can be tried on.
///
/// The database is read in one snapshot and nothing else; the caller decides how to connect, where
/// [`Source::Url`] does so without TLS.
///
/// # Errors
///
/// If the database holds something that is not modelled, or that the scratch server does not have.
pub fn copy<'s>(server: &'s Server, live: &mut Client, scope: &Scope) -> Result<Database<'s>> {
    let there = extract(live, scope)?;
    let database = server.database()?;
    let mut client = session::open(&database)?;
    let empty = extract(&mut client, scope)?;
    apply::apply(&mut client, &plan(&empty, &there, &Options::default())?, "copying")?;
    Ok(database)
}

fn replay(database: &Database<'_>, path: &Path) -> Result<()> {
    let directory = Directory::read(path).map_err(Kind::Directory)?;
    preflight(database, &directory)?;
    let mut client = session::open(database)?;
    for it in directory.migrations() {
        run(&mut client, &it.up)?;
    }
    Ok(())
}

fn run(client: &mut Client, side: &Side) -> Result<()> {
    let failed = |err: &postgres::Error, line| Kind::Statement {
        place: format!("{}:{line}", side.path),
        excerpt: side.source.lines().nth(line as usize - 1).unwrap_or_default().to_owned(),
        message: reason(err),
        is_missing: is_missing(err),
    };
    for it in &side.statements {
        let sql = &side.body[it.range.clone()];
        let ran = match &it.data {
            Some(data) => session::copy(client, sql, &side.body[data.lines.clone()]),
            None => session::run(client, sql),
        };
        ran.map_err(|err| failed(&err, it.line))?;
    }
    Ok(())
}

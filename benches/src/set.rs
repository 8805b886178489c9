//! The same migrations, as each who boots wants them.

use std::{borrow::Cow, str::FromStr};

use deadpool_postgres::{Manager, Pool};
use refinery::{Migration, Runner};
use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{MigrationType, Migrator},
};
use tokio_postgres::{Config, NoTls};
use upfront::Migrations;

use crate::Result;

/// A migration by hand.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) hash: String,
    pub(crate) sql: String,
}

/// A set in everybody's form, parsed and hashed.
pub(crate) struct Set {
    pub(crate) files: Vec<File>,
    pub(crate) upfront: Migrations,
    pub(crate) sqlx: Migrator,
    pub(crate) refinery: Runner,
}

/// What a migration of the set does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bodies {
    /// Next to nothing, in a text of usual length.
    Idle,
    /// Makes a table.
    Tables,
    /// The first makes a table, and the others alter it.
    Busy,
}

impl Bodies {
    fn sql(self, at: usize) -> String {
        match self {
            Self::Idle => format!("SELECT {at};\n-- {}\n", "a line of comment ".repeat(18)),
            Self::Tables => {
                format!("CREATE TABLE t_{at} (id bigint PRIMARY KEY, name text NOT NULL);\n")
            }
            Self::Busy if at == 1 => "CREATE TABLE busy (id bigint PRIMARY KEY);\n".into(),
            Self::Busy => format!("ALTER TABLE busy ADD COLUMN c_{at} text;\n"),
        }
    }
}

impl Set {
    pub(crate) async fn new(count: usize, bodies: Bodies) -> Result<Self> {
        let files: Vec<_> = (1..=count).map(|at| file(at, bodies.sql(at))).collect();
        let sqlx = Migrator::with_migrations((1..).zip(&files).map(sqlx_migration).collect());
        let refinery: Vec<_> = (1..).zip(&files).map(refinery_migration).collect::<Result<_>>()?;
        let named = |it: &File| (format!("{}_{}.sql", it.version, it.name), it.sql.clone().into());
        let upfront = Migrations::from_files(files.iter().map(named).collect());
        parse(&upfront).await?;
        Ok(Self { sqlx, refinery: Runner::new(&refinery), upfront, files })
    }
}

fn file(at: usize, sql: String) -> File {
    File {
        version: format!("{:014}", 20_260_101_000_000 + at),
        name: format!("step_{at}"),
        hash: format!("{at:064x}"),
        sql,
    }
}

fn sqlx_migration((version, it): (i64, &File)) -> sqlx::migrate::Migration {
    let name: Cow<'static, str> = Cow::Owned(it.name.clone());
    let sql = AssertSqlSafe(it.sql.clone()).into_sql_str();
    sqlx::migrate::Migration::new(version, name, MigrationType::Simple, sql, false)
}

fn refinery_migration((version, it): (i32, &File)) -> Result<Migration> {
    Ok(Migration::unapplied(&format!("V{version}__{}", it.name), &it.sql)?)
}

/// A set that a build script compiled in is parsed already; this one is when it is first needed.
async fn parse(migrations: &Migrations) -> Result<()> {
    let nowhere = Config::from_str("postgres://postgres@127.0.0.1:1/none")?;
    let pool = Pool::builder(Manager::new(nowhere, NoTls)).build()?;
    match upfront::Migrator::new(migrations.clone(), pool).check().await {
        Err(err) if !err.to_string().starts_with("cannot connect") => Err(err.into()),
        _ => Ok(()),
    }
}

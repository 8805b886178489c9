//! Migrations that are seen to work: applied, rolled back and applied again on a scratch server by
//! the library itself, with the schema compared each time.

use std::sync::Arc;

use upfront::{Direction, Error, Migrations, Migrator, Target as Rollback, cli::Exit};
use upfront_directory::{Directory, Migration, Side};
use upfront_schema::{Scope, compare};
use upfront_scratch::{Database, Server};

use crate::{
    config::{Project, Target},
    connection,
    context::block_on,
    output::{
        differences::{self, Ends},
        failure::Failure,
        progress::Stage,
    },
    scratch::{self, scope, setup},
};

/// A scratch database, and the migrations that are tried on it.
pub(crate) struct ReplayDatabase<'p, 's> {
    project: &'p Project,
    settings: Target,
    migrations: Migrations,
    /// The roles that the migrations make.
    roles: Vec<String>,
    /// What counts, where that does not depend on what there is.
    scope: Option<Scope>,
    /// Who is shown which migration is under way.
    stage: Arc<Stage>,
    pub(crate) database: Database<'s>,
}

/// Whether a migration can be applied again after its down side.
pub(crate) enum ReapplyResult {
    Works,
    /// The down side does nothing, and the rows that the migration wrote are in its way.
    MeetsRows(Failure),
}

impl<'p, 's> ReplayDatabase<'p, 's> {
    /// An empty database for a directory.
    pub(crate) fn new(
        project: &'p Project,
        server: &'s Server,
        directory: &Directory,
    ) -> Result<Self, Failure> {
        let database = scratch::database(server)?;
        scratch::preflight(&database, directory)?;
        Self::on(project, database, directory)
    }

    /// A database to which some migrations of a directory are applied already.
    pub(crate) fn on(
        project: &'p Project,
        database: Database<'s>,
        directory: &Directory,
    ) -> Result<Self, Failure> {
        let migrations = Migrations::from_directory(directory);
        let (settings, roles) = (project.settings()?, upfront_schema::roles_created_by(directory));
        let stage = Arc::new(Stage::silent());
        Ok(Self { project, settings, migrations, roles, scope: None, stage, database })
    }

    /// The same, with progress.
    pub(crate) fn watched(self, stage: Arc<Stage>) -> Self {
        Self { stage, ..self }
    }

    /// The same within this scope.
    pub(crate) fn within(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// What counts of its database and another one.
    pub(crate) fn scope(&self, other: &Database<'_>) -> Result<Scope, Failure> {
        match &self.scope {
            Some(it) => Ok(it.clone()),
            None => scope::scope(self.project, &[other, &self.database]),
        }
    }

    /// Applies all up to a version.
    pub(crate) fn up_to(&self, version: &str) -> Result<(), Failure> {
        self.migrate(Some(version), &async |it| it.up().await.map(drop))
    }

    /// Applies or rolls back one migration, on connections that are closed afterwards.
    pub(crate) fn migrate_one(&self, it: &Migration, direction: Direction) -> Result<(), Failure> {
        match direction {
            Direction::Up => self.up_to(&it.version),
            Direction::Down => self.roll_back(Some(&it.version), &Rollback::Steps(1)),
        }
    }

    fn roll_back(&self, head: Option<&str>, target: &Rollback) -> Result<(), Failure> {
        self.migrate(head, &async |it| {
            let mut plan = it.plan_down(target.clone()).await?;
            plan.accept_data_loss(true);
            it.apply(&plan).await.map(drop)
        })
    }

    fn migrate(
        &self,
        head: Option<&str>,
        work: &impl AsyncFn(&Migrator) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        // Roles belong to a server: create the missing one and try again.
        loop {
            let done = self.attempt(head, work)?;
            match done {
                Err(err) if scratch::make_role(&self.database, &err)? => {}
                done => {
                    let marked = upfront_schema::mark_created_roles(&self.database, &self.roles);
                    marked?;
                    return done.map_err(setup::replay_failed);
                }
            }
        }
    }

    fn attempt(
        &self,
        head: Option<&str>,
        work: &impl AsyncFn(&Migrator) -> Result<(), Error>,
    ) -> Result<Result<(), Error>, Failure> {
        block_on(async {
            let pool = connection::local(&self.database.url())?;
            let migrate = async {
                let migrations = match head {
                    Some(it) => self.migrations.up_to(it)?,
                    None => self.migrations.clone(),
                };
                let migrator = self.settings.apply_alone(Migrator::builder(migrations, pool));
                let stage = Arc::clone(&self.stage);
                work(&migrator.on_event(move |it| stage.event(it)).build()?).await
            };
            Ok(migrate.await)
        })
    }

    /// Tries one migration, after which it is applied; `before` is a copy of what there is.
    ///
    /// The outer error says that it could not be applied; the inner one what is wrong with its
    /// down side.
    pub(crate) fn one(
        &mut self,
        it: &Migration,
        before: &Database<'_>,
    ) -> Result<Result<ReapplyResult, Failure>, Failure> {
        self.migrate_one(it, Direction::Up)?;
        let Some(down) = &it.down else { return Ok(Ok(ReapplyResult::Works)) };
        let after = scratch::copy(&self.database)?;
        let tried = self.there_and_back(it, down, [before, &after]);
        if !matches!(tried, Ok(ReapplyResult::Works)) {
            self.database = after;
        }
        Ok(tried)
    }

    fn there_and_back(
        &self,
        it: &Migration,
        down: &Side,
        [before, after]: [&Database<'_>; 2],
    ) -> Result<ReapplyResult, Failure> {
        self.migrate_one(it, Direction::Down)?;
        let what = "the down side does not lead back to the schema before the migration";
        self.expect(before, what, &down.path)?;
        match self.migrate_one(it, Direction::Up) {
            Err(failure) if down.statements.is_empty() => {
                return Ok(ReapplyResult::MeetsRows(failure));
            }
            done => done?,
        }
        let what = "applied again, the migration does not make the schema of the first time";
        self.expect(after, what, &it.up.path)?;
        Ok(ReapplyResult::Works)
    }

    /// Goes from the last migration back to an empty database, and forth again.
    pub(crate) fn round_trip(&self) -> Result<(), Failure> {
        let head = scratch::copy(&self.database)?;
        let empty = scratch::database(self.database.server())?;
        let while_rolling_back = |it: Failure| it.more("while rolling back all migrations");
        self.roll_back(None, &Rollback::All).map_err(while_rolling_back)?;
        self.expect(&empty, "rolled back, all migrations leave something", "down")?;
        let while_applying = |it: Failure| it.more("while applying all migrations again");
        self.migrate(None, &async |it| it.up().await.map(drop)).map_err(while_applying)?;
        self.expect(&head, "applied again, all migrations make another schema", "down")
    }

    /// The first migration whose down script is wrong by itself, and why.
    pub(crate) fn wrong_down(
        mut self,
        directory: &Directory,
    ) -> Result<Option<(String, Failure)>, Failure> {
        let many = directory.migrations().len();
        for (it, place) in directory.migrations().iter().zip(1..) {
            self.stage
                .step(|| format!("looking for the down script that is wrong ({place} of {many})"));
            let before = scratch::copy(&self.database)?;
            if let Err(why) = self.one(it, &before)? {
                return Ok(Some((title(it), why)));
            }
        }
        Ok(None)
    }

    /// Compares the database with another one, which is as it should be.
    pub(crate) fn expect(
        &self,
        expected: &Database<'_>,
        what: &str,
        path: &str,
    ) -> Result<(), Failure> {
        let scope = self.scope(expected)?;
        let differences = compare(expected, &self.database, &scope);
        let differences = differences?;
        if differences.is_empty() {
            return Ok(());
        }
        let failure = Failure::new(Exit::Failed, what).file(path);
        let ends = Ends { first: "what should be there", second: "what is there" };
        Err(differences::words(&differences, &ends)
            .into_iter()
            .fold(failure, Failure::more)
            .help("mend the down side; it may be changed at any time"))
    }
}

/// What messages call a migration.
pub(crate) fn title(it: &Migration) -> String {
    it.file.strip_suffix(".sql").unwrap_or(&it.file).to_owned()
}

/// A database with all migrations.
pub(crate) fn replayed<'s>(
    project: &Project,
    server: &'s Server,
    directory: &Directory,
) -> Result<Database<'s>, Failure> {
    let replay_database = ReplayDatabase::new(project, server, directory)?;
    if let Some(it) = directory.migrations().last() {
        replay_database.up_to(&it.version)?;
    }
    Ok(replay_database.database)
}

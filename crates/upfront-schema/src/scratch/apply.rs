//! Running a plan on a scratch database.

use postgres::Client;

use crate::{
    diff::plan::{Plan, Statement},
    error::{Error, Kind, Result, reason},
    scratch::{
        observe::{Lock, Observer},
        role, session,
    },
};

/// Runs the plan, each part in a transaction, and returns the locks of each statement.
pub(crate) fn apply(
    client: &mut Client,
    plan: &Plan,
    side: &'static str,
) -> Result<Vec<Vec<Lock>>> {
    let mut locks = Vec::new();
    let mut observer = Observer::of(client)?;
    for part in plan.parts() {
        loop {
            let ran = match part.iter().any(Statement::stands_alone) {
                true => run_each(client, part, side)?,
                false => run(client, part, side, &mut observer)?,
            };
            match ran {
                RunOutcome::Done(seen) => break locks.extend(seen),
                RunOutcome::MissingRole(role) => {
                    role::make(client, &role).map_err(|err| role::missing(&role, &err))?;
                }
            }
        }
    }
    Ok(locks)
}

enum RunOutcome {
    Done(Vec<Vec<Lock>>),
    /// A role, for another try; roles are no part of a schema.
    MissingRole(String),
}

fn failed(side: &'static str, statement: &str, err: &postgres::Error) -> Error {
    let (statement, message) = (statement.to_owned(), reason(err));
    Kind::Failed { side, statement, message }.into()
}

/// Statements outside of any transaction, of which is known what they lock.
fn run_each(client: &mut Client, part: &[Statement], side: &'static str) -> Result<RunOutcome> {
    for it in part {
        client.batch_execute(&it.sql).map_err(|err| failed(side, &it.sql, &err))?;
    }
    Ok(RunOutcome::Done(part.iter().map(|it| it.locks.clone()).collect()))
}

fn run(
    client: &mut Client,
    part: &[Statement],
    side: &'static str,
    observer: &mut Observer,
) -> Result<RunOutcome> {
    let mut transaction = client.transaction().map_err(Error::postgres("begin a transaction"))?;
    observer.begin(&mut transaction)?;
    let mut locks = Vec::new();
    for it in part {
        if let Err(err) = transaction.batch_execute(&it.sql) {
            return match session::missing_role(&err) {
                Some(role) => Ok(RunOutcome::MissingRole(role)),
                None => Err(failed(side, &it.sql, &err)),
            };
        }
        locks.push(observer.look(&mut transaction)?);
    }
    transaction.commit().map_err(|err| failed(side, "COMMIT", &err))?;
    Ok(RunOutcome::Done(locks))
}

//! Running a plan on a scratch database.

use postgres::Client;

use crate::error::{Error, Kind, Result, reason};
use crate::observe::{Lock, Observer};
use crate::plan::{Plan, Statement};
use crate::quote;
use crate::session;

/// Runs the plan, each of its parts in a transaction, and tells what each statement locked.
pub(crate) fn apply(
    client: &mut Client,
    plan: &Plan,
    side: &'static str,
) -> Result<Vec<Vec<Lock>>> {
    let mut locks = Vec::new();
    for part in plan.statements.split_inclusive(|it| it.commits) {
        loop {
            match run(client, part, side)? {
                Ran::Done(seen) => break locks.extend(seen),
                Ran::Misses(role) => {
                    let sql = format!("CREATE ROLE {} NOLOGIN", quote::name(&role));
                    session::run(client, &sql).map_err(Error::postgres("make a role"))?;
                }
            }
        }
    }
    Ok(locks)
}

enum Ran {
    Done(Vec<Vec<Lock>>),
    /// A role, for another try; roles are no part of a schema.
    Misses(String),
}

fn run(client: &mut Client, part: &[Statement], side: &'static str) -> Result<Ran> {
    let failed = |statement: &str, err: &postgres::Error| Kind::Failed {
        side,
        statement: statement.to_owned(),
        message: reason(err),
    };
    let mut transaction = client.transaction().map_err(Error::postgres("begin a transaction"))?;
    let mut observer = Observer::start(&mut transaction)?;
    let mut locks = Vec::new();
    for it in part {
        if let Err(err) = transaction.batch_execute(&it.sql) {
            return match session::missing_role(&err) {
                Some(role) => Ok(Ran::Misses(role)),
                None => Err(failed(&it.sql, &err).into()),
            };
        }
        locks.push(observer.look(&mut transaction)?);
    }
    transaction.commit().map_err(|err| failed("COMMIT", &err))?;
    Ok(Ran::Done(locks))
}

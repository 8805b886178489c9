//! Running a plan on a scratch database.

use postgres::Client;

use crate::error::{Error, Kind, Result, reason};
use crate::plan::{Plan, Statement};
use crate::quote;
use crate::session;

/// Runs the plan, each of its parts in a transaction.
pub(crate) fn apply(client: &mut Client, plan: &Plan, side: &'static str) -> Result<()> {
    for part in plan.statements.split_inclusive(|it| it.commits) {
        while let Some(role) = run(client, part, side)? {
            let sql = format!("CREATE ROLE {} NOLOGIN", quote::name(&role));
            session::run(client, &sql).map_err(Error::postgres("make a role"))?;
        }
    }
    Ok(())
}

/// A role that is missing, for another try; roles are no part of a schema.
fn run(client: &mut Client, part: &[Statement], side: &'static str) -> Result<Option<String>> {
    let begin = |it| Error::postgres("begin a transaction")(it);
    let mut transaction = client.transaction().map_err(begin)?;
    for it in part {
        if let Err(err) = transaction.batch_execute(&it.sql) {
            return match session::missing_role(&err) {
                Some(role) => Ok(Some(role)),
                None => {
                    Err(Kind::Failed { side, statement: it.sql.clone(), message: reason(&err) }
                        .into())
                }
            };
        }
    }
    match transaction.commit() {
        Ok(()) => Ok(None),
        Err(err) => {
            let statement = "COMMIT".to_owned();
            Err(Kind::Failed { side, statement, message: reason(&err) }.into())
        }
    }
}

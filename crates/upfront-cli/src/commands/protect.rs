//! `protect` and `release`

use serde::Serialize;
use upfront::{
    Digest, Error, Migrator, Protect, Protection, Utc,
    cli::{Exit, Output},
};

use crate::{
    config::Project,
    connection::database::{Requires, with},
    output::failure::Failure,
};

/// Options of `protect`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Rebind a copied protection mark to this database
    #[arg(long, conflicts_with = "remove")]
    renew: bool,
    /// Remove the mark; asks on a terminal
    #[arg(long)]
    remove: bool,
    /// Remove the mark without a question
    #[arg(short, long, requires = "remove")]
    yes: bool,
    /// Remove the mark with this digest, or its first 8 digits or more, without a question
    #[arg(long, value_name = "DIGEST", requires = "remove")]
    approve: Option<Digest>,
}

#[derive(Serialize)]
struct Marked {
    protection: Option<Protection>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let what = match (self.renew, self.remove) {
            (true, _) => Protect::Renew,
            (_, true) => Protect::Remove,
            _ => Protect::Set,
        };
        with(project, output, Requires::Nothing, async |it| {
            Ok(self
                .mark(what, &it.migrator, output)
                .await
                .unwrap_or_else(|err| output.failed(&err)))
        })
    }

    async fn mark(
        &self,
        what: Protect,
        migrator: &Migrator,
        output: &Output,
    ) -> Result<Exit, Error> {
        let is_agreed = what != Protect::Remove || self.yes || self.approve.is_some();
        if !is_agreed
            && let Some(mark) = migrator.protection().await?
            && let Some(refusal) = refusal(&mark, output)
        {
            output.error(Exit::Refused, &refusal);
            return Ok(Exit::Refused);
        }
        let protection = match &self.approve {
            Some(digest) => migrator.protect_approved(what, digest).await?,
            None => migrator.protect(what).await?,
        };
        let marked = Marked { protection };
        output.result(&marked, || describe(marked.protection.as_ref()));
        Ok(Exit::Done)
    }
}

/// Asks whether the mark is to be removed; the error unless a person agrees.
fn refusal(Protection { at, by, digest, .. }: &Protection, output: &Output) -> Option<String> {
    let at = Utc(*at);
    let question = format!("Remove the protection that {by} set at {at} UTC?");
    match output.confirm(&question) {
        Some(true) => None,
        Some(false) => Some("not confirmed; the database stays protected".to_owned()),
        None => Some(format!(
            "removing the protection needs a confirmation; the database stays protected\n  set: {at} UTC \
             by {by}\n  digest: {digest}\n  help: `upfront protect --remove --yes`, or, for this mark alone, \
             `upfront protect --remove --approve {}`",
            &digest.as_str()[..16]
        )),
    }
}

fn describe(protection: Option<&Protection>) -> String {
    match protection {
        Some(Protection { at, by, .. }) => format!(
            "the database is protected, by {by} at {} UTC: `up` and `down` want the digest of a \
             plan, which `--dry-run` prints",
            Utc(*at)
        ),
        None => "the database is not protected".into(),
    }
}

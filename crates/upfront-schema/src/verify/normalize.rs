//! Expressions in the form that stays.
//!
//! The text that the server prints for an expression is not always the text that it prints for that
//! text: `status IN ('a', 'b')` on a `varchar` takes two rounds. So what differs is made again from
//! its own text until it stays, inside a transaction that is rolled back.

use postgres::{Client, Transaction};
use upfront_scratch::Database;

use crate::{
    catalog::{
        aliases,
        facts::{Fact, Facts},
        prelude::{self, PRELUDE},
        scope::Scope,
    },
    diff::difference::differing,
    error::{Error, Result},
    kinds::{definition::Created, object_kind::ObjectKind, registry},
    scratch::session,
};

/// The attributes that are texts of expressions.
const EXPRESSIONS: [&str; 6] = ["definition", "expression", "using", "check", "generated", "where"];

/// After so many rounds every expression known so far has been at rest.
const ROUNDS: usize = 3;

/// A database with its facts.
pub(crate) type LoadedSchema<'a> = (&'a Database<'a>, Facts);

/// Settles what differs between two databases on both sides.
pub(crate) fn normalize(
    a: &mut LoadedSchema<'_>,
    b: &mut LoadedSchema<'_>,
    scope: &Scope,
) -> Result<()> {
    let pairs = pairs(&a.1, &b.1);
    if pairs.is_empty() {
        return Ok(());
    }
    let (of_a, of_b) = pairs.into_iter().unzip();
    side(a, of_a, scope)?;
    side(b, of_b, scope)
}

fn pairs(a: &Facts, b: &Facts) -> Vec<(usize, usize)> {
    let counterparts = (0..b.all.len()).filter_map(|at| Some((a.find(&b.all[at].id)?, at)));
    let differs = |(old, new): &(usize, usize)| {
        let (old, new) = (&a.all[*old].attributes, &b.all[*new].attributes);
        differing(old, new).iter().any(|it| EXPRESSIONS.contains(it))
    };
    counterparts.filter(differs).collect()
}

fn side(seen: &mut LoadedSchema<'_>, all: Vec<usize>, scope: &Scope) -> Result<()> {
    let mut client = session::open(seen.0)?;
    for at in all {
        if let Some(fact) = normalized(&mut client, &seen.1, at, scope)? {
            seen.1.all[at] = fact;
        }
    }
    Ok(())
}

/// The object at rest; nothing if the object cannot be made again on its own.
fn normalized(
    client: &mut Client,
    facts: &Facts,
    at: usize,
    scope: &Scope,
) -> Result<Option<Fact>> {
    let mut transaction = client.transaction().map_err(Error::postgres("try an expression"))?;
    prelude::pin(&mut transaction)?;
    let maker = maker(facts, at);
    let mut fact = facts.all[maker].clone();
    for _ in 0..ROUNDS {
        let Some(next) = again(&mut transaction, facts, &fact, scope) else {
            return Ok(None);
        };
        let rests = next.attributes == fact.attributes;
        fact = next;
        if rests {
            break;
        }
    }
    match maker == at {
        true => Ok(Some(fact)),
        false => Ok(read(&mut transaction, facts, &facts.all[at], scope)),
    }
}

/// What a partition has from the table above is made there, and can be dropped nowhere else. Its
/// defaults are its own.
fn maker(facts: &Facts, mut at: usize) -> usize {
    if facts.all[at].id.kind == ObjectKind::DefaultValue {
        return at;
    }
    while let Some(it) = facts.all[at].origin
        && facts.all[it].id.kind == facts.all[at].id.kind
    {
        at = it;
    }
    at
}

/// Drops the object, makes it from its text and reads it.
fn again(
    transaction: &mut Transaction<'_>,
    facts: &Facts,
    fact: &Fact,
    scope: &Scope,
) -> Option<Fact> {
    let rule = registry::of(fact);
    for it in (rule.drop)(facts, fact) {
        let cascade = if it.text.ends_with("DROP DEFAULT") { "" } else { " CASCADE" };
        transaction.batch_execute(&format!("{}{cascade}", it.statement())).ok()?;
    }
    let mut written = fact.clone();
    written.write_aliases(&facts.orders);
    let created = Created { facts, fact: &written, folded: Vec::new(), before: facts };
    for it in (rule.create)(&created) {
        transaction.batch_execute(&it.statement()).ok()?;
    }
    read(transaction, facts, fact, scope)
}

fn read(
    transaction: &mut Transaction<'_>,
    facts: &Facts,
    fact: &Fact,
    scope: &Scope,
) -> Option<Fact> {
    let sql = format!(
        "SELECT q.attributes FROM ({PRELUDE} {}) q (class, object, sub, kind, names, arguments, \
         in_class, in_object, in_sub, attributes, notes) \
         WHERE q.kind = $2 AND q.names = $3 AND q.arguments = $4",
        registry::query_of(fact.id.kind)
    );
    let id = &fact.id;
    let row = transaction
        .query_opt(&sql, &[&scope.without_schemas, &id.kind.name(), &id.names, &id.arguments])
        .ok()??;
    let mut fact = Fact { attributes: serde_json::from_str(row.get(0)).ok()?, ..fact.clone() };
    aliases::by_name(&facts.orders, &mut fact.attributes, &mut fact.notes);
    Some(fact)
}

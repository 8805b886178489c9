//! Reading a database's catalog into facts.

use std::collections::HashMap;

use postgres::{Client, IsolationLevel, Row, Transaction};
use serde_json::Value;

use crate::{
    catalog::{
        column_orders::ColumnOrders,
        coverage::{self, UnmodeledObject},
        dependencies::CatalogDependencies,
        facts::{Address, Cast, Casts, Dependency, Fact, Facts},
        identity::Identity,
        prelude::{self, PRELUDE},
        scope::{Owners, Scope},
    },
    error::{Error, Kind, Result},
    kinds::{base_type, object_kind::ObjectKind, registry},
};

const CASTS: &str = "SELECT format_type(castsource, NULL), format_type(casttarget, NULL),
  castcontext::text FROM pg_cast";

/// Reads the schema of a database, in one snapshot and with a few queries a kind.
///
/// # Errors
///
/// If the server does not answer, or if the database has an object that is not supported. The
/// error names it.
pub fn extract(client: &mut Client, scope: &Scope) -> Result<Facts> {
    read(&mut snapshot(client)?, scope)
}

/// The same of all there is, with what has no rule.
pub(crate) fn extract_all(client: &mut Client) -> Result<(Facts, Vec<UnmodeledObject>)> {
    let mut transaction = snapshot(client)?;
    let everything = Scope { without_schemas: Vec::new(), ..Scope::default() };
    read_unchecked(&mut transaction, &everything)
}

fn snapshot(client: &mut Client) -> Result<Transaction<'_>> {
    let mut transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .map_err(Error::postgres("read the catalog"))?;
    prelude::pin(&mut transaction)?;
    Ok(transaction)
}

/// The same within a transaction of the caller's.
pub(crate) fn read(transaction: &mut Transaction<'_>, scope: &Scope) -> Result<Facts> {
    let (facts, unknown) = read_unchecked(transaction, scope)?;
    coverage::refuse(unknown)?;
    Ok(facts)
}

fn read_unchecked(
    transaction: &mut Transaction<'_>,
    scope: &Scope,
) -> Result<(Facts, Vec<UnmodeledObject>)> {
    let depend = CatalogDependencies::read(transaction)?;
    let version = version(transaction)?;
    let mut raw = Vec::new();
    for it in registry::all() {
        raw.extend(rows(transaction, it.kind, it.query, scope, version)?);
    }
    let all = addresses(&raw);
    raw.retain(|it| it.is_on_something(&depend, &all));
    let addresses = addresses(&raw);
    let facts = raw.iter().map(|it| it.fact(&raw, &addresses, &depend)).collect::<Result<_>>()?;
    let mut facts = Facts::new(facts, casts(transaction)?);
    connect(&mut facts, &raw, &addresses, &depend);
    base_type::break_base_type_cycle(&mut facts);
    let left_alone = either(facts.left_alone(&scope.exclude), &facts.of_setup(&scope.setup));
    let unknown = coverage::unknown(transaction, scope, &addresses, &depend, |at| left_alone[at])?;
    let mut has_nothing_left = facts.read_owners(scope);
    let defaults = facts.defaults();
    if scope.owners == Owners::LeftOut {
        has_nothing_left =
            either(has_nothing_left, &facts.without_grants_of(&scope.setup, &scope.default_owners));
    }
    let mut facts = facts.without(&either(left_alone, &has_nothing_left)).with_defaults(defaults);
    facts.leave_row_security_alone(&scope.exclude);
    facts.version = version;
    facts.orders = ColumnOrders::read(transaction)?;
    facts.name_aliases();
    Ok((facts, unknown))
}

fn addresses(raw: &[CatalogRow]) -> HashMap<Address, usize> {
    raw.iter().enumerate().map(|(at, it)| (it.address, at)).collect()
}

fn either(some: Vec<bool>, others: &[bool]) -> Vec<bool> {
    some.into_iter().zip(others).map(|(a, b)| a || *b).collect()
}

const VERSION: &str = "SELECT current_setting('server_version_num')::int4 / 10000";

fn version(transaction: &mut Transaction<'_>) -> Result<u32> {
    let row =
        transaction.query_one(VERSION, &[]).map_err(Error::postgres("ask for the version"))?;
    Ok(u32::try_from(row.get::<_, i32>(0)).unwrap_or_default())
}

fn casts(transaction: &mut Transaction<'_>) -> Result<Casts> {
    let rows = transaction.query(CASTS, &[]).map_err(Error::postgres("read the casts"))?;
    let cast = |row: &Row| match row.get(2) {
        "i" => Cast::Implicit,
        "a" => Cast::Assigned,
        _ => Cast::Explicit,
    };
    Ok(rows.iter().map(|it| ((it.get(0), it.get(1)), cast(it))).collect())
}

/// A row as the queries of the rules return it.
pub(crate) struct CatalogRow {
    address: Address,
    kind: String,
    names: Vec<String>,
    arguments: Vec<String>,
    parent: Option<Address>,
    attributes: Value,
    notes: Value,
}

fn rows(
    transaction: &mut Transaction<'_>,
    kind: ObjectKind,
    query: &str,
    scope: &Scope,
    version: u32,
) -> Result<Vec<CatalogRow>> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{PRELUDE} {}", prelude::for_version(query, version));
    let rows = transaction.query(&sql, &[&scope.without_schemas]);
    let rows = rows.map_err(Error::postgres(format!("read what there is of the kind `{kind}`")))?;
    Ok(rows.iter().map(raw).collect())
}

fn raw(row: &Row) -> CatalogRow {
    let json = |at| {
        let text: Option<String> = row.get(at);
        text.and_then(|it| serde_json::from_str(&it).ok()).unwrap_or(Value::Null)
    };
    let parent: Option<u32> = row.get(6);
    CatalogRow {
        address: (row.get(0), row.get(1), row.get(2)),
        kind: row.get(3),
        names: row.get(4),
        arguments: row.get(5),
        parent: parent.map(|class| (class, row.get(7), row.get(8))),
        attributes: json(9),
        notes: json(10),
    }
}

impl CatalogRow {
    fn fact(
        &self,
        raw: &[CatalogRow],
        addresses: &HashMap<Address, usize>,
        depend: &CatalogDependencies,
    ) -> Result<Fact> {
        let (parent, id) = match self.parent {
            None => (None, self.identity()?),
            Some(it) => match addresses.get(&it) {
                Some(&at) => (Some(at), self.identity_on(&raw[at])?),
                None => (depend.resolve(it, addresses), self.identity()?),
            },
        };
        let object = |it: &Value| it.as_object().cloned().unwrap_or_default();
        Ok(Fact {
            id,
            parent,
            origin: self.address("from").and_then(|it| depend.resolve(it, addresses)),
            attributes: object(&self.attributes),
            notes: object(&self.notes),
        })
    }

    /// Whether what a comment or privileges are on is read, too: neither out of scope nor something
    /// that goes with a member of an extension, as an index.
    fn is_on_something(
        &self,
        depend: &CatalogDependencies,
        addresses: &HashMap<Address, usize>,
    ) -> bool {
        match (self.kind.parse().ok(), self.parent) {
            (Some(ObjectKind::Comment), Some(it)) => {
                !depend.rides_on_member(it) && depend.resolve(it, addresses).is_some()
            }
            (Some(ObjectKind::Privileges), Some(it)) => depend.resolve(it, addresses).is_some(),
            _ => true,
        }
    }

    fn address(&self, note: &str) -> Option<Address> {
        self.notes.get(note).map(address)
    }

    fn identity(&self) -> Result<Identity> {
        let kind = self.kind.parse();
        let kind = kind.map_err(|_| Kind::Unmodeled(vec![self.kind.clone()]))?;
        Ok(Identity { kind, names: self.names.clone(), arguments: self.arguments.clone() })
    }

    /// Comments and privileges are called by what they are on.
    fn identity_on(&self, parent: &CatalogRow) -> Result<Identity> {
        let mut id = self.identity()?;
        if id.kind.is_on_target() {
            id.names = [parent.kind.clone()].into_iter().chain(parent.names.clone()).collect();
            id.arguments.clone_from(&parent.arguments);
        }
        Ok(id)
    }
}

/// The uses that the server knows of, and those that a query adds as its notes `needs` and
/// `after`.
fn connect(
    facts: &mut Facts,
    raw: &[CatalogRow],
    addresses: &HashMap<Address, usize>,
    depend: &CatalogDependencies,
) {
    for it in depend.all.iter().filter(|it| !depend.is_clone(it.user, addresses)) {
        let user = depend.resolve(it.user, addresses);
        let base = depend.resolve(it.base, addresses);
        if let (Some(user), Some(base)) = (user, base) {
            let how = how(facts, user, base, it.ends_with);
            facts.connect(user, base, how);
        }
    }
    for (user, it) in raw.iter().enumerate() {
        for (note, how) in [("needs", Dependency::Requires), ("after", Dependency::CreatedAfter)] {
            for base in noted(it, note) {
                if let Some(base) = depend.resolve(base, addresses) {
                    facts.connect(user, base, how);
                }
            }
        }
    }
}

fn how(facts: &Facts, user: usize, base: usize, ends_with: bool) -> Dependency {
    match (facts.all[user].id.kind, facts.all[base].id.kind) {
        (ObjectKind::Sequence, ObjectKind::Column) if ends_with => Dependency::OnlyDroppedWith,
        // A partition may be detached and stay.
        (ObjectKind::Table | ObjectKind::ForeignTable, ObjectKind::Table) => Dependency::Requires,
        _ if ends_with => Dependency::DroppedWith,
        _ => Dependency::Requires,
    }
}

fn noted(of: &CatalogRow, note: &str) -> Vec<Address> {
    let all = of.notes.get(note).and_then(Value::as_array);
    all.map(|it| it.iter().map(address).collect()).unwrap_or_default()
}

fn address(it: &Value) -> Address {
    let number = |at| it.get(at).and_then(Value::as_i64).unwrap_or_default();
    let narrow = |at| u32::try_from(number(at)).unwrap_or_default();
    (narrow(0), narrow(1), i32::try_from(number(2)).unwrap_or_default())
}

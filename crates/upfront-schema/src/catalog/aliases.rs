//! Column aliases by position, compared and written by the names of the columns.
//!
//! The server prints `FROM f() x(id, cost, price)` in the order in which the columns of a table are
//! there. Where another database has them in another order, the same text takes one column for the
//! other. So a list that says no more than the columns are called is left out, and one with names of
//! its own is kept as pairs, which become a list in the order of the database at hand.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    ops::Range,
};

use postgres::{Client, Transaction};
use serde_json::{Map, Value};
use upfront_directory::{AliasList, AliasedItem, alias_lists};

use crate::{
    catalog::facts::{Fact, Facts},
    diff::uncompared,
    error::{Error, Result},
    quote,
};

/// The attributes that may hold a `FROM`.
const QUERIES: [&str; 3] = ["definition", "using", "check"];

/// What a column beside those of a function is called unless it has an alias.
const ORDINALITY: &str = "ordinality";

const RELATIONS: &str = "
SELECT ARRAY[n.nspname, c.relname]::text[], array(SELECT a.attname::text FROM pg_attribute a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum), c.relkind IN ('v', 'm')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND c.oid >= 16384";

const FUNCTIONS: &str = "
SELECT ARRAY[s.nspname, p.proname]::text[], ARRAY[n.nspname, c.relname]::text[]
FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace JOIN pg_type t ON t.oid = p.prorettype
JOIN pg_class c ON c.oid = t.typrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.oid >= 16384 AND c.oid >= 16384";

/// Schema and name.
type Name = Vec<String>;

/// The columns of relations in their order, and which functions return rows of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnOrders {
    relations: BTreeMap<Name, Columns>,
    functions: HashMap<Name, Vec<Name>>,
}

#[derive(Clone, Debug, Default)]
struct Columns {
    names: Vec<String>,
    /// Those of a view are in the order in which they are wanted.
    is_view: bool,
}

impl ColumnOrders {
    pub(crate) fn read(transaction: &mut Transaction<'_>) -> Result<Self> {
        let mut ask =
            |sql| transaction.query(sql, &[]).map_err(Error::postgres("read the columns"));
        let mut it = Self::default();
        for row in ask(RELATIONS)? {
            let columns = Columns { names: row.get(1), is_view: row.get(2) };
            it.relations.insert(row.get(0), columns);
        }
        for row in ask(FUNCTIONS)? {
            it.functions.entry(row.get(0)).or_default().push(row.get(1));
        }
        Ok(it)
    }

    /// The same, in a snapshot of its own.
    pub(crate) fn of(client: &mut Client) -> Result<Self> {
        let transaction = client.transaction().map_err(Error::postgres("read the columns"));
        Self::read(&mut transaction?)
    }

    /// The relations of both that have their columns in another order in the second.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let both = self.relations.iter().filter_map(|(name, columns)| {
            Some((quote::qualified(name), &columns.names, &other.relations.get(name)?.names))
        });
        both.filter_map(|(name, own, other)| uncompared::order(&name, own, other)).collect()
    }

    /// The same columns as they are after a change of this database to the other one: those that stay,
    /// and then the new ones.
    pub(crate) fn after_change_to(&self, other: &Self) -> Self {
        let mut all = other.clone();
        let changes = all.relations.iter_mut().filter(|(_, columns)| !columns.is_view);
        for (name, columns) in changes {
            let Some(old) = self.relations.get(name) else { continue };
            let (mut kept, mut new) = (old.names.clone(), columns.names.clone());
            kept.retain(|it| columns.names.contains(it));
            new.retain(|it| !kept.contains(it));
            columns.names = [kept, new].concat();
        }
        all
    }

    /// The columns that a list gives names to; None where that cannot be known.
    fn columns_of(&self, list: &AliasList, sql: &str) -> Option<(&Name, &[String])> {
        let relation = match &list.of {
            AliasedItem::Relation(name) => self.relations.get_key_value(name),
            AliasedItem::Function(name, arguments) => match self.functions.get(name) {
                Some(returned) => self.returned(returned, list),
                None => self.named_in(&sql[arguments.clone()], list),
            },
            AliasedItem::Other => None,
        };
        let (name, columns) = relation?;
        let count = list.names.len() - usize::from(list.with_ordinality);
        // A function returns as many columns as there were when the query was made.
        let is_function = matches!(list.of, AliasedItem::Function(..));
        let fits = count == columns.names.len() || is_function && count < columns.names.len();
        fits.then(|| (name, &columns.names[..count]))
    }

    /// The one relation of which the functions of a name return rows.
    fn returned(&self, all: &[Name], list: &AliasList) -> Option<(&Name, &Columns)> {
        let count = list.names.len() - usize::from(list.with_ordinality);
        let fits = |it: &(&Name, &Columns)| count <= it.1.names.len();
        let found = all.iter().filter_map(|it| self.relations.get_key_value(it)).filter(fits);
        let found: BTreeMap<_, _> = found.collect();
        let one = found.len() == 1;
        found.into_iter().next().filter(|_| one)
    }

    /// The relation whose row type the arguments name, where a function returns what it is given.
    fn named_in(&self, arguments: &str, list: &AliasList) -> Option<(&Name, &Columns)> {
        let is_named = |(name, columns): &(&Name, &Columns)| {
            let cast = format!("::{}", quote::qualified(name));
            let ends = |rest: &str| !rest.starts_with(|it: char| it.is_alphanumeric() || it == '_');
            let mut places = arguments.match_indices(&cast);
            columns.names == list.names && places.any(|(at, it)| ends(&arguments[at + it.len()..]))
        };
        self.relations.iter().find(is_named)
    }
}

/// Replaces lists of aliases by what does not depend on the order of columns, and notes where.
pub(crate) fn by_name(
    orders: &ColumnOrders,
    attributes: &mut Map<String, Value>,
    notes: &mut Map<String, Value>,
) {
    notes.remove("aliases");
    let mut all = Map::new();
    for attribute in QUERIES {
        let Some(Value::String(sql)) = attributes.get_mut(attribute) else { continue };
        if sql.contains('(') {
            let lists = replace(orders, sql);
            if !lists.is_empty() {
                all.insert(attribute.to_owned(), lists.into());
            }
        }
    }
    if !all.is_empty() {
        notes.insert("aliases".to_owned(), all.into());
    }
}

/// The lists that stay: begin and end in the new text, the relation, pairs of column and alias, and
/// what comes behind them.
fn replace(orders: &ColumnOrders, sql: &mut String) -> Vec<Value> {
    let (old, mut new, mut done, mut kept) = (sql.clone(), String::new(), 0, Vec::new());
    for list in alias_lists(&old) {
        let Some((relation, columns)) = orders.columns_of(&list, &old) else { continue };
        new.push_str(&old[done..list.range.start]);
        done = list.range.end;
        let (aliases, rest) = list.names.split_at(columns.len());
        let rest: Vec<_> = rest.iter().filter(|it| *it != ORDINALITY).collect();
        let mut pairs: Vec<_> = columns.iter().zip(aliases).filter(|(own, it)| own != it).collect();
        if pairs.is_empty() && rest.is_empty() {
            continue;
        }
        pairs.sort();
        let text = |(column, alias): &(&String, &String)| {
            format!("{} AS {}", quote::name(column), quote::name(alias))
        };
        let texts = pairs.iter().map(text).chain(rest.iter().map(|it| quote::name(it)));
        let start = new.len();
        let _ = write!(new, "({})", texts.collect::<Vec<_>>().join(", "));
        kept.push(serde_json::json!([start, new.len(), relation, pairs, rest]));
    }
    new.push_str(&old[done..]);
    *sql = new;
    kept
}

impl Facts {
    /// The same with the lists of aliases as they are written for columns in this order.
    pub(crate) fn with_aliases(&self, orders: &ColumnOrders) -> Self {
        let mut facts = self.clone();
        facts.all.iter_mut().for_each(|it| it.write_aliases(orders));
        facts
    }

    /// Replaces the lists of aliases of all definitions by what does not depend on the order of columns.
    pub(crate) fn name_aliases(&mut self) {
        for it in self.all.iter_mut().filter(|it| it.id.kind.holds_query()) {
            by_name(&self.orders, &mut it.attributes, &mut it.notes);
        }
    }

    /// Whether a definition depends on the order of columns.
    pub(crate) fn has_aliases(&self) -> bool {
        self.all.iter().any(|it| it.notes.contains_key("aliases"))
    }
}

impl Fact {
    /// Writes its lists of aliases for columns in this order.
    pub(crate) fn write_aliases(&mut self, orders: &ColumnOrders) {
        let Some(Value::Object(all)) = self.notes.remove("aliases") else { return };
        let relations = all.values().filter_map(Value::as_array).flatten().map(|it| it[2].clone());
        self.notes.insert("columns_of".to_owned(), relations.collect());
        for (attribute, lists) in all {
            let Some(Value::String(sql)) = self.attributes.get_mut(&attribute) else { continue };
            for list in lists.as_array().into_iter().flatten().rev() {
                if let Some((range, text)) = written(orders, list) {
                    sql.replace_range(range, &text);
                }
            }
        }
    }
}

/// Where a list stands, and the list.
fn written(orders: &ColumnOrders, list: &Value) -> Option<(Range<usize>, String)> {
    type List = (usize, usize, Name, Vec<(String, String)>, Vec<String>);
    let (start, end, relation, pairs, rest): List = serde_json::from_value(list.clone()).ok()?;
    let pairs: HashMap<_, _> = pairs.into_iter().collect();
    let alias = |column: &String| pairs.get(column).unwrap_or(column).clone();
    let columns = &orders.relations.get(&relation)?.names;
    let names = columns.iter().map(alias).chain(rest).map(|it| quote::name(&it));
    Some((start..end, format!("({})", names.collect::<Vec<_>>().join(", "))))
}

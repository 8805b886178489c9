//! The columns of relations, in their order.

use std::collections::{BTreeMap, HashMap};

use postgres::{Client, Transaction};
use upfront_directory::{AliasList, AliasedItem};

use crate::{
    error::{Error, Result},
    quote,
};

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
pub(crate) type Name = Vec<String>;

/// The columns of relations in their order, and which functions return rows of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnOrders {
    pub(crate) relations: BTreeMap<Name, Columns>,
    functions: HashMap<Name, Vec<Name>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
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
        both.filter_map(|(name, own, other)| order(&name, own, other)).collect()
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
    pub(crate) fn columns_of(&self, list: &AliasList, sql: &str) -> Option<(&Name, &[String])> {
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

/// Words for another order.
pub(crate) fn order<T: AsRef<str> + PartialEq>(
    of: &str,
    there: &[T],
    wanted: &[T],
) -> Option<String> {
    let list =
        |all: &[T]| all.iter().map(|it| quote::name(it.as_ref())).collect::<Vec<_>>().join(", ");
    (there != wanted)
        .then(|| format!("{of} has the order {} instead of {}", list(there), list(wanted)))
}

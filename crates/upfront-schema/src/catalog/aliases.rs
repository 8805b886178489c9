//! Column aliases by position, compared and written by the names of the columns.
//!
//! The server prints `FROM f() x(id, cost, price)` in the order in which the columns of a table are
//! there. Where another database has them in another order, the same text takes one column for the
//! other. So a list that says no more than the columns are called is left out, and one with names of
//! its own is kept as pairs, which become a list in the order of the database at hand.

use std::{collections::HashMap, fmt::Write, ops::Range};

use serde_json::{Map, Value};
use upfront_directory::alias_lists;

use crate::{
    catalog::{
        column_orders::{ColumnOrders, Name},
        facts::{Fact, Facts},
    },
    quote,
};

/// The attributes that may hold a `FROM`.
const QUERIES: [&str; 3] = ["definition", "using", "check"];

/// What a column beside those of a function is called unless it has an alias.
const ORDINALITY: &str = "ordinality";

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

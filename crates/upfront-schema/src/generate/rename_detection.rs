//! Renames that two schemas show: objects that are gone and objects that came. Pure: no I/O.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    generate::{
        enum_values, lookup,
        renaming::{Part, Renaming},
    },
    kinds::{object_kind::ObjectKind, registry, sequence},
    quote,
};

/// What has another name and is otherwise as it should be, where there is no doubt what is what.
pub(crate) fn dependent_renames(have: &Facts, wanted: &Facts) -> Vec<Renaming> {
    let shape = |facts: &Facts, it: &Fact| match it.id.kind {
        ObjectKind::TableConstraint | ObjectKind::Index | ObjectKind::Sequence => {
            Some(own_shape(facts, it))
        }
        _ => None,
    };
    let mut all: Vec<_> = pairs(have, wanted, shape)
        .into_iter()
        .map(|(old, new)| Renaming {
            id: old.id.clone(),
            to: new.id.name().to_owned(),
            part: Part::Name,
        })
        .collect();
    all.extend(wanted.iter().filter_map(|new| identity_sequence(have, new)));
    all
}

/// Constraints and indexes that differ in their names alone: dropped and made again they would leave
/// their table without them for a time.
pub(crate) fn certain_renames(have: &Facts, wanted: &Facts) -> Vec<Renaming> {
    let shape = |facts: &Facts, it: &Fact| {
        let is_inherited = it.origin.is_some() && it.note("type") == Some("c");
        let is_one =
            matches!(it.id.kind, ObjectKind::TableConstraint | ObjectKind::Index) && !is_inherited;
        let is_there =
            |other: &Facts| facts.parent(it).is_some_and(|it| other.find(&it.id).is_some());
        (is_one && is_there(have) && is_there(wanted)).then(|| own_shape(facts, it))
    };
    let renaming = |(old, new): (&Fact, &Fact)| Renaming {
        id: old.id.clone(),
        to: new.id.name().to_owned(),
        part: Part::Name,
    };
    let all = pairs(have, wanted, shape).into_iter();
    all.filter(|(_, new)| is_free(have, new)).map(renaming).collect()
}

/// Whether no relation has the name. Those of constraints without an index are their table's.
pub(crate) fn is_free(have: &Facts, new: &Fact) -> bool {
    let slot = |it: &Fact| registry::relation_name(it);
    slot(new).is_none_or(|own| have.iter().all(|it| slot(it).as_ref() != Some(&own)))
}

/// Where it stands and how it is, without its own name.
pub(crate) fn own_shape(facts: &Facts, it: &Fact) -> String {
    let place = match it.id.kind {
        ObjectKind::Sequence => {
            facts.get(ObjectKind::SequenceOwner, &it.id.names).and_then(sequence::owning_column)
        }
        _ => None,
    };
    let parent = facts.parent(it).map(|it| it.id.path());
    let name = format!(" INDEX {} ON ", quote::name(it.id.name()));
    let attributes = Value::Object(it.attributes.clone()).to_string();
    let attributes = attributes.replace(&name.replace('"', "\\\""), " INDEX ON ");
    let schema = it.id.names.first();
    format!("{} {schema:?} {place:?} {parent:?} {attributes}", it.id.kind)
}

/// The sequence of an identity column is named after table and column.
pub(crate) fn identity_sequence(have: &Facts, new: &Fact) -> Option<Renaming> {
    let old = &have.all[have.find(&new.id).filter(|_| new.id.kind == ObjectKind::Column)?];
    new.text("identity").and(old.text("identity"))?;
    let (from, to) = (sequence_name(old)?, sequence_name(new)?);
    let differs = from != to && from.first() == to.first();
    differs.then(|| Renaming {
        id: Identity::new(ObjectKind::Sequence, &from),
        to: to[1].clone(),
        part: Part::Name,
    })
}

pub(crate) fn sequence_name(column: &Fact) -> Option<Vec<String>> {
    let options = column.attributes.get("identity_options");
    if let Some(it) = options.and_then(|it| it.get("name")).and_then(Value::as_str) {
        return lookup::parts(it).filter(|it| it.len() == 2);
    }
    let [schema, table, column] = column.id.names.as_slice() else { return None };
    Some(vec![schema.clone(), format!("{table}_{column}_seq")])
}

/// What looks like a rename: one that is gone and one that came, of one shape.
pub(crate) fn candidates(have: &Facts, wanted: &Facts) -> Vec<(Identity, Identity)> {
    let shape = |facts: &Facts, it: &Fact| match it.id.kind {
        ObjectKind::Table => {
            Some(format!("table {:?} {:?}", it.id.names.first(), columns(facts, it)))
                .filter(|_| !columns(facts, it).is_empty())
        }
        ObjectKind::Column => {
            Some(format!("column {:?} {:?}", it.id.owner_path(), it.text("type")))
                .filter(|_| is_in_both(have, wanted, it))
        }
        ObjectKind::Enum => Some(format!("enum {:?} {:?}", it.id.names.first(), it.attributes)),
        _ => None,
    };
    let pairs = pairs(have, wanted, shape);
    let pairs = pairs.into_iter().map(|(old, new)| (old.id.clone(), new.id.clone()));
    pairs.chain(enum_values::candidates(have, wanted)).collect()
}

/// Something that is gone, and what it may be called now.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// By its old name.
    pub old: Identity,
    /// What came and is like it.
    pub new: Vec<Identity>,
}

/// What is gone with all that came and is alike: a column of the same table and type, a table or an
/// enum that shares half of what is in it.
pub(crate) fn all_candidates(have: &Facts, wanted: &Facts) -> Vec<Candidate> {
    let came: Vec<_> = wanted.iter().filter(|it| have.find(&it.id).is_none()).collect();
    let one = |old: &Fact| {
        let alike = came.iter().filter(|new| is_alike(have, wanted, old, new));
        let new: Vec<_> = alike.map(|it| it.id.clone()).collect();
        (!new.is_empty()).then(|| Candidate { old: old.id.clone(), new })
    };
    have.iter().filter(|it| wanted.find(&it.id).is_none()).filter_map(one).collect()
}

pub(crate) fn is_alike(have: &Facts, wanted: &Facts, old: &Fact, new: &Fact) -> bool {
    let owner = |it: &Fact| it.id.names[..it.id.names.len() - 1].to_vec();
    if old.id.kind != new.id.kind || owner(old) != owner(new) {
        return false;
    }
    match old.id.kind {
        ObjectKind::Column => {
            let is_one = |it| is_in_both(have, wanted, it);
            is_one(old) && is_one(new) && old.text("type") == new.text("type")
        }
        ObjectKind::Table => shares_half(&columns(have, old), &columns(wanted, new)),
        ObjectKind::Enum => shares_half(&labels(old), &labels(new)),
        _ => false,
    }
}

pub(crate) fn labels(it: &Fact) -> BTreeMap<String, Value> {
    let all = it.attributes.get("labels").and_then(Value::as_array).into_iter().flatten();
    all.map(|it| (it.to_string(), Value::Null)).collect()
}

pub(crate) fn shares_half(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> bool {
    let shared = old.iter().filter(|(name, it)| new.get(*name) == Some(*it)).count();
    shared > 0 && 2 * shared >= old.len().max(new.len())
}

pub(crate) fn is_in_both(have: &Facts, wanted: &Facts, column: &Fact) -> bool {
    let is_in = |facts: &Facts| facts.get(ObjectKind::Table, &column.id.names[..2]).is_some();
    column.id.names.len() == 3 && column.origin.is_none() && is_in(have) && is_in(wanted)
}

pub(crate) fn columns(facts: &Facts, table: &Fact) -> BTreeMap<String, Value> {
    let within = |it: &&Fact| {
        it.id.kind == ObjectKind::Column
            && it.id.names[..it.id.names.len() - 1] == table.id.names[..]
    };
    let type_of = |it: &Fact| it.attributes.get("type").cloned().unwrap_or_default();
    facts.iter().filter(within).map(|it| (it.id.name().to_owned(), type_of(it))).collect()
}

/// What is only in the first with what is only in the second, where each is the only one of its
/// shape.
pub(crate) fn pairs<'a>(
    have: &'a Facts,
    wanted: &'a Facts,
    shape: impl Fn(&Facts, &Fact) -> Option<String>,
) -> Vec<(&'a Fact, &'a Fact)> {
    let mut shapes: BTreeMap<String, [Vec<&Fact>; 2]> = BTreeMap::new();
    for (side, facts, other) in [(0, have, wanted), (1, wanted, have)] {
        for it in facts.iter().filter(|it| other.find(&it.id).is_none()) {
            if let Some(shape) = shape(facts, it) {
                shapes.entry(shape).or_default()[side].push(it);
            }
        }
    }
    let one = |it: &[Vec<&'a Fact>; 2]| match [it[0].as_slice(), it[1].as_slice()] {
        [[old], [new]] => Some((*old, *new)),
        _ => None,
    };
    shapes.values().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{all_candidates, candidates, certain_renames};
    use crate::{
        catalog::{
            facts::{Casts, Fact, Facts},
            identity::Identity,
        },
        kinds::object_kind::ObjectKind::{self, Column, Enum, Index, Table},
    };

    type Object<'a> = (ObjectKind, &'a str, Value);

    /// Objects by kind, dotted name and attributes. What has three names is in its table.
    fn facts(objects: &[Object<'_>]) -> Facts {
        let names = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let tables: Vec<_> = objects.iter().map(|(kind, path, _)| (*kind, names(path))).collect();
        let fact = |(kind, path, attributes): &Object<'_>| {
            let id = Identity::new(*kind, &names(path));
            let table = match kind {
                Index => vec!["public".to_owned(), "t".to_owned()],
                _ => id.names[..id.names.len() - 1].to_vec(),
            };
            let parent = tables.iter().position(|it| *it == (Table, table.clone()));
            let attributes = attributes.as_object().cloned().unwrap_or_default();
            let notes = serde_json::Map::new();
            Fact { id, parent, origin: None, attributes, notes }
        };
        Facts::new(objects.iter().map(fact).collect(), Casts::new())
    }

    fn column(path: &str) -> Object<'_> {
        (Column, path, json!({ "type": "text" }))
    }

    fn check(have: &[Object<'_>], wanted: &[Object<'_>], expected: &[&str]) {
        let found = candidates(&facts(have), &facts(wanted));
        let found: Vec<_> = found.iter().map(|(old, new)| format!("{old} > {new}")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_column_of_the_same_type_may_be_renamed() {
        let table = (Table, "public.t", json!({}));
        let have = [table.clone(), column("public.t.a"), column("public.t.b")];
        let renamed = [table.clone(), column("public.t.a"), column("public.t.c")];
        check(&have, &renamed, &["column public.t.b > column public.t.c"]);
        let retyped = (Column, "public.t.c", json!({ "type": "bigint" }));
        check(&have, &[table.clone(), column("public.t.a"), retyped], &[]);
        // Two that are alike are in doubt.
        let both = [table, column("public.t.c"), column("public.t.d")];
        check(&have, &both, &[]);
        let all = all_candidates(&facts(&have), &facts(&both));
        assert_eq!(all.iter().map(|it| it.new.len()).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn a_table_with_the_same_columns_may_be_renamed() {
        let have = [(Table, "public.t", json!({})), column("public.t.a")];
        let wanted = [(Table, "public.u", json!({})), column("public.u.a")];
        check(&have, &wanted, &["table public.t > table public.u"]);
        check(&have, &[(Table, "public.u", json!({})), column("public.u.b")], &[]);
    }

    #[test]
    fn a_value_that_takes_the_place_of_another_may_be_renamed() {
        let labels = |all: &[&str]| [(Enum, "public.e", json!({ "labels": all }))];
        let expected = ["enum value public.e.b > enum value public.e.c"];
        check(&labels(&["a", "b"]), &labels(&["a", "c"]), &expected);
        check(&labels(&["a", "b"]), &labels(&["b", "a"]), &[]);
        check(&labels(&["a", "b"]), &labels(&["a", "b", "c"]), &[]);
    }

    #[test]
    fn an_index_that_differs_in_its_name_is_renamed() {
        let index = |path, column: &str| {
            let name = path_name(path);
            let definition = format!("CREATE INDEX {name} ON public.t USING btree ({column})");
            (Index, path, json!({ "definition": definition }))
        };
        let table = (Table, "public.t", json!({}));
        let have = facts(&[table.clone(), index("public.i", "a")]);
        let renamed = facts(&[table.clone(), index("public.j", "a")]);
        let all = certain_renames(&have, &renamed);
        assert_eq!(all.iter().map(|it| it.to.as_str()).collect::<Vec<_>>(), ["j"]);
        let other = facts(&[table, index("public.j", "b")]);
        assert_eq!(certain_renames(&have, &other), []);
    }

    fn path_name(path: &str) -> &str {
        path.rsplit('.').next().unwrap_or_default()
    }
}

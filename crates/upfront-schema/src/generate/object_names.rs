//! What has another name after a migration, by the server's own numbers.

use std::collections::HashMap;

use upfront_scratch::Database;

use crate::{
    catalog::{facts::Address, identity::Identity},
    error::{Error, Result},
    generate::{
        enum_values,
        renames::{ATTRIBUTE, Part, Renaming},
    },
    kinds,
    scratch::session,
};

/// Kinds within others come first, as then the others have their names still; routines do, as the
/// types of their arguments have. Within each step the names decide, not the order of the catalog.
/// The last column is the schema of what can be moved to another.
const NAMES: &str = "
WITH space AS (SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relation AS (SELECT c.oid, c.relkind, c.reloftype, c.relnamespace, s.nspname, c.relname
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace WHERE NOT EXISTS (
    SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid))
SELECT 1, 'pg_proc'::regclass::oid, p.oid, 0,
  CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
  ARRAY[s.nspname, p.proname]::text[],
  (pg_identify_object_as_address('pg_proc'::regclass, p.oid, 0)).object_args, p.pronamespace
FROM pg_proc p JOIN space s ON s.oid = p.pronamespace WHERE NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
  AND d.deptype IN ('e', 'i'))
UNION ALL SELECT 2, 'pg_enum'::regclass, e.oid, 0, 'enum value',
  ARRAY[s.nspname, t.typname, e.enumlabel], '{}', NULL
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN space s ON s.oid = t.typnamespace
WHERE NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
UNION ALL SELECT 3, 'pg_class'::regclass, r.oid, a.attnum::int4,
  CASE r.relkind WHEN 'c' THEN 'attribute' ELSE 'column' END,
  ARRAY[r.nspname, r.relname, a.attname]::text[], '{}'::text[], NULL::oid
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
WHERE r.relkind IN ('r', 'p', 'f', 'c') AND r.reloftype = 0 AND a.attnum > 0
AND NOT a.attisdropped AND a.attinhcount = 0
UNION ALL SELECT 4, 'pg_constraint'::regclass, k.oid, 0, 'table constraint',
  ARRAY[r.nspname, r.relname, k.conname], '{}', NULL
FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.coninhcount = 0 AND k.conparentid = 0
UNION ALL SELECT 5, 'pg_trigger'::regclass, t.oid, 0, 'trigger',
  ARRAY[r.nspname, r.relname, t.tgname], '{}', NULL
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL SELECT 6, 'pg_policy'::regclass, p.oid, 0, 'policy',
  ARRAY[r.nspname, r.relname, p.polname], '{}', NULL
FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
UNION ALL SELECT 7, 'pg_class'::regclass, r.oid, 0, CASE r.relkind WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
    WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'composite type' ELSE 'table' END,
  ARRAY[r.nspname, r.relname], '{}',
  CASE WHEN r.relkind NOT IN ('i', 'I') AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND r.relkind = 'S'
    AND d.deptype IN ('a', 'i')) THEN r.relnamespace END
FROM relation r WHERE NOT EXISTS (SELECT FROM pg_constraint k
  WHERE k.conindid = r.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL SELECT 8, 'pg_type'::regclass, t.oid, 0,
  CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range type' END,
  ARRAY[s.nspname, t.typname], '{}', t.typnamespace
FROM pg_type t JOIN space s ON s.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'r') AND NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
UNION ALL SELECT 9, 'pg_namespace'::regclass, s.oid, 0, 'schema', ARRAY[s.nspname], '{}', NULL
FROM space s";

/// What is renamed and has no rule of its own.
const PARTS: [&str; 2] = [ATTRIBUTE, enum_values::KIND];

/// The names of all objects of a database at one moment, by what stays when a name changes.
#[derive(Debug)]
pub struct ObjectNames(Vec<Named>);

#[derive(Debug)]
struct Named {
    address: Address,
    id: Identity,
    /// The schema that it can be moved out of.
    space: Option<u32>,
}

impl ObjectNames {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn read(database: &Database<'_>) -> Result<Self> {
        let rows = session::open(database)?.query(NAMES, &[]);
        let rows = rows.map_err(Error::postgres("read the names"))?;
        let one = |row: &postgres::Row| {
            let kind: &str = row.get(4);
            let part = PARTS.into_iter().find(|it| *it == kind);
            let kind = part.or_else(|| kinds::find(kind).map(|it| it.kind))?;
            let id = Identity { kind, names: row.get(5), arguments: row.get(6) };
            let address = (row.get(1), row.get(2), row.get(3));
            let step: i32 = row.get(0);
            Some((step, Named { address, id, space: row.get(7) }))
        };
        let mut all: Vec<_> = rows.iter().filter_map(one).collect();
        all.sort_by(|(step, a), (other, b)| (step, &a.id).cmp(&(other, &b.id)));
        Ok(Self(all.into_iter().map(|(_, it)| it).collect()))
    }

    /// What gives everything its name and its schema of before, in this order; these names are the
    /// later ones.
    #[must_use]
    pub fn back_to(&self, before: &Self) -> Vec<Renaming> {
        let old: HashMap<_, _> = before.0.iter().map(|it| (it.address, it)).collect();
        let kept = self.0.iter().filter_map(|it| Some((it, *old.get(&it.address)?)));
        let kept: Vec<_> = kept.collect();
        let name = |(it, old): &(&Named, &Named)| {
            let to = old.id.name();
            let is_other = to != it.id.name();
            is_other.then(|| Renaming { id: it.id.clone(), to: to.to_owned(), part: Part::Name })
        };
        let (spaces, others): (Vec<_>, Vec<_>) =
            kept.iter().partition(|(it, _)| it.id.kind == "schema");
        let names = self.free(others.iter().filter_map(name).collect());
        let moves = kept.iter().filter_map(|(it, old)| self.back_into(it, old, before));
        let moves: Vec<_> = moves.collect();
        let made = moves.iter().filter_map(|it| self.missing(&it.to));
        let mut made: Vec<_> = made.collect();
        made.sort_by(|a, b| a.to.cmp(&b.to));
        made.dedup();
        names
            .into_iter()
            .chain(made)
            .chain(moves.iter().cloned())
            .chain(spaces.iter().filter_map(name))
            .collect()
    }

    /// The same steps, where names that others still have are made free before: what has traded its
    /// name takes another one meanwhile, and so does what came under the name of something else.
    fn free(&self, names: Vec<Renaming>) -> Vec<Renaming> {
        let mut taken: HashMap<_, _> =
            self.0.iter().map(|it| (place(&it.id), it.id.clone())).collect();
        let (parts, wholes) = names.into_iter().partition(|it| it.id.names.len() > 2);
        let mut done = Vec::new();
        for mut open in <[Vec<Renaming>; 2]>::from((parts, wholes)) {
            while !open.is_empty() {
                let is_free = |it: &Renaming| !taken.contains_key(&place(&it.renamed()));
                let next = match open.iter().position(is_free) {
                    Some(at) => open.remove(at),
                    None => give_way(&mut open, &taken),
                };
                taken.remove(&place(&next.id));
                taken.insert(place(&next.renamed()), next.renamed());
                done.push(next);
            }
        }
        done
    }

    /// Moves back what is in another schema by now; its own name is the old one again.
    fn back_into(&self, it: &Named, old: &Named, before: &Self) -> Option<Renaming> {
        let space = old.space.filter(|space| it.space.is_some_and(|now| now != *space))?;
        let to = self.space(space).or_else(|| before.space(space))?;
        let mut id = it.id.clone();
        old.id.name().clone_into(id.names.last_mut()?);
        Some(Renaming { id, to: to.to_owned(), part: Part::Schema })
    }

    /// What a schema is called, if it is there.
    fn space(&self, oid: u32) -> Option<&str> {
        let is_it = |it: &&Named| it.id.kind == "schema" && it.address.1 == oid;
        self.0.iter().find(is_it).map(|it| it.id.name())
    }

    /// The step that makes a schema which is not there.
    fn missing(&self, name: &str) -> Option<Renaming> {
        let names = [name.to_owned()];
        let id = Identity::new("schema", &names);
        let is_there = self.0.iter().any(|it| it.id == id);
        (!is_there).then(|| Renaming { id, to: name.to_owned(), part: Part::Made })
    }
}

/// What no two objects share: tables, types and indexes have their names together.
fn place(of: &Identity) -> (&'static str, Vec<String>, Vec<String>) {
    let kind = match of.kind {
        "function" | "procedure" | "aggregate" => "routine",
        "schema" => "schema",
        kind if of.names.len() > 2 => kind,
        _ => "relation",
    };
    (kind, of.names.clone(), of.arguments.clone())
}

/// The object whose name the first step takes, under a name that nothing has.
fn give_way(
    open: &mut [Renaming],
    taken: &HashMap<(&'static str, Vec<String>, Vec<String>), Identity>,
) -> Renaming {
    let id = taken[&place(&open[0].renamed())].clone();
    let name = id.name();
    let end = (0..=name.len().min(50)).rev().find(|it| name.is_char_boundary(*it));
    let free = format!("{}__away", &name[..end.unwrap_or_default()]);
    let names = std::iter::once(free.clone()).chain((2..).map(|it| format!("{free}{it}")));
    let under = |to| Renaming { id: id.clone(), to, part: Part::Name };
    let mut all = names.map(under);
    let step = all.find(|it| !taken.contains_key(&place(&it.renamed())));
    let step = step.expect("there are more names than objects");
    let own = open.iter_mut().find(|it| it.id == id);
    if let Some(it) = own {
        it.id = step.renamed();
    }
    step
}

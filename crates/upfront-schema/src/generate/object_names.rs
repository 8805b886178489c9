//! The names of all objects, by their oids, so that renames of a migration can be found.

use std::collections::HashMap;

use upfront_scratch::Database;

use crate::{
    catalog::{facts::Address, identity::Identity},
    error::{Error, Result},
    generate::renaming::{Part, Renaming},
    kinds::{
        object_kind::{Namespace, ObjectKind},
        queries,
    },
    scratch::session,
};

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
        let rows = session::open(database)?.query(queries::OBJECT_NAMES, &[]);
        let rows = rows.map_err(Error::postgres("read the names"))?;
        let one = |row: &postgres::Row| {
            let kind: &str = row.get(4);
            let kind = kind.parse().ok()?;
            let id = Identity { kind, names: row.get(5), arguments: row.get(6) };
            let address = (row.get(1), row.get(2), row.get(3));
            let step: i32 = row.get(0);
            Some((step, Named { address, id, space: row.get(7) }))
        };
        let mut all: Vec<_> = rows.iter().filter_map(one).collect();
        all.sort_by(|(step, a), (other, b)| (step, &a.id).cmp(&(other, &b.id)));
        Ok(Self(all.into_iter().map(|(_, it)| it).collect()))
    }

    /// The renames and moves, in order, that restore the names and schemas of `before`.
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
            kept.iter().partition(|(it, _)| it.id.kind == ObjectKind::Schema);
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

    /// The step that moves an object back to its old schema, after its own rename.
    fn back_into(&self, it: &Named, old: &Named, before: &Self) -> Option<Renaming> {
        let space = old.space.filter(|space| it.space.is_some_and(|now| now != *space))?;
        let to = self.space(space).or_else(|| before.space(space))?;
        let mut id = it.id.clone();
        old.id.name().clone_into(id.names.last_mut()?);
        Some(Renaming { id, to: to.to_owned(), part: Part::Schema })
    }

    /// What a schema is called, if it is there.
    fn space(&self, oid: u32) -> Option<&str> {
        let is_it = |it: &&Named| it.id.kind == ObjectKind::Schema && it.address.1 == oid;
        self.0.iter().find(is_it).map(|it| it.id.name())
    }

    /// The step that makes a schema which is not there.
    fn missing(&self, name: &str) -> Option<Renaming> {
        let names = [name.to_owned()];
        let id = Identity::new(ObjectKind::Schema, &names);
        let is_there = self.0.iter().any(|it| it.id == id);
        (!is_there).then(|| Renaming { id, to: name.to_owned(), part: Part::Made })
    }
}

/// What no two objects share: tables, types and indexes have their names together.
fn place(of: &Identity) -> Place {
    let kind = match of.kind.namespace() {
        Namespace::OfIndex | Namespace::Own => Some(of.kind),
        Namespace::Relation | Namespace::Routine => None,
    };
    (of.kind.namespace(), kind, of.names.clone(), of.arguments.clone())
}

/// A name, in the namespace in which it has to be unique.
type Place = (Namespace, Option<ObjectKind>, Vec<String>, Vec<String>);

/// The object whose name the first step takes, under a name that nothing has.
fn give_way(open: &mut [Renaming], taken: &HashMap<Place, Identity>) -> Renaming {
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

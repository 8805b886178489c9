//! The server's own record of what depends on what.

use std::collections::{HashMap, HashSet};

use postgres::Transaction;

use crate::{
    catalog::facts::Address,
    error::{Error, Result},
};

const DEPEND: &str = "SELECT classid, objid, objsubid, refclassid, refobjid, refobjsubid,
  deptype::text FROM pg_depend WHERE objid >= 16384 OR deptype = 'e'";

/// How far an inner object may be from the fact that it belongs to: an index of a constraint of a
/// partition is three steps away.
const STEPS: usize = 6;

pub(crate) struct Edge {
    pub(crate) user: Address,
    pub(crate) base: Address,
    pub(crate) ends_with: bool,
}

/// All edges, and for what is no fact itself, such as an array type, the object that it is part of.
#[derive(Default)]
pub(crate) struct CatalogDependencies {
    pub(crate) all: Vec<Edge>,
    /// Made together with the other: row types, rules of views, members of extensions.
    part: HashMap<(u32, u32), Address>,
    /// Goes with the other: the expression of a generated column.
    rider: HashMap<(u32, u32), Vec<Address>>,
    /// Members of extensions.
    members: HashSet<(u32, u32)>,
    /// What the server made for a partition after something of the table above.
    clones: HashSet<(u32, u32)>,
}

impl CatalogDependencies {
    pub(crate) fn read(transaction: &mut Transaction<'_>) -> Result<Self> {
        let rows = transaction.query(DEPEND, &[]);
        let rows = rows.map_err(Error::postgres("read the dependencies"))?;
        let mut it = Self::default();
        for row in &rows {
            let user: Address = (row.get(0), row.get(1), row.get(2));
            let base: Address = (row.get(3), row.get(4), row.get(5));
            it.add(user, base, row.get(6));
        }
        Ok(it)
    }

    fn add(&mut self, user: Address, base: Address, kind: &str) {
        let object = (user.0, user.1);
        if kind == "e" {
            self.members.insert(object);
        }
        match kind {
            "i" | "e" | "P" => _ = self.part.entry(object).or_insert(base),
            "S" => _ = self.clones.insert(object),
            "a" => self.rider.entry(object).or_default().push(base),
            _ => {}
        }
        if !matches!(kind, "e" | "x") {
            let ends_with = kind != "n";
            self.all.push(Edge { user, base, ends_with });
        }
    }

    /// Whether it is a copy for a partition that is no fact, so that its uses are nobody's.
    pub(crate) fn is_clone(&self, address: Address, addresses: &HashMap<Address, usize>) -> bool {
        let object = (address.0, address.1);
        self.clones.contains(&object) && !addresses.contains_key(&(object.0, object.1, 0))
    }

    /// The fact at an address, or the one that what is there belongs to.
    pub(crate) fn resolve(
        &self,
        address: Address,
        addresses: &HashMap<Address, usize>,
    ) -> Option<usize> {
        self.find(address, addresses, true)
    }

    /// The same, but only by what is part of it: a trigger is no part of its table.
    pub(crate) fn resolve_part(
        &self,
        address: Address,
        addresses: &HashMap<Address, usize>,
    ) -> Option<usize> {
        self.find(address, addresses, false)
    }

    fn find(
        &self,
        mut address: Address,
        addresses: &HashMap<Address, usize>,
        by_riders: bool,
    ) -> Option<usize> {
        for _ in 0..STEPS {
            let (class, object, _) = address;
            let whole = (class, object, 0);
            if let Some(&at) = addresses.get(&address).or_else(|| addresses.get(&whole)) {
                return Some(at);
            }
            let rider = || self.rider.get(&(class, object))?.first().filter(|_| by_riders);
            address = *self.part.get(&(class, object)).or_else(rider)?;
        }
        None
    }

    /// Whether it is part of something that has no fact, as the row type of an extension's table.
    pub(crate) fn is_member(&self, address: Address) -> bool {
        self.part.contains_key(&(address.0, address.1))
    }

    /// Whether it is dropped with a member of an extension, as an operator that one adds to a
    /// family of its own or of the server's.
    pub(crate) fn rides_on_member(&self, address: Address) -> bool {
        let riders = self.rider.get(&(address.0, address.1));
        riders.is_some_and(|it| it.iter().any(|it| self.members.contains(&(it.0, it.1))))
    }

    /// Whether all that it goes with is out of scope, as for a trigger of an extension's table.
    pub(crate) fn is_foreign(&self, address: Address, addresses: &HashMap<Address, usize>) -> bool {
        let riders = self.rider.get(&(address.0, address.1));
        riders.is_some_and(|it| it.iter().all(|it| self.resolve(*it, addresses).is_none()))
    }
}

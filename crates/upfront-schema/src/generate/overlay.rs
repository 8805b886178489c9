//! What of the migrations' objects a desired schema does not decide, put over the desired schema.

use upfront_scratch::Database;

use crate::{
    catalog::{
        extract::extract,
        facts::{Fact, Facts},
        identity::Identity,
        scope::Scope,
    },
    diff::{difference::differing, plan::plan},
    error::{Error, Result},
    generate::{
        kept::KeptObjects,
        manages::{self, Manages},
        unmanaged::Unmanaged,
    },
    kinds::{object_kind::ObjectKind, privileges, sequence},
    options::Options,
    scratch::{apply, session},
    sql::Sql,
};

/// What counts of the migrations.
pub(crate) struct Retained<'a> {
    pub(crate) manages: &'a Manages,
    pub(crate) kept: &'a KeptObjects,
}

/// Gives objects of the desired schema the attributes that the migrations' have, where those are not
/// managed. Returns these, by the names of their groups.
pub(crate) fn apply(
    desired: &Database<'_>,
    have: &Facts,
    scope: &Scope,
    keeps: &Retained<'_>,
) -> Result<Vec<Unmanaged>> {
    let wanted = extract(&mut session::open(desired)?, scope)?;
    let overlay = Overlay { have, wanted: &wanted, keeps };
    let options = Options { scope: scope.clone(), ..Options::default() };
    let plan = plan(&wanted, &overlay.merged(), &options)?;
    let mut client = session::open(desired)?;
    if !plan.is_empty() {
        apply::apply(&mut client, &plan, "overlay").map_err(Error::overlaid)?;
    }
    for it in overlay.default_privileges() {
        session::run(&mut client, &it.statement())
            .map_err(Error::postgres("grant what default privileges give"))?;
    }
    Ok(overlay.kept_attributes())
}

struct Overlay<'a> {
    have: &'a Facts,
    wanted: &'a Facts,
    keeps: &'a Retained<'a>,
}

impl Overlay<'_> {
    /// The desired schema with what is not managed as the migrations have it.
    fn merged(&self) -> Facts {
        let mut merged = self.wanted.only(|at| !self.is_ignored(at));
        merged.version = self.wanted.version;
        merged.orders = self.wanted.orders.clone();
        for fact in &mut merged.all {
            let Some(old) = self.old(fact) else { continue };
            for attribute in self.undecided(old, fact) {
                match old.attributes.get(&attribute) {
                    Some(it) => _ = fact.attributes.insert(attribute, it.clone()),
                    None => _ = fact.attributes.remove(&attribute),
                }
            }
        }
        merged
    }

    /// What new objects get by default privileges that are not managed. On a database where those
    /// came later, they have none.
    fn default_privileges(&self) -> Vec<Sql> {
        if self.keeps.manages.kind(ObjectKind::DefaultPrivileges) {
            return Vec::new();
        }
        let new = self.wanted.iter().filter(|it| self.old(it).is_none());
        new.flat_map(|it| privileges::given_by_default(self.have, self.wanted, it)).collect()
    }

    fn kept_attributes(&self) -> Vec<Unmanaged> {
        let mut all = Vec::new();
        for fact in self.wanted.iter() {
            let Some(old) = self.old(fact) else { continue };
            for attribute in self.undecided(old, fact) {
                let is_asked = self.is_kept(fact, &attribute);
                let Some(kind) = manages::name_of(fact.id.kind, &attribute) else { continue };
                let it = Unmanaged { kind, id: fact.id.clone() };
                if !is_asked && !all.contains(&it) {
                    all.push(it);
                }
            }
        }
        all
    }

    fn old(&self, fact: &Fact) -> Option<&Fact> {
        self.have.find(&fact.id).map(|at| &self.have.all[at])
    }

    /// Whether the desired schema does not count for something that only it has: an object of an
    /// unmanaged kind, unless it is part of one that is new; or what gives a column its values that
    /// is an identity.
    fn is_ignored(&self, at: usize) -> bool {
        let fact = &self.wanted.all[at];
        let is_new = |it: &Fact| self.have.find(&it.id).is_none();
        if self.is_of_serial(at) {
            return true;
        }
        let is_kept = self.keeps.kept.attributes.iter().any(|(id, _)| *id == fact.id);
        let is_part_of_new = self.wanted.parent(fact).is_some_and(is_new);
        let manages = self.keeps.manages;
        let is_unmanaged = manages.is_strict() && !manages.kind(fact.id.kind);
        is_new(fact) && (is_kept || is_unmanaged && !is_part_of_new)
    }

    /// The default of a serial column, its sequence or that sequence's owner, where the column is an
    /// identity in the migrations, which the source cannot express.
    fn is_of_serial(&self, at: usize) -> bool {
        let fact = &self.wanted.all[at];
        let column = match fact.id.kind {
            ObjectKind::DefaultValue => self.wanted.get(ObjectKind::Column, &fact.id.names),
            ObjectKind::Sequence => {
                let owner = self.wanted.get(ObjectKind::SequenceOwner, &fact.id.names);
                owner.and_then(|it| sequence::column_of(self.wanted, it))
            }
            ObjectKind::SequenceOwner => sequence::column_of(self.wanted, fact),
            _ => None,
        };
        column.is_some_and(|it| self.stays_identity(it))
    }

    fn stays_identity(&self, column: &Fact) -> bool {
        let Some(old) = self.old(column) else { return false };
        let is_managed = self.keeps.manages.decides(ObjectKind::Column, "identity", false);
        let is_identity = |it: &Fact| it.attributes.contains_key("identity");
        !is_managed && is_identity(old) && !is_identity(column) && self.is_serial_or_plain(column)
    }

    /// Whether a column has no default, or reads it from a sequence of its own.
    fn is_serial_or_plain(&self, column: &Fact) -> bool {
        let Some(at) = self.wanted.find(&Identity::new(ObjectKind::DefaultValue, &column.id.names))
        else {
            return true;
        };
        let mut uses = self.wanted.uses[at].iter().map(|(it, _)| &self.wanted.all[*it]);
        uses.any(|it| {
            let owner = self.wanted.get(ObjectKind::SequenceOwner, &it.id.names);
            let owner = owner.filter(|_| it.id.kind == ObjectKind::Sequence);
            let column_of = owner.and_then(|it| sequence::column_of(self.wanted, it));
            column_of.is_some_and(|it| it.id == column.id)
        })
    }

    /// The attributes that differ and that the desired schema does not decide.
    fn undecided(&self, old: &Fact, new: &Fact) -> Vec<String> {
        let all = differing(&old.attributes, &new.attributes).into_iter();
        all.filter(|it| !self.is_decided(new, it)).map(str::to_owned).collect()
    }

    fn is_decided(&self, fact: &Fact, attribute: &str) -> bool {
        let is_wanted = fact.attributes.contains_key(attribute);
        let decides = self.keeps.manages.decides(fact.id.kind, attribute, is_wanted);
        let is_of_identity = matches!(attribute, "identity" | "identity_options")
            && !fact.attributes.contains_key("identity");
        match self.is_kept(fact, attribute) {
            true => false,
            false if is_of_identity && !decides => !self.stays_identity(fact),
            false => decides,
        }
    }

    fn is_kept(&self, fact: &Fact, attribute: &str) -> bool {
        let mut all = self.keeps.kept.attributes.iter();
        all.any(|(id, name)| *id == fact.id && *name == attribute)
    }
}

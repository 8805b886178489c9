//! What becomes of each object of the first schema on the way to the second.

use crate::{
    catalog::facts::{Dependency, Fact, Facts},
    diff::difference::differing,
    error::{Error, Kind, Result},
    kinds::{
        column_type,
        definition::{Change, Outcome},
        object_kind::{ObjectKind, RecreatePolicy},
        privileges, registry,
    },
    options::Options,
    sql::Sql,
};

/// What becomes of one object.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Keep,
    Alter(Vec<Sql>),
    /// In place, while dependent objects are dropped.
    Retype(Vec<Sql>),
    /// Dropped and made again.
    Replace,
    /// Renamed, made again, and dropped when its users have moved over.
    Swap,
    Drop,
}

impl Action {
    pub(crate) fn is_dropped(&self) -> bool {
        matches!(self, Action::Drop | Action::Replace | Action::Swap)
    }

    pub(crate) fn is_made(&self) -> bool {
        matches!(self, Action::Replace | Action::Swap)
    }

    pub(crate) fn statements(&self) -> Option<&[Sql]> {
        match self {
            Action::Alter(sql) | Action::Retype(sql) => Some(sql),
            _ => None,
        }
    }
}

/// The actions for all objects of the first schema, with those for dependent objects.
pub(crate) struct Actions<'a> {
    pub(crate) a: &'a Facts,
    pub(crate) b: &'a Facts,
    pub(crate) options: &'a Options,
    pub(crate) all: Vec<Action>,
    pending: Vec<usize>,
    refused: Vec<String>,
}

impl<'a> Actions<'a> {
    pub(crate) fn of(a: &'a Facts, b: &'a Facts, options: &'a Options) -> Result<Self> {
        let mut it =
            Self { a, b, options, all: Vec::new(), pending: Vec::new(), refused: Vec::new() };
        for at in 0..a.all.len() {
            let action = it.action(&a.all[at])?;
            if !matches!(action, Action::Keep | Action::Alter(_)) {
                it.pending.push(at);
            }
            it.all.push(action);
        }
        it.replace_indexes_above();
        it.grant_on_columns_again();
        it.keep_what_is_their_own();
        while let Some(at) = it.pending.pop() {
            it.spread(at);
        }
        if it.refused.is_empty() {
            return Ok(it);
        }
        it.refused.sort();
        it.refused.dedup();
        Err(Kind::Refused(it.refused).into())
    }

    /// An index leaves the one that it is attached to only when that goes, and with it all above.
    fn replace_indexes_above(&mut self) {
        for at in 0..self.a.all.len() {
            let fact = &self.a.all[at];
            let Some(counterpart) =
                self.counterpart(at).filter(|_| fact.id.kind == ObjectKind::Index)
            else {
                continue;
            };
            let attached = |it: &Fact| it.text("attached_to").map(str::to_owned);
            let leaves =
                attached(fact).is_some() && attached(fact) != attached(&self.b.all[counterpart]);
            if !leaves || !matches!(self.all[at], Action::Replace) {
                continue;
            }
            let mut above = at;
            while let Some(origin) = self.a.all[above].origin {
                above = origin;
            }
            if !self.all[above].is_dropped() {
                self.set(above, Action::Replace);
            }
        }
    }

    /// What is taken from a role on a table is taken on its columns too.
    fn grant_on_columns_again(&mut self) {
        let privileges = |it: &&usize| self.a.all[**it].id.kind == ObjectKind::Privileges;
        let all: Vec<_> = (0..self.a.all.len()).collect();
        let all: Vec<_> = all.iter().filter(privileges).copied().collect();
        for &at in
            all.iter().filter(|it| self.a.all[**it].id.target_kind() == Some(ObjectKind::Column))
        {
            let fact = &self.a.all[at];
            let is_touched = |it: &usize| {
                privileges::is_on_table_of(&self.a.all[*it], fact)
                    && !matches!(self.all[*it], Action::Keep)
            };
            if let (Action::Keep, true, Some(counterpart)) =
                (&self.all[at], all.iter().any(is_touched), self.counterpart(at))
            {
                self.all[at] =
                    Action::Alter(privileges::grant_again(self.b, &self.b.all[counterpart]));
            }
        }
    }

    /// What is set for a column is set for those that inherit it too, so these get what they have of
    /// their own once more.
    fn keep_what_is_their_own(&mut self) {
        for at in 0..self.a.all.len() {
            let is_there = matches!(self.all[at], Action::Keep | Action::Alter(_));
            let Some(counterpart) = self.counterpart(at).filter(|_| is_there) else { continue };
            let mut sql = self.overwritten(at, counterpart);
            if sql.is_empty() {
                continue;
            }
            for it in &mut sql {
                it.hazards.clear();
            }
            let before = self.all[at].statements().unwrap_or_default().to_vec();
            self.all[at] = Action::Alter([before, sql].concat());
        }
    }

    /// What sets the attributes that the object above overwrites.
    fn overwritten(&self, at: usize, counterpart: usize) -> Vec<Sql> {
        let (from, to) = (&self.a.all[at], &self.b.all[counterpart]);
        let mut sql = Vec::new();
        for attribute in registry::of(from).inherited {
            let value =
                |of: Option<&Fact>| of.and_then(|it| it.attributes.get(*attribute)).cloned();
            let Some((old, new)) = self.above(to) else { continue };
            let (old, new, own) = (value(old), value(new), value(Some(to)));
            if old == new || own == new || own.is_none() || own != value(Some(from)) {
                continue;
            }
            let mut from = from.clone();
            from.attributes.remove(*attribute);
            from.attributes.extend(new.map(|it| ((*attribute).to_owned(), it)));
            let (a, b, options) = (self.a, self.b, self.options);
            let change = Change { a, b, from: &from, to, attribute, options };
            let alter = registry::of(to).attributes.iter().find(|(name, _)| name == attribute);
            if let Some(Outcome::InPlace(it)) = alter.map(|(_, alter)| alter(&change)) {
                sql.extend(it);
            }
        }
        sql
    }

    /// The same of the column above, in both schemas, where that is there in both.
    fn above(&self, fact: &Fact) -> Option<(Option<&'a Fact>, Option<&'a Fact>)> {
        let column = match fact.id.kind {
            ObjectKind::Column => fact,
            _ => self.b.parent(fact)?,
        };
        let above = &self.b.all[column.origin?].id;
        self.a.find(above)?;
        Some((self.a.get(fact.id.kind, &above.names), self.b.get(fact.id.kind, &above.names)))
    }

    /// The object in the second schema.
    pub(crate) fn counterpart(&self, at: usize) -> Option<usize> {
        self.b.find(&self.a.all[at].id)
    }

    fn action(&mut self, from: &Fact) -> Result<Action> {
        let Some(to) = self.b.find(&from.id) else { return Ok(Action::Drop) };
        let to = &self.b.all[to];
        let all = differing(&from.attributes, &to.attributes);
        if all.is_empty() {
            return Ok(Action::Keep);
        }
        let rule = registry::of(from);
        if let Some(it) = all.iter().find(|it| rule.attributes.iter().all(|(name, _)| name != *it))
        {
            return Err(Kind::Unmodeled(vec![Error::unknown_attribute(&from.id, it)]).into());
        }
        let (mut sql, mut retype, mut replace) = (Vec::new(), false, false);
        for (attribute, alter) in rule.attributes.iter().filter(|(name, _)| all.contains(name)) {
            let change =
                Change { a: self.a, b: self.b, from, to, attribute, options: self.options };
            match alter(&change) {
                Outcome::InPlace(it) => sql.extend(it),
                Outcome::Retype(it) => {
                    retype = true;
                    sql.extend(it);
                }
                Outcome::Replace => replace = true,
                Outcome::Refuse(why) => self.refused.push(why),
            }
        }
        Ok(match (replace, retype) {
            (true, _) => Action::Replace,
            (false, true) => Action::Retype(sql),
            (false, false) => Action::Alter(sql),
        })
    }

    /// Clears the way for the fate of one object.
    fn spread(&mut self, base: usize) {
        for at in 0..self.a.users[base].len() {
            let (user, how) = self.a.users[base][at];
            match self.all[base] {
                Action::Drop | Action::Replace => self.clear(user, base, how),
                Action::Swap => self.move_over(user, base),
                Action::Retype(_) if how == Dependency::CreatedAfter => {}
                Action::Retype(_) => self.step_aside(user, base),
                Action::Keep | Action::Alter(_) => {}
            }
        }
    }

    fn set(&mut self, at: usize, action: Action) {
        self.all[at] = action;
        self.pending.push(at);
    }

    /// A user of something that goes, be it for good or to come back.
    fn clear(&mut self, user: usize, base: usize, how: Dependency) {
        if self.all[user].is_dropped() {
            return;
        }
        let fact = &self.a.all[user];
        let comes_back = matches!(self.all[base], Action::Replace);
        if how == Dependency::DroppedWith && (comes_back || fact.parent == Some(base)) {
            return self.set(user, Action::Replace);
        }
        // With a base type goes what reads and writes its values.
        let is_of_type =
            self.a.all[base].id.kind == ObjectKind::BaseType && how == Dependency::OnlyDroppedWith;
        if comes_back && is_of_type {
            return self.set(user, Action::Replace);
        }
        if self.is_released(user, base)
            || matches!(how, Dependency::OnlyDroppedWith | Dependency::CreatedAfter)
        {
            return;
        }
        if is_definition(fact) {
            return self.set(user, Action::Replace);
        }
        match comes_back && self.a.all[base].id.kind.recreate() == RecreatePolicy::BySwap {
            true => self.set(base, Action::Swap),
            false if comes_back => self.refuse(user, base),
            false => {}
        }
    }

    /// Whether the action for the user already ends its dependency. A constraint is never changed in
    /// place.
    fn is_released(&self, user: usize, base: usize) -> bool {
        if self.a.all[user].id.kind == ObjectKind::TableConstraint {
            return false;
        }
        let is_altered = matches!(self.all[user], Action::Alter(_) | Action::Retype(_));
        let still = |counterpart| {
            let base = self.b.find(&self.a.all[base].id);
            base.is_some_and(|base| self.b.uses(counterpart, base))
        };
        is_altered && !self.counterpart(user).is_some_and(still)
    }

    /// A user of a type that is swapped.
    fn move_over(&mut self, user: usize, base: usize) {
        let fact = &self.a.all[user];
        let Some(counterpart) = self.counterpart(user) else { return };
        if self.all[user].is_dropped() || self.is_released(user, base) {
            return;
        }
        if is_definition(fact) {
            return self.set(user, Action::Replace);
        }
        if fact.id.kind.recreate() == RecreatePolicy::BySwap {
            return self.set(user, Action::Swap);
        }
        if fact.id.kind != ObjectKind::Column {
            return self.refuse(user, base);
        }
        let mut sql = match &self.all[user] {
            Action::Alter(sql) => sql.clone(),
            Action::Retype(_) => return,
            _ => Vec::new(),
        };
        let to = &self.b.all[counterpart];
        sql.extend((fact.origin.is_none()).then(|| column_type::force(self.b, to)));
        self.set(user, Action::Retype(sql));
    }

    /// A user of a column whose type changes. The server itself takes care of indexes and of most
    /// constraints.
    fn step_aside(&mut self, user: usize, base: usize) {
        let fact = &self.a.all[user];
        if self.all[user].is_dropped() || fact.parent == Some(base) && !self.must_move(user, base) {
            return;
        }
        if self.must_move(user, base) {
            match self.counterpart(user) {
                Some(_) => self.set(user, Action::Replace),
                None => self.set(user, Action::Drop),
            }
        }
    }

    fn must_move(&self, user: usize, base: usize) -> bool {
        let fact = &self.a.all[user];
        match fact.id.kind {
            ObjectKind::Column => {
                fact.attributes.contains_key("generated")
                    && self.a.all[base].id.kind == ObjectKind::Column
            }
            ObjectKind::DefaultValue => {
                !matches!(self.all[user], Action::Keep) || self.changes_root(base)
            }
            ObjectKind::TableConstraint if fact.note("type") == Some("f") => {
                self.retypes_both_ends(user)
            }
            _ => registry::of(fact).blocks_retype,
        }
    }

    fn changes_root(&self, column: usize) -> bool {
        let counterpart = self.counterpart(column).map(|at| &self.b.all[at]);
        let category = |it: &Fact| it.note("category").map(str::to_owned);
        counterpart.is_some_and(|it| category(it) != category(&self.a.all[column]))
    }

    fn retypes_both_ends(&self, key: usize) -> bool {
        let is_retyped = |at: &&(usize, Dependency)| matches!(self.all[at.0], Action::Retype(_));
        self.a.uses[key].iter().filter(is_retyped).count() > 1
    }

    fn refuse(&mut self, user: usize, base: usize) {
        let (user, base) = (&self.a.all[user].id, &self.a.all[base].id);
        self.refused.push(format!("{base} must be recreated, but {user} uses it"));
    }
}

/// Whether it can be dropped and made again without a loss.
fn is_definition(fact: &Fact) -> bool {
    fact.id.kind.recreate() == RecreatePolicy::Anytime || fact.attributes.contains_key("generated")
}

//! What becomes of each object of the first schema on the way to the second.

use crate::{
    catalog::facts::{Fact, Facts, Use},
    diff::difference::differing,
    error::{Error, Kind, Result},
    kinds::{self, Change, Nature, Outcome},
    options::Options,
    sql::Sql,
};

/// What becomes of one object.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Keep,
    Alter(Vec<Sql>),
    /// In place, with whoever uses it out of the way.
    Retype(Vec<Sql>),
    /// Dropped and made again.
    Replace,
    /// Renamed, made again, and dropped when its users have moved over.
    Swap,
    Drop,
}

impl Fate {
    pub(crate) fn is_dropped(&self) -> bool {
        matches!(self, Fate::Drop | Fate::Replace | Fate::Swap)
    }

    pub(crate) fn is_made(&self) -> bool {
        matches!(self, Fate::Replace | Fate::Swap)
    }

    pub(crate) fn statements(&self) -> Option<&[Sql]> {
        match self {
            Fate::Alter(sql) | Fate::Retype(sql) => Some(sql),
            _ => None,
        }
    }
}

/// The fates of the first schema's objects, complete: nothing that stands in the way is left.
pub(crate) struct Draft<'a> {
    pub(crate) a: &'a Facts,
    pub(crate) b: &'a Facts,
    pub(crate) options: &'a Options,
    pub(crate) fates: Vec<Fate>,
    pending: Vec<usize>,
    refused: Vec<String>,
}

impl<'a> Draft<'a> {
    pub(crate) fn of(a: &'a Facts, b: &'a Facts, options: &'a Options) -> Result<Self> {
        let mut it =
            Self { a, b, options, fates: Vec::new(), pending: Vec::new(), refused: Vec::new() };
        for at in 0..a.all.len() {
            let fate = it.fate(&a.all[at])?;
            if !matches!(fate, Fate::Keep | Fate::Alter(_)) {
                it.pending.push(at);
            }
            it.fates.push(fate);
        }
        it.replace_indexes_above();
        it.grant_on_columns_anew();
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
            let Some(twin) = self.twin(at).filter(|_| fact.id.kind == "index") else { continue };
            let attached = |it: &Fact| it.text("attached_to").map(str::to_owned);
            let leaves = attached(fact).is_some() && attached(fact) != attached(&self.b.all[twin]);
            if !leaves || !matches!(self.fates[at], Fate::Replace) {
                continue;
            }
            let mut above = at;
            while let Some(origin) = self.a.all[above].origin {
                above = origin;
            }
            if !self.fates[above].is_dropped() {
                self.set(above, Fate::Replace);
            }
        }
    }

    /// What is taken from a role on a table is taken on its columns too.
    fn grant_on_columns_anew(&mut self) {
        let privileges = |it: &&usize| self.a.all[**it].id.kind == "privileges";
        let all: Vec<_> = (0..self.a.all.len()).collect();
        let all: Vec<_> = all.iter().filter(privileges).copied().collect();
        for &at in all.iter().filter(|it| self.a.all[**it].id.names[0] == "column") {
            let fact = &self.a.all[at];
            let is_touched = |it: &usize| {
                kinds::is_on_table_of(&self.a.all[*it], fact)
                    && !matches!(self.fates[*it], Fate::Keep)
            };
            if let (Fate::Keep, true, Some(twin)) =
                (&self.fates[at], all.iter().any(is_touched), self.twin(at))
            {
                self.fates[at] = Fate::Alter(kinds::grant_anew(self.b, &self.b.all[twin]));
            }
        }
    }

    /// What is set for a column is set for those that inherit it too, so these get what they have of
    /// their own once more.
    fn keep_what_is_their_own(&mut self) {
        for at in 0..self.a.all.len() {
            let is_there = matches!(self.fates[at], Fate::Keep | Fate::Alter(_));
            let Some(twin) = self.twin(at).filter(|_| is_there) else { continue };
            let mut sql = self.overwritten(at, twin);
            if sql.is_empty() {
                continue;
            }
            for it in &mut sql {
                it.hazards.clear();
            }
            let before = self.fates[at].statements().unwrap_or_default().to_vec();
            self.fates[at] = Fate::Alter([before, sql].concat());
        }
    }

    /// What sets the attributes that the object above overwrites.
    fn overwritten(&self, at: usize, twin: usize) -> Vec<Sql> {
        let (from, to) = (&self.a.all[at], &self.b.all[twin]);
        let mut sql = Vec::new();
        for attribute in kinds::handed_down(from.id.kind) {
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
            let alter = kinds::of(to).attributes.iter().find(|(name, _)| name == attribute);
            if let Some(Outcome::InPlace(it)) = alter.map(|(_, alter)| alter(&change)) {
                sql.extend(it);
            }
        }
        sql
    }

    /// The same of the column above, in both schemas, where that is there in both.
    fn above(&self, fact: &Fact) -> Option<(Option<&'a Fact>, Option<&'a Fact>)> {
        let column = match fact.id.kind {
            "column" => fact,
            _ => self.b.parent(fact)?,
        };
        let above = &self.b.all[column.origin?].id;
        self.a.find(above)?;
        Some((self.a.get(fact.id.kind, &above.names), self.b.get(fact.id.kind, &above.names)))
    }

    /// The object in the second schema.
    pub(crate) fn twin(&self, at: usize) -> Option<usize> {
        self.b.find(&self.a.all[at].id)
    }

    fn fate(&mut self, from: &Fact) -> Result<Fate> {
        let Some(to) = self.b.find(&from.id) else { return Ok(Fate::Drop) };
        let to = &self.b.all[to];
        let all = differing(&from.attributes, &to.attributes);
        if all.is_empty() {
            return Ok(Fate::Keep);
        }
        let rule = kinds::of(from);
        if let Some(it) = all.iter().find(|it| rule.attributes.iter().all(|(name, _)| name != *it))
        {
            return Err(Kind::NotModelled(vec![Error::unknown_attribute(&from.id, it)]).into());
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
            (true, _) => Fate::Replace,
            (false, true) => Fate::Retype(sql),
            (false, false) => Fate::Alter(sql),
        })
    }

    /// Clears the way for the fate of one object.
    fn spread(&mut self, base: usize) {
        for at in 0..self.a.users[base].len() {
            let (user, how) = self.a.users[base][at];
            match self.fates[base] {
                Fate::Drop | Fate::Replace => self.clear(user, base, how),
                Fate::Swap => self.move_over(user, base),
                Fate::Retype(_) if how == Use::ComesAfter => {}
                Fate::Retype(_) => self.step_aside(user, base),
                Fate::Keep | Fate::Alter(_) => {}
            }
        }
    }

    fn set(&mut self, at: usize, fate: Fate) {
        self.fates[at] = fate;
        self.pending.push(at);
    }

    /// A user of something that goes, be it for good or to come back.
    fn clear(&mut self, user: usize, base: usize, how: Use) {
        if self.fates[user].is_dropped() {
            return;
        }
        let fact = &self.a.all[user];
        let comes_back = matches!(self.fates[base], Fate::Replace);
        if how == Use::EndsWith && (comes_back || fact.parent == Some(base)) {
            return self.set(user, Fate::Replace);
        }
        // With a base type goes what reads and writes its values.
        let is_of_type = self.a.all[base].id.kind == "base type" && how == Use::OnlyEndsWith;
        if comes_back && is_of_type {
            return self.set(user, Fate::Replace);
        }
        if self.is_released(user, base) || matches!(how, Use::OnlyEndsWith | Use::ComesAfter) {
            return;
        }
        if is_definition(fact) {
            return self.set(user, Fate::Replace);
        }
        match comes_back && kinds::of(&self.a.all[base]).nature == Nature::Type {
            true => self.set(base, Fate::Swap),
            false if comes_back => self.refuse(user, base),
            false => {}
        }
    }

    /// Whether what is done to the user anyway makes it let go. A constraint is never written anew in
    /// place.
    fn is_released(&self, user: usize, base: usize) -> bool {
        if self.a.all[user].id.kind == "table constraint" {
            return false;
        }
        let is_altered = matches!(self.fates[user], Fate::Alter(_) | Fate::Retype(_));
        let still = |twin| {
            let base = self.b.find(&self.a.all[base].id);
            base.is_some_and(|base| self.b.uses(twin, base))
        };
        is_altered && !self.twin(user).is_some_and(still)
    }

    /// A user of a type that is swapped.
    fn move_over(&mut self, user: usize, base: usize) {
        let fact = &self.a.all[user];
        let Some(twin) = self.twin(user) else { return };
        if self.fates[user].is_dropped() || self.is_released(user, base) {
            return;
        }
        if is_definition(fact) {
            return self.set(user, Fate::Replace);
        }
        if kinds::of(fact).nature == Nature::Type {
            return self.set(user, Fate::Swap);
        }
        if fact.id.kind != "column" {
            return self.refuse(user, base);
        }
        let mut sql = match &self.fates[user] {
            Fate::Alter(sql) => sql.clone(),
            Fate::Retype(_) => return,
            _ => Vec::new(),
        };
        let to = &self.b.all[twin];
        sql.extend((fact.origin.is_none()).then(|| kinds::force_column(self.b, to)));
        self.set(user, Fate::Retype(sql));
    }

    /// A user of a column whose type changes. The server itself takes care of indexes and of most
    /// constraints.
    fn step_aside(&mut self, user: usize, base: usize) {
        let fact = &self.a.all[user];
        if self.fates[user].is_dropped() || fact.parent == Some(base) && !self.must_move(user, base)
        {
            return;
        }
        if self.must_move(user, base) {
            match self.twin(user) {
                Some(_) => self.set(user, Fate::Replace),
                None => self.set(user, Fate::Drop),
            }
        }
    }

    fn must_move(&self, user: usize, base: usize) -> bool {
        let fact = &self.a.all[user];
        match fact.id.kind {
            "column" => {
                fact.attributes.contains_key("generated") && self.a.all[base].id.kind == "column"
            }
            "default value" => !matches!(self.fates[user], Fate::Keep) || self.changes_root(base),
            "table constraint" if fact.note("type") == Some("f") => self.retypes_both_ends(user),
            _ => kinds::of(fact).blocks_retype,
        }
    }

    fn changes_root(&self, column: usize) -> bool {
        let twin = self.twin(column).map(|at| &self.b.all[at]);
        let category = |it: &Fact| it.note("category").map(str::to_owned);
        twin.is_some_and(|it| category(it) != category(&self.a.all[column]))
    }

    fn retypes_both_ends(&self, key: usize) -> bool {
        let is_retyped = |at: &&(usize, Use)| matches!(self.fates[at.0], Fate::Retype(_));
        self.a.uses[key].iter().filter(is_retyped).count() > 1
    }

    fn refuse(&mut self, user: usize, base: usize) {
        let (user, base) = (&self.a.all[user].id, &self.a.all[base].id);
        self.refused.push(format!("{base} has to be made anew, and {user} uses it"));
    }
}

/// Whether it can be dropped and made again without a loss.
fn is_definition(fact: &Fact) -> bool {
    kinds::of(fact).nature == Nature::Definition || fact.attributes.contains_key("generated")
}

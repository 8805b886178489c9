//! What SQL makes in each scratch database before migrations are replayed, which is never compared.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postgres::Client;
use serde_json::{Map, Value};
use upfront_scratch::{Database, DumpFilter};

use crate::{
    catalog::{
        coverage::UnmodeledObject,
        exclude::Pattern,
        extract::{Scope, extract, extract_all},
        facts::{Dependency, Fact, Facts},
        identity::Identity,
    },
    error::{Error, Kind, Result},
    kinds::{object_kind::ObjectKind, privileges::subtract_grants},
    scratch::{load, roles, session},
};

const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles";

const WHO: &str = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// Several commands may prepare databases of one server, whose roles they share.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_lock(8031170205431811443)";

/// Kinds that a table has and that somebody else may make: on the table of a service, they are
/// the user's unless the setup makes them too.
const ATTACHED: [ObjectKind; 4] = [
    ObjectKind::Trigger,
    ObjectKind::Policy,
    ObjectKind::PublicationRelation,
    ObjectKind::PublicationNamespace,
];

/// The objects that the setup of scratch databases makes.
///
/// Triggers and policies on its tables are compared if the setup has not made them, and triggers
/// run a function outside of it; so are tables in its publications, and privileges beyond those
/// that it grants on what every database has.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    made: Arc<HashMap<Identity, Map<String, Value>>>,
    /// Kind and name of what has no rule.
    unmodeled: Arc<HashSet<(String, String)>>,
    /// Patterns of schemas that belong to a service, whatever is in them.
    schemas: Vec<Pattern>,
}

impl Setup {
    /// Runs texts of SQL, each with what messages call it, statement by statement.
    ///
    /// A role that the server has already is kept as it is, and one that is missing is made.
    ///
    /// # Errors
    ///
    /// The first statement that fails, with its place; if the connection is that of a superuser no
    /// more afterwards, or if the server does not answer.
    pub fn run(database: &Database<'_>, texts: Vec<(String, String)>) -> Result<Self> {
        let mut turn = session::connect(&database.server().url("postgres"))?;
        turn.query_one(LOCK, &[]).map_err(Error::postgres("wait for other commands"))?;
        let mut client = session::open(database)?;
        let before = extract(&mut client, &Scope::default())?;
        let roles = names(&mut client)?;
        let is_superuser = is_superuser(&mut client)?;
        let ran = load::in_order(&mut session::open(database)?, texts);
        for it in names(&mut client)?.difference(&roles) {
            // Without the right to, it stays.
            let _ = roles::mark(&mut client, it);
        }
        ran?;
        if is_superuser && !self::is_superuser(&mut client)? {
            return Err(Kind::Demoted.into());
        }
        let (after, unknown) = extract_all(&mut client)?;
        let is_new = |it: &&Fact| {
            before.find(&it.id).is_none_or(|at| before.all[at].attributes != it.attributes)
        };
        let made = after.iter().filter(is_new).map(|it| (it.id.clone(), it.attributes.clone()));
        let unmodeled = unknown.into_iter().map(|UnmodeledObject { kind, path, .. }| (kind, path));
        Ok(Self {
            made: Arc::new(made.collect()),
            unmodeled: Arc::new(unmodeled.collect()),
            schemas: Vec::new(),
        })
    }

    /// The same, where these patterns of schemas are a service's, whatever is in them.
    #[must_use]
    pub fn with_schemas(self, schemas: Vec<Pattern>) -> Self {
        Self { schemas, ..self }
    }

    /// Whether nothing was made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.unmodeled.is_empty() && self.schemas.is_empty()
    }

    /// Whether it has made an extension.
    #[must_use]
    pub fn has_extension(&self, name: &str) -> bool {
        let id = Identity::new(ObjectKind::Extension, &[name.to_owned()]);
        self.made.contains_key(&id)
    }

    /// Whether a schema belongs to it, with all that is in it.
    #[must_use]
    pub fn is_own_schema(&self, name: &str) -> bool {
        self.schemas.iter().any(|it| it.names(ObjectKind::Schema, name))
    }

    /// Whether a table belongs to it.
    #[must_use]
    pub fn is_own_table(&self, schema: &str, name: &str) -> bool {
        let is_it = |it: &Identity| it.kind == ObjectKind::Table && it.names == [schema, name];
        self.is_own_schema(schema) || self.made.keys().any(is_it)
    }

    /// Adds the tables and the like that it makes to what a dump leaves out.
    pub fn add_to(&self, filter: &mut DumpFilter) {
        const KINDS: [ObjectKind; 5] = [
            ObjectKind::Table,
            ObjectKind::View,
            ObjectKind::MaterializedView,
            ObjectKind::ForeignTable,
            ObjectKind::Sequence,
        ];
        let tables = self.made.keys().filter(|it| KINDS.contains(&it.kind));
        filter.tables.extend(tables.filter_map(|it| it.names.first_chunk().cloned()));
    }

    /// Whether something without a fact is its own.
    pub(crate) fn has(&self, kind: &str, path: &str, schema: &str) -> bool {
        let is_named = || {
            let is_it = |it: &Identity| it.kind.name() == kind && it.names.join(".") == path;
            self.unmodeled.contains(&(kind.to_owned(), path.to_owned()))
                || self.made.keys().any(is_it)
        };
        !schema.is_empty() && self.is_own_schema(schema) || is_named()
    }

    /// What it grants where every database has something.
    fn shared_grants(
        &self,
        id: &Identity,
        owners: &[String],
    ) -> Option<Cow<'_, Map<String, Value>>> {
        match self.made.get(id) {
            _ if !is_shared(id) => None,
            Some(it) => Some(Cow::Borrowed(it)),
            None if id.kind == ObjectKind::DefaultPrivileges => self.of_runner(id, owners),
            None => None,
        }
    }

    /// The default privileges of the role that runs the setup: on a live database that is a role of the
    /// service, and these roles have what they have as its owners.
    fn of_runner(&self, id: &Identity, owners: &[String]) -> Option<Cow<'_, Map<String, Value>>> {
        let [_, schema, letter] = id.names.first_chunk()?;
        let names = ["@owner".to_owned(), schema.clone(), letter.clone()];
        let mut made =
            self.made.get(&Identity::new(ObjectKind::DefaultPrivileges, &names))?.clone();
        let grants = made.get_mut("grants").and_then(Value::as_object_mut)?;
        if let Some(own) = grants.get("@owner").cloned() {
            grants.extend(owners.iter().map(|it| (it.clone(), own.clone())));
        }
        Some(Cow::Owned(made))
    }

    fn owns(&self, id: &Identity) -> bool {
        let schema = match id.kind {
            ObjectKind::Schema => id.names.first().map(String::as_str),
            kind if ATTACHED.contains(&kind) => None,
            _ => id.schema(),
        };
        schema.is_some_and(|it| self.is_own_schema(it))
            || self.made.contains_key(id) && !is_shared(id)
    }
}

/// Privileges that every database has: on the schema `public`, and those of new objects.
fn is_shared(id: &Identity) -> bool {
    matches!(id.kind, ObjectKind::Privileges | ObjectKind::DefaultPrivileges)
}

fn names(client: &mut Client) -> Result<HashSet<String>> {
    let rows = client.query(ROLES, &[]).map_err(Error::postgres("list the roles"))?;
    Ok(rows.iter().map(|it| it.get(0)).collect())
}

fn is_superuser(client: &mut Client) -> Result<bool> {
    let row = client.query_one(WHO, &[]).map_err(Error::postgres("ask for our rights"))?;
    Ok(row.get(0))
}

impl Facts {
    /// Which of them belong to the setup.
    pub(crate) fn of_setup(&self, setup: &Setup) -> Vec<bool> {
        let mut own = vec![false; self.all.len()];
        if setup.is_empty() {
            return own;
        }
        let named = (0..self.all.len()).filter(|at| setup.owns(&self.all[*at].id)).collect();
        self.mark_with_users(named, &mut own);
        let triggers = (0..self.all.len()).filter(|at| self.is_trigger_of(*at, &own)).collect();
        self.mark_with_users(triggers, &mut own);
        own
    }

    /// Marks objects, with what goes along with them.
    fn mark_with_users(&self, mut open: Vec<usize>, own: &mut [bool]) {
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut own[at], true) {
                continue;
            }
            let users = self.users[at].iter();
            let along = users.filter(|(user, how)| self.goes_along(at, *user, *how));
            open.extend(along.map(|(user, _)| *user));
        }
    }

    /// Whether what uses an object of the setup is the setup's too.
    fn goes_along(&self, base: usize, user: usize, how: Dependency) -> bool {
        match (self.all[user].id.kind, self.all[base].id.kind) {
            (ObjectKind::Cast | ObjectKind::Transform, _) => true,
            (ObjectKind::Trigger | ObjectKind::Policy, _)
            | (
                ObjectKind::PublicationRelation | ObjectKind::PublicationNamespace,
                ObjectKind::Publication,
            ) => false,
            _ => matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith),
        }
    }

    /// Whether it is a trigger that runs a function of the setup on a table of the setup, or on
    /// events.
    fn is_trigger_of(&self, at: usize, own: &[bool]) -> bool {
        let runs = || {
            let bases = self.uses[at].iter().map(|(base, _)| *base);
            bases.into_iter().any(|it| self.all[it].id.kind == ObjectKind::Function && own[it])
        };
        match self.all[at].id.kind {
            ObjectKind::Trigger => self.all[at].parent.is_some_and(|it| own[it]) && runs(),
            ObjectKind::EventTrigger => runs(),
            _ => false,
        }
    }

    /// Takes what the setup grants away from grants on what every database has; which facts say
    /// nothing any more.
    pub(crate) fn without_grants_of(&mut self, setup: &Setup, owners: &[String]) -> Vec<bool> {
        let mut nothing = vec![false; self.all.len()];
        for (fact, nothing) in self.all.iter_mut().zip(&mut nothing) {
            if let Some(made) = setup.shared_grants(&fact.id, owners) {
                *nothing = subtract_grants(fact, &made);
            }
        }
        nothing
    }
}

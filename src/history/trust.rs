//! Whether upfront's own tables can be trusted: any role that can create objects in the database can
//! make a schema with upfront's name, and a view in it runs the functions of its owner as the role
//! that reads it.
//!
//! The owner of the tables is trusted if it could act as the current role anyway, if it acts for the
//! owner of the database, if the current role is a member of it, or if the settings name it. A role
//! that could not have made the tables itself may read those of another owner, as long as reading
//! them runs no code.

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::{Client, SimpleQueryRow, error::SqlState};

use crate::{
    Result,
    builder::Settings,
    connection::{
        answer::Answer,
        session,
        sql::{PINNED, named},
    },
    error::{
        Details, Error,
        distrust::{Distrust, Problem, UNTRUSTED},
    },
};

/// All of upfront's tables.
pub(crate) const TABLES: [&str; 7] =
    ["revisions", "log", "steps", "holds", "targets", "apps", "protection"];

/// Upfront's own tables, as far as trusting them goes.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// Quoted.
    schema: String,
    /// As a literal.
    schema_name: String,
    /// Literals of the roles that the settings name.
    named: Vec<String>,
}

/// What is about to be done with the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// They are written, or made in a schema that is there.
    Write,
}

impl Trust {
    pub(crate) fn new(settings: &Settings) -> Self {
        let named = [&settings.role, &settings.trusted_owner].into_iter().flatten();
        Self {
            schema: escape_identifier(&settings.schema),
            schema_name: escape_literal(&settings.schema),
            named: named.map(|it| escape_literal(it)).collect(),
        }
    }

    /// What a message begins with that reads the tables: the search path is pinned, no other
    /// relation can take a table's place until the message ends, and the message ends here, with
    /// [`SqlState::DIVISION_BY_ZERO`], if [`diagnose`](Self::diagnose) has to look closer.
    pub(crate) fn guarded(&self, tables: &[&str]) -> String {
        let Self { schema, .. } = self;
        let locked: Vec<_> = tables.iter().map(|it| format!("{schema}.{it}")).collect();
        let (locked, names) = (locked.join(","), literals(tables));
        let owner = self.is_trusted("relowner");
        format!(
            "SELECT pg_catalog.set_config('search_path','pg_catalog,pg_temp',true);LOCK {locked} IN \
             ACCESS SHARE MODE;SELECT 1/bool_and(relkind='r'AND NOT(relrowsecurity OR EXISTS(SELECT FROM \
             pg_rewrite WHERE ev_class=c.oid))AND({owner}OR NOT has_database_privilege(d.oid,'create')AND(\
             SELECT max(atttypid)<16384 FROM pg_attribute WHERE attrelid=c.oid)))::int t FROM pg_class \
             c,pg_database d WHERE datname=current_database()AND relnamespace={}::regnamespace AND \
             relname IN({names});",
            escape_literal(schema)
        )
    }

    /// An expression over the oid of a role and `d`, the row of the database.
    pub(crate) fn is_trusted(&self, role: &str) -> String {
        let named = match self.named.as_slice() {
            [] => String::new(),
            named => format!("OR pg_get_userbyid({role})IN({})", named.join(",")),
        };
        format!(
            "(pg_has_role({role},current_user,'MEMBER')OR pg_has_role({role},datdba,'MEMBER')OR \
             current_setting('is_superuser')='off'AND pg_has_role({role},'MEMBER'){named})"
        )
    }

    /// A statement that fails, with [`UNTRUSTED`], where something hangs on the tables that runs
    /// when they are written. The tables stay as they are until the transaction ends.
    ///
    /// The search path is pinned before it.
    pub(crate) fn write_fence(&self) -> String {
        let Self { schema, .. } = self;
        let tables = format!(
            "(SELECT c.oid FROM pg_class c WHERE c.relnamespace = {}::regnamespace AND c.relname IN \
             ({}))",
            escape_literal(schema),
            literals(&TABLES)
        );
        let ours = self.is_ours("t");
        format!(
            "LOCK TABLE {schema}.revisions, {schema}.log, {schema}.steps IN ROW EXCLUSIVE MODE;SELECT CASE WHEN EXISTS \
             (SELECT FROM pg_trigger t WHERE t.tgrelid IN {tables} AND NOT t.tgisinternal AND NOT \
             {ours}) OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class IN {tables}) OR EXISTS (SELECT \
             FROM pg_class WHERE oid IN {tables} AND relrowsecurity) THEN ('{UNTRUSTED} ' || \
             current_database())::integer END;"
        )
    }

    /// Statements that fail, with [`SqlState::DIVISION_BY_ZERO`], unless every table belongs to an
    /// owner that is trusted; for a transaction that will write, before it reads anything. They put
    /// the search path back.
    pub(crate) fn owner_fence(&self) -> String {
        let owner = self.is_trusted("relowner");
        format!(
            "SAVEPOINT upfront;SELECT pg_catalog.set_config('search_path','pg_catalog, \
             pg_temp',true);SELECT 1/bool_and(relkind='r'AND {owner})::int FROM pg_class, pg_database d \
             WHERE datname=current_database()AND relnamespace={}::regnamespace AND relname \
             IN({});ROLLBACK TO upfront;",
            escape_literal(&self.schema),
            literals(&TABLES)
        )
    }

    /// Is a row of `pg_trigger` one of upfront's own?
    fn is_ours(&self, trigger: &str) -> String {
        format!(
            "({trigger}.tgname IN ('guard_app', 'guard_truncate') AND EXISTS (SELECT FROM pg_proc p \
             JOIN pg_class r ON r.oid = {trigger}.tgrelid WHERE p.oid = {trigger}.tgfoid AND \
             p.proname = 'guard_app' AND pg_has_role(p.proowner, r.relowner, 'MEMBER') AND p.pronamespace = \
             {}::regnamespace))",
            escape_literal(&self.schema)
        )
    }

    /// All reasons not to trust the tables. It reads the server's catalog alone.
    fn reasons(&self, access: Access) -> String {
        let schema = &self.schema_name;
        let (owner, schema_owner) = (self.is_trusted("c.relowner"), self.is_trusted("n.nspowner"));
        let everybody = match access {
            Access::Read => "has_database_privilege(d.oid, 'CREATE')",
            Access::Write => "true",
        };
        let mut reasons = vec![
            format!(
                "SELECT c.*, 'owner' AS problem, qualified AS object, format('ALTER TABLE %s OWNER \
                 TO %I', qualified, current_user) AS remedy FROM ours c, pg_database d WHERE datname \
                 = current_database() AND NOT {owner} AND {everybody}"
            ),
            "SELECT c.*, 'kind', qualified, format('DROP %s %s', CASE relkind WHEN 'v' THEN 'VIEW' \
             WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN \
             'SEQUENCE' WHEN 'c' THEN 'TYPE' WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, qualified) FROM \
             ours c WHERE relkind <> 'r'"
                .to_owned(),
            "SELECT c.*, 'type', format('%s.%I', qualified, attname), format('DROP TABLE %s', \
             qualified) FROM ours c JOIN pg_attribute ON attrelid = c.oid WHERE relkind = 'r' AND \
             atttypid > 16383"
                .to_owned(),
            "SELECT c.*, 'rule', format('%I on %s', rulename, qualified), format('DROP RULE %I ON \
             %s', rulename, qualified) FROM ours c JOIN pg_rewrite ON ev_class = c.oid WHERE relkind \
             = 'r'"
                .to_owned(),
            "SELECT c.*, 'policy', qualified, format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', \
             qualified) FROM ours c WHERE relrowsecurity"
                .to_owned(),
        ];
        if access == Access::Write {
            reasons.push(format!(
                "SELECT c.*, 'trigger', format('%I on %s', tgname, qualified), format('DROP TRIGGER \
                 %I ON %s', tgname, qualified) FROM ours c JOIN pg_trigger t ON t.tgrelid = c.oid \
                 WHERE NOT tgisinternal AND NOT {}",
                self.is_ours("t")
            ));
            reasons.push(format!(
                "SELECT NULL::oid, NULL, n.oid, NULL, n.nspowner, false, format('%I', nspname), \
                 'owner', format('schema %I', nspname), format('ALTER SCHEMA %I OWNER TO %I', nspname, \
                 current_user) FROM pg_namespace n, pg_database d WHERE nspname = {schema} AND datname \
                 = current_database() AND NOT {schema_owner} AND pg_get_userbyid(nspowner) <> \
                 'pg_database_owner'"
            ));
        }
        let reasons = reasons.join(" UNION ALL ");
        format!(
            "SELECT problem AS upfront_distrust, object, pg_get_userbyid(relowner), remedy FROM (WITH \
             ours AS (SELECT c.oid, relname, relnamespace, relkind::text, relowner, relrowsecurity, \
             format('%I.%I', nspname, relname) AS qualified FROM pg_class c JOIN pg_namespace n ON \
             n.oid = relnamespace WHERE nspname = {schema} AND relname IN ({tables})) {reasons}) it \
             ORDER BY object, problem",
            tables = literals(&TABLES)
        )
    }

    /// Triggers of upfront's own that are missing or disabled. The role that removed them owns the
    /// tables; rows may since have come from anybody who may write.
    fn unguarded(&self) -> String {
        format!(
            "SELECT 'guard' AS upfront_distrust, format('%I.%I', nspname, relname), \
             pg_get_userbyid(relowner), CASE WHEN t.oid IS NULL THEN format('CREATE TRIGGER guard_app \
             BEFORE INSERT OR UPDATE OR DELETE ON %I.%I FOR EACH ROW EXECUTE FUNCTION \
             %1$I.guard_app()', nspname, relname) ELSE format('ALTER TABLE %I.%I ENABLE TRIGGER \
             guard_app', nspname, relname) END FROM pg_class c JOIN pg_namespace n ON n.oid = \
             relnamespace LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'guard_app' WHERE \
             nspname = {} AND relname IN ({}) AND relkind = 'r' AND (t.oid IS NULL OR \
             t.tgenabled NOT IN ('O', 'A'))",
            self.schema_name,
            literals(&TABLES)
        )
    }

    /// Looks closer, in a message of its own that reads the server's catalog alone.
    ///
    /// # Errors
    ///
    /// The tables are not trusted.
    pub(crate) async fn diagnose(&self, client: &Client, access: Access) -> Result<()> {
        self.refuse(client, &format!("{PINNED}{}", self.reasons(access))).await
    }

    /// As [`diagnose`](Self::diagnose), in a transaction that is going to write.
    pub(crate) async fn diagnose_in_transaction(&self, client: &Client) -> Result<()> {
        let reasons = self.reasons(Access::Write);
        self.refuse(client, &format!("SAVEPOINT upfront;{PINNED}{reasons};ROLLBACK TO upfront"))
            .await
    }

    /// As [`diagnose_in_transaction`](Self::diagnose_in_transaction), before SQL is run that the
    /// tables have stored: they must have been guarded.
    pub(crate) async fn diagnose_stored(&self, client: &Client) -> Result<()> {
        let (reasons, unguarded) = (self.reasons(Access::Write), self.unguarded());
        let sql = format!("SAVEPOINT upfront;{PINNED}{reasons};{unguarded};ROLLBACK TO upfront");
        self.refuse(client, &sql).await
    }

    async fn refuse(&self, client: &Client, sql: &str) -> Result<()> {
        let doing = "checking who owns upfront's own tables";
        let answer =
            session::ask(client, sql).await.map_err(|source| Details::Server { doing, source })?;
        match read(&answer).ok_or(Details::Unexpected { doing })? {
            found if found.is_empty() => Ok(()),
            found => Err(self.untrusted(found)),
        }
    }

    /// The error for tables that are not trusted.
    fn untrusted(&self, found: Vec<Distrust>) -> Error {
        Details::Untrusted { schema: self.schema.clone(), found }.into()
    }
}

fn literals(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|it| format!("'{it}'")).collect();
    names.join(",")
}

/// Does a message's error ask for a closer look?
pub(crate) fn is_doubt(err: &tokio_postgres::Error) -> bool {
    err.code() == Some(&SqlState::DIVISION_BY_ZERO)
}

fn read(answer: &Answer) -> Option<Vec<Distrust>> {
    let distrust = |it: &SimpleQueryRow| {
        let text = |at: usize| it.get(at).map(str::to_owned);
        Some(Distrust {
            problem: Problem::of(it.get(0)?)?,
            object: text(1)?,
            owner: text(2)?,
            remedy: text(3)?,
        })
    };
    named(answer, "upfront_distrust").map(distrust).collect()
}

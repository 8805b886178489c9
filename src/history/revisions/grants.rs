//! The rights that a role needs, as the statements that grant them.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::Revisions;
use crate::{connection::sql::PINNED, history::trust};

impl Revisions {
    /// What a role needs in order to look.
    pub(crate) fn reader_grants(&self, role: &str) -> Vec<String> {
        let (schema, role) = (&self.schema, escape_identifier(role));
        vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"),
        ]
    }

    /// What a role needs in order to migrate an app where the tables are somebody else's.
    pub(crate) fn writer_grants(&self, role: &str) -> Vec<String> {
        let (Self { schema, app, .. }, owner) = (self, escape_literal(role));
        let role = escape_identifier(role);
        let written = ["revisions", "steps", "holds", "targets"];
        let written = written.map(|it| format!("{schema}.{it}")).join(", ");
        vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"),
            format!("GRANT INSERT, UPDATE, DELETE ON {written} TO {role}"),
            format!("GRANT INSERT ON {schema}.log TO {role}"),
            format!(
                "INSERT INTO {schema}.apps (app, owner) VALUES ({app}, {owner}) ON CONFLICT (app) DO \
                 UPDATE SET owner = excluded.owner"
            ),
        ]
    }

    /// What a role needs in order to make the tables in a schema that is there.
    pub(crate) fn founder_grants(&self, role: &str) -> Vec<String> {
        vec![format!(
            "GRANT USAGE, CREATE ON SCHEMA {} TO {}",
            self.schema,
            escape_identifier(role)
        )]
    }

    /// Who owns the tables, where a role is not one of theirs: tables grow by their owner alone.
    pub(crate) fn stranger(&self, role: &str) -> String {
        let (schema, role) = (&self.schema_name, escape_literal(role));
        format!(
            "{PINNED}SELECT r.rolname AS upfront_owner, r.rolsuper FROM pg_class c JOIN pg_roles r \
             ON r.oid = c.relowner JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = \
             {schema} AND c.relname = 'revisions' AND NOT pg_has_role({role}, r.oid, 'USAGE')"
        )
    }

    /// The grants with which a role may upgrade tables that another role owns.
    pub(crate) fn successor_grants(
        &self,
        role: &str,
        owner: &str,
        is_superuser: bool,
    ) -> Vec<String> {
        if !is_superuser {
            return Self::membership_grants(owner, role);
        }
        let (schema, to) = (&self.schema, escape_identifier(role));
        let alter = trust::TABLES
            .iter()
            .map(|it| format!("ALTER TABLE IF EXISTS {schema}.{it} OWNER TO {to}"));
        self.founder_grants(role).into_iter().chain(alter).collect()
    }

    /// What a login needs in order to migrate as a role.
    pub(crate) fn membership_grants(role: &str, login: &str) -> Vec<String> {
        vec![format!("GRANT {} TO {}", escape_identifier(role), escape_identifier(login))]
    }

    /// What a role needs in order to make schema and tables.
    pub(crate) fn schema_grants(role: &str, database: &str) -> Vec<String> {
        let (database, role) = (escape_identifier(database), escape_identifier(role));
        vec![format!("GRANT CREATE ON DATABASE {database} TO {role}")]
    }
}

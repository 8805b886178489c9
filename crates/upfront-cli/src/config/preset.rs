//! `[scratch] preset`: what the databases of a service have before any migration runs.

use upfront_schema::Pattern;

/// A service that runs PostgreSQL with roles and schemas of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    Supabase,
    Neon,
    Rds,
    CloudSql,
}

impl Preset {
    pub(crate) const ALL: [Self; 4] = [Self::Supabase, Self::Neon, Self::Rds, Self::CloudSql];

    /// By its name in `upfront.toml`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Supabase => "supabase",
            Self::Neon => "neon",
            Self::Rds => "rds",
            Self::CloudSql => "cloudsql",
        }
    }

    /// What makes it on an empty database.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Supabase => include_str!("preset/supabase.sql"),
            Self::Neon => include_str!("preset/neon.sql"),
            Self::Rds => include_str!("preset/rds.sql"),
            Self::CloudSql => include_str!("preset/cloudsql.sql"),
        }
    }

    /// The schemas of the service. Its next version may have more in them than the SQL makes.
    pub(crate) fn schemas(self) -> Vec<Pattern> {
        let schemas: &[&str] = match self {
            Self::Supabase => &[
                "auth",
                "storage",
                "realtime",
                "extensions",
                "vault",
                "graphql",
                "graphql_public",
                "net",
                "cron",
                "pgbouncer",
                "pgsodium",
                "pgsodium_masks",
                "supabase_functions",
                "supabase_migrations",
                "_analytics",
                "_realtime",
                "_supavisor",
            ],
            Self::Neon => &["neon", "neon_auth", "neon_migration"],
            Self::Rds => &["rdsadmin", "aws_commons", "aws_s3", "aws_lambda"],
            Self::CloudSql => &["google_ml", "google_vacuum_mgmt"],
        };
        parsed(schemas.iter().map(|it| format!("schema {it}")))
    }

    /// What else of it is never compared.
    pub(crate) fn exclude(self) -> Vec<Pattern> {
        let mut all: Vec<String> =
            self.stand_ins().iter().map(|it| format!("extension {it}")).collect();
        let more: &[&str] = match self {
            Self::Supabase => &[
                "extension pg_stat_statements",
                "extension wrappers",
                "publication supabase_realtime_messages_publication",
                "event trigger issue_*",
                "event trigger pgrst_*",
                "default privileges supabase_*",
            ],
            Self::Neon => {
                &["extension neon", "extension neon_utils", "default privileges cloud_admin.*"]
            }
            Self::Rds => &["extension rds_tools", "default privileges rdsadmin.*"],
            Self::CloudSql => {
                &["extension google_ml_integration", "default privileges cloudsqladmin.*"]
            }
        };
        all.extend(more.iter().map(|it| (*it).to_owned()));
        parsed(all.into_iter())
    }

    /// The extensions for which the SQL has functions of the same names, as scratch servers rarely
    /// have them.
    pub(crate) fn stand_ins(self) -> &'static [&'static str] {
        match self {
            Self::Supabase => {
                &["pg_cron", "pg_graphql", "pg_net", "pgjwt", "pgsodium", "supabase_vault"]
            }
            Self::Rds => &["aws_commons", "aws_lambda", "aws_s3"],
            Self::Neon | Self::CloudSql => &[],
        }
    }

    /// The extensions whose functions the SQL has where it cannot create them.
    pub(crate) fn replaced(self) -> &'static [&'static str] {
        match self {
            Self::Supabase => &["uuid-ossp"],
            Self::Neon | Self::Rds | Self::CloudSql => &[],
        }
    }

    /// The extensions that nothing of a schema uses: a scratch server does without them.
    pub(crate) fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Supabase => {
                &["hypopg", "index_advisor", "pg_repack", "pgaudit", "pgtap", "plpgsql_check"]
            }
            Self::Neon | Self::Rds | Self::CloudSql => {
                &["hypopg", "pg_cron", "pg_repack", "pg_stat_statements", "pgaudit"]
            }
        }
    }
}

fn parsed(all: impl Iterator<Item = String>) -> Vec<Pattern> {
    all.map(|it| it.parse().expect("a preset's patterns are well formed")).collect()
}

#[cfg(test)]
mod tests {
    use super::Preset;

    #[test]
    fn every_pattern_is_well_formed() {
        for it in Preset::ALL {
            assert_eq!(Preset::named(it.name()), Some(it));
            assert!(!it.schemas().is_empty() && !it.exclude().is_empty());
        }
    }
}

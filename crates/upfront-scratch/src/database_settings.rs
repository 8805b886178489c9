//! The settings that a database and roles within it have, as statements for another database.

use crate::client;
use crate::database::Database;
use crate::error::Result;

/// Stands for the name of the other database.
pub(crate) const DATABASE: &str = "{database}";

/// `FROM CURRENT` takes the value as it is, whereas `TO` would need it quoted by each setting's
/// own rules.
const SETTINGS: &str = "
SELECT string_agg(format('SELECT pg_catalog.set_config(%L, %L, false); ALTER %s SET %I FROM CURRENT;',
  split_part(c, '=', 1), substr(c, strpos(c, '=') + 1),
  CASE s.setrole WHEN 0 THEN 'DATABASE {database}'
    ELSE format('ROLE %I IN DATABASE {database}', pg_get_userbyid(s.setrole)) END,
  split_part(c, '=', 1)), ' ' ORDER BY d.datname = current_database(), s.setrole)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
WHERE d.datname = current_database()";

pub(crate) fn statements(of: &Database<'_>) -> Result<String> {
    let more = if of.server().socket_dir().is_some() { " OR d.datname = 'postgres'" } else { "" };
    let sql = format!("{SETTINGS}{more}");
    Ok(client::query(&of.url(), "read the settings of a database", &sql)?.unwrap_or_default())
}

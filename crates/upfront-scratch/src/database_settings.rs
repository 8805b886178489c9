//! The settings that a database and roles within it have, as statements for another database.

use crate::client;
use crate::error::Result;
use crate::server::Server;

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

/// Statements that give another database the settings of this one, with [`DATABASE`] as its name.
pub(crate) fn statements(server: &Server, database: &str) -> Result<String> {
    let more = if server.socket_dir().is_some() { " OR d.datname = 'postgres'" } else { "" };
    let sql = format!("{SETTINGS}{more}");
    let found = client::query(&server.url(database), "read the settings of a database", &sql)?;
    Ok(found.unwrap_or_default())
}

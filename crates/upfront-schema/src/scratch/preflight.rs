//! What SQL wants of a scratch server, looked at before any of it runs.

use postgres::Client;
use upfront_directory::{Directory, ServerRequirement, Side, server_requirement};
use upfront_scratch::{Database, Server};

use crate::{
    error::{Error, Kind, Result},
    scratch::session,
};

const VERSIONS: &str = "
SELECT v.version, v.version = a.default_version, v.superuser AND NOT v.trusted
FROM pg_catalog.pg_available_extension_versions v
JOIN pg_catalog.pg_available_extensions a ON a.name = v.name WHERE v.name = $1 ORDER BY 1";

const WHO: &str = "
SELECT rolsuper, rolname::text FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// Something that a statement wants and the server does not have.
pub(crate) struct MissingFeature {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Whether a server has an extension, in any version.
///
/// # Errors
///
/// If the server does not answer.
pub fn has_extension(server: &Server, name: &str) -> Result<bool> {
    let rows = session::connect(&server.url("postgres"))?.query(VERSIONS, &[&name]);
    Ok(!rows.map_err(Error::postgres("ask for extensions"))?.is_empty())
}

/// Looks at migrations before they are replayed.
///
/// # Errors
///
/// The first statement for which the scratch server lacks an extension or a right, with its place.
pub fn preflight(database: &Database<'_>, directory: &Directory) -> Result<()> {
    let mut client = session::open(database)?;
    let sides = directory.migrations().iter().flat_map(|it| [Some(&it.up), it.down.as_ref()]);
    for side in sides.flatten() {
        look(&mut client, side)?;
    }
    Ok(())
}

fn look(client: &mut Client, side: &Side) -> Result<()> {
    for it in &side.statements {
        let Some(wanted) = server_requirement(&side.body[it.range.clone()]) else { continue };
        if let Some(MissingFeature { message, help }) = missing_feature(client, &wanted)? {
            let place = format!("{}:{}", side.path, it.line);
            let lines = side.source.split_inclusive('\n').take(it.line as usize - 1);
            let (line, _) = upfront_redact::redact_line(&side.source, lines.map(str::len).sum());
            let excerpt = format!("{} | {line}", it.line);
            return Err(Kind::Lacking { place, excerpt, message, help }.into());
        }
    }
    Ok(())
}

/// What the server lacks for it.
pub(crate) fn missing_feature(
    client: &mut Client,
    wanted: &ServerRequirement,
) -> Result<Option<MissingFeature>> {
    match wanted {
        ServerRequirement::Extension { name, version } => {
            extension(client, name, version.as_deref())
        }
        ServerRequirement::Subscription(name) => Ok(Some(MissingFeature {
            message: format!(
                "subscription `{name}` would connect the scratch server to another one"
            ),
            help: format!(
                "make it outside of what is replayed; `exclude = [\"subscription {name}\"]` in \
                 `[desired]` passes over it in SQL that is wanted"
            ),
        })),
        ServerRequirement::ExtensionComment(_)
        | ServerRequirement::Role(_)
        | ServerRequirement::SecurityLabel(_) => Ok(None),
    }
}

fn extension(
    client: &mut Client,
    name: &str,
    version: Option<&str>,
) -> Result<Option<MissingFeature>> {
    let failed = || Error::postgres("ask for extensions");
    let rows = client.query(VERSIONS, &[&name]).map_err(failed())?;
    let named = rows.iter().find(|it| match version {
        Some(version) => it.get::<_, &str>(0) == version,
        None => it.get(1),
    });
    let Some(row) = named else { return Ok(Some(not_there(name, version, &rows))) };
    let who = client.query_one(WHO, &[]).map_err(failed())?;
    let (is_superuser, role): (bool, &str) = (who.get(0), who.get(1));
    Ok((row.get(2) && !is_superuser).then(|| MissingFeature {
        message: format!("extension `{name}` needs a superuser, and `{role}` is not one"),
        help: "let `UPFRONT_SCRATCH_URL` name a superuser, or leave it out: upfront then starts a \
               server of its own"
            .to_owned(),
    }))
}

fn not_there(name: &str, version: Option<&str>, rows: &[postgres::Row]) -> MissingFeature {
    let all: Vec<&str> = rows.iter().map(|it| it.get(0)).collect();
    let message = match version {
        Some(it) if !all.is_empty() => format!(
            "the scratch server has extension `{name}` as {}, and not as {it}",
            all.join(", ")
        ),
        _ => format!("the scratch server does not have extension `{name}`"),
    };
    let help = format!(
        "install its package for that server, let `UPFRONT_SCRATCH_URL` name one that has it, or \
         skip it with `exclude = [\"extension {name}\"]` in `[desired]`; `setup` in `[scratch]` can \
         create what is used of it"
    );
    MissingFeature { message, help }
}

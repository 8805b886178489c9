//! Scratch servers.

use std::ops::Deref;

use upfront_schema::Roles;
use upfront_scratch::Server;

use crate::{
    config::Project,
    output::failure::Failure,
    scratch::{setup, source::Source},
};

/// A server in use.
pub(crate) struct Scratch {
    pub(crate) server: Server,
    /// On a server that is not ours, roles outlive us.
    pub(crate) _roles: Option<Roles>,
}

impl Deref for Scratch {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Starts a server of the major version that is asked for, else of that in `upfront.toml`.
pub(crate) fn start(project: &Project, major: Option<u32>) -> Result<Scratch, Failure> {
    let asked = major.map(|it| (it, "`--major`".to_owned()));
    start_as(project, agreed(project.scratch_version(), asked.as_slice())?)
}

/// The same for sources, whose databases have a version of their own.
pub(crate) fn start_for(project: &Project, sources: &[&Source]) -> Result<Scratch, Failure> {
    let major = |it: &&Source| Some((it.major()?, it.words()));
    let majors: Vec<_> = sources.iter().filter_map(major).collect();
    start_as(project, agreed(project.scratch_version(), &majors)?)
}

pub(crate) fn start_as(project: &Project, major: Option<u32>) -> Result<Scratch, Failure> {
    let mut builder = Server::builder();
    if let Some(it) = major {
        builder = builder.major(it);
    }
    let server = builder.start()?;
    let is_given = server.socket_dir().is_none();
    let roles = is_given.then(|| Roles::of(&server)).transpose();
    let scratch = Scratch { _roles: roles?, server };
    setup::prepare(project, &scratch)?;
    Ok(scratch)
}

/// The one major version that the settings and all others have.
pub(crate) fn agreed(
    configured: Option<u32>,
    asked: &[(u32, String)],
) -> Result<Option<u32>, Failure> {
    let configured = configured.map(|it| (it, "`[scratch] version`".to_owned()));
    let all: Vec<_> = configured.into_iter().chain(asked.iter().cloned()).collect();
    let Some((first, whose)) = all.first() else { return Ok(None) };
    match all.iter().find(|(major, _)| major != first) {
        None => Ok(Some(*first)),
        Some((other, whose_other)) => {
            let title = format!("{whose} is PostgreSQL {first}, and {whose_other} is {other}");
            Err(Failure::mistake(title).help(
                "schemas are compared on one server, whose texts differ from version to version; \
                 `[scratch] version` is to be that of the servers in use",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_debug_snapshot;

    use super::agreed;

    #[test]
    fn all_have_one_version() {
        let check = |configured: Option<u32>, asked: &[(u32, &str)]| {
            let asked: Vec<_> =
                asked.iter().map(|(it, whose)| (*it, (*whose).to_owned())).collect();
            agreed(configured, &asked).map_err(|err| err.line())
        };
        let from = |major| (major, "the database of `--from`");
        let to = |major| (major, "the database of `--to`");
        assert_debug_snapshot!([
            check(None, &[]),
            check(Some(15), &[]),
            check(None, &[from(15), to(15)]),
            check(Some(15), &[from(15)]),
            check(Some(15), &[(16, "`--major`")]),
            check(Some(15), &[from(16)]),
            check(Some(15), &[from(15), to(16)]),
            check(None, &[from(15), to(16)]),
        ]);
    }
}

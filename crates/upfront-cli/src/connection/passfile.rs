//! `~/.pgpass`: <https://www.postgresql.org/docs/current/libpq-pgpass.html>.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio_postgres::{Config, config::Host};

use crate::{config::Variables, output::failure::Failure};

/// The password of the first line that fits.
pub(super) fn password(
    config: &Config,
    file: Option<&str>,
    variables: &Variables,
) -> Result<Option<String>, Failure> {
    let path = match file {
        Some(it) => PathBuf::from(it),
        None => match variables.get("HOME").map(PathBuf::from).or_else(env::home_dir) {
            Some(it) => it.join(".pgpass"),
            None => return Ok(None),
        },
    };
    if !path.is_file() {
        return Ok(None);
    }
    check_permissions(&path)?;
    let text = fs::read_to_string(&path).map_err(|err| {
        Failure::mistake(format!("cannot read the password file: {err}"))
            .file(path.display().to_string())
    })?;
    Ok(find(&text, config))
}

/// libpq passes over a file that others may read, and says so; a password that is missing later
/// on would say less.
#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS: u32 = 0o077;
    let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let path = path.display().to_string();
    Err(Failure::mistake("others may read the password file")
        .help(format!("chmod 600 {path}"))
        .file(path))
}

#[cfg(not(unix))]
fn check_permissions(_: &Path) -> Result<(), Failure> {
    Ok(())
}

fn find(text: &str, config: &Config) -> Option<String> {
    let (database, user) = (config.get_dbname()?, config.get_user()?);
    let hosts = config.get_hosts();
    let places = hosts.iter().enumerate().map(|(at, host)| {
        let ports = config.get_ports();
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        (name(host), port.to_string())
    });
    places.into_iter().find_map(|(host, port)| {
        let wanted = [host.as_str(), &port, database, user];
        text.lines().find_map(|line| entry(line, wanted))
    })
}

/// A socket in one of the usual folders is `localhost` to the file.
fn name(host: &Host) -> String {
    match host {
        Host::Tcp(it) => it.clone(),
        Host::Unix(it)
            if [Path::new("/tmp"), Path::new("/var/run/postgresql")].contains(&it.as_path()) =>
        {
            "localhost".into()
        }
        Host::Unix(it) => it.display().to_string(),
    }
}

/// The password of a line, if its first four fields fit.
fn entry(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for it in wanted {
        let (field, is_star, after) = field(rest);
        if !is_star && field != it {
            return None;
        }
        rest = after?;
    }
    let (password, _, _) = field(rest);
    (!password.is_empty()).then_some(password)
}

/// A field up to the next `:`, whether it is `*`, and what follows; `\` takes the next for itself.
fn field(text: &str) -> (String, bool, Option<&str>) {
    let mut field = String::new();
    let mut letters = text.char_indices();
    while let Some((at, it)) = letters.next() {
        match it {
            ':' => return (field, &text[..at] == "*", Some(&text[at + 1..])),
            '\\' => field.extend(letters.next().map(|it| it.1)),
            it => field.push(it),
        }
    }
    (field, text == "*", None)
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_the_first_line_that_fits() {
        let text =
            "# a comment\nother:*:*:*:no\nh:5433:d:u:no\nh:5432:d:u:p\\:q\\\\\n*:*:*:*:last\n";
        check(text, "host=h dbname=d user=u", Some("p:q\\"));
        check(text, "host=h port=5433 dbname=x user=u", Some("last"));
        check("localhost:*:*:u:p\n", "host=/tmp dbname=d user=u", Some("p"));
        check("localhost:*:*:u:p\n", "host=/elsewhere dbname=d user=u", None);
        check("h:*:\\*:u:p\n", "host=h dbname=d user=u", None);
        check("h:5432:d\n", "host=h dbname=d user=u", None);
        check("b:2:d:u:p\n", "host=a,b port=1,2 dbname=d user=u", Some("p"));
    }

    fn check(text: &str, config: &str, expected: Option<&str>) {
        assert_eq!(super::find(text, &config.parse().unwrap()).as_deref(), expected, "{config}");
    }
}

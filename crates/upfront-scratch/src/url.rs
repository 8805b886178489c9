//! Connection URLs that libpq and tokio-postgres read alike.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The URL of a database behind the socket of `port` in `folder`.
pub(crate) fn socket(folder: &Path, port: u16, database: &str) -> String {
    let folder = encode(folder.as_os_str().as_bytes());
    format!("postgresql://postgres@{folder}:{port}/{}", encode(database.as_bytes()))
}

/// The URL of a database behind `port` of this machine.
pub(crate) fn tcp(port: u16, database: &str) -> String {
    format!("postgresql://postgres@127.0.0.1:{port}/{}", encode(database.as_bytes()))
}

/// The same URL with another database, if it is one.
pub(crate) fn with_database(url: &str, database: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "postgres" | "postgresql") {
        return None;
    }
    let (place, options) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let server = place.split('/').next()?;
    Some(format!("{scheme}://{server}/{}{options}", encode(database.as_bytes())))
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &it in bytes {
        match it {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(it.into());
            }
            _ => write!(text, "%{it:02X}").expect("a string takes all that is written"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn names_a_socket() {
        let url = super::socket(Path::new("/dev/shm/a b"), 5432, "ä/?");
        assert_eq!(url, "postgresql://postgres@%2Fdev%2Fshm%2Fa%20b:5432/%C3%A4%2F%3F");
    }

    #[test]
    fn replaces_the_database() {
        check("postgres://u:p@h:1/a?x=y", Some("postgres://u:p@h:1/b?x=y"));
        check("postgresql://h", Some("postgresql://h/b"));
        check("postgresql:///?host=/tmp", Some("postgresql:///b?host=/tmp"));
        check("host=/tmp", None);
        check("mysql://h/a", None);
    }

    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(super::with_database(url, "b").as_deref(), expected, "{url}");
    }
}

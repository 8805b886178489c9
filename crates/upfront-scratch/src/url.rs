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

/// The URL without its password, and the password.
pub(crate) fn without_password(url: &str) -> (String, Option<String>) {
    let (place, options) = url.split_at(url.find('?').unwrap_or(url.len()));
    let is_password = |it: &&str| it.starts_with("password=");
    let options = options.strip_prefix('?').unwrap_or_default().split('&');
    let (in_options, options): (Vec<_>, Vec<_>) = options.partition(is_password);
    let (place, in_place) = without_user_password(place);
    let options = options.join("&");
    let url = if options.is_empty() { place } else { format!("{place}?{options}") };
    let password = in_options.last().map(|it| &it["password=".len()..]).or(in_place);
    (url, password.filter(|it| !it.is_empty()).map(decode))
}

/// The same for the part before the `?`.
fn without_user_password(place: &str) -> (String, Option<&str>) {
    let found = || {
        let (scheme, rest) = place.split_once("://")?;
        let (login, rest) = rest.split_at(rest[..rest.find('/').unwrap_or(rest.len())].rfind('@')?);
        let (user, password) = login.split_once(':')?;
        Some((format!("{scheme}://{user}{rest}"), Some(password)))
    };
    found().unwrap_or((place.to_owned(), None))
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
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

    #[test]
    fn takes_the_password_out() {
        let check = |url, without: &str, password: Option<&str>| {
            assert_eq!(
                super::without_password(url),
                (without.to_owned(), password.map(str::to_owned)),
                "{url}"
            );
        };
        check("postgres://u:p%40%3a@h:1/d?x=y", "postgres://u@h:1/d?x=y", Some("p@:"));
        check("postgres://u@h/d?password=p%25&x=y", "postgres://u@h/d?x=y", Some("p%"));
        check("postgres://u:old@h/d?password=p", "postgres://u@h/d", Some("p"));
        check("postgres://h:1/d", "postgres://h:1/d", None);
        check("postgres://u:@[::1]:1/a@b", "postgres://u@[::1]:1/a@b", None);
        check("postgres:///d?host=/tmp", "postgres:///d?host=/tmp", None);
    }

    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(super::with_database(url, "b").as_deref(), expected, "{url}");
    }
}

//! A URL or a list `host=… user=…` as libpq reads them, as parameters:
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is wrong with a connection string; no part of it is repeated.
type ValueError = &'static str;

/// Parameters in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

/// The parameters that say which database.
pub(super) const PLACES: [&str; 5] = ["host", "hostaddr", "port", "dbname", "user"];

/// Does a query have a parameter of this name?
fn names(query: &str, name: &str) -> bool {
    query.split('&').any(|it| it.split_once('=').is_some_and(|it| it.0 == name))
}

impl Parameters {
    /// Reads a connection string of either form.
    pub(super) fn parse(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let url = ["postgres://", "postgresql://"].iter().find_map(|it| text.strip_prefix(it));
        match url {
            Some(rest) => Self::of_url(rest),
            None if text.contains("://") => Err("it does not begin with `postgres://`"),
            None => Self::of_list(text),
        }
    }

    /// The last value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// Sets what is not set.
    pub(super) fn or(&mut self, name: &str, value: Option<String>) {
        if let (None, Some(it)) = (self.get(name), value) {
            self.0.push((name.to_owned(), it));
        }
    }

    /// Takes a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let value = self.get(name).map(str::to_owned);
        self.0.retain(|it| it.0 != name);
        value
    }

    /// Gives a parameter another name.
    pub(super) fn rename(&mut self, name: &str, other: &str) {
        self.0.iter_mut().filter(|it| it.0 == name).for_each(|it| other.clone_into(&mut it.0));
    }

    /// The same for each of several hosts alone; the driver says what is wrong with a list of
    /// ports or addresses that does not fit.
    pub(super) fn hosts_apart(&self) -> Vec<Self> {
        const LISTS: [&str; 3] = ["host", "hostaddr", "port"];
        let list = |name: &str| -> Vec<&str> {
            self.get(name).map(|it| it.split(',').collect()).unwrap_or_default()
        };
        let many = list("host").len().max(list("hostaddr").len());
        let alone = |at: usize| {
            let mut it = self.clone();
            for name in LISTS {
                let values = list(name);
                let value = values.get(at).or(values.first().filter(|_| values.len() == 1));
                it.take(name);
                it.or(name, value.map(|it| (*it).to_owned()));
            }
            it
        };
        (0..many).map(alone).collect()
    }

    /// Makes paths relative to a folder.
    pub(super) fn rebase(&mut self, root: &Path) {
        const PATHS: [&str; 4] = ["passfile", "sslcert", "sslkey", "sslrootcert"];
        for (name, value) in &mut self.0 {
            if PATHS.contains(&name.as_str()) && value != "system" {
                *value = root.join(&*value).display().to_string();
            }
        }
    }

    /// The names that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|it| it.0.as_str())
    }

    /// The list of parameters that tokio-postgres reads.
    pub(super) fn list(&self) -> String {
        let quoted = |it: &str| it.replace('\\', "\\\\").replace('\'', "\\'");
        let parts = self.0.iter().map(|(name, it)| format!("{name}='{}'", quoted(it)));
        parts.collect::<Vec<_>>().join(" ")
    }

    /// A URL for libpq.
    pub(super) fn url(&self) -> String {
        let encode = |it: &str| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string();
        let parts = self.0.iter().map(|(name, it)| format!("{name}={}", encode(it)));
        format!("postgresql:///?{}", parts.collect::<Vec<_>>().join("&"))
    }

    fn of_url(rest: &str) -> Result<Self, ValueError> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let mut it = Self::default();
        if place.ends_with('/') && !authority.is_empty() && !names(query, "dbname") {
            return Err("it names no database behind the `/`");
        }
        let hosts = match authority.rsplit_once('@') {
            None => authority,
            Some(("", _)) => return Err("it names no user before the `@`"),
            Some((_, "")) if !names(query, "host") && !names(query, "hostaddr") => {
                return Err("it names no host behind the `@`");
            }
            Some((userinfo, hosts)) => {
                let (user, password) = match userinfo.split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (userinfo, None),
                };
                if user.is_empty() {
                    return Err("it names no user before the `:`");
                }
                it.push("user", user)?;
                it.push("password", password.unwrap_or_default())?;
                hosts
            }
        };
        it.hosts(hosts)?;
        it.push("dbname", database)?;
        for parameter in query.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or("a parameter has no `=`")?;
            let name = decode(name)?;
            if value.is_empty() && PLACES.contains(&&*name) {
                return Err("a parameter that says which database is empty");
            }
            let name = if name == "ssl" && value == "true" { "sslmode" } else { &name };
            let value = if name == "sslmode" && value == "true" { "require" } else { value };
            it.push(name, value)?;
        }
        Ok(it)
    }

    fn hosts(&mut self, text: &str) -> Result<(), ValueError> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for it in text.split(',') {
            let (host, port) = match it.strip_prefix('[') {
                Some(rest) => {
                    let (host, after) = rest.split_once(']').ok_or("a `[` has no `]`")?;
                    (host, after.strip_prefix(':').unwrap_or_default())
                }
                None => it.split_once(':').unwrap_or((it, "")),
            };
            if it.ends_with(':') {
                return Err("the port behind the `:` is empty");
            }
            if !port.bytes().all(|it| it.is_ascii_digit()) {
                return Err("the port is no number; a `:`, `/`, `?` or `@` in user or password \
                            is written `%3A`, `%2F`, `%3F`, `%40`");
            }
            hosts.push(decode(host)?);
            ports.push(if port.is_empty() { "5432" } else { port });
        }
        if text.contains(':') && !text.ends_with(']') {
            self.push("port", &ports.join(","))?;
        }
        if hosts.iter().any(|it| !it.is_empty()) {
            self.0.push(("host".into(), hosts.join(",")));
        }
        Ok(())
    }

    /// Adds what a URL says; what is empty says nothing.
    fn push(&mut self, name: &str, value: &str) -> Result<(), ValueError> {
        if !value.is_empty() {
            self.0.push((name.to_owned(), decode(value)?));
        }
        Ok(())
    }

    fn of_list(text: &str) -> Result<Self, ValueError> {
        let mut it = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (name, after) =
                rest.split_once('=').ok_or("it is neither a URL nor `name=value`")?;
            let name = name.trim();
            if name.is_empty() || !name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') {
                return Err("it is neither a URL nor `name=value`");
            }
            let (value, after) = value(after.trim_start())?;
            if value.is_empty() && PLACES.contains(&name) {
                return Err("a parameter that says which database is empty");
            }
            it.0.push((name.to_owned(), value));
            rest = after.trim_start();
        }
        Ok(it)
    }
}

/// A value of a list, and what follows: quoted, or up to a blank; `\` takes the next for itself.
fn value(text: &str) -> Result<(String, &str), ValueError> {
    let (is_quoted, text) = text.strip_prefix('\'').map_or((false, text), |it| (true, it));
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, it)) = letters.next() {
        match it {
            '\\' => value.extend(letters.next().map(|it| it.1)),
            '\'' if is_quoted => return Ok((value, &text[at + 1..])),
            it if !is_quoted && it.is_whitespace() => return Ok((value, &text[at..])),
            it => value.push(it),
        }
    }
    if is_quoted { Err("a quote is not closed") } else { Ok((value, "")) }
}

fn decode(text: &str) -> Result<String, ValueError> {
    let is_hex = |it: &str| it.len() >= 2 && it.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    if text.split('%').skip(1).any(|it| !is_hex(it)) {
        return Err("a `%` is not followed by two hexadecimal digits; `%` itself is written `%25`");
    }
    let it =
        percent_decode_str(text).decode_utf8().map_err(|_| "it holds bytes that are no text")?;
    Ok(it.into_owned())
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn reads_both_forms() {
        check("postgres://h", "host='h'");
        check(
            "postgresql://u:p%40@h:1/d?sslmode=require",
            "user='u' password='p@' port='1' host='h' dbname='d' sslmode='require'",
        );
        check("postgres://u:a:b@c@h/d", "user='u' password='a:b@c' host='h' dbname='d'");
        check("postgres://%2Ftmp%2Fa:1/d", "port='1' host='/tmp/a' dbname='d'");
        check("postgres:///d?host=/tmp", "dbname='d' host='/tmp'");
        check("postgres://[::1]:2/d", "port='2' host='::1' dbname='d'");
        check("postgres://[::1]/d", "host='::1' dbname='d'");
        check("postgres://a:1,b/d", "port='1,5432' host='a,b' dbname='d'");
        check("host=h user = 'o''' ", "");
        check(r"host=h password='it\'s' dbname=a\ b", r"host='h' password='it\'s' dbname='a b'");
        check("", "");
        for empty in [
            "postgres://h/",
            "postgres://u@h:1/?sslmode=require",
            "postgres://u:p@/d",
            "postgres://:p@h/d",
            "postgres://h:/d",
            "postgres://h/d?user=",
            "host=h user=u dbname=''",
            "host='' dbname=d",
        ] {
            check(empty, "");
        }
        check("postgres://u@/d?host=/tmp", "user='u' dbname='d' host='/tmp'");
        check("postgres:///", "");
    }

    fn check(text: &str, expected: &str) {
        match Parameters::parse(text) {
            Ok(it) => assert_eq!(it.list(), expected, "{text}"),
            Err(err) => assert_eq!(expected, "", "{text}: {err}"),
        }
    }
}

//! Where to connect, as whom, and how much of TLS is asked for.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    path::Path,
    time::Duration,
};

use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts, SslMode},
};

use super::{
    parameters::{PLACES, Parameters},
    passfile,
    tls::{Roots, Tls, Verify},
};
use crate::{
    config::{Target, Variables},
    connection::redact,
    output::failure::Failure,
};

/// A database's address.
#[derive(Debug)]
pub(crate) struct Address {
    pub(super) config: Config,
    /// The same for each host alone, in the order in which they are tried.
    pub(super) hosts: Vec<Config>,
    pub(super) tls: Tls,
    /// The same for programs of PostgreSQL.
    pub(crate) libpq: String,
    /// For messages.
    pub(super) shown: String,
}

/// Seconds until a server counts as unreachable, by default.
const PATIENCE: &str = "10";

/// libpq's variables for parameters that the connection string does not set.
const VARIABLES: [(&str, &str); 16] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
];

/// What libpq knows and this program has no use for.
const WITHOUT_USE: [&str; 5] =
    ["client_encoding", "fallback_application_name", "gssencmode", "krbsrvname", "sslcompression"];

impl Address {
    /// Reads a connection string, and libpq's variables for what it does not say.
    pub(crate) fn read(target: &Target, variables: &Variables) -> Result<Self, Failure> {
        let Target { url, origin, root, .. } = target;
        let text = url.as_deref();
        let invalid = |why: &str| {
            let failure = Failure::mistake(format!("the URL of the database is invalid: {why}"));
            // What has neither form may be anything, a password too.
            let failure = match text.filter(|it| it.contains("://") || it.contains('=')) {
                Some(it) => failure.more(format!("it is {}", redact::address(it))),
                None => failure,
            };
            failure
                .more(format!("it comes from {origin}"))
                .help("write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`")
        };
        let mut it = Parameters::parse(text.unwrap_or_default()).map_err(invalid)?;
        if it.get("service").is_some() {
            return Err(invalid("`service` is not supported: name the parameters themselves"));
        }
        if let Some(root) = root {
            it.rebase(root);
        }
        set_search_path(&mut it);
        for (name, variable) in VARIABLES {
            let is_named =
                it.get(name).is_some() || (name == "hostaddr" && it.get("host").is_some());
            match PLACES.contains(&name) && !is_named {
                true => it.or(name, variables.given(variable)?),
                false => it.or(name, variables.get(variable)),
            }
        }
        complete(&mut it);
        let mut all = it.clone();
        let tls = tls(&mut it).map_err(|why| invalid(&why))?;
        all.or("sslmode", Some(tls.1.mode(tls.0).into()));
        all.or("sslrootcert", tls.1.roots_for_libpq());
        let (password, passfile) = (it.take("password"), it.take("passfile"));
        let user_timeout = for_the_driver(&mut it).map_err(|why| invalid(&why))?;
        let config = |it: &Parameters| -> Result<Config, Failure> {
            let mut config: Config = it.list().parse().map_err(|err| invalid(&why(it, &err)))?;
            config.ssl_mode(tls.0);
            user_timeout.map(|it| config.tcp_user_timeout(it));
            match &password {
                Some(it) => config.password(it),
                None => match passfile::password(&config, passfile.as_deref(), variables)? {
                    Some(it) => config.password(it),
                    None => &mut config,
                },
            };
            Ok(config)
        };
        let all_hosts = config(&it)?;
        let mut hosts = it.hosts_apart().iter().map(config).collect::<Result<Vec<_>, _>>()?;
        if all_hosts.get_load_balance_hosts() == LoadBalanceHosts::Random {
            shuffle(&mut hosts);
        }
        let shown = shown(&all_hosts);
        Ok(Self { config: all_hosts, hosts, tls: tls.1, libpq: all.url(), shown })
    }
}

/// Takes `search_path` as a setting of the session, as drivers of Go and URLs of Atlas have it.
fn set_search_path(it: &mut Parameters) {
    let Some(path) = it.take("search_path").filter(|it| !it.trim().is_empty()) else { return };
    let escaped = path.replace('\\', "\\\\").replace(' ', "\\ ");
    let options = it.take("options").map(|it| format!("{it} ")).unwrap_or_default();
    it.or("options", Some(format!("{options}-c search_path={escaped}")));
}

/// Puts parameters about dead links into the driver's words, and gives the limit of TCP for what
/// is not acknowledged: libpq has it in milliseconds, the driver reads seconds.
fn for_the_driver(it: &mut Parameters) -> Result<Option<Duration>, String> {
    it.rename("keepalives_count", "keepalives_retries");
    let Some(limit) = it.take("tcp_user_timeout") else { return Ok(None) };
    let limit: i64 =
        limit.parse().map_err(|_| "`tcp_user_timeout` is no number of milliseconds")?;
    Ok(u64::try_from(limit).ok().filter(|it| *it > 0).map(Duration::from_millis))
}

/// In an order that is another one each time.
fn shuffle(hosts: &mut [Config]) {
    // The standard library's hasher is seeded at random, which is randomness enough.
    let seed = RandomState::new();
    for at in 1..hosts.len() {
        let other = seed.hash_one(at) % (at as u64 + 1);
        hosts.swap(at, usize::try_from(other).unwrap_or(at));
    }
}

/// The defaults of libpq.
fn complete(it: &mut Parameters) {
    for name in WITHOUT_USE {
        it.take(name);
    }
    it.or("user", whoami::username().ok());
    let user = it.get("user").map(str::to_owned);
    it.or("dbname", user);
    if it.get("hostaddr").is_none() {
        let folders = ["/var/run/postgresql", "/tmp"];
        let port = it.get("port").unwrap_or("5432").to_owned();
        let socket = |it: &&str| Path::new(it).join(format!(".s.PGSQL.{port}")).exists();
        let folder = folders.into_iter().find(socket).unwrap_or("localhost");
        it.or("host", Some(folder.into()));
    }
    it.or("application_name", Some("upfront".into()));
    it.or("connect_timeout", Some(PATIENCE.into()));
}

/// Takes the parameters of TLS out, since tokio-postgres does not know most of them.
fn tls(it: &mut Parameters) -> Result<(SslMode, Tls), String> {
    let mode = it.take("sslmode");
    let roots = it.take("sslrootcert");
    let (cert, key) = (it.take("sslcert"), it.take("sslkey"));
    let home = env::home_dir().map(|it| it.join(".postgresql"));
    let beside = |file: &str| home.as_ref().map(|it| it.join(file)).filter(|it| it.is_file());
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert.into(), key.into())),
        (Some(_), None) => return Err("`sslcert` needs `sslkey`".into()),
        (None, Some(_)) => return Err("`sslkey` needs `sslcert`".into()),
        (None, None) => beside("postgresql.crt").zip(beside("postgresql.key")),
    };
    let given = roots.is_some();
    let is_system = roots.as_deref() == Some("system");
    let (mode, verify) = match (mode.as_deref(), is_local(it)) {
        (_, ProjectArgs::Socket) | (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
        (Some("verify-full"), _) | (None, ProjectArgs::Remote) => (SslMode::Require, Verify::Full),
        (None, ProjectArgs::Loopback) if is_system => (SslMode::Require, Verify::Full),
        (None | Some("prefer" | "allow"), _) if !is_system => (SslMode::Prefer, Verify::Nothing),
        (Some(it @ ("prefer" | "allow" | "require" | "verify-ca")), _) if is_system => {
            return Err(format!(
                "`sslmode={it}` is too weak for `sslrootcert=system`: write `verify-full`"
            ));
        }
        // As in libpq: a certificate authority that is set is also checked.
        (Some("require"), _) if given => (SslMode::Require, Verify::Authority),
        (Some("require"), _) => (SslMode::Require, Verify::Nothing),
        (Some("verify-ca"), _) => (SslMode::Require, Verify::Authority),
        (_, _) => {
            return Err("`sslmode` is one of `disable`, `prefer`, `require`, `verify-ca` and \
                        `verify-full`"
                .into());
        }
    };
    let roots = match roots {
        Some(_) if is_system => Roots::System,
        Some(it) => Roots::File(it.into()),
        None => beside("root.crt").map_or(Roots::System, Roots::File),
    };
    Ok((mode, Tls { verify, roots, identity }))
}

/// How far away the server is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProjectArgs {
    Socket,
    Loopback,
    Remote,
}

fn is_local(it: &Parameters) -> ProjectArgs {
    let hosts = it.get("host").or(it.get("hostaddr")).unwrap_or_default();
    let is_socket = |it: &str| it.starts_with(['/', '@']);
    let is_loopback =
        |it: &str| it == "localhost" || it.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    match hosts {
        it if it.split(',').all(is_socket) => ProjectArgs::Socket,
        it if it.split(',').all(|it| is_socket(it) || is_loopback(it)) => ProjectArgs::Loopback,
        _ => ProjectArgs::Remote,
    }
}

/// Why tokio-postgres refuses the parameters. It repeats names and no values.
fn why(it: &Parameters, err: &tokio_postgres::Error) -> String {
    let reason =
        std::error::Error::source(err).map_or_else(|| err.to_string(), ToString::to_string);
    match it.names().any(|it| it.starts_with("ssl")) {
        true => format!("{reason}; of TLS there are `sslmode`, `sslrootcert`, `sslcert`, `sslkey`"),
        false => reason,
    }
}

fn shown(it: &Config) -> String {
    let host = |it: &Host| match it {
        Host::Tcp(it) => it.clone(),
        Host::Unix(it) => it.display().to_string(),
    };
    let mut hosts: Vec<_> = it.get_hosts().iter().map(host).collect();
    if hosts.is_empty() {
        hosts = it.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let ports = it.get_ports();
    let place = |(at, host): (usize, &String)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    };
    let places: Vec<_> = hosts.iter().enumerate().map(place).collect();
    format!(
        "{}, database `{}`, user `{}`",
        places.join(" or "),
        it.get_dbname().unwrap_or_default(),
        it.get_user().unwrap_or_default()
    )
}

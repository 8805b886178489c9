//! Why a connection could not be made, and what to do.

use std::{error::Error, io};

use deadpool_postgres::PoolError;
use rustls::CertificateError;
use tokio_postgres::error::SqlState;
use upfront::cli::Exit;

use super::Address;
use crate::output::failure::Failure;

impl Address {
    /// What the first connection met.
    pub(super) fn unreachable(&self, err: &PoolError) -> Failure {
        let (why, help) = match err {
            PoolError::Backend(err) => explain(err),
            other => (other.to_string(), None),
        };
        let failure = Failure::new(Exit::Unreachable, format!("cannot connect: {why}"))
            .more(format!("to {}", self.shown));
        match help {
            Some(it) => failure.help(it),
            None => failure,
        }
    }
}

fn explain(err: &tokio_postgres::Error) -> (String, Option<&'static str>) {
    if let Some(it) = err.as_db_error() {
        let why = format!("{} (SQLSTATE {})", it.message(), it.code().code());
        return (why, refused(it.code(), it.message()));
    }
    let causes = causes(err);
    if let Some(it) = causes.iter().find_map(|it| tls(*it)) {
        return certificate(it);
    }
    let last = causes.last().map_or_else(|| err.to_string(), ToString::to_string);
    let io = causes.iter().find_map(|it| it.downcast_ref::<io::Error>()).map(io::Error::kind);
    let help = match (io, last.as_str()) {
        (_, "server does not support TLS") => {
            "turn TLS on at the server (`ssl = on`); where the network is trusted, write \
             `sslmode=disable`"
        }
        (_, "password missing") => "put the password into the URL, `PGPASSWORD` or `~/.pgpass`",
        (Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound), _) => {
            "is the server running, and are host and port right?"
        }
        (Some(io::ErrorKind::TimedOut), _) => {
            "no answer in time: are host and port right, and does a firewall let you through?"
        }
        (_, it) if it.contains("failed to lookup address") => "is the host's name right?",
        (Some(_), _) => "the server, or something in between, closed the connection",
        (None, _) => return (last, None),
    };
    (last, Some(help))
}

/// The error and its sources; an `io::Error` wraps that of rustls.
fn causes(err: &tokio_postgres::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes: Vec<&(dyn Error + 'static)> = vec![err];
    loop {
        let it = causes[causes.len() - 1];
        let inner = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.map(|it| it as &(dyn Error + 'static));
        match inner.or_else(|| it.source()) {
            Some(it) => causes.push(it),
            None => return causes,
        }
    }
}

fn tls<'a>(it: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    it.downcast_ref()
}

fn certificate(err: &rustls::Error) -> (String, Option<&'static str>) {
    use CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};
    let rustls::Error::InvalidCertificate(it) = err else {
        let help = matches!(err, rustls::Error::AlertReceived(_)).then_some(
            "the server ended TLS: does it ask for a certificate of the client? name it by \
             `sslcert` and `sslkey`",
        );
        return (format!("TLS: {err}"), help);
    };
    match it {
        UnknownIssuer => (
            "nobody who is trusted has signed the server's certificate".into(),
            Some(
                "name the certificate of its authority: `sslrootcert=FILE` in the URL, or \
                 `PGSSLROOTCERT`",
            ),
        ),
        NotValidForName | NotValidForNameContext { .. } => (
            "the server's certificate is for another host".into(),
            Some(
                "connect by a name that the certificate has among its alternative names; \
                 `sslmode=verify-ca` looks at the authority alone",
            ),
        ),
        other => (format!("the server's certificate is not valid: {other}"), None),
    }
}

fn refused(code: &SqlState, message: &str) -> Option<&'static str> {
    Some(match code {
        it if *it == SqlState::INVALID_PASSWORD => {
            "check user and password: in the URL, `PGPASSWORD` or `~/.pgpass`"
        }
        it if *it == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && message.contains("no encryption") =>
        {
            "the server wants TLS: write `sslmode=require`, or better `verify-full`"
        }
        it if *it == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check user, address and TLS against the server's `pg_hba.conf`"
        }
        it if *it == SqlState::INVALID_CATALOG_NAME => {
            "create the database, or correct its name in the URL"
        }
        it if *it == SqlState::TOO_MANY_CONNECTIONS => {
            "raise the server's `max_connections`, or close connections"
        }
        _ => return None,
    })
}

//! Ports of this machine.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, ErrorKind, Result};

/// The port whose number names the socket of a server that listens to none.
pub(crate) const DEFAULT: u16 = 5432;

const ATTEMPTS: u32 = 5;

/// Runs `start` with a free port, and again when another program was faster; with the usual number
/// when it is but a name.
pub(crate) fn retry(tcp: bool, mut start: impl FnMut(u16) -> Result<()>) -> Result<()> {
    if !tcp {
        return start(DEFAULT);
    }
    for _ in 1..ATTEMPTS {
        match start(free()?) {
            Err(err) if is_port_taken(&err) => {}
            done => return done,
        }
    }
    start(free()?)
}

fn free() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener
        .and_then(|it| it.local_addr())
        .map(|it| it.port())
        .map_err(|source| ErrorKind::Run { tool: "bind".into(), source }.into())
}

fn is_port_taken(err: &Error) -> bool {
    matches!(err.kind(), ErrorKind::Start { log, .. } if log.contains("Address already in use"))
}

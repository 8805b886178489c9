//! Starts a server of the major version that is asked for, or of any, until the input ends.
//!
//! `cargo run -p upfront-scratch --example server -- 18`

use std::io;

use upfront_scratch::{Error, Server};

fn main() -> Result<(), Error> {
    let mut builder = Server::builder().listen_tcp();
    if let Some(major) = std::env::args().nth(1).and_then(|it| it.parse().ok()) {
        builder = builder.major(major);
    }
    let server = builder.start()?;
    println!("PostgreSQL {}", server.version());
    println!("{}", server.url("postgres"));
    println!("{}", server.tcp_url("postgres").unwrap_or_default());
    println!("Enter stops it.");
    let _ = io::stdin().read_line(&mut String::new());
    Ok(())
}

//! The server, and the ways to it.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio_postgres::Client;
use upfront_scratch::{Database, Server};

use crate::{
    Result,
    boot::client,
    measure::{Samples, shown},
    options::Options,
    page::Page,
    wire::{Counted, Wire},
};

const EACH_WAY: Duration = Duration::from_micros(500);

#[derive(Debug)]
pub(crate) struct Stage {
    server: Server,
    counted: Wire,
    far: Wire,
    observer: Client,
}

/// The way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// TCP of this machine.
    Direct,
    /// Through a wire that counts.
    Counted,
    /// Through a wire that takes half a millisecond for each way.
    Far,
}

/// Where times are taken.
pub(crate) const NETWORKS: [Via; 2] = [Via::Direct, Via::Far];

impl Stage {
    pub(crate) async fn start() -> Result<Self> {
        let server = Server::builder()
            .listen_tcp()
            .durable()
            .setting("max_connections", "400")
            .setting("autovacuum", "off")
            .start()?;
        let port = server.tcp_port().ok_or("the server has no port of its own")?;
        let observer = client(&tcp(port, "postgres")).await?;
        let (counted, far) = (Wire::to(port, Duration::ZERO)?, Wire::to(port, EACH_WAY)?);
        Ok(Self { server, counted, far, observer })
    }

    pub(crate) fn database(&self) -> Result<Database<'_>> {
        Ok(self.server.database()?)
    }

    pub(crate) fn url(&self, database: &Database<'_>, via: Via) -> String {
        tcp(self.port(via), database.name())
    }

    fn port(&self, via: Via) -> u16 {
        match via {
            Via::Direct => self.server.tcp_port().expect("it was there at the start"),
            Via::Counted => self.counted.port(),
            Via::Far => self.far.port(),
        }
    }

    pub(crate) fn count_anew(&self) {
        self.counted.reset();
    }

    /// What passed by [`Via::Counted`].
    pub(crate) fn counts(&self) -> Counted {
        self.counted.counted()
    }

    /// Waits until nobody but us is connected: a backend that ends takes time from the next.
    pub(crate) async fn quiet(&self) -> Result<()> {
        const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client \
             backend' AND pid <> pg_backend_pid()";
        while self.observer.query_one(OTHERS, &[]).await?.get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Says what was measured where.
    pub(crate) async fn describe(&self, options: &Options, page: &mut Page) -> Result<()> {
        let server = self.server.version();
        let cpus = thread::available_parallelism()?;
        let Options { rounds, command, .. } = options;
        let (near, far) = (self.round_trip(Via::Direct).await?, self.round_trip(Via::Far).await?);
        page.paragraph(&format!(
            "`cargo run --release -p upfront-benches --bin startup -- {command}`"
        ));
        page.paragraph(&format!(
            "PostgreSQL {server} with `fsync = on`, its data and the clients on one machine with \
             {cpus} CPUs. {rounds} rounds (fewer where a round takes seconds), in each of which all \
             take turns. A time is the median; the ratio in parentheses is the median of the \
             ratios round by round, and so says more where the machine has other work. What a \
             program compiles in is parsed and hashed before the clock starts, for all alike. \
             “1 ms” is a proxy that holds each message for 0.5 ms on each way (the handshake of \
             TCP excepted): an empty query takes {} directly and {} through it.",
            shown(near),
            shown(far)
        ));
        Ok(())
    }

    /// What an empty query takes.
    async fn round_trip(&self, via: Via) -> Result<Duration> {
        let client = client(&tcp(self.port(via), "postgres")).await?;
        let mut samples = Samples::default();
        for _ in 0..200 {
            let since = Instant::now();
            client.simple_query("").await?;
            samples.push(since.elapsed());
        }
        Ok(samples.median())
    }
}

impl Via {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "0 ms",
            Self::Counted => "counted",
            Self::Far => "1 ms",
        }
    }
}

fn tcp(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
}

//! A proxy between a boot and the server: counts bytes and round trips, delays, and cuts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    time::sleep,
};

/// What passed, both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// From the client.
    pub sent: u64,
    /// From the server.
    pub received: u64,
    /// How often the client spoke after the server did.
    pub round_trips: u64,
    /// How often everything was cut.
    pub cuts: u64,
}

#[derive(Debug, Default)]
struct State {
    sent: AtomicU64,
    received: AtomicU64,
    round_trips: AtomicU64,
    cuts: AtomicU64,
    server_spoke_last: AtomicBool,
    /// In microseconds, each way.
    delay: AtomicU64,
    /// Bytes both ways after which everything is cut; 0: never.
    cut_after: AtomicU64,
    cut: Notify,
    /// The number that the next connection gets.
    next: AtomicU64,
    /// Connections with a lower number swallow everything.
    dead_below: AtomicU64,
    /// Instead of a cut, all connections that are there swallow everything.
    swallows: AtomicBool,
    /// How long the server's system waits for an acknowledgement before it gives a dead connection
    /// up, in milliseconds; 0: for ever.
    gives_up: AtomicU64,
    died: Notify,
}

/// A proxy to a server on a port of this machine.
#[derive(Debug, Clone)]
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

impl Wire {
    /// Listens, and passes everything on to `port`.
    ///
    /// # Panics
    ///
    /// No port is free.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&wire.state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, port, Arc::clone(&state)));
            }
        });
        wire
    }

    /// The URL of a database through the wire.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Takes this long for each way.
    pub fn delay(&self, each_way: Duration) {
        let micros = u64::try_from(each_way.as_micros()).unwrap();
        self.state.delay.store(micros, Ordering::SeqCst);
    }

    /// Cuts all connections once so many bytes more have passed, both ways together; new ones pass.
    pub fn cut_after(&self, bytes: u64) {
        let Counted { sent, received, .. } = self.counted();
        self.state.cut_after.store(sent + received + bytes, Ordering::SeqCst);
    }

    /// Swallows everything once so many bytes more have passed, both ways together, on all
    /// connections that are there then; new ones pass. After `gives_up` the server sees its end
    /// closed, as by `tcp_user_timeout`; the client sees nothing.
    pub fn swallow_after(&self, bytes: u64, gives_up: Duration) {
        let milliseconds = u64::try_from(gives_up.as_millis()).unwrap();
        self.state.gives_up.store(milliseconds, Ordering::SeqCst);
        self.state.swallows.store(true, Ordering::SeqCst);
        self.cut_after(bytes);
    }

    /// Swallows everything on the connections that are there.
    pub fn swallow(&self) {
        self.state.die();
    }

    /// Swallows everything on all connections, those that come later as well.
    pub fn swallow_all(&self) {
        self.state.dead_below.store(u64::MAX, Ordering::SeqCst);
        self.state.died.notify_waiters();
    }

    /// What passed since the last [`reset`](Self::reset).
    pub fn counted(&self) -> Counted {
        let read = |it: &AtomicU64| it.load(Ordering::SeqCst);
        let State { sent, received, round_trips, cuts, .. } = &*self.state;
        let (sent, received) = (read(sent), read(received));
        Counted { sent, received, round_trips: read(round_trips), cuts: read(cuts) }
    }

    /// Resets the counters.
    pub fn reset(&self) {
        let State { sent, received, round_trips, cuts, .. } = &*self.state;
        for it in [sent, received, round_trips, cuts] {
            it.store(0, Ordering::SeqCst);
        }
        self.state.server_spoke_last.store(true, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, port: u16, state: Arc<State>) {
    let number = state.next.fetch_add(1, Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, &state, Side::Client, number) => {}
        () = copy(from_server, to_client, &state, Side::Server, number) => {}
        () = state.cut.notified() => {}
    }
}

/// Keeps one side of a dead connection open; the server's only until its system gives up.
async fn die(state: &State, side: Side, halves: (OwnedReadHalf, OwnedWriteHalf)) {
    let (from, mut to) = halves;
    // Who speaks to the server's socket is the copy of what the client sends.
    if let (Side::Client, milliseconds @ 1..) = (side, state.gives_up.load(Ordering::SeqCst)) {
        sleep(Duration::from_millis(milliseconds)).await;
        let _ = to.shutdown().await;
    }
    std::future::pending::<()>().await;
    drop((from, to));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    side: Side,
    number: u64,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let died = state.died.notified();
        if state.is_dead(number) {
            return die(state, side, (from, to)).await;
        }
        let count = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = died => continue,
        };
        if state.is_dead(number) {
            continue;
        }
        if count == 0 {
            return;
        }
        let left = state.count(side, count as u64);
        pause(state).await;
        let passes = usize::try_from(left).map_or(count, |it| it.min(count));
        if to.write_all(&buffer[..passes]).await.is_err() {
            return;
        }
        if passes < count {
            state.cut_after.store(0, Ordering::SeqCst);
            state.cuts.fetch_add(1, Ordering::SeqCst);
            if state.swallows.load(Ordering::SeqCst) {
                state.die();
                continue;
            }
            state.cut.notify_waiters();
            return;
        }
    }
}

impl State {
    fn is_dead(&self, number: u64) -> bool {
        number < self.dead_below.load(Ordering::SeqCst)
    }

    fn die(&self) {
        self.dead_below.store(self.next.load(Ordering::SeqCst), Ordering::SeqCst);
        self.died.notify_waiters();
    }

    /// Counts what was read; how much of it may pass.
    fn count(&self, side: Side, count: u64) -> u64 {
        let client = side == Side::Client;
        let server_spoke_last = self.server_spoke_last.swap(!client, Ordering::SeqCst);
        if client && server_spoke_last {
            self.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        let limit = self.cut_after.load(Ordering::SeqCst);
        let passed = self.sent.load(Ordering::SeqCst) + self.received.load(Ordering::SeqCst);
        let counter = if client { &self.sent } else { &self.received };
        counter.fetch_add(count, Ordering::SeqCst);
        if limit == 0 { u64::MAX } else { limit.saturating_sub(passed) }
    }
}

async fn pause(state: &State) {
    match state.delay.load(Ordering::SeqCst) {
        0 => {}
        micros => sleep(Duration::from_micros(micros)).await,
    }
}

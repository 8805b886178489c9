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
    net::{TcpListener, TcpStream},
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
}

#[derive(Debug, Default)]
struct State {
    sent: AtomicU64,
    received: AtomicU64,
    round_trips: AtomicU64,
    server_spoke_last: AtomicBool,
    /// In microseconds, each way.
    delay: AtomicU64,
    /// Bytes from the client after which everything is cut; 0: never.
    cut_after: AtomicU64,
    cut: Notify,
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

    /// Cuts all connections once the client has sent so many bytes more; new ones pass.
    pub fn cut_after(&self, bytes: u64) {
        let sent = self.state.sent.load(Ordering::SeqCst);
        self.state.cut_after.store(sent + bytes, Ordering::SeqCst);
    }

    /// What passed since the last [`reset`](Self::reset).
    pub fn counted(&self) -> Counted {
        let read = |it: &AtomicU64| it.load(Ordering::SeqCst);
        let State { sent, received, round_trips, .. } = &*self.state;
        Counted { sent: read(sent), received: read(received), round_trips: read(round_trips) }
    }

    /// Counts anew.
    pub fn reset(&self) {
        for it in [&self.state.sent, &self.state.received, &self.state.round_trips] {
            it.store(0, Ordering::SeqCst);
        }
        self.state.server_spoke_last.store(true, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, port: u16, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            if state.server_spoke_last.swap(false, Ordering::SeqCst) {
                state.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            let before = state.sent.fetch_add(count as u64, Ordering::SeqCst);
            pause(&state).await;
            let limit = state.cut_after.load(Ordering::SeqCst);
            if limit > 0 && before + count as u64 >= limit {
                let rest = usize::try_from(limit.saturating_sub(before)).unwrap();
                let _ = to_server.write_all(&buffer[..rest.min(count)]).await;
                state.cut_after.store(0, Ordering::SeqCst);
                state.cut.notify_waiters();
                return;
            }
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            state.server_spoke_last.store(true, Ordering::SeqCst);
            state.received.fetch_add(count as u64, Ordering::SeqCst);
            pause(&state).await;
            if to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
        () = state.cut.notified() => {}
    }
}

async fn pause(state: &State) {
    match state.delay.load(Ordering::SeqCst) {
        0 => {}
        micros => sleep(Duration::from_micros(micros)).await,
    }
}

//! A proxy that counts what passes and makes the way as long as a network does.
//!
//! Its threads sleep by themselves: the timers of an async runtime tick in whole milliseconds. What
//! arrives is passed on so much later, in order, and never waits for what came before it.

use std::{
    fs,
    io::{Read, Result, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// What passed, both ways.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    /// Bytes from the client.
    pub(crate) sent: u64,
    /// Bytes from the server.
    pub(crate) received: u64,
    /// How often the client spoke after the server did.
    pub(crate) round_trips: u64,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    round_trips: AtomicU64,
    server_spoke_last: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    counters: Arc<Counters>,
}

#[derive(Debug, Clone, Copy)]
enum From {
    Client,
    Server,
}

/// Asks the kernel for timers that are exact to a microsecond; 50 are usual.
///
/// Threads inherit it. Where it cannot be had, a round trip costs more, and the page says how much.
pub(crate) fn sharpen_timers() {
    let _ = fs::write("/proc/self/timerslack_ns", "1000");
}

impl Wire {
    /// A wire to a port of this machine that takes this long for each way.
    pub(crate) fn to(port: u16, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let wire = Self { port: listener.local_addr()?.port(), counters: Arc::default() };
        let counters = Arc::clone(&wire.counters);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = pass(client, port, delay, &counters);
            }
        });
        Ok(wire)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What passed since the last [`reset`](Self::reset).
    pub(crate) fn counted(&self) -> Counted {
        let Counters { sent, received, round_trips, .. } = &*self.counters;
        Counted {
            sent: sent.load(SeqCst),
            received: received.load(SeqCst),
            round_trips: round_trips.load(SeqCst),
        }
    }

    /// Resets the counters.
    pub(crate) fn reset(&self) {
        let Counters { sent, received, round_trips, server_spoke_last } = &*self.counters;
        for it in [sent, received, round_trips] {
            it.store(0, SeqCst);
        }
        server_spoke_last.store(true, SeqCst);
    }
}

impl Counters {
    fn count(&self, from: From, bytes: usize) {
        match from {
            From::Client => {
                self.sent.fetch_add(bytes as u64, SeqCst);
                let answers = self.server_spoke_last.swap(false, SeqCst);
                self.round_trips.fetch_add(answers.into(), SeqCst);
            }
            From::Server => {
                self.received.fetch_add(bytes as u64, SeqCst);
                self.server_spoke_last.store(true, SeqCst);
            }
        }
    }
}

fn pass(client: TcpStream, port: u16, delay: Duration, counters: &Arc<Counters>) -> Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    lane(client.try_clone()?, server.try_clone()?, delay, From::Client, Arc::clone(counters));
    lane(server, client, delay, From::Server, Arc::clone(counters));
    Ok(())
}

fn lane(
    mut from: TcpStream,
    mut to: TcpStream,
    delay: Duration,
    who: From,
    counters: Arc<Counters>,
) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in receive {
            sleep_until(due);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let due = Instant::now() + delay;
            counters.count(who, count);
            if send.send((due, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn sleep_until(due: Instant) {
    loop {
        match due.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return,
            left => thread::sleep(left),
        }
    }
}

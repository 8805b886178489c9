//! A proxy that reads the protocol, counts its messages, and injects a fault at one of them.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, oneshot, watch},
    time::sleep,
};

use crate::{
    failure::Result,
    protocol::{Direction, Framer, Message},
};

/// Where a fault is injected relative to its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing of it has passed.
    Before,
    /// Half of its bytes have passed.
    Middle,
    /// All of it has passed.
    After,
}

/// A message of a run, and a place at it. Prints as `sent.12.before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) direction: Direction,
    /// From zero, over all connections.
    pub(crate) index: usize,
    pub(crate) place: Place,
}

/// What happens at a spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset in both directions.
    Reset,
    /// The connection is closed in both directions.
    Close,
    /// Nothing passes any more in either direction, and both sockets stay open.
    Swallow,
    /// The harness acts; the rest of the message never passes.
    Hold,
    /// The harness acts; then the message passes.
    Pause,
}

/// How bytes pass when there is no fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    #[default]
    Fast,
    /// One byte a segment.
    Fragments,
    /// Each chunk takes this long.
    Delay(Duration),
}

/// A message that has passed, or at which the fault was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) direction: Direction,
    pub(crate) name: &'static str,
}

/// A proxy in front of a server's port, for one trial.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    server: AtomicU16,
    pace: Pace,
    faults: Vec<(Spot, Fault)>,
    seen: Mutex<Vec<Seen>>,
    /// How many of the faults were injected.
    fired: AtomicUsize,
    /// Wakes the harness at the spot; the answer lets the proxy continue.
    reached: Notify,
    resume: Mutex<Option<oneshot::Sender<()>>>,
    ends: watch::Sender<Ends>,
}

/// What the harness does to a connection that swallows everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    server_gave_up: bool,
    client_gave_up: bool,
}

impl Proxy {
    /// Listens on a free port of this machine and passes everything to `server`.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub(crate) async fn start(server: u16, pace: Pace, faults: &[(Spot, Fault)]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            server: server.into(),
            pace,
            faults: faults.to_vec(),
            seen: Mutex::default(),
            fired: 0.into(),
            reached: Notify::new(),
            resume: Mutex::default(),
            ends: watch::Sender::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Ok(Self { port, state })
    }

    /// The URL of a database through the proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?application_name=first", self.port)
    }

    /// All messages so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock_seen().clone()
    }

    /// Were all faults injected?
    pub(crate) fn fired(&self) -> bool {
        self.injected() == self.state.faults.len()
    }

    /// Waits until so many faults are injected.
    pub(crate) async fn reached(&self, count: usize) {
        while self.injected() < count {
            self.state.reached.notified().await;
        }
    }

    fn injected(&self) -> usize {
        self.state.fired.load(Ordering::SeqCst)
    }

    /// Lets the proxy continue after a [`Fault::Hold`] or a [`Fault::Pause`].
    pub(crate) fn resume(&self) {
        let sender = self.state.resume.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(it) = sender {
            let _ = it.send(());
        }
    }

    /// New connections go to another server.
    pub(crate) fn retarget(&self, server: u16) {
        self.state.server.store(server, Ordering::SeqCst);
    }

    /// The server's system gives up a connection that swallows everything.
    pub(crate) fn close_server_end(&self) {
        self.state.ends.send_modify(|it| it.server_gave_up = true);
    }

    /// The client's system gives it up as well.
    pub(crate) fn reset_client_end(&self) {
        self.state.ends.send_modify(|it| it.client_gave_up = true);
    }
}

impl State {
    fn lock_seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a message; the fault, if one is injected here.
    fn count(&self, direction: Direction, message: &Message) -> Option<(Place, Fault)> {
        let mut seen = self.lock_seen();
        let index = seen.iter().filter(|it| it.direction == direction).count();
        seen.push(Seen { direction, name: message.name(direction) });
        let is_here = |(it, _): &&(Spot, Fault)| it.direction == direction && it.index == index;
        self.faults.iter().find(is_here).map(|(spot, fault)| (spot.place, *fault))
    }

    /// Wakes the harness, and waits for it where it acts.
    async fn fire(&self, waits: bool) {
        let (sender, receiver) = oneshot::channel();
        if waits {
            *self.resume.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        }
        self.fired.fetch_add(1, Ordering::SeqCst);
        self.reached.notify_one();
        if waits {
            let _ = receiver.await;
        }
    }
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Swallowed,
}

async fn serve(client: TcpStream, state: Arc<State>) {
    let server = state.server.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut up = Half { direction: Direction::Sent, from: from_client, to: to_server };
    let mut down = Half { direction: Direction::Received, from: from_server, to: to_client };
    let end = tokio::select! {
        it = up.pass(&state) => it,
        it = down.pass(&state) => it,
    };
    if end == End::Swallowed {
        swallow(up, down, &state).await;
    }
}

/// Keeps both sockets open until their systems give them up.
async fn swallow(up: Half, down: Half, state: &State) {
    let (from_client, to_server) = (up.from, up.to);
    let (from_server, to_client) = (down.from, down.to);
    let mut ends = state.ends.subscribe();
    let _ = ends.wait_for(|it| it.server_gave_up).await;
    drop((from_server, to_server));
    let _ = ends.wait_for(|it| it.client_gave_up).await;
    let _ = to_client.as_ref().set_zero_linger();
    drop((from_client, to_client));
}

/// One direction of a connection.
struct Half {
    direction: Direction,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
}

impl Half {
    async fn pass(&mut self, state: &State) -> End {
        let mut framer = Framer::new(self.direction);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = self.from.read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                return End::Closed;
            }
            if let Pace::Delay(it) = state.pace {
                sleep(it).await;
            }
            framer.push(&buffer[..count]);
            loop {
                match framer.next() {
                    Ok(Some(message)) => {
                        if let Some(end) = self.forward(state, &message).await {
                            return end;
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return End::Closed,
                }
            }
        }
    }

    /// Forwards a message, with the fault that belongs to it.
    async fn forward(&mut self, state: &State, message: &Message) -> Option<End> {
        let bytes = &message.bytes;
        let Some((place, fault)) = state.count(self.direction, message) else {
            return self.write(state.pace, bytes).await;
        };
        let passes = match place {
            Place::Before => 0,
            Place::Middle => bytes.len() / 2,
            Place::After => bytes.len(),
        };
        self.write(state.pace, &bytes[..passes]).await;
        state.fire(matches!(fault, Fault::Hold | Fault::Pause)).await;
        match fault {
            Fault::Reset => {
                let _ = self.from.as_ref().set_zero_linger();
                let _ = self.to.as_ref().set_zero_linger();
                Some(End::Closed)
            }
            Fault::Close | Fault::Hold => Some(End::Closed),
            Fault::Swallow => Some(End::Swallowed),
            Fault::Pause => self.write(state.pace, &bytes[passes..]).await,
        }
    }

    async fn write(&mut self, pace: Pace, bytes: &[u8]) -> Option<End> {
        let step = if pace == Pace::Fragments { 1 } else { bytes.len().max(1) };
        for it in bytes.chunks(step) {
            if self.to.write_all(it).await.is_err() {
                return Some(End::Closed);
            }
        }
        None
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::Middle => "middle",
            Self::After => "after",
        })
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.direction, self.index, self.place)
    }
}

impl FromStr for Spot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a spot such as `sent.12.before`");
        let parts: Vec<_> = text.split('.').collect();
        let [direction, index, place] = parts[..] else { return Err(wrong()) };
        let direction = match direction {
            "sent" => Direction::Sent,
            "received" => Direction::Received,
            _ => return Err(wrong()),
        };
        let place = match place {
            "before" => Place::Before,
            "middle" => Place::Middle,
            "after" => Place::After,
            _ => return Err(wrong()),
        };
        Ok(Self { direction, index: index.parse().map_err(|_| wrong())?, place })
    }
}

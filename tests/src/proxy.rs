//! A network that a test can spoil: a TCP proxy on the loopback interface.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How the network is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NetworkFault {
    Fair,
    /// Nothing arrives and nothing is refused, as with a pulled cable. The delayed bytes arrive afterwards.
    Stalled,
    /// Requests arrive, answers are lost.
    Mute,
    /// Connections break, and new ones break at once.
    Cut,
}

/// A port that forwards to another port of the machine, with the faults that a test sets.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
}

#[derive(Debug)]
struct Network {
    to: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    weather: NetworkFault,
    delay: Duration,
    bytes_per_second: Option<u32>,
    /// So many more connections are made, then each new one breaks at once.
    admitted: Option<usize>,
    /// Connections that were cut right after the accept.
    turned_away: usize,
    /// Both ends of all connections.
    streams: Vec<TcpStream>,
    over: bool,
}

impl Proxy {
    /// A port that leads to `port`.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let network = Arc::new(Network {
            to: port,
            changed: Condvar::new(),
            state: Mutex::new(State {
                weather: NetworkFault::Fair,
                delay: Duration::ZERO,
                bytes_per_second: None,
                admitted: None,
                turned_away: 0,
                streams: Vec::new(),
                over: false,
            }),
        });
        let accepting = Arc::clone(&network);
        thread::spawn(move || accepting.accept(&listener));
        Self { address, network }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks all connections, and each new one.
    pub fn cut(&self) {
        self.network.turn(NetworkFault::Cut);
    }

    /// Lets nothing through any more, without a sign to either side.
    pub fn half_open(&self) {
        self.network.turn(NetworkFault::Stalled);
    }

    /// Swallows the answers of the other side, so the outcome of requests stays unknown. End the fault by
    /// [`Proxy::cut`]: swallowed answers never arrive.
    pub fn mute(&self) {
        self.network.turn(NetworkFault::Mute);
    }

    /// `url`, an AMQP URL of the broker behind it, by way of this port.
    pub fn way_to(&self, url: &str) -> String {
        let (before, path) = url.rsplit_once('/').expect("it names a vhost");
        let (host, _) = before.rsplit_once(':').expect("it names a port");
        format!("{host}:{}/{path}", self.port())
    }

    /// Holds up each piece of data for so long.
    pub fn delay(&self, delay: Duration) {
        self.network.lock().delay = delay;
    }

    /// Lets so many bytes through a second, on each connection and in each direction.
    pub fn throttle(&self, bytes_per_second: u32) {
        self.network.lock().bytes_per_second = Some(bytes_per_second);
    }

    /// Lets so many more connections be made; later ones break at once.
    pub fn admit(&self, connections: usize) {
        self.network.lock().admitted = Some(connections);
    }

    /// How many connections broke as soon as they were made.
    pub fn turned_away(&self) -> usize {
        self.network.lock().turned_away
    }

    /// All is well again: what was held up arrives, new connections are made.
    pub fn restore(&self) {
        let mut state = self.network.lock();
        state.delay = Duration::ZERO;
        state.bytes_per_second = None;
        state.admitted = None;
        drop(state);
        self.network.turn(NetworkFault::Fair);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.network.lock().over = true;
        self.network.turn(NetworkFault::Cut);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    /// True if a further connection is admitted; the connection is counted then.
    fn admits(&mut self) -> bool {
        let admitted = self.admitted.is_none_or(|left| left > 0);
        self.admitted = self.admitted.map(|left| left.saturating_sub(1));
        admitted && self.weather != NetworkFault::Cut
    }
}

impl Network {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, weather: NetworkFault) {
        let mut state = self.lock();
        state.weather = weather;
        if weather == NetworkFault::Cut {
            for stream in state.streams.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.changed.notify_all();
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for near in listener.incoming().flatten() {
            let mut state = self.lock();
            if state.over {
                return;
            }
            if !state.admits() {
                state.turned_away += 1;
                continue;
            }
            let Ok(far) = TcpStream::connect(("127.0.0.1", self.to)) else {
                continue;
            };
            let streams = [&near, &far, &near, &far].map(TcpStream::try_clone);
            let [Ok(a), Ok(b), Ok(c), Ok(d)] = streams else {
                continue;
            };
            state.streams.extend([near, far]);
            for (from, to, answers) in [(a, b, false), (d, c, true)] {
                let network = Arc::clone(&self);
                thread::spawn(move || network.pump(from, to, answers));
            }
        }
    }

    /// Carries data one way until either side ends; `answers` tells which way.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, answers: bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.hold_up(length);
            if answers && self.lock().weather == NetworkFault::Mute {
                continue;
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        self.hold_up(0);
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    fn hold_up(&self, length: usize) {
        let state = self.lock();
        let state = self
            .changed
            .wait_while(state, |state| state.weather == NetworkFault::Stalled)
            .unwrap_or_else(PoisonError::into_inner);
        let mut time = state.delay;
        if let Some(rate) = state.bytes_per_second {
            let length = u32::try_from(length).expect("a buffer is small");
            time += Duration::from_secs(1) * length / rate.max(1);
        }
        drop(state);
        thread::sleep(time);
    }
}

//! Client of the health probe, as for a container's health check: the image needs no HTTP tool.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, and each read and write, may take.
const IO_TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes read of an answer.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The reason why a process is not ready, as seen from outside.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No answer.
    #[error("no answer from {address}")]
    Silent {
        /// The probed address.
        address: SocketAddr,
        /// The I/O error.
        #[source]
        source: io::Error,
    },
    /// The probe reported that the process is not ready, or the answer came from a foreign server.
    #[error("not ready: {answer}")]
    NotReady {
        /// The answer, in one line.
        answer: String,
    },
}

/// Probes the readiness of a process. `0.0.0.0` and `[::]` are replaced by the loopback address, so the listen address
/// can be used.
///
/// # Errors
/// If the process is not ready, a foreign server answers, or no answer arrives within seconds.
pub fn probe_ready(address: SocketAddr) -> Result<(), ProbeError> {
    let answer = get(address, "/ready").map_err(|source| ProbeError::Silent { address, source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut words = head.split(' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1"), Some("200")) => Ok(()),
        _ => Err(ProbeError::NotReady {
            answer: first_line(body).or(first_line(head)).unwrap_or_default(),
        }),
    }
}

/// Scrapes all metrics of a process, in Prometheus' text format.
///
/// # Errors
/// If a foreign server answers, or no answer arrives within seconds.
pub fn scrape_metrics(address: SocketAddr) -> Result<String, ProbeError> {
    let answer =
        get(address, "/metrics").map_err(|source| ProbeError::Silent { address, source })?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => Err(ProbeError::NotReady {
            answer: first_line(&answer).unwrap_or_default(),
        }),
    }
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, IO_TIMEOUT)?;
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    // Sent in one piece: a server that closes after the first segment would reset the connection and lose the answer.
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn first_line(text: &str) -> Option<String> {
    text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Queries a server that answers with the given bytes and closes the connection.
    fn told(answer: &'static str) -> Result<(), ProbeError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let outcome = probe_ready(address);
        assert!(
            answering
                .join()
                .unwrap()
                .starts_with("GET /ready HTTP/1.1\r\n")
        );
        outcome
    }

    #[test]
    fn only_a_probe_that_says_so_is_ready() {
        let rows = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n", None),
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\nthe broker is out of reach: cut\n",
                Some("not ready: the broker is out of reach: cut"),
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                Some("not ready: HTTP/1.1 404 Not Found"),
            ),
            (
                "SSH-2.0-OpenSSH_9.2\r\n",
                Some("not ready: SSH-2.0-OpenSSH_9.2"),
            ),
            ("", Some("not ready: ")),
        ];
        for (answer, expected) in rows {
            let refusal = told(answer).err().map(|error| error.to_string());
            assert_eq!(refusal.as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn measures_are_what_a_probe_answers_and_nothing_else() {
        let asked = |answer: &'static str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let read = stream.read(&mut [0; 1024]).unwrap();
                assert!(read > 0);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            scrape_metrics(address).ok()
        };
        assert_eq!(
            asked("HTTP/1.1 200 OK\r\n\r\nup 1\n").as_deref(),
            Some("up 1\n")
        );
        assert_eq!(asked("HTTP/1.1 404 Not Found\r\n\r\nup 1\n"), None);
        assert_eq!(asked("SSH-2.0\r\n"), None);
    }

    #[test]
    fn nobody_is_named_with_the_address() {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = probe_ready(free).unwrap_err();
        assert!(error.to_string().contains(&free.to_string()), "{error}");
    }
}

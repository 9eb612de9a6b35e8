//! Connections that no friend would make.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use drover_tests::{ScopeEnd, TestCluster};

use crate::client::Page;

/// Connections at the same time; the documented limit.
const MOST_CONNECTIONS: usize = 64;

#[test]
fn what_makes_no_sense_is_refused_and_the_page_goes_on() {
    let cluster = TestCluster::new();
    let page = Page::of(&cluster);
    for path in [
        "/api/v1/jobs/..",
        "/api/v1/jobs/%2e%2e",
        "/api/v1/pipelines/%2e%2e%2f%2e%2e",
        "/api/v1/jobs/%00",
    ] {
        page.ask("GET", path, &[], b"").is_error(400, "invalid");
    }
    page.ask("GET", "/page/../../../../etc/passwd", &[], b"")
        .is_error(404, "not_found");
    page.ask("GET", "/page/%2e%2e/%2e%2e/etc/passwd", &[], b"")
        .is_error(404, "not_found");
    page.ask("POST", "/api/v1/pipelines", &[], &vec![b'x'; 3 << 20])
        .is_error(413, "too_large");
    page.ask(
        "GET",
        "/api/v1/session",
        &[("origin", "https://evil.example"), ("authorization", "")],
        b"",
    )
    .is_error(401, "unauthorized");
    let foreign = page
        .send(b"GET /api/v1/session HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    foreign.is_error(401, "unauthorized");
    let long = page.ask(
        "GET",
        "/api/v1/session",
        &[("x", &"x".repeat(64 * 1024))],
        b"",
    );
    assert!(long.status != 200, "{long:?}");
    let many: Vec<(&str, &str)> = (0..200).map(|_| ("x", "y")).collect();
    assert!(page.ask("GET", "/api/v1/session", &many, b"").status != 200);
    assert!(page.send(b"\x16\x03\x01nonsense\r\n\r\n").status != 200);
    assert!(
        page.send(b"GET /api/v1/session HTTP/1.1\r\n\r\n").status != 200,
        "a request without a host"
    );
    assert_eq!(page.get("/api/v1/session")["role"], "full");
    let checked = page.ask("GET", "/", &[], b"");
    assert!(
        checked
            .head
            .contains("content-security-policy: default-src 'self'"),
        "{checked:?}"
    );
}

#[test]
fn a_crowd_of_rude_clients_does_not_keep_a_token_from_the_api() {
    let cluster = TestCluster::new();
    let page = Page::of(&cluster);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for kind in 0..4 {
            let (page, over) = (&page, &over);
            scope.spawn(move || crowd(page, kind, over));
        }
        let _crowds = ScopeEnd(&over);
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        while begun.elapsed() < Duration::from_secs(5) {
            let asked = Instant::now();
            assert_eq!(page.get("/api/v1/session")["role"], "full");
            longest = longest.max(asked.elapsed());
        }
        assert!(longest < Duration::from_secs(3), "{longest:?}");
    });
    let service = page.service.stderr();
    assert!(!service.contains("panicked"), "{service}");
}

/// Fifty clients of a kind at any time; whoever is thrown out comes again.
fn crowd(page: &Page, kind: usize, over: &AtomicBool) {
    let request = b"GET /page/main.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let body =
        b"POST /api/v1/pipelines HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900000\r\n\r\n";
    let header =
        b"x-long: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    let mut clients: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        clients.resize_with(50, || page.connect());
        clients.retain_mut(|client| {
            let _ = client.set_nonblocking(true);
            let piece: &[u8] = match kind {
                // A head, byte by byte.
                0 => &request[..1],
                // A body that hardly gets on.
                1 => body,
                // A head without an end.
                2 => header,
                // Answers that nobody reads.
                _ => request,
            };
            match client.write(piece) {
                Err(error) => error.kind() == ErrorKind::WouldBlock,
                Ok(written) => written > 0,
            }
        });
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn clients_that_never_finish_are_let_go_and_block_nobody_for_long() {
    let cluster = TestCluster::new();
    let page = Page::of(&cluster);
    let begun = Instant::now();
    let mut idle = Vec::new();
    for number in 0..MOST_CONNECTIONS {
        let mut stream = page.connect();
        // Some say nothing, some half of a head, some half of a body.
        let half: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /api/v1/session HTTP/1.1\r\nhost: loc",
            _ => {
                b"POST /api/v1/pipelines HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{"
            }
        };
        stream.write_all(half).expect("the page listens");
        idle.push(stream);
    }
    assert_eq!(page.get("/api/v1/session")["role"], "full");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let mut silent = idle.swap_remove(0);
    let mut rest = Vec::new();
    // The connection is closed; an answer before the close does not matter.
    let _ = silent.read_to_end(&mut rest);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

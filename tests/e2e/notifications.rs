//! Events of jobs reach the receivers of a spec, whatever happens to them and to the service meanwhile.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use drover_tests::{Job, Running, Spec, Workspace, eventually};
use serde_json::{Value, json};

/// A pipeline whose only datum fails.
fn failing() -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .sh("echo no such column >&2; exit 3")
}

#[test]
fn a_run_tells_a_command_of_its_spec_how_each_job_ended() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    let told = workspace.outside("told");
    let script = format!(
        "cat >> {0}; echo >> {0}; echo $DROVER_EVENT >> {0}",
        told.display()
    );
    let notify = json!([{"command": ["sh", "-c", script]}]);
    workspace.fails(&failing().set("notify", notify.clone()));
    workspace.succeeds(&failing().sh("true").set("notify", notify));
    let told = std::fs::read_to_string(&told).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        (lines[1], lines[3], lines.len()),
        ("failure", "success", 4),
        "{told}"
    );
    let event: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(event["type"], "dev.drover.job.failure");
    assert_eq!(event["data"]["job"]["state"], "failure");
    assert_eq!(
        event["data"]["causes"][0]["cause"],
        "exit 3: 'no such column'"
    );
}

#[test]
fn a_run_whose_receiver_is_away_ends_as_its_job_does_and_says_that_an_event_is_left() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    let notify = json!([{"webhook": "http://127.0.0.1:9/secret-path"}]);
    let spec = workspace.spec(&Spec::new("made").reads("in", "/*").set("notify", notify));
    let ended = workspace.call(&["run", &spec]).code(0);
    let said = ended.says(&["drover serve", "tries again"]);
    assert!(
        !said.transcript().contains("secret-path"),
        "{}",
        said.transcript()
    );
}

/// A port that nobody listens on yet.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The text of the next request, which is accepted.
fn next_request(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.ends_with(b"}") {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "the request is cut off");
        request.extend_from_slice(&part[..count]);
    }
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        .unwrap();
    String::from_utf8(request).unwrap()
}

fn serve(workspace: &Workspace) -> Running {
    let keys = workspace.outside("keys");
    let keys = keys.to_str().unwrap();
    workspace.start(&["serve", "--settle", "200ms", "--notify-keys", keys])
}

#[test]
fn an_event_whose_receiver_was_away_comes_signed_from_the_next_service() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    std::fs::create_dir(workspace.outside("keys")).unwrap();
    std::fs::write(workspace.outside("keys/hooks"), "a key of sixteen bytes").unwrap();
    let address = free_address();
    let notify = json!([{"webhook": format!("http://{address}/"), "signing_key": "hooks"}]);
    let spec = workspace.spec(&failing().set("notify", notify));
    let service = serve(&workspace);
    workspace.call(&["create", "pipeline", "-f", &spec]).code(0);
    let mut job = None;
    eventually("the job has ended and its event was tried", || {
        let jobs = workspace
            .call(&["jobs", "--output", "json"])
            .code(0)
            .lines();
        job = jobs.into_iter().next().map(Job).filter(Job::has_ended);
        service.stderr().contains("was not delivered")
    });
    let killed = service.kill();
    assert!(
        !killed.transcript().contains("sixteen"),
        "{}",
        killed.transcript()
    );
    let listener = TcpListener::bind(address).unwrap();
    let receiver = thread::spawn(move || next_request(&listener));
    let _service = serve(&workspace);
    let request = receiver.join().unwrap();
    let job = job.unwrap();
    assert!(
        request.contains(&format!("webhook-id: {}.failure\r\n", job.id())),
        "{request}"
    );
    assert!(request.contains("webhook-signature: v1,"), "{request}");
    eventually("the event is forgotten", || {
        workspace.tree(".drover/notify").paths().is_empty()
    });
}

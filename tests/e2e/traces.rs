//! Traces: a collector that the environment names is told where a datum's time went.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use drover_tests::{Spec, Workspace, eventually};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A collector that accepts every post and keeps the spans.
struct Collector {
    port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let spans = Arc::default();
        let kept = Arc::clone(&spans);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(&client, &kept));
            }
        });
        Self { port, spans }
    }

    /// Finds the collector.
    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Spans by name; of several spans with a name, the last.
    fn by_name(&self) -> BTreeMap<String, Span> {
        let spans = self.spans.lock().expect("nobody panicked");
        spans
            .iter()
            .map(|span| (span.name.clone(), span.clone()))
            .collect()
    }
}

/// Answers the requests of one client until the connection closes.
fn serve(mut client: &TcpStream, kept: &Mutex<Vec<Span>>) {
    let mut reader = BufReader::new(client);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length is a number");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader
            .read_exact(&mut body)
            .expect("a body as long as it says");
        let request = ExportTraceServiceRequest::decode(&*body).expect("spans");
        let scopes = request
            .resource_spans
            .into_iter()
            .flat_map(|it| it.scope_spans);
        kept.lock()
            .expect("nobody panicked")
            .extend(scopes.flat_map(|scope| scope.spans));
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        client
            .write_all(answer.as_bytes())
            .expect("the client waits");
    }
}

#[test]
fn a_datum_is_one_trace_from_its_publication_to_its_commit() {
    let collector = Collector::start();
    let workspace = Workspace::new();
    workspace.file("in/a", "a");
    let spec = workspace.spec(
        &Spec::new("made")
            .reads("in", "/*")
            .sh("cp /pfs/in/a /pfs/out/"),
    );
    let mut command = workspace.command(&["run", &spec]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    workspace.start_command(command).finish().code(0);
    let names = [
        "commit", "datum", "download", "process", "publish", "queue", "upload",
    ];
    eventually("all spans have come", || {
        let spans = collector.by_name();
        names.iter().all(|name| spans.contains_key(*name))
    });
    let spans = collector.by_name();
    let publish = &spans["publish"];
    for name in names {
        assert_eq!(spans[name].trace_id, publish.trace_id, "{name}");
    }
    assert_eq!(spans["queue"].parent_span_id, publish.span_id);
    assert_eq!(spans["datum"].parent_span_id, publish.span_id);
    for name in ["download", "process", "upload", "commit"] {
        assert_eq!(spans[name].parent_span_id, spans["datum"].span_id, "{name}");
    }
    assert!(spans["process"].end_time_unix_nano <= spans["commit"].end_time_unix_nano);
}

#[test]
fn a_collector_that_is_not_there_hinders_nobody() {
    let workspace = Workspace::new();
    workspace.file("in/a", "a");
    let spec = workspace.spec(
        &Spec::new("made")
            .reads("in", "/*")
            .sh("cp /pfs/in/a /pfs/out/"),
    );
    let mut command = workspace.command(&["run", &spec]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    workspace.start_command(command).finish().code(0);
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A pipeline whose command tells its trace context; the second attempt succeeds.
fn tells_its_trace() -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .set("datum_tries", 2)
        .sh(r#"echo "$TRACEPARENT" >> "$OUTSIDE/traces"; [ "$DROVER_ATTEMPT" = 2 ]"#)
}

#[test]
fn a_command_runs_in_the_trace_of_the_caller_also_without_a_collector() {
    let workspace = Workspace::new();
    workspace.file("in/a", "a");
    let spec = workspace.spec(&tells_its_trace());
    let mut command = workspace.command(&["run", &spec]);
    command.env("TRACEPARENT", PARENT);
    workspace.start_command(command).finish().code(0);
    assert_eq!(workspace.tally("traces"), [(PARENT.to_owned(), 2)].into());
}

#[test]
fn each_attempt_of_a_command_is_told_a_span_of_its_own_in_the_trace_of_the_caller() {
    let collector = Collector::start();
    let workspace = Workspace::new();
    workspace.file("in/a", "a");
    let spec = workspace.spec(&tells_its_trace());
    let mut command = workspace.command(&["run", &spec]);
    command
        .env("TRACEPARENT", PARENT)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    workspace.start_command(command).finish().code(0);
    let hex = |id: &[u8]| -> String {
        let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        digits.collect()
    };
    let commands = || -> BTreeMap<String, u32> {
        let spans = collector.spans.lock().expect("nobody panicked");
        let commands = spans.iter().filter(|span| span.name == "command");
        let told =
            commands.map(|span| format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id)));
        told.map(|told| (told, 1)).collect()
    };
    eventually("the spans of both attempts have come", || {
        commands().len() == 2
    });
    assert_eq!(workspace.tally("traces"), commands());
    eventually("the span of the publication has come", || {
        collector.by_name().contains_key("publish")
    });
    let publish = &collector.by_name()["publish"];
    assert_eq!(hex(&publish.trace_id), TRACE);
    assert_eq!(hex(&publish.parent_span_id), "b7ad6b7169203331");
}

#[test]
fn a_malformed_trace_context_is_told_and_ignored() {
    let workspace = Workspace::new();
    workspace.file("in/a", "a");
    let spec = workspace.spec(&tells_its_trace());
    let mut command = workspace.command(&["run", &spec]);
    command.env("TRACEPARENT", "00-nonsense");
    let outcome = workspace.start_command(command).finish().code(0);
    assert!(
        outcome.stderr.contains("TRACEPARENT is ignored"),
        "{}",
        outcome.transcript()
    );
    assert_eq!(workspace.tally("traces"), [(String::new(), 2)].into());
}

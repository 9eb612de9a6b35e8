//! Access by tokens.

use drover_tests::{TestCluster, eventually};

use crate::client::Page;

fn is_root() -> bool {
    let about = std::fs::metadata("/proc/self").expect("there is a /proc");
    std::os::unix::fs::MetadataExt::uid(&about) == 0
}

#[test]
fn tokens_of_a_variable_and_of_a_file_open_what_their_roles_may_do() {
    let cluster = TestCluster::new();
    let file = cluster.workspace.outside("token");
    std::fs::write(&file, "look-only\n").expect("the workspace is writable");
    let file = file.to_str().expect("a temporary path is UTF-8");
    let page = Page::with(
        &cluster,
        &["--read-token-file", file],
        &[("DROVER_TOKEN", "all-of-it")],
    );
    let ask = |method: &str, path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        page.ask(
            method,
            path,
            if token.is_empty() { &[] } else { &headers },
            b"",
        )
    };
    ask("GET", "/api/v1/session", "").is_error(401, "unauthorized");
    ask("GET", "/api/v1/session", "wrong").is_error(401, "unauthorized");
    assert_eq!(
        ask("GET", "/api/v1/session", "look-only").json()["role"],
        "read"
    );
    assert_eq!(
        ask("GET", "/api/v1/session", "all-of-it").json()["role"],
        "full"
    );
    ask("POST", "/api/v1/pipelines/made/pause", "look-only").is_error(403, "forbidden");
    ask("POST", "/api/v1/pipelines/made/pause", "all-of-it").is_error(404, "not_found");
    assert_eq!(ask("GET", "/", "").status, 200);
    assert_eq!(
        ask("GET", "/api/v1/openapi.json", "").json()["openapi"],
        "3.1.0"
    );
    let said = page.service.stderr();
    assert!(
        !said.contains("all-of-it") && !said.contains("look-only"),
        "{said}"
    );
}

#[test]
fn without_a_flag_the_store_has_a_token_that_is_printed_once() {
    let cluster = TestCluster::new();
    let page = Page::of(&cluster);
    let first = page.service.stderr();
    assert!(first.contains("/#token="), "{first}");
    assert_eq!(page.get("/api/v1/session")["role"], "full");
    for given in ["", "Bearer wrong"] {
        page.ask("GET", "/api/v1/jobs", &[("authorization", given)], b"")
            .is_error(401, "unauthorized");
    }
    let token = cluster.workspace.path(".drover/token");
    let token = std::fs::read_to_string(token).expect("the token is in the store");
    assert!(first.contains(token.trim()), "{first}");
    drop(page);
    let again = Page::of(&cluster).service.stderr();
    assert!(!again.contains(token.trim()), "{again}");
}

#[test]
fn an_address_for_other_machines_needs_a_token() {
    let cluster = TestCluster::new();
    let open = if is_root() {
        "refused as root"
    } else {
        "needs a token"
    };
    cluster
        .call(&["serve", "--http", "0.0.0.0:0", "--no-token"])
        .code(2)
        .says(&[open]);
    let mut command = cluster.command(&["serve", "--http", "127.0.0.1:0"]);
    command.env("DROVER_TOKEN", "two words");
    let refused = cluster
        .workspace
        .start_command(command)
        .finish()
        .code(2)
        .says(&["DROVER_TOKEN"]);
    assert!(
        !refused.stderr.contains("two words"),
        "{}",
        refused.transcript()
    );
    let missing = ["serve", "--http", "127.0.0.1:0", "--token-file", "/nowhere"];
    cluster.call(&missing).code(2).says(&["/nowhere"]);
}

#[test]
fn an_address_that_is_taken_is_an_error_if_it_was_typed() {
    let cluster = TestCluster::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it listens").to_string();
    cluster
        .call(&["serve", "--http", &address])
        .code(4)
        .says(&["--http", &address]);
}

#[test]
fn the_page_is_there_while_the_broker_is_not_and_tells_no_password() {
    let cluster = TestCluster::new();
    let url = "amqp://drover:hunter2@127.0.0.1:9";
    let page = Page::with(
        &cluster,
        &["--broker", url, "--connect-timeout", "60s"],
        &[],
    );
    let session = page.get("/api/v1/session");
    assert_eq!(session["broker"], "down", "{session}");
    eventually("the service goes on", || {
        page.get("/api/v1/jobs")["jobs"].is_array()
    });
    let said = page.service.stderr();
    for told in [
        session.to_string(),
        page.get("/api/v1/workers").to_string(),
        said,
    ] {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

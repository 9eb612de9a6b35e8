//! The Python client against a running service.

use std::process::Command;

use drover_tests::{Spec, Workspace, eventually, repository};

#[test]
fn the_python_client_does_what_it_promises_and_knows_the_routes_of_the_document() {
    let workspace = Workspace::new();
    for name in ["a", "b", "c"] {
        workspace.file(&format!("in/{name}"), name);
    }
    let totals = Spec::new("totals").reads("in", "/*");
    let spec = workspace.spec(&totals.sh("cp /pfs/in/* /pfs/out; echo done"));
    let mut service = workspace.start(&["serve", "--http", "127.0.0.1:0"]);
    let (mut url, mut token) = (String::new(), String::new());
    eventually("the service said where its page is", || {
        assert!(!service.has_ended(), "it ended: {}", service.stderr());
        let said = service.stderr();
        let link = said
            .split_whitespace()
            .find_map(|word| word.split_once("/#token="));
        if let Some((address, secret)) = link {
            (url, token) = (address.to_owned(), secret.to_owned());
        }
        link.is_some()
    });
    let mut client = Command::new("python3");
    client.arg(repository().join("tests/python/client.py"));
    client.args([url, token, spec]);
    let told = workspace.start_command(client).finish().code(0);
    assert_eq!(told.stdout, "the client does what it promises\n");
}

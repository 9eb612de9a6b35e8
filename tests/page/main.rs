//! The page of `drover serve` in a real browser: a service of this test's own is looked at by `look.py`, which names
//! whatever is wrong in any view. `python3 tests/page/look.py --mock` goes through what a large service shows, too.

use std::process::Command;

use drover_tests::{Running, Spec, Workspace, eventually, repository};

/// The address that the service says its page is at, and the token of the link.
fn link(service: &Running) -> (String, String) {
    let (mut address, mut token) = (String::new(), String::new());
    eventually("the page is there", || {
        let said = service.stderr();
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("the page is at "));
        let found = line.unwrap_or_default();
        let (found, secret) = found.split_once("/#token=").unwrap_or_default();
        found.clone_into(&mut address);
        secret.clone_into(&mut token);
        !address.is_empty()
    });
    (address, token)
}

#[test]
fn every_view_of_a_service_at_work_is_sound() {
    let workspace = Workspace::new();
    let copy = Spec::new("copy").reads("in", "/*").sh(r#"
        cat "$in"; ! grep -q bad "$in" && cp "$in" /pfs/out/"#);
    let count = Spec::new("count")
        .reads("copy", "/")
        .sh("ls /pfs/copy | wc -l > /pfs/out/n");
    for spec in [&copy, &count] {
        let spec = workspace.spec(spec);
        workspace.call(&["create", "pipeline", "-f", &spec]).code(0);
    }
    workspace.numbered_files("in", 3);
    let service = workspace.start(&["serve", "--http", "127.0.0.1:0", "--settle", "200ms"]);
    eventually("the chain went through", || {
        workspace.path("count/n").exists()
    });
    workspace.file("in/bad", "bad <img src=x onerror=window.broken=1>\n");
    eventually("a job failed", || {
        let jobs = workspace
            .call(&["jobs", "--output", "json"])
            .code(0)
            .lines();
        jobs.iter().any(|job| job["state"] == "failure")
    });
    let shots = workspace.outside("shots");
    let (address, token) = link(&service);
    for looks in ["light", "phone"] {
        let mut look = Command::new("python3");
        look.arg(repository().join("tests/page/look.py"))
            .args(["--only", looks, "--base", &address, "--into"])
            .arg(&shots)
            .args(["--token-env", "PAGE_TOKEN"])
            .env("PAGE_TOKEN", &token);
        workspace.start_command(look).finish().code(0);
    }
}

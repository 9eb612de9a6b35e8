//! Attacks by commands of a worker whose store is a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use drover_tests::{TestCluster, eventually, unique};

use crate::attacker::{
    SECRET, User, attack, cluster_of, everywhere, found, worker, worker_command,
};

#[test]
fn records_credentials_and_other_datums_are_out_of_reach() {
    let script = format!(
        r#"
        cat "$DOT"/jobs/*/record.json > /dev/null && found "reads a record"
        cat "$DOT"/jobs/*/key > /dev/null && found "reads the key of a job"
        cat "$DOT"/token > /dev/null && found "reads the token"
        grep -q amqp: "$STORE/../credentials/broker" && found "reads the password of the broker"
        for file in "$DOT"/jobs/*/record.json "$DOT"/jobs/*/logs/*/*; do
            (echo forged >> "$file") && found "writes $file"
            ln -sfn /proc/self/environ "$file" && found "replaces $file"
        done
        mkdir "$DOT/jobs/forged" && found "makes a job"
        mv "$DOT" "$STORE/moved" && found "moves all records"
        for slot in "$DOT"/scratch/*/slots/*; do
            (echo forged > "$slot/out/forged") || continue
            rm "$out/forged" || found "writes into the slot of another datum"
        done
        cat /proc/[0-9]*/environ | tr '\0' '\n' | grep -q {SECRET} && found "reads the environment of Drover"
        env | grep -q {SECRET} && found "inherits a secret"
        for process in /proc/[0-9]*; do
            line=$(tr '\0' ' ' < "$process/cmdline")
            case "$line" in
                *drover*spawn*) continue ;;
                *drover*) ;;
                *) continue ;;
            esac
            readlink "$process"/fd/* > /dev/null && found "sees the descriptors of $line"
            head -c 1 "$process/mem" > /dev/null && found "reads the memory of $line"
            kill -CONT "${{process#/proc/}}" && found "signals $line"
        done
        set -- /proc/self/fd/*; [ $# -le 4 ] || found "inherits descriptors"
        true"#
    );
    for (sandbox, user) in everywhere() {
        assert_eq!(found(sandbox, user, 2, &script), "", "{sandbox} {user:?}");
    }
}

#[test]
fn inputs_and_the_sandbox_cannot_be_changed() {
    let script = r#"
        before=$(cat "$in")
        (echo bad > "$in") && [ "$(cat "$STORE/in/$(basename "$in")")" = bad ] && found "writes to an input"
        mount -t tmpfs none "$out" && found "mounts"
        mount -o remount,rw "$(dirname "$in")" && found "mounts an input as writable"
        umount -l /proc && found "shows another /proc"
        mknod "$out/null" c 1 3 && found "makes a device"
        touch "$out/file-$DROVER_DATUM_INDEX"
        chattr +i "$out/file-$DROVER_DATUM_INDEX" && found "makes its output immutable"
        [ "$(cat "$STORE/in/$(basename "$in")")" = "$before" ] || found "changes an input"
        true"#;
    for (sandbox, user) in everywhere() {
        assert_eq!(found(sandbox, user, 2, script), "", "{sandbox} {user:?}");
    }
}

#[test]
fn shared_memory_is_gone_when_its_datum_ends_where_that_is_promised() {
    for (sandbox, user) in everywhere() {
        let name = unique("drover-hostile");
        let script = format!(
            r#"[ -e /dev/shm/{name} ] && found "sees the shared memory of another datum"
            mkdir /dev/shm/{name}; echo x > /dev/shm/{name}/file; true"#
        );
        let found = found(sandbox, user, 2, &script);
        let left = Path::new("/dev/shm").join(name);
        // docs/security.md: without a sandbox the machine's shared memory stays.
        if sandbox == "none" {
            fs::remove_dir_all(left).expect("the datum has left it");
            continue;
        }
        assert_eq!(found, "", "{sandbox} {user:?}");
        assert!(!left.exists(), "{sandbox} {user:?}: left on the machine");
    }
}

#[test]
fn a_foreign_pfs_is_refused_and_left_alone() {
    let cluster = cluster_of(User::Same);
    let foreign = cluster.workspace.outside("precious");
    fs::create_dir(&foreign).expect("the workspace is writable");
    fs::write(foreign.join("file"), "here").expect("the workspace is writable");
    let mut command = worker_command(&cluster, "links");
    command.env("FOREIGN", &foreign);
    let mut worker = cluster.workspace.start_command(command);
    eventually("the worker refused", || worker.has_ended());
    assert!(worker.stderr().contains("/pfs"), "{}", worker.stderr());
    let kept = fs::read_to_string(foreign.join("file"));
    assert_eq!(kept.expect("it is there"), "here");
}

#[test]
fn whom_the_api_does_not_know_it_does_not_serve() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 1);
    let service = cluster.start(&["serve", "--http", "127.0.0.1:0"]);
    let outside = cluster.workspace.outside("");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(outside, open).expect("the workspace is ours");
    let mut address = String::new();
    eventually("the page has an address", || {
        let told = service.stderr();
        let at = told.split("http://127.0.0.1:").nth(1).unwrap_or_default();
        address = at.chars().take_while(char::is_ascii_digit).collect();
        !address.is_empty()
    });
    let _worker = worker(&cluster, "namespaces");
    let script = format!(
        r#"
        python3 -c 'import urllib.request as r
request = r.Request("http://127.0.0.1:{address}/api/v1/pipelines", data=b"{{}}", headers={{"content-type": "application/json"}})
try: print(r.urlopen(request).status)
except r.HTTPError as error: print(error.code)' > "$OUTSIDE/answer"
        true"#
    );
    let id = cluster.publish(&attack(&cluster, &script).set("transform.user", "nobody"));
    assert_eq!(cluster.wait(&id).state(), "success");
    let answer = fs::read_to_string(cluster.workspace.outside("answer"));
    assert_eq!(answer.unwrap_or_default().trim(), "401");
    assert!(!service.stderr().contains(SECRET));
}

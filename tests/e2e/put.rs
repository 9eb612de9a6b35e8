//! Files come into the store by `drover put`: from files, directories, and standard input.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use drover_tests::{Outcome, Spec, Workspace};

/// `drover` with these arguments and standard input.
fn call_with_input(workspace: &Workspace, args: &[&str], input: &[u8]) -> Outcome {
    let mut command = workspace.command(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    let ended = child.wait_with_output().unwrap();
    Outcome {
        status: ended.status,
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

/// A directory beside the store, with two files.
fn library(workspace: &Workspace) -> String {
    let folder = workspace.outside("library");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("a.txt"), "a").unwrap();
    fs::write(folder.join("sub/b ü.txt"), "bb").unwrap();
    folder.to_str().unwrap().to_owned()
}

/// An archive of the directory.
fn tar(folder: &str, more: &[&str]) -> Vec<u8> {
    let packed = Command::new("tar")
        .args(more)
        .args(["-C", folder, "-c", "."])
        .output()
        .unwrap();
    assert!(packed.status.success());
    packed.stdout
}

#[test]
fn files_and_directories_are_copied_and_replace_what_was_there() {
    let workspace = Workspace::new();
    let library = library(&workspace);
    let file = format!("{library}/a.txt");
    let put = workspace.call(&["put", "books/", &library, &file]).code(0);
    put.says(&["put 3 files (4 B) into books"]);
    assert_eq!(workspace.tree("books").paths(), ["a.txt", "sub/b ü.txt"]);
    fs::write(&file, "another").unwrap();
    workspace.call(&["put", "books/a.txt", &file]).code(0);
    assert_eq!(fs::read(workspace.path("books/a.txt")).unwrap(), b"another");
    assert!(fs::metadata(&file).is_ok(), "the source stays");
    // Files of a person may be edited in place.
    fs::write(workspace.path("books/a.txt"), "edited").unwrap();
}

#[test]
fn standard_input_is_one_file_or_an_archive() {
    let workspace = Workspace::new();
    call_with_input(&workspace, &["put", "notes/one.txt"], b"one").code(0);
    assert_eq!(fs::read(workspace.path("notes/one.txt")).unwrap(), b"one");
    for format in ["--format=pax", "--format=gnu", "--format=ustar"] {
        let archive = tar(&library(&workspace), &[format]);
        let books = format!("books{}/", &format[9..]);
        let put = call_with_input(&workspace, &["put", &books, "--output", "json"], &archive);
        assert_eq!(put.code(0).lines()[0]["files"], 2);
        assert_eq!(
            workspace.tree(&books).paths(),
            ["a.txt", "sub/b ü.txt"],
            "{format}"
        );
    }
}

#[test]
fn what_cannot_be_put_is_named_with_the_way_out() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    workspace.succeeds(&Spec::new("made").reads("in", "/*"));
    let library = library(&workspace);
    std::os::unix::fs::symlink("a.txt", workspace.outside("library/link")).unwrap();
    let archive = tar(&library, &[]);
    let mut compressed = vec![0x1f, 0x8b];
    compressed.extend_from_slice(&archive);
    let rows: [(&[&str], &[u8], &str); 9] = [
        (&["put", "books/"], &archive, "link is a link"),
        (&["put", "books/"], &compressed, "gunzip"),
        (
            &["put", "books/"],
            b"only text, and no archive",
            "no whole tar archive",
        ),
        (&["put", "books/"], &archive[..700], "no whole tar archive"),
        (&["put", "books/"], b"", "standard input is empty"),
        (&["put", ".drover/jobs/x"], b"x", "Drover's own records"),
        (
            &["put", "made/x"],
            b"x",
            "output folder of the pipeline made",
        ),
        (&["put", "x.txt"], b"x", "lies in no folder"),
        (&["put", "books", &library], b"", "a slash after it"),
    ];
    for (args, input, said) in rows {
        call_with_input(&workspace, args, input)
            .code(2)
            .says(&[said]);
    }
    call_with_input(&workspace, &["put", "books/../made/x"], b"x").code(2);
    workspace
        .call(&["put", "books/", "/no/such/file"])
        .says(&["/no/such/file"]);
}

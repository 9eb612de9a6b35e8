//! The server: a socket, credentials, and a folder with the objects behind it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::objects::Objects;
use super::{Fault, Listing};
use crate::Tree;
use crate::s3::faults::Faults;

const ACCESS_KEY: &str = "AKIDROVERTEST";
const SECRET_KEY: &str = "the-secret-of-the-test";

/// The buckets there are.
const BUCKETS: [&str; 2] = ["cluster", "other"];

/// An S3 server on a port of this machine; ended when dropped.
#[derive(Debug)]
pub struct S3 {
    runtime: Option<Runtime>,
    address: SocketAddr,
    root: TempDir,
    objects: Objects,
    faults: Faults,
}

impl S3 {
    /// A server whose listings tell no `e_tag`, with the empty buckets `cluster` and `other`.
    pub fn start() -> Self {
        Self::listing(Listing::default())
    }

    /// A server with such listings.
    pub fn listing(listing: Listing) -> Self {
        let root = TempDir::with_prefix_in("drover-s3-", "/var/tmp");
        let root = root.expect("a temporary folder can be made");
        for bucket in BUCKETS {
            fs::create_dir(root.path().join(bucket)).expect("the folder is writable");
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads can be started");
        let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let socket = socket.expect("a loopback port is free");
        let address = socket.local_addr().expect("a bound socket has an address");
        let objects = Objects::new(root.path().to_owned(), listing);
        let faults = Faults::default();
        let mut service = S3ServiceBuilder::new(objects.clone());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        runtime
            .handle()
            .spawn(serve(socket, service.build(), faults.clone()));
        Self {
            runtime: Some(runtime),
            address,
            root,
            objects,
            faults,
        }
    }

    /// Variables with the address of the server and the credentials for `drover`.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// The secret key, which must never be printed.
    pub fn secret(&self) -> &'static str {
        SECRET_KEY
    }

    /// Lets a command find the server.
    pub fn introduce(&self, command: &mut Command) {
        command.envs(self.environment());
    }

    /// Puts an object, as anybody would: `cluster/in/a`. Control characters of keys are escaped as Drover does.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let target: String = path.bytes().map(escaped).collect();
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("http://{}/{target}", self.address))
            .body(Body::from(bytes.into()))
            .expect("a request can be made of a key");
        // Straight to the objects: no socket, no signature, no faults.
        let service = S3ServiceBuilder::new(self.objects.clone()).build();
        let runtime = self.runtime.as_ref().expect("it runs until it is dropped");
        let put = runtime.block_on(service.call(request));
        let put = put.expect("the folder is writable");
        assert!(put.status().is_success(), "{path}: {}", put.status());
    }

    /// Puts `count` objects `<folder>/000`, `<folder>/001` … with their own numbers as content.
    pub fn put_numbered(&self, folder: &str, count: usize) {
        for number in 0..count {
            self.put(&format!("{folder}/{number:03}"), format!("{number}\n"));
        }
    }

    /// Removes an object.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The file behind an object.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// The objects below a folder of a bucket.
    pub fn tree(&self, path: &str) -> Tree {
        Tree::read(&self.path(path))
    }

    /// Parts of uploads that were neither completed nor taken back.
    pub fn parts(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.path()).expect("the folder is readable");
        let names = entries.flatten().map(|entry| entry.file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".upload")).collect()
    }

    /// Lets something go wrong from now on.
    pub fn harm(&self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&self) {
        self.faults.clear();
    }

    /// The requests so far whose method, path and query hold all of `parts`, such as `PUT` and `uploadId`.
    pub fn requests(&self, parts: &[&str]) -> Vec<String> {
        let mut requests = self.faults.requests();
        requests.retain(|request| parts.iter().all(|part| request.contains(part)));
        requests
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(socket: TcpListener, service: S3Service, faults: Faults) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = socket.accept().await {
        let (service, faults) = (service.clone(), faults.clone());
        connections.spawn(async move {
            let answer = service_fn(|request| faults.answer(request, &service));
            let server = hyper::server::conn::http1::Builder::new();
            let mut connection = server.serve_connection(TokioIo::new(stream), answer);
            if (&mut connection).await.is_err() {
                // A fault closed it: by a reset, not by a farewell.
                let stream = connection.into_parts().io.into_inner();
                let _ = stream.set_zero_linger();
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A byte of a key in a URL.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

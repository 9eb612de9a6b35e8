//! What the page looks at beside records: files, logs page by page, differences, actions, and the page itself.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::Token;
use super::{Access, BasePath, Site, request, spec, told};
use crate::server::listen::router_below;

#[tokio::test]
async fn folders_and_files_of_the_store_are_shown_and_records_are_not() {
    let site = Site::new();
    let id = site.ended_job().await;
    site.some_files(id).await;
    let root = site.sees("/api/v1/files").await;
    let only = json!([{"name": "in", "folder": true, "size": null}]);
    assert_eq!((&root["entries"], &root["next"]), (&only, &Value::Null));
    let folder = site.sees("/api/v1/files?path=/in").await;
    let only = json!([{"name": "a.png", "folder": false, "size": 9}]);
    assert_eq!((&folder["entries"], &folder["total"]), (&only, &json!(1)));
    let part = request(
        Method::GET,
        "/api/v1/files/content?path=/in/a.png&offset=2&limit=3",
    );
    let answer = site.ask(part.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "image/png");
    let saved = answer.headers()[CONTENT_DISPOSITION].to_str().unwrap();
    assert_eq!(saved, "attachment; filename*=UTF-8''a.png");
    assert_eq!(told(answer).await.1, "pic");
    for (path, expected) in [
        ("/api/v1/files/content?path=/.drover/token", 404),
        ("/api/v1/files?path=.drover", 404),
        ("/api/v1/files/content?path=/../etc/passwd", 400),
        ("/api/v1/files/content?path=/in/none", 404),
        ("/api/v1/files/content", 400),
    ] {
        let (status, answer) = site.get(path).await;
        assert_eq!(status.as_u16(), expected, "{path}: {answer}");
    }
}

#[tokio::test]
async fn an_output_is_shown_as_the_datum_wrote_it() {
    let site = Site::new();
    let id = site.ended_job().await;
    site.some_files(id).await;
    let output = |index: u32, path: &str| {
        let path = format!("/api/v1/jobs/{id}/datums/{index}/output?path={path}");
        let site = &site;
        async move { site.get(&path).await }
    };
    assert_eq!(output(0, "/all").await, (StatusCode::OK, json!("x")));
    // Datum 9 was skipped for the work of datum 9, which wrote nothing that is known.
    for (index, path) in [(0, "/none"), (3, "/all"), (9, "/all"), (77, "/all")] {
        let (status, answer) = output(index, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{index} {path}: {answer}");
    }
    let (_, gone) = output(1, "/all").await;
    let message = gone["error"]["message"].as_str().unwrap();
    assert!(message.contains("not kept any longer"), "{message}");
}

#[tokio::test]
async fn a_long_log_is_read_from_any_place_searched_and_saved() {
    let site = Site::new();
    let id = site.ended_job().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let line = |number| format!("2026-11-23T18:31:55Z stdout F Row {number}\n");
    std::fs::write(&log, (0..50).map(line).collect::<String>()).unwrap();
    site.ledger
        .save_log(id, 3, "claim.1.log", &log)
        .await
        .unwrap();
    let lines = |query: &str| {
        let path = format!("/api/v1/jobs/{id}/datums/3/logs?{query}");
        let site = &site;
        async move {
            let page = site.sees(&path).await;
            let lines = page["lines"].as_array().unwrap().iter();
            let numbers: Vec<u64> = lines.map(|line| line["line"].as_u64().unwrap()).collect();
            (numbers, page["truncated"].as_bool().unwrap())
        }
    };
    assert_eq!(lines("tail=3").await, (vec![47, 48, 49], true));
    assert_eq!(lines("offset=44&limit=3").await, (vec![44, 45, 46], true));
    assert_eq!(lines("offset=48").await, (vec![48, 49], false));
    assert_eq!(lines("offset=50").await, (vec![], false));
    let found = lines("contains=ROW%204&limit=3").await;
    assert_eq!(found, (vec![4, 40, 41], true));
    let found = lines("contains=row%204&tail=1").await;
    assert_eq!(found, (vec![49], true));
    let (_, file) = site.get(&format!("/api/v1/jobs/{id}/datums/3/log")).await;
    let file = file.as_str().unwrap();
    assert_eq!(file.lines().count(), 50);
    assert!(
        file.starts_with("2026-11-23T18:31:55Z stdout Row 0\n"),
        "{file}"
    );
}

#[tokio::test]
async fn jobs_are_compared_with_the_one_before() {
    let site = Site::new();
    let first = site.ended_job().await;
    let none = site.sees(&format!("/api/v1/jobs/{first}/changes")).await;
    assert_eq!(none["with"], Value::Null);
    let second = site.ended_job().await;
    let changes = site.sees(&format!("/api/v1/jobs/{second}/changes")).await;
    assert_eq!(changes["with"]["job"], json!(first));
    assert_eq!(
        (&changes["same"], &changes["spec"]),
        (&json!(10), &json!([]))
    );
}

#[tokio::test]
async fn work_that_matches_is_done_again() {
    let site = Site::new();
    let id = site.ended_job().await;
    let path = format!("/api/v1/jobs/{id}/redo");
    let (status, told) = site.post(&path, &json!({"path": "/nowhere"})).await;
    assert_eq!(status.as_u16(), 422, "{told}");
    let (status, told) = site.post(&path, &json!({"state": ["success"]})).await;
    assert_eq!(
        (status.as_u16(), &told["datums"]),
        (202, &json!(7)),
        "{told}"
    );
    let started = told["job"].as_str().unwrap();
    site.sees(&format!("/api/v1/jobs/{started}")).await;
    let (status, told) = site.post(&path, &json!({})).await;
    assert_eq!(status.as_u16(), 409, "a job is active: {told}");
}

#[tokio::test]
async fn each_action_is_noted_with_its_token_and_the_token_is_not() {
    let token = |text: &str| text.parse::<Token>().ok();
    let site = Site::with(Access::new(token("all-of-it"), token("look-only")).unwrap());
    let ask = |method: Method, path: &str, secret: &str| {
        let request = request(method, path).header("authorization", format!("Bearer {secret}"));
        let site = &site;
        let body = spec("made", "in").to_string();
        async move { told(site.ask(request.body(Body::from(body)).unwrap()).await).await }
    };
    ask(Method::POST, "/api/v1/pipelines", "all-of-it").await;
    ask(Method::POST, "/api/v1/pipelines/made/pause", "look-only").await;
    ask(Method::POST, "/api/v1/pipelines/made/pause", "wrong").await;
    ask(Method::GET, "/api/v1/pipelines", "all-of-it").await;
    let (_, log) = ask(Method::GET, "/api/v1/audit", "look-only").await;
    let [action] = &log["actions"].as_array().unwrap()[..] else {
        panic!("one action, not {log}");
    };
    assert_eq!(
        (&action["method"], &action["path"], &action["status"]),
        (&json!("POST"), &json!("/api/v1/pipelines"), &json!(201))
    );
    let who = action["who"].as_str().unwrap();
    assert!(who.starts_with("full ") && who.len() == 13, "{who}");
    let hash = blake3::hash(b"all-of-it").to_hex();
    assert!(
        !hash.starts_with(&who[5..]),
        "the hash itself names the token"
    );
}

#[tokio::test]
async fn what_failed_needs_a_person() {
    let site = Site::new();
    assert_eq!(site.sees("/api/v1/attention").await["items"], json!([]));
    let id = site.ended_job().await;
    let told = site.sees("/api/v1/attention").await;
    let item = &told["items"][0];
    assert_eq!(
        (&item["kind"], &item["job"], &item["why"]),
        (
            &json!("failed"),
            &json!(id),
            &json!("2 of 10 datums failed")
        )
    );
}

#[tokio::test]
async fn a_spec_is_checked_without_being_registered() {
    let site = Site::new();
    let (status, told) = site.post("/api/v1/validate", &spec("made", "in")).await;
    assert_eq!((status.as_u16(), &told["pipeline"]), (200, &json!("made")));
    let bad = json!({"pipeline": {"name": "made"}, "transfrom": {}});
    let (status, told) = site.post("/api/v1/validate", &bad).await;
    assert_eq!(status.as_u16(), 422);
    assert_eq!(told["error"]["findings"][0]["line"], 1, "{told}");
    let pipelines = site.sees("/api/v1/pipelines").await;
    assert_eq!(pipelines["pipelines"], json!([]));
}

#[tokio::test]
async fn only_views_are_the_page() {
    let site = Site::new();
    for view in [
        "/",
        "/jobs",
        "/jobs/01kb/datums/3",
        "/pipelines/made",
        "/files",
        "/audit",
    ] {
        let (status, page) = site.get(view).await;
        let is_page = page.as_str().is_some_and(|page| page.contains("<main"));
        assert_eq!((status.as_u16(), is_page), (200, true), "{view}");
    }
    for (path, expected) in [
        ("/metrics", 404),
        ("/wp-login.php", 404),
        ("/page/none.js", 404),
    ] {
        let (status, told) = site.get(path).await;
        assert_eq!(status.as_u16(), expected, "{path}");
        assert!(told["error"]["message"].is_string(), "{path}: {told}");
    }
    let icon = request(Method::GET, "/favicon.ico");
    let answer = site.ask(icon.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers()[LOCATION], "/page/icon.svg");
    let browser = request(Method::GET, "/nowhere").header("accept", "text/html,*/*;q=0.8");
    let (status, page) = told(site.ask(browser.body(Body::empty()).unwrap()).await).await;
    assert_eq!(status.as_u16(), 404);
    assert!(page.as_str().unwrap().contains("<main"), "{page}");
}

#[tokio::test]
async fn below_a_base_path_the_page_and_the_api_are_the_same() {
    let site = Site::new();
    let base: BasePath = "/ops/drover".parse().unwrap();
    let router = router_below(&base, site.api.clone(), Access::default());
    let below = Site { router, ..site };
    for path in ["", "/", "/jobs", "/api/v1/jobs", "/page/style.css"] {
        for prefix in ["/ops/drover", ""] {
            let path = format!("{prefix}{path}");
            if path.is_empty() {
                continue;
            }
            let (status, answer) = below.get(&path).await;
            assert_eq!(status.as_u16(), 200, "{path}: {answer}");
        }
    }
    let (_, page) = below.get("/ops/drover/jobs").await;
    let page = page.as_str().unwrap();
    assert!(page.contains("src=\"/ops/drover/page/main.js\""), "{page}");
    assert!(page.contains("data-base=\"/ops/drover\""), "{page}");
    assert!(!page.contains("=\"/page/"), "{page}");
}

#[test]
fn the_page_is_small_and_few_files() {
    let files = crate::server::assets::FILES;
    let names = files.iter().map(|(name, _)| *name);
    let names: Vec<&str> = names.filter(|name| name.contains(".js")).collect();
    assert_eq!(names, ["main.js", "theme.js"]);
    let (_, script) = files.iter().find(|(name, _)| *name == "main.js").unwrap();
    let script = std::str::from_utf8(script).unwrap();
    for line in script.lines() {
        assert!(!line.starts_with("import "), "{line}");
        assert!(!line.starts_with("export "), "{line}");
    }
}

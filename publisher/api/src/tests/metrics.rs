//! Metrics of requests.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::Site;

#[tokio::test]
async fn requests_are_counted_by_the_template_of_their_route() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _counted_here = metrics::set_default_local_recorder(&recorder);
    let site = Site::new();
    let ended = site.ended_job().await;
    site.sees(&format!("/api/v1/jobs/{ended}")).await;
    site.get("/api/v1/jobs/01jd9x3k5m7n9p1q3r5s7t9v0w").await;
    site.get("/api/v1/nowhere/secret").await;
    site.get("/jobs").await;
    site.get("/no-such-file").await;
    let counted = handle.render();
    let rows = [
        r#"{route="/api/v1/jobs/{id}",method="GET",status="2xx"} 1"#,
        r#"{route="/api/v1/jobs/{id}",method="GET",status="4xx"} 1"#,
        r#"{route="/api/{*path}",method="GET",status="4xx"} 1"#,
        r#"{route="page",method="GET",status="2xx"} 1"#,
        r#"{route="page",method="GET",status="4xx"} 1"#,
    ];
    for row in rows {
        let line = format!("drover_http_requests_total{row}");
        assert!(counted.contains(&line), "{line}: {counted}");
    }
    let times = r#"drover_http_request_seconds_count{route="/api/v1/jobs/{id}"} 2"#;
    assert!(counted.contains(times), "{counted}");
    assert!(!counted.contains("secret"), "{counted}");
}

#[tokio::test]
async fn a_client_that_listens_is_counted_until_it_leaves() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _counted_here = metrics::set_default_local_recorder(&recorder);
    let site = Site::new();
    let request = super::request(axum::http::Method::GET, "/api/v1/events");
    let stream = site
        .ask(request.body(axum::body::Body::empty()).unwrap())
        .await;
    let listening = |count: u8| format!("drover_http_event_streams {count}");
    assert!(
        handle.render().contains(&listening(1)),
        "{}",
        handle.render()
    );
    drop(stream);
    assert!(
        handle.render().contains(&listening(0)),
        "{}",
        handle.render()
    );
}

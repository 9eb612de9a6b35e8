//! The list of all routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;

use crate::live::events;
use crate::resources::pipelines::{registered, sharing};
use crate::resources::{
    attention, audit, changes, datums, detail, failures, files, jobs, logs, pipelines, redo,
    timeline, workers,
};
use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::openapi::{self, Operation};
use crate::routing::route::Routes;

/// The routes of the API without middleware, and the document about them.
pub(crate) fn routes() -> (Router<Api>, Value) {
    let mut all = of_files(of_jobs(of_pipelines(Routes::default())))
        .get(
            "/api/v1/session",
            "The client's role, and the state of this service.",
            events::session,
        )
        .get(
            "/api/v1/workers",
            "Workers that this process knows.",
            workers::list,
        )
        .get(
            "/api/v1/fleet",
            "Workers of the store and served pipelines, with weights, limits and the reason of each wait.",
            workers::fleet,
        )
        .get(
            "/api/v1/attention",
            "What needs a person: failures, jobs that stand still, pipelines that wait.",
            attention::list,
        )
        .get(
            "/api/v1/audit",
            "Actions through this API, newest first; the newest 10,000 are kept.",
            audit::list,
        );
    let about =
        "Live updates: `hello` (the session) first, then `job` and `pipeline` as they change.";
    let stream = Operation::stream(all.document.generator(), about);
    all.document.add(&Method::GET, "/api/v1/events", stream);
    let document = all.document.finish();
    let text: Arc<str> = document.to_string().into();
    let tell = move |State(_): State<Api>| {
        let text = Arc::clone(&text);
        async move { ([("content-type", "application/json")], text.to_string()) }
    };
    let router = all
        .router
        .route("/api/v1/events", get(events::stream))
        .route(openapi::PATH, get(tell))
        .route("/api/{*path}", axum::routing::any(unknown))
        .method_not_allowed_fallback(method_not_allowed);
    (router, document)
}

fn of_pipelines(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/pipelines",
            "All registered pipelines, by name.",
            pipelines::list,
        )
        .add(
            (Method::POST, "/api/v1/pipelines"),
            StatusCode::CREATED,
            "Registers a pipeline.",
            registered::create,
        )
        .get(
            "/api/v1/pipelines/{name}",
            "A registered pipeline with its spec.",
            pipelines::show,
        )
        .add(
            (Method::PUT, "/api/v1/pipelines/{name}"),
            StatusCode::OK,
            "Replaces the spec of a registered pipeline.",
            registered::update,
        )
        .add(
            (Method::DELETE, "/api/v1/pipelines/{name}"),
            StatusCode::NO_CONTENT,
            "Removes a registered pipeline and stops its active jobs; its output stays.",
            registered::delete,
        )
        .add(
            (Method::POST, "/api/v1/pipelines/{name}/pause"),
            StatusCode::OK,
            "Pauses a pipeline: no more jobs start.",
            registered::pause,
        )
        .add(
            (Method::POST, "/api/v1/pipelines/{name}/resume"),
            StatusCode::OK,
            "Resumes a paused pipeline.",
            registered::resume,
        )
        .add(
            (Method::POST, "/api/v1/pipelines/{name}/run"),
            StatusCode::ACCEPTED,
            "Starts a job now, even if nothing changed.",
            registered::run,
        )
        .get(
            "/api/v1/pipelines/{name}/sharing",
            "Priority and share of a pipeline, registered or not.",
            sharing::show,
        )
        .add(
            (Method::PUT, "/api/v1/pipelines/{name}/sharing"),
            StatusCode::OK,
            "Changes priority and share of a pipeline, for running jobs, too. Workers follow within a second.",
            sharing::change,
        )
        .add(
            (Method::DELETE, "/api/v1/pipelines/{name}/sharing"),
            StatusCode::OK,
            "Takes a change of priority and share back: those of the spec count.",
            sharing::reset,
        )
        .add(
            (Method::POST, "/api/v1/validate"),
            StatusCode::OK,
            "Checks a spec without registering it.",
            registered::validate,
        )
        .get("/api/v1/graph", "The graph of pipelines.", pipelines::graph)
}

fn of_files(routes: Routes) -> Routes {
    routes
        .get("/api/v1/files", "A folder of the store.", files::list)
        .bytes(
            "/api/v1/files/content",
            "application/octet-stream",
            "A file of the store.",
            files::content,
        )
        .bytes(
            "/api/v1/jobs/{id}/datums/{index}/output",
            "application/octet-stream",
            "A file that a datum wrote, as it was written.",
            files::output,
        )
        .bytes(
            "/api/v1/jobs/{id}/datums/{index}/log",
            "text/plain",
            "The whole log of a datum as a text file.",
            logs::download,
        )
}

fn of_jobs(routes: Routes) -> Routes {
    routes
        .get("/api/v1/jobs", "Jobs, newest first.", jobs::list)
        .get("/api/v1/jobs/{id}", "A job.", jobs::show)
        .get(
            "/api/v1/jobs/{id}/failures",
            "Failures of a job, grouped by cause, largest group first.",
            failures::show,
        )
        .add(
            (Method::POST, "/api/v1/jobs/{id}/stop"),
            StatusCode::ACCEPTED,
            "Requests the stop of a job; finished datums stay finished.",
            jobs::stop,
        )
        .add(
            (Method::POST, "/api/v1/jobs/{id}/retry"),
            StatusCode::ACCEPTED,
            "Runs the unsuccessful datums of a job again, as a new job. A request with the `Idempotency-Key` of an earlier one answers with the job of that one.",
            jobs::retry,
        )
        .add(
            (Method::POST, "/api/v1/jobs/{id}/redo"),
            StatusCode::ACCEPTED,
            "Does the work of all matching datums of a job again, as a new job over what the inputs hold now. Refused while a job of the pipeline is active.",
            redo::redo,
        )
        .get(
            "/api/v1/jobs/{id}/changes",
            "What changed between an earlier job and this one: datums and spec.",
            changes::show,
        )
        .get(
            "/api/v1/jobs/{id}/datums",
            "Datums of a job, page by page.",
            datums::list,
        )
        .get("/api/v1/jobs/{id}/datums/{index}", "A datum.", detail::show)
        .get(
            "/api/v1/jobs/{id}/datums/{index}/logs",
            "Log lines of a datum.",
            logs::list,
        )
        .get(
            "/api/v1/jobs/{id}/timeline",
            "A job over time.",
            timeline::show,
        )
}

async fn unknown() -> impl IntoResponse {
    Error::not_found("this path does not exist; /api/v1/openapi.json lists all paths")
}

async fn method_not_allowed() -> impl IntoResponse {
    Error::invalid("this path does not support the method; /api/v1/openapi.json lists the methods")
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
}

//! Which path leads where. Unknown paths answer 404, known ones 405 to a method they do not have.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::health::{GROUP_HEALTH, GROUP_LIVE, GROUP_READY, GROUP_STARTUP};

use super::{Faces, health, metrics, requests};

/// The paths that answer for a group, the ones that other tools are used to among them.
const GROUP_PATHS: [(&str, &str); 10] = [
    ("/health", GROUP_HEALTH),
    ("/health/live", GROUP_LIVE),
    ("/health/ready", GROUP_READY),
    ("/health/startup", GROUP_STARTUP),
    ("/healthz", GROUP_HEALTH),
    ("/livez", GROUP_LIVE),
    ("/readyz", GROUP_READY),
    ("/startupz", GROUP_STARTUP),
    ("/-/healthy", GROUP_LIVE),
    ("/-/ready", GROUP_READY),
];

/// Whether `path` is one that probes ask for: answered before everything else.
pub(super) fn is_probe(path: &str) -> bool {
    GROUP_PATHS.iter().any(|(known, _)| *known == path)
}

pub(super) fn router(faces: Faces) -> Router {
    let mut router = Router::new()
        .route("/", get(front_page))
        .route("/metrics", get(metrics::page))
        .route("/health/groups/{group}", get(health::named_group))
        .route("/health/checks/{check}", get(health::check));
    for (path, group) in GROUP_PATHS {
        let answer = async move |State(faces): State<Faces>, asked: health::Asked| {
            health::group(&faces, &asked, group)
        };
        router = router.route(path, get(answer));
    }
    router.fallback(not_found).layer(from_fn_with_state(faces.clone(), requests::measure)).with_state(faces)
}

async fn not_found() -> Response {
    let body = "no such path: see / for those there are\n";
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

async fn front_page(State(faces): State<Faces>) -> Response {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>vitalsign</title></head><body>\
         <h1>vitalsign {}</h1><p>Health and metrics of <b>{}</b>.</p><ul><li><a href=\"/metrics\">/metrics</a></li>",
        env!("CARGO_PKG_VERSION"),
        escape(&faces.0.service),
    );
    for (path, _) in GROUP_PATHS.iter().filter(|(path, _)| path.starts_with("/health")) {
        page.push_str(&format!("<li><a href=\"{path}?verbose\">{path}</a></li>"));
    }
    page.push_str("</ul></body></html>\n");
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

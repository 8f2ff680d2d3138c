//! The answers about groups and single checks: 200 or 503, as JSON, as health+json, or as text, by what is asked for.
//!
//! Never 406: a probe that cannot say what it reads gets JSON. No query changes a policy or starts a run.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::health::{GROUP_LIVE, GroupView, Judged};
use crate::model::State as HealthState;

use super::Faces;
use super::audience::Audience;
use super::{document, ietf, plain};

/// What a request asks for beside its path.
pub(super) struct Asked {
    form: Form,
    audience: Audience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Ietf,
    Text,
}

impl Form {
    fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let verbose =
            query.is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("verbose")));
        if verbose {
            return Self::Text;
        }
        // The first one named that we have; weights are not worth their parsing for two forms that nobody ranks.
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for media in accepted.flat_map(|value| value.split(',')) {
            match media.split(';').next().map(str::trim) {
                Some("application/health+json") => return Self::Ietf,
                Some("text/plain") => return Self::Text,
                Some("application/json" | "application/*" | "*/*") => return Self::Json,
                _ => {}
            }
        }
        Self::Json
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ietf => "application/health+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let form = Form::of(&parts.headers, parts.uri.query());
        Ok(Self { form, audience: Audience::of(parts) })
    }
}

pub(super) fn group(faces: &Faces, asked: &Asked, group: &str) -> Response {
    match faces.0.board.group(group, Instant::now()) {
        Some(view) => answer_group(faces, asked, &view),
        None => unknown("group"),
    }
}

pub(super) async fn named_group(
    State(faces): State<Faces>,
    asked: Asked,
    Path(name): Path<String>,
) -> Response {
    group(&faces, &asked, &name)
}

pub(super) async fn check(State(faces): State<Faces>, asked: Asked, Path(name): Path<String>) -> Response {
    match faces.0.board.check(&name, Instant::now()) {
        Some(judged) => answer_check(&asked, &judged),
        None => unknown("check"),
    }
}

fn answer_group(faces: &Faces, asked: &Asked, view: &GroupView) -> Response {
    let facts = document::Facts {
        service: &faces.0.service,
        version: &faces.0.version,
        uptime: faces.0.board.uptime(Instant::now()),
        audience: asked.audience,
    };
    let body = match asked.form {
        Form::Text => plain::group(view, asked.audience),
        _ if view.group == GROUP_LIVE => document::live(view, asked.form == Form::Ietf),
        Form::Json => document::group(view, &facts),
        Form::Ietf => ietf::group(view, &facts),
    };
    respond(view.state, asked.form, body)
}

fn answer_check(asked: &Asked, judged: &Judged) -> Response {
    let body = match asked.form {
        Form::Text => plain::check(judged, asked.audience),
        Form::Json => document::check(judged, asked.audience),
        Form::Ietf => ietf::check(judged, asked.audience),
    };
    respond(judged.state, asked.form, body)
}

fn respond(state: HealthState, form: Form, body: String) -> Response {
    let status = match state {
        HealthState::Healthy | HealthState::Degraded => StatusCode::OK,
        HealthState::Unhealthy | HealthState::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    };
    let headers = [
        (header::CONTENT_TYPE, form.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}

fn unknown(what: &str) -> Response {
    let body = format!("no such {what}: see /health for those there are\n");
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &[&'static str], query: Option<&str>) -> Form {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        Form::of(&headers, query)
    }

    #[test]
    fn whatever_is_accepted_gets_an_answer() {
        assert_eq!(form(&[], None), Form::Json);
        assert_eq!(form(&["*/*"], None), Form::Json);
        assert_eq!(form(&["image/png"], None), Form::Json);
        assert_eq!(form(&["application/health+json, */*;q=0.1"], None), Form::Ietf);
        assert_eq!(form(&["text/html", "text/plain;q=0.5"], None), Form::Text);
        assert_eq!(form(&["application/json"], Some("verbose")), Form::Text);
        assert_eq!(form(&["application/json"], Some("a=1&verbose=1")), Form::Text);
    }
}

//! Kind `http`: whether a request gets the answer that it should.
//!
//! Costs one look-up, one connection (kept only with `reuse`), one request, and as much of the body as something looks
//! at. Follows no proxy of the environment. An answer's content never gets into a message. While traces are on, the
//! request says which span it comes from.
//!
//! HTTP is spoken by hyper itself: a client above it would look up, connect and shake hands out of sight, could not say
//! what a proxy answered, and has its own mind about the name of the host in version 2.
//!
//! Phases: `resolve` (not for addresses), `connect`, `tls`, `request` (until the head of the answer is there), `transfer`
//! (the body, where it is read). A proxy counts as `connect`. Redirects add up.

mod body;
mod connection;
mod expect;
mod extent;
mod failure;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod pattern;
mod question;
mod route;
mod settings;
mod status;
mod tunnel;

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Response, Version};
use parking_lot::Mutex;
use tokio::time::timeout_at;
use url::Origin;

use self::connection::Connection;
use self::expect::Expect;
use self::failure::Failed;
use self::question::Question;
use self::route::Route;
use self::settings::Settings;
use super::kept::Kept;
use super::{Built, Check, Kind, Probe, Run, Target, net};
use crate::config::{Fields, SecretUrl};
use crate::model::{
    Definition, Instrument, Measurement, Measures, Name, Outcome, Phase, Reason, Unit, Verdict,
};
use crate::trace;

static STATUS_CODE: Definition = Definition {
    name: "healthcheck.http.response.status_code",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["healthcheck.name"],
    help: "Status code of the last answer; 0 when there was none",
};

static CERTIFICATE_EXPIRY: Definition = Definition {
    name: "healthcheck.tls.certificate.expiry.timestamp",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["healthcheck.name"],
    help: "When the first of the certificates that the server is trusted by expires, as Unix time",
};

static DEFINITIONS: [&Definition; 2] = [&STATUS_CODE, &CERTIFICATE_EXPIRY];

static MEASUREMENTS: [Measurement; 1] = [Measurement::new("certificate_days", Unit::Days)];

/// See the module.
pub(super) struct Http;

struct HttpCheck {
    question: Question,
    route: Route,
    redirects: u32,
    expect: Expect,
    max_body: usize,
    reuse: bool,
    certificate_days: u32,
    days_left: Option<Name>,
    /// The connection, and the origin that it leads to.
    kept: Kept<(Origin, Connection)>,
    /// The expiry from the handshake of the connection that is kept.
    expiry: Mutex<Option<i64>>,
}

/// What a run notes as soon as it is known.
#[derive(Default)]
struct Seen {
    status: u16,
    expiry: Option<i64>,
}

impl Check for HttpCheck {
    async fn run(&self, run: &Run) -> Outcome {
        let mut seen = Seen::default();
        let outcome = match timeout_at(net::patience(run), self.ask(run, &mut seen)).await {
            Ok(Ok(outcome) | Err(outcome)) => {
                run.leave_phase();
                outcome
            }
            // The phase is left open: it is the one that took too long.
            Err(_) => Outcome::failed(Reason::Timeout),
        };
        let outcome = outcome.number(&STATUS_CODE, Vec::new(), f64::from(seen.status));
        let outcome = self.route.tell(&self.question.url, outcome);
        match self.current_expiry(seen.expiry) {
            Some(expiry) => self.judge_expiry(expiry, outcome),
            None => outcome,
        }
    }
}

impl HttpCheck {
    fn new(settings: Settings) -> Result<Self, &'static str> {
        let Settings { url, method, headers, body, redirects, proxy, tls, version, reuse, max_body, .. } =
            settings;
        let route = Route::new(&url, proxy.as_ref().map(SecretUrl::expose), &tls, version, max_body)?;
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.expose().to_owned()));
        let question = Question::new(url, method.method(), headers, body);
        question.request(false, None).ok_or("cannot be asked for")?;
        Ok(Self {
            question,
            route,
            redirects,
            expect: settings.expect,
            max_body,
            reuse,
            certificate_days: settings.certificate_days,
            days_left: Name::new("certificate_days").ok(),
            kept: Kept::new(reuse),
            expiry: Mutex::new(None),
        })
    }

    /// Asks and judges.
    async fn ask(&self, run: &Run, seen: &mut Seen) -> Result<Outcome, Outcome> {
        let mut question = Cow::Borrowed(&self.question);
        let mut kept = self.kept.take();
        for left in (0..=self.redirects).rev() {
            let (mut connection, response) =
                self.send(run, &question, kept, seen).await.map_err(Failed::outcome)?;
            let status = response.status().as_u16();
            seen.status = status;
            // A redirect that is expected is the answer.
            let next = if left > 0 && !self.expect.status.contains(status) {
                question.redirected(status, response.headers())
            } else {
                None
            };
            let Some(next) = next else { return self.judge(run, &question, connection, response).await };
            let origin = question.url.origin();
            kept = None;
            if self.reuse && next.url.origin() == origin {
                let left = body::read(&mut connection, response.into_body(), self.max_body).await;
                left.map_err(Failed::outcome)?;
                kept = Some((origin, connection));
            }
            question = Cow::Owned(next);
        }
        Err(Outcome::failed(Reason::Other))
    }

    /// Sends a request over the connection that was kept, where it still leads there, or over a new one.
    async fn send(
        &self,
        run: &Run,
        question: &Question,
        kept: Option<(Origin, Connection)>,
        seen: &mut Seen,
    ) -> Result<(Connection, Response<Incoming>), Failed> {
        if let Some((_, mut connection)) = kept.filter(|(origin, _)| *origin == question.url.origin()) {
            run.begin_phase(Phase::Request);
            match self.exchange(&mut connection, question).await {
                // It died while nobody used it, which says nothing about the server.
                Err(error) if error.is_unsent() || (error.is_reset() && question.method.is_safe()) => {}
                answer => return answer.map(|response| (connection, response)),
            }
        }
        let mut connection = self.route.reach(run, &question.url, &mut seen.expiry).await?;
        let response = self.exchange(&mut connection, question).await?;
        Ok((connection, response))
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        question: &Question,
    ) -> Result<Response<Incoming>, Failed> {
        let through = self.route.seen_by_proxy(&question.url);
        let mut request = question.request(connection.is_second(), through).ok_or(Failed::Address)?;
        trace::tell(request.headers_mut());
        connection.ask(request).await.map_err(Failed::Http)
    }

    /// Judges an answer; keeps the connection where it is to be reused.
    async fn judge(
        &self,
        run: &Run,
        question: &Question,
        mut connection: Connection,
        response: Response<Incoming>,
    ) -> Result<Outcome, Outcome> {
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        let head = Outcome::pass()
            .detail("status", u32::from(status))
            .detail("http_version", if connection.is_second() { "2" } else { version(parts.version) });
        let with_head = |wrong: Outcome| Outcome { details: head.details.clone(), ..wrong };
        if status == 407
            && self.route.seen_by_proxy(&question.url).is_some()
            && !self.expect.status.contains(407)
        {
            return Err(with_head(Failed::Proxy(407).outcome()));
        }
        if let Some(wrong) = self.expect.judge_head(status, &parts.headers) {
            return Err(with_head(wrong));
        }
        if !self.expect.looks_at_body() && !self.reuse {
            return Ok(head);
        }
        run.begin_phase(Phase::Transfer);
        let body = body::read(&mut connection, body, self.max_body).await.map_err(Failed::outcome)?;
        drop(self.kept.keep((question.url.origin(), connection)));
        if !self.expect.looks_at_body() {
            return Ok(head);
        }
        let text =
            body::text(body, &parts.headers, self.max_body).map_err(|failed| with_head(failed.outcome()))?;
        match self.expect.judge_body(&text) {
            Ok(measurements) => Ok(Outcome { measurements, ..head }),
            Err(wrong) => Err(with_head(Outcome::failed(Reason::UnexpectedBody).message(wrong))),
        }
    }

    /// The expiry that this run saw, or for a kept connection the one seen when it was opened.
    fn current_expiry(&self, seen: Option<i64>) -> Option<i64> {
        if !self.reuse {
            return seen;
        }
        let mut kept = self.expiry.lock();
        *kept = seen.or(*kept);
        *kept
    }

    /// Adds what is left of the certificates' time, and warns when that is little.
    fn judge_expiry(&self, expiry: i64, outcome: Outcome) -> Outcome {
        const DAY: f64 = 86_400.0;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = (expiry as f64 - now.as_secs_f64()) / DAY;
        let mut outcome = outcome.number(&CERTIFICATE_EXPIRY, Vec::new(), expiry as f64);
        outcome.measurements.extend(self.days_left.clone().map(|name| (name, left)));
        if outcome.verdict == Verdict::Pass && left < f64::from(self.certificate_days) {
            outcome.verdict = Verdict::Warn(Reason::Threshold);
            outcome.message = Some(Cow::Owned(format!("a certificate expires in {:.1} days", left.max(0.0))));
        }
        outcome
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["https", "url", "web", "website"]
    }

    fn about(&self) -> &'static str {
        "Sends an HTTP request and judges status, headers, body and certificate of the answer."
    }

    fn example(&self) -> &'static str {
        "url: https://pay.example/ping\n\
         expect:\n  status: 200\n  json: { \"$.status\": ok }\n\
         measure: { open_orders: \"$.orders.open\" }\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        failure::REASONS
    }

    fn measures(&self) -> Measures {
        Measures::of(&MEASUREMENTS).and_named_by("measure", Unit::Any)
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        &DEFINITIONS
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        let settings = Settings::read(fields)?;
        let target = Target {
            address: settings.url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()),
            port: settings.url.port_or_known_default(),
            ..Target::default()
        };
        match HttpCheck::new(settings) {
            Ok(check) => Some(Built { probe: Probe::new(check), target }),
            Err(error) => {
                fields.problem("url", error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;

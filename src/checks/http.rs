//! Kind `http`: whether a request gets the answer that it should.
//!
//! Costs one look-up, one connection (kept only with `reuse`), one request, and as much of the body as something looks
//! at. Follows no proxy of the environment. An answer's content never gets into a message. While traces are on, the
//! request says which span it comes from.
//!
//! Phases: `resolve` (not for addresses), `connect`, `tls` (from the first byte of the handshake to an open
//! connection), `request` (until the head of the answer is there), `transfer` (the body, where it is read). A proxy
//! counts as `connect`.

mod client;
mod expect;
mod failure;
mod pattern;
mod settings;
mod status;

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use reqwest::{Client, Request, Response, Version};
use tokio::time::timeout_at;

use self::expect::Expect;
use self::settings::Settings;
use super::tls::watch;
use super::{Built, Check, Kind, Probe, Run, Target, net};
use crate::config::Fields;
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
    help: "When the first of the certificates that the server showed expires, as Unix time",
};

static DEFINITIONS: [&Definition; 2] = [&STATUS_CODE, &CERTIFICATE_EXPIRY];

static MEASUREMENTS: [Measurement; 1] = [Measurement::new("certificate_days", Unit::Days)];

/// See the module.
pub(super) struct Http;

struct HttpCheck {
    client: Client,
    request: Request,
    expect: Expect,
    max_body: usize,
    reuse: bool,
    certificate_days: u32,
    days_left: Option<Name>,
    /// The expiry from the handshake of the connection that is kept.
    expiry: Mutex<Option<i64>>,
}

impl Check for HttpCheck {
    async fn run(&self, run: &Run) -> Outcome {
        let mut status = 0;
        let ask = timeout_at(net::patience(run), self.ask(run, &mut status));
        let (asked, expiry) = watch::watched(run, ask).await;
        let outcome = match asked {
            Ok(Ok(outcome) | Err(outcome)) => {
                run.leave_phase();
                outcome
            }
            // The phase is left open: it is the one that took too long.
            Err(_) => Outcome::failed(Reason::Timeout),
        };
        let outcome = outcome.number(&STATUS_CODE, Vec::new(), f64::from(status));
        match self.current_expiry(expiry) {
            Some(expiry) => self.judge_expiry(expiry, outcome),
            None => outcome,
        }
    }
}

impl HttpCheck {
    fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let client = client::client(&settings)?;
        let mut request = client.request(settings.method.method(), settings.url).headers(settings.headers);
        if let Some(body) = settings.body {
            request = request.body(body.expose().to_owned());
        }
        Ok(Self {
            client,
            request: request.build()?,
            expect: settings.expect,
            max_body: settings.max_body,
            reuse: settings.reuse,
            certificate_days: settings.certificate_days,
            days_left: Name::new("certificate_days").ok(),
            expiry: Mutex::new(None),
        })
    }

    /// Asks and judges; puts the status into `status` as soon as it is known.
    async fn ask(&self, run: &Run, status: &mut u16) -> Result<Outcome, Outcome> {
        let Some(mut request) = self.request.try_clone() else {
            return Err(Outcome::failed(Reason::Other).because("a request that cannot be repeated"));
        };
        trace::tell(request.headers_mut());
        if self.reuse {
            run.begin_phase(Phase::Request);
        }
        let response = self.client.execute(request).await.map_err(failure::of)?;
        *status = response.status().as_u16();
        let head = Outcome::pass()
            .detail("status", u32::from(*status))
            .detail("http_version", version(response.version()));
        if let Some(wrong) = self.expect.judge_head(*status, response.headers()) {
            return Err(Outcome { details: head.details, ..wrong });
        }
        if !self.expect.looks_at_body() && !self.reuse {
            return Ok(head);
        }
        run.begin_phase(Phase::Transfer);
        let body = read(response, self.max_body).await?;
        match self.expect.judge_body(&body) {
            Ok(measurements) => Ok(Outcome { measurements, ..head }),
            Err(wrong) => Err(Outcome {
                details: head.details,
                ..Outcome::failed(Reason::UnexpectedBody).message(wrong)
            }),
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

/// Reads the body; one longer than `most` bytes is a failure.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Outcome> {
    let too_long =
        || Outcome::failed(Reason::UnexpectedBody).message(format!("the body is longer than {most} bytes"));
    let announced = response.content_length().map(usize::try_from);
    let announced = match announced {
        Some(Ok(length)) if length <= most => length,
        Some(_) => return Err(too_long()),
        None => 0,
    };
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await.map_err(failure::of)? {
        if body.len() + chunk.len() > most {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        _ => "3",
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
                fields.problem("url", format!("cannot be asked: {}", error.without_url()));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;

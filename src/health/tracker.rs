//! Turns the outcomes of one check into verdicts: thresholds, latency limit, hysteresis, then the board, the metrics and
//! one log line when the state or the cause of a failure changed. The only writer of its check.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::model::{Cause, Course, Outcome, Phase, Reason, State, Verdict};

use super::board::Board;
use super::entry::{Entry, Failing, FailureKey, Standing};
use super::streak::Streak;
use super::thresholds::{Finding, Watched};

/// The key of the detail that holds what an operator should change.
pub const ADVICE: &str = "advice";

/// The writer of one check's verdicts.
#[derive(Debug)]
pub struct Tracker {
    board: Board,
    entry: Arc<Entry>,
    streak: Streak,
    thresholds: Vec<Watched>,
    consecutive_failures: u32,
    /// Why the check failed, as the log said it last; a check that fails now and then for one cause fills no log.
    logged: Option<FailureKey>,
    /// The advice that the log has given.
    advised: Option<&'static str>,
}

/// What one run amounts to, after thresholds and latency limit.
struct Assessed {
    level: State,
    failing: Option<Failing>,
}

impl Tracker {
    pub(super) fn new(board: Board, entry: Arc<Entry>) -> Self {
        let thresholds = entry.policy.thresholds.iter().cloned().map(Watched::new).collect();
        Self {
            board,
            entry,
            streak: Streak::default(),
            thresholds,
            consecutive_failures: 0,
            logged: None,
            advised: None,
        }
    }

    /// The check.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Takes in how a run went, and until when the circuit breaker lets no other through, where that has opened. Gives the
    /// reason if the run counts as failed.
    pub fn record(
        &mut self,
        mut outcome: Outcome,
        course: Course,
        open_until: Option<Instant>,
    ) -> Option<Reason> {
        let now = Instant::now();
        let assessed = self.assess(&outcome, &course, now);
        let failed = assessed.level == State::Unhealthy;
        self.consecutive_failures = if failed { self.consecutive_failures.saturating_add(1) } else { 0 };
        let before = self.streak.state();
        let policy = &self.entry.policy;
        let changed = self.streak.record(assessed.level, policy.fail_after, policy.recover_after);
        let state = self.streak.state().unwrap_or(assessed.level);

        if let Some(advice) = outcome.advice {
            outcome.details.push((ADVICE.into(), advice.into()));
            self.advise(advice);
        }
        let checked_at = SystemTime::now();
        let last = self.entry.standing();
        // While the state is not healthy the last bad run explains it, even when the newest run was good.
        let reason = assessed.failing.as_ref().map(|failing| failing.reason).filter(|_| failed);
        let failing = match (assessed.failing, &last) {
            (None, Some(last)) if state != State::Healthy => last.failing.clone(),
            (failing, _) => failing,
        };
        let standing = Standing {
            state,
            suspect: self.streak.is_suspect(),
            consecutive_failures: self.consecutive_failures,
            failing,
            latency: course.took,
            phases: course.phases,
            measurements: outcome.measurements,
            details: outcome.details,
            checked_at,
            judged_at: now,
            since: match &last {
                Some(last) if !changed => last.since,
                _ => checked_at,
            },
            open_until,
        };
        self.entry.metrics.measure(&standing.measurements);
        self.entry.metrics.record(&standing, changed && before.is_some(), !failed);
        self.log(changed, before, &standing);
        let news = self.entry.stand(standing, !failed);
        self.board.answered(changed || news);
        reason
    }

    /// Takes in that the dependency was spared a run: the last verdict stands, as of now.
    pub fn renew(&self) {
        if let Some(last) = self.entry.standing() {
            let renewed =
                Standing { judged_at: Instant::now(), checked_at: SystemTime::now(), ..(*last).clone() };
            self.entry.metrics.renew(renewed.checked_at);
            let news = self.entry.stand(renewed, false);
            self.board.answered(news);
        }
    }

    fn assess(&mut self, outcome: &Outcome, course: &Course, now: Instant) -> Assessed {
        let failed = matches!(outcome.verdict, Verdict::Fail(_));
        let mut missing = None;
        let mut findings: Vec<Option<Finding>> = Vec::with_capacity(self.thresholds.len());
        for watched in &mut self.thresholds {
            let name = watched.threshold.measurement.clone();
            let value =
                outcome.measurements.iter().find(|(measured, _)| *measured == name).map(|(_, value)| *value);
            findings.push(value.map(|value| watched.judge(value, now)));
            if value.is_none() && !failed {
                missing.get_or_insert(name);
            }
        }
        self.entry.metrics.show_ratios(self.thresholds.iter().zip(findings.iter().map(Option::as_ref)));

        let said = |level: State, reason: Reason| {
            let sentence = outcome.cause.and_then(Cause::sentence).unwrap_or(reason.sentence());
            let message = outcome.message.clone().unwrap_or_else(|| match (reason, outcome.cause) {
                (Reason::Timeout, None) => {
                    let limit = humantime::format_duration(self.entry.policy.timeout);
                    format!("{sentence} of {limit}").into()
                }
                _ => Cow::Borrowed(sentence),
            });
            Assessed {
                level,
                failing: Some(Failing { reason, cause: outcome.cause, phase: course.last, message }),
            }
        };
        let mut assessed = match outcome.verdict {
            Verdict::Pass => Assessed { level: State::Healthy, failing: None },
            Verdict::Warn(reason) => said(State::Degraded, reason),
            Verdict::Fail(reason) => said(State::Unhealthy, reason),
        };
        let mut worsen = |level: State, reason: Reason, cause: Option<Cause>, message: String| {
            if level > assessed.level {
                let failing = Failing { reason, cause, phase: None, message: message.into() };
                assessed = Assessed { level, failing: Some(failing) };
            }
        };
        if let Some(name) = missing {
            // A limit on a number that is not there would be green for ever.
            let message = format!("the answer has no number called {name}");
            worsen(State::Unhealthy, Reason::UnexpectedBody, Some(Cause::MissingMeasurement), message);
        }
        for finding in findings.into_iter().flatten() {
            if let Some(message) = finding.message {
                worsen(finding.level, Reason::Threshold, None, message);
            }
        }
        if let Some(limit) = self.entry.policy.warn_slower_than
            && course.took > limit
        {
            worsen(
                State::Degraded,
                Reason::Threshold,
                Some(Cause::Slow),
                format!(
                    "took {}, slower than its limit {}",
                    humantime::format_duration(Duration::from_millis(
                        course.took.as_millis().try_into().unwrap_or(u64::MAX)
                    )),
                    humantime::format_duration(limit)
                ),
            );
        }
        assessed
    }

    fn advise(&mut self, advice: &'static str) {
        if self.advised.replace(advice) != Some(advice) {
            let Entry { name, kind, target, .. } = &*self.entry;
            warn!(check = name.as_str(), kind, target, "{advice}");
        }
    }

    fn log(&mut self, changed: bool, before: Option<State>, standing: &Standing) {
        let Entry { name, kind, target, policy, .. } = &*self.entry;
        let (check, target, runbook) = (name.as_str(), target.as_deref(), policy.runbook.as_deref());
        let from = before.unwrap_or(State::Unknown).as_str();
        let to = standing.state.as_str();
        let Some(failing) = &standing.failing else {
            if changed {
                self.logged = None;
                match before {
                    None => debug!(check, kind, target, from, to, "check state changed"),
                    Some(_) => info!(check, kind, target, from, to, "check state changed"),
                }
            }
            return;
        };
        let other_cause = self.logged.replace(failing.key()) != Some(failing.key());
        if !changed && !other_cause {
            return;
        }
        let reason = failing.reason.as_str();
        let cause = failing.cause.map(tracing::field::display);
        let phase = failing.phase.map(Phase::as_str);
        let error = failing.message.as_ref();
        let consecutive_failures = standing.consecutive_failures;
        let (from, to, state, message) = if changed {
            (Some(from), Some(to), None, "check state changed")
        } else {
            (None, None, Some(to), "check failed")
        };
        warn!(
            check,
            kind,
            target,
            from,
            to,
            state,
            reason,
            cause,
            phase,
            error,
            consecutive_failures,
            runbook,
            "{message}"
        );
    }
}

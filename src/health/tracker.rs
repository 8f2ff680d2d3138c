//! Turns the outcomes of one check into verdicts: thresholds, latency limit, hysteresis, then the board, the metrics and
//! one log line when the state changed. The only writer of its check.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::model::{Outcome, Phase, Reason, State, Verdict};

use super::board::Board;
use super::entry::{Entry, Standing};
use super::streak::Streak;
use super::thresholds::{Finding, Watched};

/// The writer of one check's verdicts.
#[derive(Debug)]
pub struct Tracker {
    board: Board,
    entry: Arc<Entry>,
    streak: Streak,
    thresholds: Vec<Watched>,
    consecutive_failures: u32,
}

/// What one run amounts to, after thresholds and latency limit.
struct Assessed {
    level: State,
    reason: Option<Reason>,
    message: Option<Cow<'static, str>>,
}

impl Tracker {
    pub(super) fn new(board: Board, entry: Arc<Entry>) -> Self {
        let thresholds = entry.policy.thresholds.iter().cloned().map(Watched::new).collect();
        Self { board, entry, streak: Streak::default(), thresholds, consecutive_failures: 0 }
    }

    /// The check.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Takes in the outcome of a run that took `latency`. Gives the reason if the run counts as failed.
    pub fn record(
        &mut self,
        outcome: Outcome,
        latency: Duration,
        phases: Vec<(Phase, Duration)>,
    ) -> Option<Reason> {
        let now = Instant::now();
        let assessed = self.assess(&outcome, latency, now);
        let failed = assessed.level == State::Unhealthy;
        self.consecutive_failures = if failed { self.consecutive_failures.saturating_add(1) } else { 0 };
        let before = self.streak.state();
        let policy = &self.entry.policy;
        let changed = self.streak.record(assessed.level, policy.fail_after, policy.recover_after);
        let state = self.streak.state().unwrap_or(assessed.level);

        let checked_at = SystemTime::now();
        let last = self.entry.standing();
        // While the state is not healthy the last bad run explains it, even when the newest run was good.
        let (reason, message) = match (assessed.reason, &last) {
            (None, Some(last)) if state != State::Healthy => (last.reason, last.message.clone()),
            (reason, _) => (reason, assessed.message),
        };
        let standing = Standing {
            state,
            suspect: self.streak.is_suspect(),
            consecutive_failures: self.consecutive_failures,
            reason,
            message,
            latency,
            phases,
            measurements: outcome.measurements,
            details: outcome.details,
            checked_at,
            judged_at: now,
            since: match &last {
                Some(last) if !changed => last.since,
                _ => checked_at,
            },
            spared: false,
        };
        self.entry.metrics.measure(&standing.measurements);
        self.entry.metrics.record(&standing, changed && before.is_some(), !failed);
        if changed {
            self.log_change(before, &standing);
        }
        let news = self.entry.stand(standing, !failed);
        self.board.answered(changed || news);
        assessed.reason.filter(|_| failed)
    }

    /// Takes in that the dependency was spared a run: the last verdict stands, as of now.
    pub fn renew(&self) {
        if let Some(last) = self.entry.standing() {
            let renewed = Standing {
                judged_at: Instant::now(),
                checked_at: SystemTime::now(),
                spared: true,
                ..(*last).clone()
            };
            self.entry.metrics.renew(renewed.checked_at);
            let news = self.entry.stand(renewed, false);
            self.board.answered(news);
        }
    }

    fn assess(&mut self, outcome: &Outcome, latency: Duration, now: Instant) -> Assessed {
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

        let said = |level: State, reason: Reason| Assessed {
            level,
            reason: Some(reason),
            message: outcome.message.clone().or(Some(Cow::Borrowed(reason.sentence()))),
        };
        let mut assessed = match outcome.verdict {
            Verdict::Pass => Assessed { level: State::Healthy, reason: None, message: None },
            Verdict::Warn(reason) => said(State::Degraded, reason),
            Verdict::Fail(reason) => said(State::Unhealthy, reason),
        };
        let mut worsen = |level: State, reason: Reason, message: String| {
            if level > assessed.level {
                assessed = Assessed { level, reason: Some(reason), message: Some(message.into()) };
            }
        };
        if let Some(name) = missing {
            // A limit on a number that is not there would be green for ever.
            let message = format!("the answer has no number called {name}");
            worsen(State::Unhealthy, Reason::UnexpectedBody, message);
        }
        for finding in findings.into_iter().flatten() {
            if let Some(message) = finding.message {
                worsen(finding.level, Reason::Threshold, message);
            }
        }
        if let Some(limit) = self.entry.policy.warn_slower_than
            && latency > limit
        {
            worsen(
                State::Degraded,
                Reason::Threshold,
                format!("slower than {}", humantime::format_duration(limit)),
            );
        }
        assessed
    }

    fn log_change(&self, before: Option<State>, standing: &Standing) {
        let check = self.entry.name.as_str();
        let kind = self.entry.kind;
        let from = before.unwrap_or(State::Unknown).as_str();
        let to = standing.state.as_str();
        let reason = standing.reason.map_or("", Reason::as_str);
        let error = standing.message.as_deref().unwrap_or_default();
        let failures = standing.consecutive_failures;
        match (before, standing.state) {
            (None, State::Healthy) => debug!(check, kind, from, to, "check state changed"),
            (_, State::Healthy) => info!(check, kind, from, to, "check state changed"),
            _ => warn!(
                check,
                kind,
                from,
                to,
                reason,
                error,
                consecutive_failures = failures,
                "check state changed"
            ),
        }
    }
}

//! Quantiles, and the table that every benchmark ends with.

use std::path::Path;
use std::time::{Duration, Instant};

use super::agent::BINARY;

/// The value below which `part` of `values` lie.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values[((last as f64 * part).round() as usize).min(last)]
}

/// The middle one of `values`.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// How many milliseconds `work` takes.
pub fn millis(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    as_millis(started.elapsed())
}

/// A duration as a number of milliseconds.
pub fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What was measured against what was asked for.
#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    /// A figure with no target.
    pub fn tell(&mut self, what: &str, measured: impl Into<String>) {
        self.0.push([what.to_owned(), String::new(), measured.into(), String::new()]);
    }

    /// A figure that must not be above `target`.
    pub fn at_most(&mut self, what: &str, target: f64, measured: f64, unit: &str) {
        self.judge(what, "≤", target, measured, unit, measured <= target);
    }

    /// A figure that must not be below `target`.
    pub fn at_least(&mut self, what: &str, target: f64, measured: f64, unit: &str) {
        self.judge(what, "≥", target, measured, unit, measured >= target);
    }

    fn judge(&mut self, what: &str, relation: &str, target: f64, measured: f64, unit: &str, holds: bool) {
        let verdict = if holds { "holds" } else { "MISSED" };
        let target = format!("{relation} {target} {unit}");
        self.0.push([
            what.to_owned(),
            target.trim_end().to_owned(),
            format!("{measured:.3} {unit}").trim_end().to_owned(),
            verdict.to_owned(),
        ]);
    }

    /// Prints the table as Markdown, so that it can be quoted, with the profile that the program was built with.
    pub fn print(&self, title: &str) {
        let profile = Path::new(BINARY).parent().and_then(Path::file_name).unwrap_or_default().display();
        println!("\n{title}, profile {profile}\n\n| what | target | measured | |\n|---|---|---|---|");
        for [what, target, measured, verdict] in &self.0 {
            println!("| {what} | {target} | {measured} | {verdict} |");
        }
    }
}

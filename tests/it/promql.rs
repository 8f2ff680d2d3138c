//! Whether a PromQL expression fits what this program exposes: every metric, label and label value exists, and the
//! function around a metric is one for its type. What `promtool` cannot know.
//!
//! ```ignore
//! let mut catalogue = Catalogue::ours();                       // definitions(), and what Prometheus adds itself
//! let report = check(&catalogue, expression, "checks.yml: VitalsignCheckFailing");
//! assert!(report.problems.is_empty(), "{}", report.problems.join("\n"));
//! catalogue.record("instance:name:operation", &report);        // a recording rule: later expressions may use it
//! ```
//!
//! Knows nothing of rule files or dashboards: variables of Grafana are to be replaced before (`$__rate_interval` by `5m`,
//! `$job` by `.+`). Costs a parse and one walk per expression.

#[path = "promql/catalogue.rs"]
mod catalogue;
#[path = "promql/functions.rs"]
mod functions;
#[path = "promql/selector.rs"]
mod selector;
#[path = "promql/values.rs"]
mod values;
#[path = "promql/walk.rs"]
mod walk;

#[path = "promql/works.rs"]
mod works;

use std::collections::BTreeSet;

use promql_parser::parser::Expr;

pub(crate) use catalogue::Catalogue;

/// What an expression is, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Report {
    /// One text for each thing that is wrong; each begins with the place.
    pub(crate) problems: Vec<String>,
    /// The labels that the result has, or `None` where it is a number without labels. Of the two sides of an `or`, what
    /// both have.
    pub(crate) labels: Option<BTreeSet<String>>,
    /// The OpenTelemetry names of the definitions that it reads.
    pub(crate) definitions: BTreeSet<&'static str>,
    /// The names of the series that it reads, those of Prometheus and of recording rules included.
    pub(crate) series: BTreeSet<String>,
    /// The parsed expression; `None` where it cannot be parsed.
    pub(crate) expr: Option<Expr>,
}

/// Checks `expression`; `place` says where it stands.
pub(crate) fn check(catalogue: &Catalogue, expression: &str, place: &str) -> Report {
    let mut walk = walk::Walk::new(catalogue, place);
    let (labels, expr) = match promql_parser::parser::parse(expression) {
        Ok(expr) => (walk.value(&expr).into_labels(), Some(expr)),
        Err(error) => {
            walk.problem(format!("cannot be parsed: {error}: {expression}"));
            (None, None)
        }
    };
    let (problems, definitions, series) = walk.finish();
    Report { problems, labels, definitions, series, expr }
}

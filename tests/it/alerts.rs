//! The alert rules that come with the program: promtool and amtool accept them and their tests, every expression fits
//! what the program exposes, and every alert has what a person on call needs: texts, a runbook, a dashboard.

#[path = "alerts/expressions.rs"]
mod expressions;
#[path = "alerts/inhibition.rs"]
mod inhibition;
#[path = "alerts/lint.rs"]
mod lint;
#[cfg(feature = "otlp")]
#[path = "alerts/live.rs"]
mod live;
#[path = "alerts/routes.rs"]
mod routes;
#[path = "alerts/rules.rs"]
mod rules;
#[path = "alerts/runbooks.rs"]
mod runbooks;
#[path = "alerts/tested.rs"]
mod tested;
#[path = "alerts/yaml.rs"]
mod yaml;

//! Every expression of every rule fits what the program exposes, in the rules, in the texts of alerts, and in the series
//! that the tests of the rules make up.

use std::collections::BTreeSet;

use promql_parser::parser::Expr;
use regex::Regex;

use super::{rules, rules::Rule, yaml};
use crate::promql::{Catalogue, Report, check};

/// Over the push path, samples may be a minute apart.
const SHORTEST_RATE_SECONDS: u64 = 300;

/// The rules, each with what its expression is; the catalogue has what they record.
pub(super) fn checked() -> (Vec<(Rule, Report)>, Catalogue) {
    let mut catalogue = Catalogue::ours();
    let mut checked = Vec::new();
    for rule in rules::all() {
        let mut report = check(&catalogue, &rule.expr, &rule.place());
        if rules::is_compatibility(&rule.file) {
            // A copy of a counter is one: it says so in its name.
            report.problems.retain(|problem| {
                !(rule.name.ends_with("_total") && problem.contains("use rate or increase"))
            });
        } else if !rule.is_alert {
            catalogue.record(&rule.name, &report);
        }
        checked.push((rule, report));
    }
    (checked, catalogue)
}

#[test]
fn every_expression_fits_what_is_exposed() {
    let problems: Vec<String> = checked().0.into_iter().flat_map(|(_, report)| report.problems).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn rates_are_read_over_five_minutes_or_more() {
    let mut wrong = Vec::new();
    for (rule, report) in checked().0 {
        visit(report.expr.as_ref().expect("an expression"), &mut |expr| {
            if let Expr::Call(call) = expr
                && matches!(call.func.name, "rate" | "irate" | "increase")
                && let Some(Expr::MatrixSelector(matrix)) = call.args.args.first().map(|argument| &**argument)
                && matrix.range.as_secs() < SHORTEST_RATE_SECONDS
            {
                wrong.push(format!("{}: {expr}", rule.place()));
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn queries_in_texts_fit_too() {
    let (checked, catalogue) = checked();
    let query = Regex::new("(?s)printf `([^`]*)`").unwrap();
    let mut found = 0;
    for (rule, _) in checked.iter().filter(|(rule, _)| rule.is_alert) {
        for (key, text) in &rule.annotations {
            assert_eq!(
                text.matches("query").count() - text.matches("urlquery").count(),
                query.captures_iter(text).count(),
                "{}: {key}: write each query as printf `…` … | query",
                rule.place()
            );
            for expression in query.captures_iter(text) {
                let expression = expression[1].replace("%q", "\"x\"");
                let place = format!("{} {key}", rule.place());
                assert_eq!(check(&catalogue, &expression, &place).problems, Vec::<String>::new());
                found += 1;
            }
        }
    }
    assert!(found >= 3, "found only {found} queries");
}

#[test]
fn tests_of_rules_use_series_that_exist() {
    let (_, catalogue) = checked();
    let mut problems = BTreeSet::new();
    for file in rules::test_files() {
        let document = yaml::parse(&file, &rules::read(&file));
        for group in rules::list(&document["tests"]) {
            for series in rules::list(&group["input_series"]) {
                // Counted, not read: a counter is as good as a gauge here.
                let expression = format!("count({})", rules::text(&series["series"]));
                problems.extend(check(&catalogue, &expression, &file).problems);
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Looks at `expr` and everything in it.
pub(super) fn visit(expr: &Expr, look: &mut dyn FnMut(&Expr)) {
    look(expr);
    match expr {
        Expr::Aggregate(inner) => visit(&inner.expr, look),
        Expr::Unary(inner) => visit(&inner.expr, look),
        Expr::Binary(inner) => {
            visit(&inner.lhs, look);
            visit(&inner.rhs, look);
        }
        Expr::Paren(inner) => visit(&inner.expr, look),
        Expr::Subquery(inner) => visit(&inner.expr, look),
        Expr::Call(call) => call.args.args.iter().for_each(|argument| visit(argument, look)),
        _ => {}
    }
}

//! The walk over a parsed expression: which labels each part has, and what about it is wrong.

use std::collections::BTreeSet;

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector},
};

use super::{
    catalogue::{Catalogue, Kind, Series},
    functions::{self, Labels},
    selector,
};

/// Fewer than four scrapes of 15 s tell nothing when one is lost.
const SHORTEST_RANGE_SECONDS: u64 = 60;

/// What a part of an expression gives.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number or a text.
    Scalar,
    Vector(Vector),
}

/// The series that a part gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Vector {
    labels: BTreeSet<String>,
    /// Whether these are all: a collector may add labels to what is read as it is, not to what was aggregated.
    closed: bool,
    /// Whether nobody knows which labels there are.
    any: bool,
}

impl Value {
    pub(super) fn into_labels(self) -> Option<BTreeSet<String>> {
        match self {
            Self::Scalar => None,
            Self::Vector(vector) => Some(vector.labels),
        }
    }
}

impl Vector {
    fn of(labels: impl IntoIterator<Item = String>) -> Self {
        Self { labels: labels.into_iter().collect(), closed: true, any: false }
    }

    fn has(&self, label: &str) -> bool {
        self.any || self.labels.contains(label)
    }
}

/// What is done with the value of a selector.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is read as it is.
    Value,
    /// Only whether there is one, or how it changed.
    Tamed,
}

pub(super) struct Walk<'a> {
    catalogue: &'a Catalogue,
    place: &'a str,
    problems: Vec<String>,
    definitions: BTreeSet<&'static str>,
    series: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, place: &'a str) -> Self {
        let (problems, definitions, series) = Default::default();
        Self { catalogue, place, problems, definitions, series }
    }

    pub(super) fn finish(self) -> (Vec<String>, BTreeSet<&'static str>, BTreeSet<String>) {
        (self.problems, self.definitions, self.series)
    }

    pub(super) fn problem(&mut self, what: impl AsRef<str>) {
        self.problems.push(format!("{}: {}", self.place, what.as_ref()));
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Value {
        self.walk(expr, Use::Value)
    }

    fn walk(&mut self, expr: &Expr, usage: Use) -> Value {
        match expr {
            Expr::Paren(inner) => self.walk(&inner.expr, usage),
            Expr::Unary(inner) => self.walk(&inner.expr, usage),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Value::Scalar,
            Expr::VectorSelector(selector) => self.selector(selector, usage),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, usage),
            Expr::Subquery(inner) => self.walk(&inner.expr, usage),
            Expr::Call(call) => self.call(call, usage),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, usage),
            Expr::Binary(binary) => self.binary(binary, usage),
            Expr::Extension(_) => {
                self.problem("has a part that PromQL does not know");
                Value::Scalar
            }
        }
    }

    fn selector(&mut self, selector: &VectorSelector, usage: Use) -> Value {
        let unknown = Value::Vector(Vector { any: true, ..Vector::default() });
        let Some(name) = selector.name.as_deref() else {
            self.problem("name the metric: {…} alone reads whatever there is");
            return unknown;
        };
        let Some(series) = self.catalogue.get(name).cloned() else {
            let nearest = self.catalogue.nearest(name).unwrap_or_default();
            self.problem(format!("there is no series {name}; the nearest name is {nearest}"));
            return unknown;
        };
        self.series.insert(name.to_owned());
        self.definitions.extend(series.definition);
        if series.ambiguous {
            self.problem(format!(
                "{name}: translators disagree on this name: derive it from usage and limit"
            ));
        }
        let alternatives = selector.matchers.or_matchers.iter().flatten();
        let matchers: Vec<Matcher> = selector.matchers.matchers.iter().chain(alternatives).cloned().collect();
        for problem in selector::problems(name, &series, &matchers) {
            self.problem(problem);
        }
        if series.kind != Kind::Gauge && usage == Use::Value {
            self.problem(format!(
                "{name} is a counter: its value says only how long ago the last restart was; use rate or increase"
            ));
        }
        let recorded = series.definition.is_none() && name.contains(':');
        Value::Vector(Vector { labels: series.labels, closed: recorded, any: series.any_label })
    }

    fn call(&mut self, call: &Call, usage: Use) -> Value {
        let function = call.func.name;
        let usage = if functions::tames(function) { Use::Tamed } else { usage };
        let mut vector = None;
        for argument in &call.args.args {
            let value = self.argument(function, argument, usage);
            if let (None, Value::Vector(found)) = (&vector, value) {
                vector = Some(found);
            }
        }
        let first_text = |index: usize| match call.args.args.get(index).map(|argument| &**argument) {
            Some(Expr::StringLiteral(text)) => Some(text.val.clone()),
            _ => None,
        };
        match functions::labels(function) {
            Labels::None if matches!(function, "vector") => Value::Vector(Vector::of([])),
            Labels::None => Value::Scalar,
            Labels::OfMatchers => Value::Vector(Vector::of(equal_labels(&call.args.args))),
            Labels::TakesLe => {
                let mut vector = vector.unwrap_or_default();
                if !vector.has("le") {
                    self.problem("histogram_quantile needs the label le: keep it in by (…)");
                }
                vector.labels.remove("le");
                if let Some(Expr::NumberLiteral(quantile)) =
                    call.args.args.first().map(|argument| &**argument)
                    && !(0.0..=1.0).contains(&quantile.val)
                {
                    self.problem(format!("{} is no quantile: give one from 0 to 1", quantile.val));
                }
                Value::Vector(vector)
            }
            Labels::Adds => {
                let mut vector = vector.unwrap_or_default();
                vector.labels.extend(first_text(1));
                Value::Vector(vector)
            }
            // Functions of the time, such as hour(), make a vector of nothing.
            Labels::Keeps => vector.map_or(Value::Scalar, Value::Vector),
        }
    }

    /// An argument of a function; where it is a range of a series, the two must fit.
    fn argument(&mut self, function: &str, argument: &Expr, usage: Use) -> Value {
        match argument {
            Expr::Paren(inner) => self.argument(function, &inner.expr, usage),
            Expr::MatrixSelector(matrix) => {
                if matrix.range.as_secs() < SHORTEST_RANGE_SECONDS {
                    self.problem(format!("{argument} is too short a range: one lost scrape empties it"));
                }
                let misfit = |series: &Series| functions::misfit(function, series.kind);
                // What does not fit is said once, not also as a counter that is read as it is.
                let name = matrix.vs.name.as_deref().unwrap_or_default();
                let misfit = self.catalogue.get(name).and_then(misfit);
                if let Some(misfit) = misfit {
                    self.problem(format!("{function}({argument}): {name} {misfit}"));
                }
                self.selector(&matrix.vs, if misfit.is_some() { Use::Tamed } else { usage })
            }
            Expr::Subquery(_) if matches!(function, "rate" | "irate" | "increase") => {
                self.problem(format!("{function} of a subquery: restarts inside of it are lost"));
                self.walk(argument, Use::Tamed)
            }
            _ => self.walk(argument, usage),
        }
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr, usage: Use) -> Value {
        let operation = aggregate.op.to_string();
        let usage = if matches!(operation.as_str(), "count" | "group") { Use::Tamed } else { usage };
        let inner = match self.walk(&aggregate.expr, usage) {
            Value::Vector(vector) => vector,
            Value::Scalar => Vector::default(),
        };
        let parameter = aggregate.param.as_deref();
        if let Some(parameter) = parameter {
            self.walk(parameter, Use::Value);
        }
        let by = match &aggregate.modifier {
            Some(LabelModifier::Exclude(_)) => {
                self.problem(format!(
                    "{operation} without (…) keeps labels that a collector adds: say by (…) which ones to keep"
                ));
                return Value::Vector(inner);
            }
            Some(LabelModifier::Include(labels)) => labels.labels.clone(),
            None => Vec::new(),
        };
        for label in by.iter().filter(|label| !inner.has(label)) {
            self.problem(format!("{operation} by ({label}): there is none, there are {:?}", inner.labels));
        }
        match (operation.as_str(), parameter) {
            ("topk" | "bottomk" | "limitk" | "limit_ratio", _) => Value::Vector(inner),
            ("count_values", Some(Expr::StringLiteral(label))) => {
                Value::Vector(Vector::of(by.into_iter().chain([label.val.clone()])))
            }
            _ => Value::Vector(Vector::of(by)),
        }
    }

    fn binary(&mut self, binary: &BinaryExpr, usage: Use) -> Value {
        let operation = binary.op.to_string();
        let left = self.walk(&binary.lhs, usage);
        // Of the right side of these only the labels matter.
        let exists = matches!(operation.as_str(), "and" | "unless");
        let right = self.walk(&binary.rhs, if exists { Use::Tamed } else { usage });
        let (left, right) = match (left, right) {
            (Value::Vector(left), Value::Vector(right)) => (left, right),
            (Value::Vector(vector), Value::Scalar) | (Value::Scalar, Value::Vector(vector)) => {
                return Value::Vector(vector);
            }
            (Value::Scalar, Value::Scalar) => return Value::Scalar,
        };
        let modifier = binary.modifier.as_ref();
        let on = match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(labels)) => Some(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) if !labels.labels.is_empty() => {
                self.problem(format!(
                    "{operation} ignoring (…) breaks with labels that a collector adds: use on (…)"
                ));
                None
            }
            _ => None,
        };
        if let Some(on) = &on {
            for label in on {
                for (side, vector) in [("left", &left), ("right", &right)] {
                    if !vector.has(label) {
                        self.problem(format!(
                            "{operation} on ({label}): the {side} side has none, it has {:?}",
                            vector.labels
                        ));
                    }
                }
            }
        } else {
            // An `or` takes what the left side lacks, whatever its labels.
            let alike = left.closed && right.closed && left.labels == right.labels;
            if !alike && operation != "or" {
                self.problem(format!(
                    "{operation} between {:?} and {:?} without on (…): aggregate both to the same labels, or say on \
                     which they match",
                    left.labels, right.labels
                ));
            }
        }
        let extra = |side: &Vector, labels: &[String]| -> Vec<String> {
            labels.iter().filter(|label| !side.has(label)).cloned().collect()
        };
        let (mut result, missing) = match modifier.map(|modifier| &modifier.card) {
            _ if exists => (left, Vec::new()),
            _ if operation == "or" => {
                let both = left.labels.intersection(&right.labels).cloned();
                (
                    Vector {
                        labels: both.collect(),
                        closed: left.closed && right.closed,
                        any: left.any && right.any,
                    },
                    Vec::new(),
                )
            }
            Some(VectorMatchCardinality::ManyToOne(labels)) => {
                let missing = extra(&right, &labels.labels);
                (with(left, &labels.labels), missing)
            }
            Some(VectorMatchCardinality::OneToMany(labels)) => {
                let missing = extra(&left, &labels.labels);
                (with(right, &labels.labels), missing)
            }
            _ => (on.map_or(left, Vector::of), Vec::new()),
        };
        for label in missing {
            self.problem(format!("{operation} group (…): the one side has no {label}"));
        }
        result.any &= !result.closed;
        Value::Vector(result)
    }
}

fn with(mut vector: Vector, labels: &[String]) -> Vector {
    vector.labels.extend(labels.iter().cloned());
    vector
}

/// The labels that the selector in these arguments gives by equality.
fn equal_labels(arguments: &[Box<Expr>]) -> Vec<String> {
    let selector = match arguments.first().map(|argument| &**argument) {
        Some(Expr::VectorSelector(selector)) => selector,
        Some(Expr::MatrixSelector(matrix)) => &matrix.vs,
        _ => return Vec::new(),
    };
    let equal = selector.matchers.matchers.iter().filter(|matcher| matches!(matcher.op, MatchOp::Equal));
    equal.map(|matcher| matcher.name.clone()).collect()
}

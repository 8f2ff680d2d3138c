//! One panel: what it asks, what it is for, how it shows the answer; and its form in Grafana's classic schema.
//!
//! Only panels that Grafana has had since version 10. Numbers that have no state are not coloured as if they had one.

use serde_json::{Map, Value, json};

use super::catalogue::{Catalogue, UnknownMetric};

/// How a panel shows what it got.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Series,
    Stat,
    Bars,
    Table,
    States,
    Heatmap,
    Text,
}

/// How the labels and values of a table's rows become its columns.
#[derive(Default)]
struct Columns {
    hidden: Vec<String>,
    /// The others by their names, in their order, with their titles.
    shown: Vec<(String, &'static str)>,
}

/// A panel of a dashboard.
pub(super) struct Panel {
    kind: Kind,
    title: &'static str,
    description: &'static str,
    pub(super) width: u64,
    pub(super) height: u64,
    queries: Vec<(String, String)>,
    unit: Option<&'static str>,
    defaults: Map<String, Value>,
    custom: Map<String, Value>,
    options: Map<String, Value>,
    overrides: Vec<Value>,
    columns: Option<Columns>,
    extra: Map<String, Value>,
}

impl Panel {
    /// Lines over time.
    pub(super) fn series(title: &'static str, description: &'static str, width: u64) -> Self {
        let mut panel = Self::new(Kind::Series, title, description, width, 8);
        panel.colour("palette-classic");
        panel
            .custom(json!({"lineWidth": 1, "fillOpacity": 0, "showPoints": "never", "spanNulls": false}))
            .option(
                "legend",
                json!({"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []}),
            )
            .option("tooltip", json!({"mode": "multi", "sort": "desc"}))
    }

    /// One number, or one for each series, now.
    pub(super) fn stat(title: &'static str, description: &'static str, width: u64) -> Self {
        let mut panel = Self::new(Kind::Stat, title, description, width, 4);
        panel.colour("thresholds");
        panel.steps(&[(None, "text")]).reduced().options(json!({
            "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
            "wideLayout": true
        }))
    }

    /// One bar for each series, now.
    pub(super) fn bars(title: &'static str, description: &'static str, width: u64) -> Self {
        let mut panel = Self::new(Kind::Bars, title, description, width, 7);
        panel.colour("thresholds");
        panel.steps(&[(None, "blue")]).reduced().options(json!({
            "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "text",
            "minVizHeight": 16, "maxVizHeight": 40, "namePlacement": "auto", "sizing": "auto",
            "text": {"titleSize": 13, "valueSize": 14}
        }))
    }

    /// One row for each combination of labels, now.
    pub(super) fn table(title: &'static str, description: &'static str, width: u64) -> Self {
        let mut panel = Self::new(Kind::Table, title, description, width, 9);
        panel.colour("thresholds");
        panel
            .steps(&[(None, "text")])
            .custom(json!({"align": "auto", "cellOptions": {"type": "auto"}, "filterable": true, "inspect": false}))
            .options(json!({"showHeader": true, "cellHeight": "sm"}))
    }

    /// The states of each series over time.
    pub(super) fn states(title: &'static str, description: &'static str, width: u64) -> Self {
        let mut panel = Self::new(Kind::States, title, description, width, 8);
        panel.colour("thresholds");
        panel
            .steps(&[(None, "text")])
            .custom(json!({"lineWidth": 0, "fillOpacity": 75}))
            .options(
                json!({"mergeValues": true, "showValue": "auto", "rowHeight": 0.85, "alignValue": "left"}),
            )
            .option("legend", json!({"showLegend": true, "displayMode": "list", "placement": "bottom"}))
            .option("tooltip", json!({"mode": "single", "sort": "none"}))
    }

    /// How often values fell into each bucket, over time; `unit` is that of the buckets.
    pub(super) fn heatmap(
        title: &'static str,
        description: &'static str,
        width: u64,
        unit: &'static str,
    ) -> Self {
        Self::new(Kind::Heatmap, title, description, width, 8)
            .unit("short")
            .custom(json!({"hideFrom": {"legend": false, "tooltip": false, "viz": false}, "scaleDistribution": {"type": "linear"}}))
            .options(json!({
                "calculate": false, "cellGap": 1, "showValue": "never",
                "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange",
                          "reverse": false, "scale": "exponential"},
                "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9},
                "legend": {"show": true}, "rowsFrame": {"layout": "auto"},
                "tooltip": {"mode": "single", "yHistogram": true, "showColorScale": true},
                "yAxis": {"axisPlacement": "left", "reverse": false, "unit": unit}
            }))
    }

    /// Words.
    pub(super) fn text(
        title: &'static str,
        description: &'static str,
        width: u64,
        height: u64,
        markdown: &str,
    ) -> Self {
        let panel = Self::new(Kind::Text, title, description, width, height);
        panel.options(json!({"mode": "markdown", "content": markdown, "code": {"language": "plaintext", "showLineNumbers": false, "showMiniMap": false}}))
    }

    fn new(kind: Kind, title: &'static str, description: &'static str, width: u64, height: u64) -> Self {
        Self {
            kind,
            title,
            description,
            width,
            height,
            queries: Vec::new(),
            unit: None,
            defaults: Map::new(),
            custom: Map::new(),
            options: Map::new(),
            overrides: Vec::new(),
            columns: None,
            extra: Map::new(),
        }
    }

    /// Asks this (see [`Catalogue`] for how metrics are named); `legend` names each series that comes back.
    pub(super) fn query(mut self, template: impl Into<String>, legend: &str) -> Self {
        self.queries.push((template.into(), legend.to_owned()));
        self
    }

    /// How many units of the grid it is high.
    pub(super) fn height(mut self, height: u64) -> Self {
        self.height = height;
        self
    }

    /// The unit, where it does not follow from the first query.
    pub(super) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// The smallest and the largest value that make sense.
    pub(super) fn range(self, min: impl Into<Value>, max: impl Into<Value>) -> Self {
        self.default("min", min).default("max", max)
    }

    /// How far the axis goes at least, so that next to nothing does not look like much.
    pub(super) fn axis_to(self, value: f64) -> Self {
        self.custom(json!({"axisSoftMax": value}))
    }

    /// The smallest value that makes sense.
    pub(super) fn min(self, min: impl Into<Value>) -> Self {
        self.default("min", min)
    }

    /// Digits behind the point.
    pub(super) fn decimals(self, digits: u64) -> Self {
        self.default("decimals", digits)
    }

    /// What stands there when nothing comes back and that is no trouble.
    pub(super) fn when_empty(self, text: &str) -> Self {
        self.default("noValue", text)
    }

    /// Words and colours for values: value, word, colour.
    pub(super) fn words(self, words: &[(i64, &str, &str)]) -> Self {
        self.default("mappings", json!([mapping(words)]))
    }

    /// Colours from a value on; the first has none.
    pub(super) fn steps(self, steps: &[(Option<f64>, &str)]) -> Self {
        self.default("thresholds", thresholds(steps))
    }

    /// The value's colour fills the panel.
    pub(super) fn filled(self) -> Self {
        self.option("colorMode", "background".into())
    }

    /// The longest time between two points that still makes sense: for what changes seldom.
    pub(super) fn every(mut self, interval: &str) -> Self {
        self.extra.insert("interval".to_owned(), interval.into());
        self
    }

    /// Series whose legend fits the pattern are limits: dashed.
    pub(super) fn limits(mut self, pattern: &str) -> Self {
        self.overrides.push(json!({
            "matcher": {"id": "byRegexp", "options": pattern},
            "properties": [
                {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}},
                {"id": "custom.lineWidth", "value": 2}
            ]
        }));
        self
    }

    /// Series whose legend fits the pattern are drawn downwards.
    pub(super) fn mirrored(mut self, pattern: &str) -> Self {
        self.overrides.push(json!({
            "matcher": {"id": "byRegexp", "options": pattern},
            "properties": [{"id": "custom.transform", "value": "negative-Y"}]
        }));
        self
    }

    /// Bars on top of each other instead of lines: for counts.
    pub(super) fn stacked_bars(self) -> Self {
        self.custom(
            json!({"drawStyle": "bars", "fillOpacity": 70, "lineWidth": 0, "stacking": {"mode": "normal", "group": "A"}}),
        )
    }

    /// Areas on top of each other: for amounts that make up a whole.
    pub(super) fn stacked(self) -> Self {
        self.custom(json!({"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}))
    }

    /// Goes to `url` from each value.
    pub(super) fn link(self, title: &str, url: &str) -> Self {
        self.default("links", json!([{"title": title, "url": url, "targetBlank": false}]))
    }

    /// One row for each combination of labels, with the answers of all queries side by side, but for what is hidden.
    pub(super) fn merged(mut self, hidden: &[&str]) -> Self {
        let hidden = ["Time"].iter().chain(hidden).map(|name| (*name).to_owned()).collect();
        self.columns = Some(Columns { hidden, shown: Vec::new() });
        self
    }

    /// The next column of a table: the field `name`, how it is called, how wide it is, and how it looks: `properties`
    /// are those of Grafana's field overrides.
    pub(super) fn column(
        mut self,
        name: &str,
        title: &'static str,
        width: u64,
        properties: &[(&str, Value)],
    ) -> Self {
        self.columns.get_or_insert_default().shown.push((name.to_owned(), title));
        let width = json!({"id": "custom.width", "value": width});
        // A row may lack what a column shows; what stands for an empty panel must not stand there.
        let lacking = json!({"id": "noValue", "value": "–"});
        let properties = properties.iter().map(|(id, value)| json!({"id": id, "value": value}));
        let all: Vec<Value> = [width, lacking].into_iter().chain(properties).collect();
        self.overrides.push(json!({"matcher": {"id": "byName", "options": title}, "properties": all}));
        self
    }

    /// The columns that a table is ordered by: their titles, and whether the largest comes first.
    pub(super) fn order(self, columns: &[(&str, bool)]) -> Self {
        let columns: Vec<Value> =
            columns.iter().map(|(title, desc)| json!({"displayName": title, "desc": desc})).collect();
        self.option("sortBy", columns.into())
    }

    /// The series called `legend` has colours from a value on.
    pub(super) fn steps_of(mut self, legend: &str, steps: &[(Option<f64>, &str)]) -> Self {
        self.overrides.push(json!({
            "matcher": {"id": "byName", "options": legend},
            "properties": [{"id": "thresholds", "value": thresholds(steps)}]
        }));
        self
    }

    fn reduced(self) -> Self {
        self.option("reduceOptions", json!({"calcs": ["lastNotNull"], "fields": "", "values": false}))
    }

    fn colour(&mut self, mode: &str) {
        self.defaults.insert("color".to_owned(), json!({"mode": mode}));
    }

    fn default(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.defaults.insert(name.to_owned(), value.into());
        self
    }

    fn custom(mut self, values: Value) -> Self {
        extend(&mut self.custom, values);
        self
    }

    fn options(mut self, values: Value) -> Self {
        extend(&mut self.options, values);
        self
    }

    fn option(mut self, name: &str, value: Value) -> Self {
        self.options.insert(name.to_owned(), value);
        self
    }

    /// As Grafana reads it, at its place, with the queries as PromQL.
    pub(super) fn render(
        mut self,
        catalogue: Catalogue<'_>,
        filters: &[(&str, &str)],
        id: u64,
        place: &Value,
    ) -> Result<Value, UnknownMetric> {
        let (kind, instant, format) = match self.kind {
            Kind::Series => ("timeseries", false, "time_series"),
            Kind::Stat => ("stat", true, "time_series"),
            Kind::Bars => ("bargauge", true, "time_series"),
            Kind::Table => ("table", true, "table"),
            Kind::States => ("state-timeline", false, "time_series"),
            Kind::Heatmap => ("heatmap", false, "heatmap"),
            Kind::Text => ("text", false, ""),
        };
        if self.kind == Kind::Stat {
            let named = self.queries.iter().any(|(_, legend)| !legend.is_empty());
            self = self.option("textMode", if named { "value_and_name" } else { "value" }.into());
        }
        let mut panel = self.extra;
        extend(
            &mut panel,
            json!({
                "id": id, "type": kind, "title": self.title, "description": self.description, "gridPos": place,
                "options": self.options
            }),
        );
        if self.kind == Kind::Text {
            return Ok(panel.into());
        }
        let derived = match self.queries.first() {
            Some((template, _)) if self.unit.is_none() => catalogue.unit(template)?,
            _ => self.unit,
        };
        self.defaults.extend(derived.map(|unit| ("unit".to_owned(), unit.into())));
        self.defaults.insert("custom".to_owned(), self.custom.into());
        let mut targets = Vec::with_capacity(self.queries.len());
        for ((template, legend), letter) in self.queries.iter().zip('A'..='Z') {
            targets.push(json!({
                "refId": letter, "datasource": datasource(), "editorMode": "code",
                "expr": catalogue.expand(template, filters)?, "legendFormat": legend,
                "format": format, "instant": instant, "range": !instant,
            }));
        }
        let columns = self.columns.map(|columns| columns.render(targets.len())).unwrap_or_default();
        extend(
            &mut panel,
            json!({
                "datasource": datasource(), "fieldConfig": {"defaults": self.defaults, "overrides": self.overrides},
                "targets": targets, "transformations": columns
            }),
        );
        Ok(panel.into())
    }
}

impl Columns {
    /// As transformations of what so many queries answer.
    fn render(self, queries: usize) -> Vec<Value> {
        let hidden: Map<String, Value> = self.hidden.into_iter().map(|name| (name, true.into())).collect();
        let order: Map<String, Value> =
            self.shown.iter().zip(0_u64..).map(|((name, _), place)| (name.clone(), place.into())).collect();
        let titles: Map<String, Value> =
            self.shown.into_iter().map(|(name, title)| (name, title.into())).collect();
        let organize = json!({
            "id": "organize",
            "options": {"excludeByName": hidden, "indexByName": order, "renameByName": titles}
        });
        let merge = (queries > 1).then(|| json!({"id": "merge", "options": {}}));
        merge.into_iter().chain([organize]).collect()
    }
}

/// The data source that the reader chose.
pub(super) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// Colours from a value on; the first has none.
pub(super) fn thresholds(steps: &[(Option<f64>, &str)]) -> Value {
    let steps: Vec<Value> =
        steps.iter().map(|(from, colour)| json!({"color": colour, "value": from})).collect();
    json!({"mode": "absolute", "steps": steps})
}

/// Words and colours for values: value, word, colour.
pub(super) fn mapping(words: &[(i64, &str, &str)]) -> Value {
    let options: Map<String, Value> = words
        .iter()
        .zip(0_u64..)
        .map(|((value, word, colour), index)| {
            (value.to_string(), json!({"text": word, "color": colour, "index": index}))
        })
        .collect();
    json!({"type": "value", "options": options})
}

/// Adds the fields of `values`, an object, to `map`.
pub(super) fn extend(map: &mut Map<String, Value>, values: Value) {
    if let Value::Object(values) = values {
        map.extend(values);
    }
}

//! Words that other programs have for settings of ours: only hints are made from them, no setting is read by two names.

/// The key that other programs have, and ours. Of several with one key the one that is known at its place counts.
const KEYS: [(&str, &str); 40] = [
    ("type", "kind"),
    ("check", "kind"),
    ("module", "kind"),
    ("every", "interval"),
    ("period", "interval"),
    ("periodseconds", "interval"),
    ("frequency", "interval"),
    ("schedule", "interval"),
    ("scrape_interval", "interval"),
    ("deadline", "timeout"),
    ("timeoutseconds", "timeout"),
    ("failurethreshold", "fail_after"),
    ("failure_threshold", "fail_after"),
    ("retries", "fail_after"),
    ("successthreshold", "recover_after"),
    ("success_threshold", "recover_after"),
    ("severity", "criticality"),
    ("priority", "criticality"),
    ("limits", "thresholds"),
    ("host", "url"),
    ("host", "address"),
    ("hostname", "url"),
    ("hostname", "address"),
    ("target", "url"),
    ("target", "address"),
    ("endpoint", "url"),
    ("endpoint", "address"),
    ("address", "url"),
    ("url", "address"),
    ("dsn", "url"),
    ("url", "endpoint"),
    ("sql", "query"),
    ("file", "path"),
    ("database", "path"),
    ("port", "listen"),
    ("bind", "listen"),
    ("probes", "checks"),
    ("healthchecks", "checks"),
    ("targets", "checks"),
    ("opentelemetry", "otlp"),
];

/// Our word for `written`, where it is one of `known`.
pub(super) fn ours<'w>(written: &str, known: &[&'w str]) -> Option<&'w str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    let mut meant = KEYS.iter().filter(|(theirs, _)| *theirs == written).map(|(_, ours)| *ours);
    meant.find_map(|ours| known.iter().copied().find(|known| *known == ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_suggested() {
        assert_eq!(ours("type", &["kind", "url"]), Some("kind"));
        assert_eq!(ours("failureThreshold", &["fail_after"]), Some("fail_after"));
        assert_eq!(ours("host", &["address"]), Some("address"));
        assert_eq!(ours("host", &["path"]), None);
        assert_eq!(ours("kind", &["kind"]), None);
    }
}

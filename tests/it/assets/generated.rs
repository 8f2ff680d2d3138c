//! The committed dashboards are what the definitions make today.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;

use vitalsign::{agent, assets};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards");

/// The dashboards, as they are generated.
pub(super) fn dashboards() -> Vec<(&'static str, Value)> {
    assets::dashboards(&agent::definitions()).expect("metrics that exist")
}

#[test]
fn the_committed_dashboards_are_the_generated_ones() {
    let mut files = BTreeSet::new();
    for (uid, dashboard) in dashboards() {
        let file = PathBuf::from(FOLDER).join(format!("{uid}.json"));
        let text = format!("{dashboard:#}\n");
        #[expect(clippy::disallowed_methods, reason = "how to ask for new files")]
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &text).expect("write the dashboard");
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == text,
            "{}: not what src/assets makes: run this test with UPDATE_GOLDEN=1 and look at the difference",
            file.display()
        );
        files.insert(file);
    }
    let found =
        std::fs::read_dir(FOLDER).expect("read the folder").map(|entry| entry.expect("an entry").path());
    let json: BTreeSet<PathBuf> =
        found.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    assert_eq!(json, files, "files that nothing makes");
}

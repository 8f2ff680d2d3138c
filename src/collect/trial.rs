//! For tests: a collector over a made-up `/proc`, and what it made of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use crate::config::Document;
use crate::metrics::{Store, render};
use crate::model::Reason;

use super::{Collector, Root, Sheet, Source};

/// A collector and its files.
pub(super) struct Trial {
    folder: TempDir,
    store: Store,
    sheet: Sheet,
    collector: Box<dyn Collector>,
}

/// What a reading showed.
#[derive(Debug)]
pub(super) struct Page {
    series: BTreeMap<String, f64>,
    pub(super) errors: Vec<Reason>,
}

impl Trial {
    /// Builds the collector with these settings; there are no files yet.
    pub(super) fn new(source: &dyn Source, settings: &str) -> Self {
        Self::made(|root| build(source, root, settings))
    }

    /// Builds the collector for the files of this machine.
    pub(super) fn on_this_machine(source: &dyn Source, settings: &str) -> Self {
        Self::made(|_| build(source, &Root::default(), settings))
    }

    /// Takes what `make` makes.
    pub(super) fn made(make: impl FnOnce(&Root) -> Box<dyn Collector>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new();
        let collector = make(&Root::new(folder.path()));
        let sheet = Sheet::new(&store, collector.name(), collector.counts());
        Self { folder, sheet, store, collector }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Gives a file this content, in place, so that a collector that has it open sees it.
    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Lets the collector read once.
    pub(super) fn read(&mut self) -> Page {
        self.sheet.begin();
        self.collector.collect(&mut self.sheet);
        let errors = self.sheet.end().to_vec();
        let mut page = Vec::new();
        render(&self.store.snapshot(), &mut page);
        let series = String::from_utf8(page)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with("vitalsign_series"))
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect();
        Page { series, errors }
    }
}

impl Page {
    pub(super) fn value(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    pub(super) fn starting_with(&self, start: &str) -> usize {
        self.series.keys().filter(|series| series.starts_with(start)).count()
    }

    /// What is wrong whatever was read.
    fn unsound(&self) -> Option<String> {
        let wrong = self.series.iter().find(|(series, value)| {
            let most = if series.contains("_ratio") { 1.0 } else { f64::MAX };
            !(0.0..=most).contains(*value) || value.is_sign_negative()
        });
        let odd = self.errors.iter().find(|error| ![Reason::Protocol, Reason::NotFound].contains(error));
        wrong.map(|wrong| format!("{wrong:?}")).or_else(|| odd.map(|odd| format!("{odd:?}")))
    }
}

fn build(source: &dyn Source, root: &Root, settings: &str) -> Box<dyn Collector> {
    Document::parse("trial", settings, &|_| None)
        .read(|fields| source.build(root, fields))
        .unwrap()
        .0
        .unwrap()
}

/// Makes sure that the collector makes the best of files that end early, hold garbage, or lie; one after the other,
/// while the rest are as given.
pub(super) fn survives(source: &dyn Source, settings: &str, files: &[(&str, &str)]) {
    survives_made(|root| build(source, root, settings), files);
}

/// The same for a collector that `make` makes.
pub(super) fn survives_made(make: impl FnOnce(&Root) -> Box<dyn Collector>, files: &[(&str, &str)]) {
    let trial = RefCell::new(Trial::made(make));
    let nothing = trial.borrow_mut().read();
    assert!(nothing.unsound().is_none(), "without files: {nothing:?}");
    for (path, text) in files {
        trial.borrow().write(path, text);
    }
    let sound = trial.borrow_mut().read();
    assert_eq!((sound.unsound(), sound.errors), (None, vec![]));
    for (path, text) in files {
        let reads = |content: &[u8]| {
            let mut trial = trial.borrow_mut();
            trial.write(path, content);
            trial.read()
        };
        for end in 0..text.len() {
            let page = reads(&text.as_bytes()[..end]);
            assert!(page.unsound().is_none(), "{path} up to {end}: {page:?}");
        }
        let runner =
            || TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
        let check = |content: &[u8]| {
            let page = reads(content);
            page.unsound().map_or(Ok(()), |wrong| Err(TestCaseError::fail(wrong)))
        };
        let garbage = prop_oneof![
            any::<Vec<u8>>(),
            "(\\PC{0,9}[ \n:=./-]?[0-9]{0,20}){0,20}\n".prop_map(String::into_bytes)
        ];
        runner().run(&garbage, |bytes| check(&bytes)).unwrap();
        runner().run(&lies(text), |text| check(text.as_bytes())).unwrap();
        reads(text.as_bytes());
    }
}

/// The text with some of its numbers replaced by others, or by none.
fn lies(text: &str) -> impl Strategy<Value = String> + use<> {
    let text = text.to_owned();
    let lie = prop_oneof![
        Just(u64::MAX.to_string()),
        Just((u64::MAX / 1024).to_string()),
        Just(format!("{}0", u64::MAX)),
        Just("-1".to_owned()),
        Just("nan".to_owned()),
        Just("1e308".to_owned()),
        Just("inf".to_owned()),
        Just(String::new()),
        any::<u64>().prop_map(|number| number.to_string()),
        "\\PC{0,4}",
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), lie), 1..8).prop_map(move |lies| {
        let mut parts: Vec<&str> = text.split_inclusive(|c: char| !c.is_ascii_digit() && c != '.').collect();
        for (index, lie) in &lies {
            *index.get_mut(parts.as_mut_slice()) = lie;
        }
        // A lie takes the place of a number and of what followed it; with a space the rest keeps its meaning.
        parts.join(" ")
    })
}

//! The settings as they are written.

use super::*;
use crate::config::{Document, describe};

/// Reads a check from YAML: the settings, or the problems as text.
fn read(yaml: &str) -> Result<Settings, String> {
    match Document::parse("t", yaml, &|_: &str| None).read(Settings::read) {
        Ok((settings, _)) => Ok(settings.unwrap()),
        Err(problems) => Err(problems.to_string()),
    }
}

#[test]
fn everything_can_be_set() {
    let settings = read("url: amqp://me@mq.internal/a%2fb\npassword: hush\nqueue: jobs\n").unwrap();
    assert_eq!((settings.address.host.as_str(), settings.address.port), ("mq.internal", 5672));
    assert_eq!(settings.response.expose(), "\0me\0hush");
    assert_eq!((settings.vhost.as_str(), settings.queue.as_deref()), ("a/b", Some("jobs")));
}

#[test]
fn every_problem_is_told_at_once_and_no_secret() {
    let problems =
        read("url: http://me:hush@mq\nqueue: ''\nca_file: /no/such/file\nvhost: shop\n").err().unwrap();
    for part in ["amqp:// or amqps://", "1 to 255 bytes", "cannot be read", "vhost"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert!(!problems.contains("hush"), "{problems}");
}

#[test]
fn a_file_of_roots_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    let yaml = format!("url: amqps://mq.internal\nca_file: {}\n", file.path().display());
    assert!(read(&yaml).err().unwrap().contains("the file has no certificate"));
    let root = rcgen::generate_simple_self_signed(vec!["mq.internal".to_owned()]).unwrap().cert;
    std::fs::write(file.path(), root.pem()).unwrap();
    assert!(read(&yaml).unwrap().tls.is_some());
}

#[test]
fn the_example_is_right_and_every_setting_described() {
    assert!(read(Amqp.example()).is_ok());
    let records = format!("{:?}", describe(Settings::read));
    for name in ["url", "password", "queue", "ca_file"] {
        assert!(records.contains(&format!("{name:?}")), "{name}");
    }
}

#[test]
fn the_target_is_told_without_credentials() {
    let read = |fields: &mut Fields<'_>| Amqp.build(fields);
    let yaml = "url: amqps://me:hush@mq.internal/shop\n";
    let (built, _) =
        Document::parse("t", yaml, &|_: &str| None).read(read).unwrap_or_else(|_| panic!("refused"));
    let target = Target {
        address: Some("mq.internal".to_owned()),
        port: Some(5671),
        db_system: None,
        messaging_system: Some("rabbitmq"),
    };
    assert_eq!(built.unwrap().target, target);
}

//! The settings as they are written.

use super::*;
use crate::config::{Document, describe};
use crate::tls::Trust;

/// Reads a check from YAML: the settings, or the problems as text.
fn read(yaml: &str) -> Result<Settings, String> {
    let read = Document::parse("t", yaml, &|_: &str| None).read(Settings::read);
    match read {
        Ok((settings, _)) => Ok(settings.unwrap()),
        Err(problems) => Err(problems.to_string()),
    }
}

#[test]
fn everything_can_be_set() {
    let settings = read(
        "url: https://user:hush@pay.example:8443/ping\n\
         method: POST\n\
         headers: { X-Key: hush }\n\
         body: '{}'\n\
         redirects: 0\n\
         proxy: http://proxy.example:3128\n\
         http_version: 1.1\n\
         reuse: true\n\
         max_body: 4Ki\n\
         expect:\n  \
           status: [200, 3xx]\n  \
           body: /o+k/\n  \
           not_body: error\n  \
           header: { Content-Type: json }\n  \
           json: { \"$.status\": ok, \"$.count\": 3 }\n  \
           certificate_days: 30\n\
         measure: { open_orders: $.orders.open }\n",
    );
    let settings = settings.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.method, Verb::Post);
    assert!(settings.headers["x-key"].is_sensitive());
    assert_eq!((settings.redirects, settings.reuse, settings.max_body), (0, true, 4096));
    assert_eq!(settings.version, Version::Http1);
    assert_eq!(settings.expect.status.to_string(), "200 or 3xx");
    assert_eq!(settings.expect.json.len(), 2);
    assert_eq!(settings.expect.measure.len(), 1);
    assert_eq!(settings.certificate_days, 30);
    assert!(HttpCheck::new(settings).is_ok());
}

#[test]
fn every_problem_is_told_at_once_and_no_secret() {
    let problems = read(
        "url: ftp://user:hush@pay.example\n\
         method: FETCH\n\
         headers: { \"a b\": hush, x-key: \"hu\\nsh\" }\n\
         ca_file: /no/such/file\n\
         http_version: 3\n\
         expect: { status: 20, body: /(/, json: { status: ok } }\n\
         measure: { Orders: $.n }\n\
         expects: 1\n",
    );
    let problems = problems.err().unwrap();
    for part in [
        "an http or https address",
        "FETCH",
        "\"a b\" cannot be the name of a header",
        "the value of \"x-key\" cannot be sent",
        "cannot be read",
        "200, 2xx or 200-299",
        "unclosed group",
        "not a JSONPath",
        "Orders",
        "expects",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert!(!problems.contains("hush"), "{problems}");
}

#[test]
fn what_cannot_be_is_refused_before_it_runs() {
    let head = "url: http://h/\nmethod: HEAD\n";
    assert!(read(head).is_ok());
    for more in ["expect: { body: ok }", "expect: { json: { $.a: 1 } }", "measure: { a: $.a }"] {
        let problems = read(&format!("{head}{more}\n")).err().unwrap();
        assert!(problems.contains("an answer to HEAD has no body"), "{problems}");
    }
    let problems = read("url: http://h/\nheaders: { host: 'http://hush' }\n").err().unwrap();
    assert!(problems.contains("not a host name") && !problems.contains("hush"), "{problems}");
    let problems = read("url: http://h/\nca_file: x\ninsecure_skip_verify: true\n").err().unwrap();
    assert!(problems.contains("has no effect beside"), "{problems}");
    let problems = read("url: http://h/\nredirects: 0\nserver_name: x\n").err().unwrap();
    assert!(problems.contains("has no effect without TLS"), "{problems}");
    let problems = read("url: https://h/\nserver_name: 'a b'\n").err().unwrap();
    assert!(problems.contains("not a host name"), "{problems}");
}

#[test]
fn what_comes_out_of_the_environment_is_not_repeated_in_a_message() {
    let yaml = "url: http://h/\nexpect: { body: '${T}', json: { $.a: '${T}' } }\n";
    let document = Document::parse("t", yaml, &|_: &str| Some("hush".to_owned()));
    let (settings, _) = document.read(Settings::read).unwrap_or_else(|problems| panic!("{problems}"));
    let mut expect = settings.unwrap().expect;
    assert_eq!(
        expect.judge_body(b"x").unwrap_err(),
        "the body does not contain a text from the environment or a file"
    );
    expect.body = None;
    assert_eq!(expect.judge_body(b"{\"a\":1}").unwrap_err(), "\"$.a\" is not as expected");
}

#[test]
fn the_example_is_right() {
    assert!(read(Http.example()).is_ok());
}

#[test]
fn a_file_of_roots_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let root = rcgen::generate_simple_self_signed(vec!["pay.example".to_owned()]).unwrap().cert;
    std::fs::write(file.path(), root.pem()).unwrap();
    let yaml = format!("url: https://pay.example\nca_file: {}\n", file.path().display());
    assert_eq!(
        read(&yaml).unwrap_or_else(|problems| panic!("{problems}")).tls.trust,
        Trust::Known(vec![root.der().clone()])
    );
    std::fs::write(file.path(), "no certificate").unwrap();
    assert!(read(&yaml).err().unwrap().contains("the file has no certificate"));
}

#[test]
fn every_setting_is_described() {
    let records = format!("{:?}", describe(Settings::read));
    for name in ["url", "method", "body", "proxy", "ca_file", "certificate_days", "not_body", "measure"] {
        assert!(records.contains(&format!("{name:?}")), "{name}");
    }
}

//! Kind `http` with nginx: what servers of the web do that ours in the unit tests could only imitate.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::harness::{agent::check_once, nginx::Nginx, openssl::Certificates};

#[track_caller]
fn passes(settings: &str, key: &str, value: impl Into<Value>) {
    let it = check_once(settings);
    assert_eq!(it["status"], "healthy", "{settings}: {it}");
    assert_eq!(it["details"][key], value.into(), "{settings}: {it}");
}

#[test]
fn a_host_header_chooses_the_virtual_host_in_both_versions() {
    let certificates = Certificates::new();
    certificates.self_signed("it", "rsa:2048", "");
    let read = |name: &str| std::fs::read(certificates.path(name)).unwrap();
    let nginx = Nginx::start(
        &[("it.pem", &read("it.pem")), ("it.key", &read("it.key"))],
        "ssl_certificate it.pem; ssl_certificate_key it.key;\n\
         server { listen PORT ssl http2 default_server; return 200 'nobody'; }\n\
         server { listen PORT ssl http2; server_name shop.internal; return 200 'the shop of $host over $server_protocol'; }",
    );
    let (port, ca) = (nginx.port, certificates.path("it.pem"));
    for (version, shown) in [("1.1", "HTTP/1.1"), ("2", "HTTP/2.0"), ("auto", "HTTP/2.0")] {
        let settings = format!(
            "kind: http, url: 'https://127.0.0.1:{port}/', ca_file: '{}', http_version: '{version}', \
             headers: {{ Host: shop.internal }}, expect: {{ body: 'the shop of shop.internal over {shown}' }}",
            ca.display()
        );
        passes(&settings, "status", 200);
    }
}

#[test]
fn odd_answers_of_a_web_server_are_well() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"\xEF\xBB\xBF{\"status\":\"ok\"}").unwrap();
    let headers: String =
        (0..300).map(|n| format!("add_header x-trace-{n} 0123456789abcdef0123456789abcdef;\n")).collect();
    let nginx = Nginx::start(
        &[("packed.json", &packed.finish().unwrap())],
        &format!(
            "server {{ listen PORT; root .;\n\
             location = /packed.json {{ add_header content-encoding gzip; }}\n\
             location = /many {{ {headers} return 200 many; }}\n\
             location = /old {{ return 301 /new; }}\n\
             location = /new {{ return 200 new; }} }}"
        ),
    );
    let at =
        |path: &str, more: &str| format!("kind: http, url: 'http://127.0.0.1:{}{path}', {more}", nginx.port);
    passes(&at("/packed.json", "expect: { json: { $.status: ok } }"), "status", 200);
    passes(&at("/many", "expect: { body: many, header: { x-trace-299: abcdef } }"), "status", 200);
    passes(&at("/old", "expect: { body: new }"), "status", 200);
    passes(&at("/old", "expect: { status: 301, header: { location: /new } }"), "status", 301);
}

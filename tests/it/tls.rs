//! TLS of private installations with real servers: certificates that authorities of the web would not sign, keys that are
//! not known, client certificates, and the cause that each fault is shown with.

use std::path::Path;

use serde_json::Value;

use crate::harness::{
    agent::{Launch, check_once},
    openssl::{Certificates, Server},
    rabbitmq::RabbitMq,
    redis::Redis,
};

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const P521: &str = "ec -pkeyopt ec_paramgen_curve:P-521";

#[track_caller]
fn passes(settings: &str) -> Value {
    let it = check_once(settings);
    assert_eq!(it["status"], "healthy", "{settings}: {it}");
    it
}

#[track_caller]
fn fails(settings: &str, cause: &str) {
    let it = check_once(settings);
    assert_eq!((&it["reason"], &it["cause"]), (&"tls".into(), &cause.into()), "{settings}: {it}");
}

fn http(server: &Server, more: &str) -> String {
    format!("kind: http, url: 'https://127.0.0.1:{}/'{more}", server.port)
}

fn file(key: &str, path: &Path) -> String {
    format!(", {key}: '{}'", path.display())
}

#[test]
fn a_key_or_signature_that_is_not_known_is_named() {
    let certificates = Certificates::new();
    certificates.self_signed("p521", P521, "");
    certificates.self_signed("short", "rsa:1024", "");
    certificates.self_signed("ed448", "ed448", "");
    certificates.self_signed("old", "rsa:2048", "");
    certificates.signed("by_p521", P256, "p521", "-sha512");
    certificates.signed("by_sha1", "rsa:2048", "old", "-sha1");
    let weak = "-cipher ALL:@SECLEVEL=0";
    for (name, ca, more, cause) in [
        ("p521", None, "-tls1_3", "unsupported_curve_secp521r1"),
        ("p521", Some("p521"), "-tls1_3", "unsupported_curve_secp521r1"),
        ("by_p521", Some("p521"), "", "unsupported_curve_secp521r1"),
        ("ed448", None, "-tls1_3", "unsupported_key_ed448"),
        ("short", None, weak, "unsupported_key_rsa_short"),
        ("by_sha1", Some("old"), weak, "unsupported_signature_sha1"),
    ] {
        let server = certificates.serve(name, more);
        let ca = ca.map_or_else(String::new, |ca| file("ca_file", &certificates.path(&format!("{ca}.pem"))));
        fails(&http(&server, &ca), cause);
    }
    let server = certificates.serve("p521", "-tls1_3");
    let it = check_once(&http(&server, ""));
    assert_eq!(it["error"], "unsupported curve secp521r1", "{it}");
}

#[test]
fn a_certificate_of_the_servers_own_is_trusted_for_exactly_itself() {
    let certificates = Certificates::new();
    for (name, more) in
        [("authority", ""), ("leaf", "-addext basicConstraints=critical,CA:FALSE"), ("other", "")]
    {
        certificates.self_signed(name, P256, more);
        let server = certificates.serve(name, "");
        let own = file("ca_file", &certificates.path(&format!("{name}.pem")));
        let it = passes(&http(&server, &own));
        assert!(it["details"]["certificate_days"].as_f64().is_some_and(|days| days > 28.0), "{it}");
        fails(&http(&server, &format!("{own}, server_name: db.internal")), "certificate_wrong_name");
        let unknown = check_once(&http(&server, ""))["cause"].clone();
        assert!(
            unknown == "certificate_unknown_issuer" || unknown == "certificate_of_authority",
            "{unknown}"
        );
    }
    // One that is no authority vouches for nobody else.
    certificates.signed("child", P256, "leaf", "");
    let child = certificates.serve("child", "");
    fails(&http(&child, &file("ca_file", &certificates.path("leaf.pem"))), "certificate_unknown_issuer");
    certificates.signed("grown", P256, "authority", "");
    let grown = certificates.serve("grown", "");
    passes(&http(&grown, &file("ca_file", &certificates.path("authority.pem"))));
}

#[test]
fn a_certificate_of_version_1_is_trusted_by_itself() {
    let certificates = Certificates::new();
    for (name, subject) in [("v1", "/CN=127.0.0.1"), ("named", "/CN=db.internal")] {
        certificates
            .run(&format!("req -nodes -newkey rsa:2048 -keyout {name}.key -out {name}.csr -subj {subject}"));
        certificates.run(&format!("x509 -req -in {name}.csr -signkey {name}.key -out {name}.pem -days 30"));
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let server = certificates.serve("v1", version);
        fails(&http(&server, ""), "certificate_version_1");
        passes(&http(&server, &file("ca_file", &certificates.path("v1.pem"))));
    }
    let server = certificates.serve("named", "");
    let own = file("ca_file", &certificates.path("named.pem"));
    fails(&http(&server, &own), "certificate_wrong_name");
    passes(&http(&server, &format!("{own}, server_name: db.internal")));
}

#[test]
fn each_fault_of_a_handshake_has_a_cause() {
    let certificates = Certificates::new();
    certificates.self_signed("it", "rsa:2048", "");
    let own = file("ca_file", &certificates.path("it.pem"));
    for (more, cause) in [
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", "no_shared_version"),
        ("-tls1_2 -cipher AES128-SHA", "no_shared_cipher"),
        ("-tls1_2 -Verify 1 -verify_return_error", "client_certificate_wanted"),
        ("-tls1_3 -Verify 1 -verify_return_error", "client_certificate_wanted"),
    ] {
        let server = certificates.serve("it", more);
        fails(&http(&server, &own), cause);
    }
    certificates.write("san", "basicConstraints=CA:FALSE\n");
    certificates.run("req -nodes -newkey rsa:2048 -keyout bare.key -out bare.csr -subj /CN=127.0.0.1");
    certificates
        .run("x509 -req -in bare.csr -CA it.pem -CAkey it.key -CAcreateserial -out bare.pem -extfile san");
    fails(&http(&certificates.serve("bare", ""), &own), "certificate_without_name");
}

#[test]
fn nobody_looks_at_the_certificate_where_the_check_says_so_and_the_details_tell() {
    let certificates = Certificates::new();
    certificates.self_signed("it", P256, "");
    let server = certificates.serve("it", "");
    let it = passes(&http(&server, ", insecure_skip_verify: true"));
    assert_eq!(it["details"]["certificate_verified"], false, "{it}");
    let it = passes(&http(&server, &file("ca_file", &certificates.path("it.pem"))));
    assert!(it["details"]["certificate_verified"].is_null(), "{it}");
}

/// Settings of every kind with TLS against servers that want a client certificate.
#[test]
fn every_kind_shows_a_client_certificate() {
    let certificates = Certificates::new();
    certificates.self_signed("ca", P256, "");
    certificates.signed("server", P256, "ca", "");
    certificates.signed("client", P256, "ca", "");
    certificates.self_signed("stranger", P256, "");
    let pem = |name: &str| certificates.path(&format!("{name}.pem"));
    let key = |name: &str| certificates.path(&format!("{name}.key"));
    let ca = file("ca_file", &pem("ca"));
    let shown = |name: &str| file("cert_file", &pem(name)) + &file("key_file", &key(name));

    let web = certificates.serve("server", "-Verify 1 -verify_return_error -CAfile ca.pem");
    let texts = [pem("ca"), pem("server"), key("server")].map(|path| std::fs::read_to_string(path).unwrap());
    let (redis, redis_port) = Redis::start_with_tls(&texts[0], &texts[1], &texts[2]);
    let (_rabbitmq, rabbitmq_port) = RabbitMq::start_with_tls(&texts[0], &texts[1], &texts[2]);
    for kind in [
        http(&web, ""),
        format!("kind: redis, url: 'rediss://:{}@127.0.0.1:{redis_port}/0'", redis.password()),
        format!("kind: amqp, timeout: 10s, url: 'amqps://guest:guest@127.0.0.1:{rabbitmq_port}/%2f'"),
    ] {
        passes(&format!("{kind}{ca}{}", shown("client")));
        fails(&format!("{kind}{ca}"), "client_certificate_wanted");
        fails(&format!("{kind}{ca}{}", shown("stranger")), "client_certificate_refused");
        fails(&format!("{kind}{ca}{}, server_name: db.internal", shown("client")), "certificate_wrong_name");
        let it = passes(&format!("{kind}{}, insecure_skip_verify: true", shown("client")));
        assert_eq!(it["details"]["certificate_verified"], false, "{it}");
        for (wrong, problem) in [
            (", cert_file: /no/such/file, key_file: /no/such/file".to_owned(), "cannot be read"),
            (file("cert_file", &pem("client")), "needs `key_file` beside it"),
            (
                file("cert_file", &pem("client")) + &file("key_file", &key("server")),
                "is not the key of the certificate",
            ),
            (file("ca_file", &key("client")), "has no certificate"),
        ] {
            let config = format!("checks: {{ it: {{ {kind}{wrong} }} }}");
            let done = Launch::new(&config).arg("config").arg("check").run();
            assert!(!done.status.success() && done.stderr.contains(problem), "{config}\n{}", done.stderr);
        }
    }
    let config = "checks: { it: { kind: http, url: 'https://h/', insecure_skip_verify: true } }";
    let done = Launch::new(config).arg("config").arg("check").run();
    assert!(done.status.success() && (done.stdout + &done.stderr).contains("any certificate is accepted"));
    for plain in ["kind: redis, url: 'redis://h/0'", "kind: amqp, url: 'amqp://h/'"] {
        let config = format!("checks: {{ it: {{ {plain}{ca} }} }}");
        let done = Launch::new(&config).arg("config").arg("check").run();
        assert!(done.stderr.contains("has no effect without TLS"), "{config}\n{}", done.stderr);
    }
}

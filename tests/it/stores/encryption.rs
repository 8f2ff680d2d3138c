//! `sslmode` of kind `postgres` means what it means to PostgreSQL's own client, which is asked the same.

use std::time::{Duration, SystemTime};

use super::{Launch, SOON, eventually};
use crate::harness::{
    agent::{check_all, check_once},
    postgres::Postgres,
    tls::Authority,
};

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

#[test]
fn sslmode_means_what_it_means_to_psql() {
    let (postgres, authority) = (Postgres::start(), Authority::new());
    let roots = postgres.file("roots.pem", authority.pem());
    let foreign = postgres.file("foreign.pem", Authority::new().pem());
    let certified = authority.certify("127.0.0.1", SystemTime::now() + Duration::from_secs(86_400));
    for encrypted in [false, true] {
        if encrypted {
            postgres.encrypt(&certified.cert.pem(), &certified.signing_key.serialize_pem());
        }
        for rule in ["host", "hostssl", "hostnossl"] {
            postgres.let_in(&format!("{rule} all all all scram-sha-256"));
            let mut urls = Vec::new();
            for mode in MODES {
                let plain = format!("{}?sslmode={mode}", postgres.url());
                let rooted = format!("{plain}&sslrootcert={}", roots.display());
                urls.push(rooted.replace("127.0.0.1", "localhost"));
                urls.push(format!("{plain}&sslrootcert={}", foreign.display()));
                urls.extend([plain, rooted]);
            }
            let checks: Vec<String> = urls
                .iter()
                .enumerate()
                .map(|(n, url)| {
                    format!("c{n}: {{ kind: postgres, url: '{url}', interval: 2m, timeout: 1m }}")
                })
                .collect();
            let all = check_all(&checks.join(", "));
            for (n, url) in urls.iter().enumerate() {
                let it = &all[format!("c{n}")];
                let lets_in = postgres.lets_in(url);
                let same = (it["status"] == "healthy") == lets_in.is_ok();
                assert!(same, "{rule}, encrypted {encrypted}: {url}\n{it}\n{lets_in:?}");
            }
        }
    }
}

#[test]
fn a_password_that_may_be_read_on_its_way_is_told_once() {
    let postgres = Postgres::start();
    // Not an address of this machine to whoever reads it, and yet one.
    let url = postgres.url().replace("127.0.0.1", "0.0.0.0");
    let it = check_once(&format!("kind: postgres, url: '{url}'"));
    let advice = it["details"]["advice"].as_str().unwrap_or_default();
    assert!(it["status"] == "healthy" && advice.contains("sslmode"), "{it}");
    let it = check_once(&format!("kind: postgres, url: '{url}?sslmode=prefer'"));
    assert!(it["status"] == "healthy" && it["details"]["advice"].is_null(), "{it}");

    let config =
        format!("checks: {{ it: {{ kind: postgres, url: '{url}', interval: 1s, timeout: 900ms }} }}");
    let agent = Launch::new(&config).start();
    let runs = || agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "it")]);
    eventually("some runs", SOON, || runs().is_some_and(|runs| runs > 2.0));
    let log = agent.log();
    assert_eq!(log.lines().filter(|line| line.contains("no `sslmode` is given")).count(), 1, "{log}");
}

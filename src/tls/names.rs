//! The name in a certificate that has no list of names, only the common name of its subject. Authorities have stopped
//! making such ones; where somebody trusts one by itself, its common name is what it is for.

use rustls::pki_types::ServerName;
use x509_parser::prelude::X509Certificate;

/// Whether the common name is `name`.
pub(super) fn common_name_is(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
    let mut names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    match name {
        ServerName::DnsName(host) => names.any(|name| matches(name, host.as_ref())),
        ServerName::IpAddress(address) => {
            let address = std::net::IpAddr::from(*address);
            names.any(|name| name.parse() == Ok(address))
        }
        _ => false,
    }
}

/// Whether `host` is `name`, or one of those that `*.name` stands for.
fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(matches("db.internal", "DB.internal"));
        assert!(matches("*.internal", "db.internal"));
        assert!(!matches("*.internal", "a.db.internal"));
        assert!(!matches("*.internal", "internal"));
        assert!(!matches("db.internal", "internal"));
    }
}

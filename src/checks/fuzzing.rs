//! The parsers of all kinds, for [`crate::fuzzing`].

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[
    ("greeting", super::tcp::fuzzing::greeting),
    ("address", |bytes| drop(super::net::Address::parse(&String::from_utf8_lossy(bytes)))),
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    ("sql", super::sql::fuzzing::statement),
    #[cfg(feature = "postgres")]
    ("postgres_url", super::postgres::fuzzing::url),
    #[cfg(feature = "redis")]
    ("redis", super::redis::fuzzing::answer),
    #[cfg(feature = "amqp")]
    ("amqp", super::amqp::fuzzing::frames),
    #[cfg(feature = "http")]
    ("jsonpath", super::http::fuzzing::path),
    #[cfg(feature = "http")]
    ("pattern", super::http::fuzzing::pattern),
    #[cfg(feature = "http")]
    ("json", super::http::fuzzing::json),
    #[cfg(feature = "http")]
    ("encoding", super::http::fuzzing::encoding),
    #[cfg(feature = "http")]
    ("proxy", super::http::fuzzing::proxy),
];

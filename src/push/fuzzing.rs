//! The parsers of this part, for [`crate::fuzzing`].

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[
    ("otlp_answer", super::transport::fuzzing::answer),
    ("retry_after", super::transport::fuzzing::retry_after),
    ("spool_name", super::spool::fuzzing::name),
    ("unpack", |bytes| drop(super::packing::unpack(bytes))),
];

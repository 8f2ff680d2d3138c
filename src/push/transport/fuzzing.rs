//! The parsers of answers of a collector, for [`crate::fuzzing`].

use std::time::SystemTime;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tonic::{Code, Status};

/// A body in each form, and the details of a failure over gRPC.
pub(in crate::push) fn answer(bytes: &[u8]) {
    for kind in ["application/x-protobuf", "application/json", "text/html"] {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let _ = super::http::taken(&headers, bytes);
    }
    for code in [Code::Ok, Code::Unavailable, Code::ResourceExhausted] {
        let status = Status::with_details(code, "message larger than max", bytes.to_vec().into());
        let _ = super::grpc::meaning(&status, bytes);
    }
}

pub(in crate::push) fn retry_after(bytes: &[u8]) {
    let _ = super::retry_after::of_header(&String::from_utf8_lossy(bytes), SystemTime::UNIX_EPOCH);
}

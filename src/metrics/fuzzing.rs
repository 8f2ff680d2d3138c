//! The parsers of this part, for [`crate::fuzzing`].

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[("foreign", |bytes| {
    let text = String::from_utf8_lossy(bytes);
    for counter in [true, false] {
        super::foreign::rewrite(&text, "name_total", counter, &mut Vec::new());
    }
})];

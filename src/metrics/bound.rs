//! The bounds of a histogram as its lines show them.

/// How a bucket's line goes on after its other labels: copied as a whole, which takes two instructions, where a copy
/// whose length is known only at run time is a call.
#[derive(Debug)]
pub(super) struct Bound {
    bytes: [u8; 32],
    len: usize,
}

impl Bound {
    pub(super) fn new(bound: f64) -> Self {
        let number = match format!("{bound}") {
            number if number.len() <= 24 => number,
            // With an exponent no number is longer than that.
            _ => zmij::Buffer::new().format(bound).to_owned(),
        };
        Self::of(&number)
    }

    fn of(number: &str) -> Self {
        let text = format!("le=\"{number}\"}} ");
        let mut bytes = [0; 32];
        let len = bytes.iter_mut().zip(text.bytes()).map(|(place, byte)| *place = byte).count();
        Self { bytes, len }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

/// `le="…"} ` of each bucket, the last one without end.
pub(super) fn bounds_text(bounds: &[f64]) -> Vec<Bound> {
    let finite = bounds.iter().map(|bound| Bound::new(*bound));
    finite.chain([Bound::of("+Inf")]).collect()
}

//! A connection kept from one run of a check to the next, for the kinds that offer `reuse`.
//!
//! A run takes the connection out and puts it back only after a clean answer. A run that fails or is dropped still holds
//! it, so it closes with the run. Knows nothing of what is kept.

use parking_lot::Mutex;

/// Room for at most one connection.
#[derive(Debug)]
pub(super) struct Kept<C> {
    reuse: bool,
    connection: Mutex<Option<C>>,
}

impl<C> Kept<C> {
    /// An empty place; without `reuse` it stays empty.
    pub(super) fn new(reuse: bool) -> Self {
        Self { reuse, connection: Mutex::new(None) }
    }

    /// The connection, which is the caller's from now on.
    pub(super) fn take(&self) -> Option<C> {
        self.connection.lock().take()
    }

    /// Keeps `connection`, or gives it back to be closed where nothing is to be kept.
    pub(super) fn keep(&self, connection: C) -> Option<C> {
        if self.reuse { self.connection.lock().replace(connection) } else { Some(connection) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_at_most_one_and_only_if_told_to() {
        let kept = Kept::new(true);
        assert_eq!(kept.keep(1), None);
        assert_eq!(kept.keep(2), Some(1));
        assert_eq!((kept.take(), kept.take()), (Some(2), None));
        assert_eq!(Kept::new(false).keep(1), Some(1));
    }
}

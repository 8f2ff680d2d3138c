//! Checks that are closures of the embedding program.

use std::future::Future;
use std::marker::PhantomData;

use crate::model::{IntoOutcome, Outcome};

use super::{Check, Run};

/// A closure without state of its own: `|| async { … }` or `async || …`.
impl<F, Answer> Check for F
where
    F: Fn() -> Answer + Send + Sync + 'static,
    Answer: Future<Output: IntoOutcome> + Send,
{
    async fn run(&self, _run: &Run) -> Outcome {
        self().await.into_outcome()
    }
}

/// A closure with a state that it gets a clone of for each run; see [`with`].
pub struct With<S, F, Answer> {
    state: S,
    ask: F,
    // Neither sent nor shared: only named.
    answer: PhantomData<fn() -> Answer>,
}

/// A check out of a state and a closure: `with(pool, |pool| async move { … })`.
///
/// For closures that borrow what they captured across an `.await`, which a plain closure cannot.
pub fn with<S, F, Answer>(state: S, ask: F) -> With<S, F, Answer>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(S) -> Answer + Send + Sync + 'static,
    Answer: Future<Output: IntoOutcome> + Send + 'static,
{
    With { state, ask, answer: PhantomData }
}

impl<S, F, Answer> Check for With<S, F, Answer>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(S) -> Answer + Send + Sync + 'static,
    Answer: Future<Output: IntoOutcome> + Send + 'static,
{
    async fn run(&self, _run: &Run) -> Outcome {
        (self.ask)(self.state.clone()).await.into_outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;
    use std::time::Duration;

    async fn verdict(check: impl Check) -> Verdict {
        check.run(&Run::new(Duration::from_secs(1))).await.verdict
    }

    #[tokio::test]
    async fn closures_answer_in_many_ways() {
        assert_eq!(verdict(async || ()).await, Verdict::Pass);
        assert_eq!(verdict(|| async { true }).await, Verdict::Pass);
        assert!(matches!(verdict(async || false).await, Verdict::Fail(_)));
        assert_eq!(verdict(async || Ok::<_, std::io::Error>(())).await, Verdict::Pass);
        assert!(matches!(verdict(async || Err::<(), _>("broken")).await, Verdict::Fail(_)));
        assert!(matches!(verdict(async || Outcome::warn("slow")).await, Verdict::Warn(_)));
        let queue = with(vec![1, 2], |queue| async move { queue.len() < 10 });
        assert_eq!(verdict(queue).await, Verdict::Pass);
    }
}

//! Taking secrets out of texts that others wrote: drivers like to quote what they were given.

/// Shorter secrets stay: any text has those letters somewhere, and they are found by guessing anyway.
const SHORTEST: usize = 4;

/// `text` with `<secret>` in place of each of `secrets`, the longest first so that no rest is left; `None` where it has
/// none of them.
pub(crate) fn scrub<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let worth_hiding = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST);
    worth_hiding.fold(None, |clean: Option<String>, secret| {
        let seen = clean.as_deref().unwrap_or(text);
        if seen.contains(secret) { Some(seen.replace(secret, "<secret>")) } else { clean }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_and_what_is_short_stays() {
        let secrets = ["canary-long", "canary", "abc", ""];
        assert_eq!(scrub("all is well with abc", secrets), None);
        assert_eq!(
            scrub("canary, canary-long and abc", secrets).as_deref(),
            Some("<secret>, <secret> and abc")
        );
    }
}

//! Which traces are recorded: the samplers that OpenTelemetry names, in its words.
//!
//! The default records everything whose caller does not say otherwise. At 10,000 checks every ten seconds that is a
//! thousand spans a second and more with the phases: a ratio then does as well.

use opentelemetry_sdk::trace::Sampler;

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    root: Root,
    /// Whether a caller's decision counts more.
    parent_based: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Root {
    All,
    None,
    Ratio(f64),
}

impl Default for Sampling {
    /// `parentbased_always_on`.
    fn default() -> Self {
        Self { root: Root::All, parent_based: true }
    }
}

impl Sampling {
    /// From the values of `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn parse(sampler: &str, argument: Option<&str>) -> Result<Self, String> {
        let (parent_based, root) =
            sampler.strip_prefix("parentbased_").map_or((false, sampler), |root| (true, root));
        let root = match root {
            "always_on" => Root::All,
            "always_off" => Root::None,
            "traceidratio" => Root::Ratio(ratio(argument.unwrap_or("1"))?),
            _ => {
                return Err(format!(
                    "no sampler is called {sampler:?}: use always_on, always_off or traceidratio, with parentbased_ \
                     before it if the caller's decision shall count"
                ));
            }
        };
        Ok(Self { root, parent_based })
    }

    pub(super) fn sampler(self) -> Sampler {
        let root = match self.root {
            Root::All => Sampler::AlwaysOn,
            Root::None => Sampler::AlwaysOff,
            Root::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        };
        if self.parent_based { Sampler::ParentBased(Box::new(root)) } else { root }
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    number.ok_or_else(|| format!("the sampler's argument {text:?} is no share between 0 and 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_standard_words_and_no_others() {
        assert_eq!(Sampling::parse("parentbased_always_on", None), Ok(Sampling::default()));
        let sampling = Sampling::parse("parentbased_traceidratio", Some("0.25")).unwrap();
        assert_eq!(sampling, Sampling { root: Root::Ratio(0.25), parent_based: true });
        assert!(matches!(Sampling::parse("always_off", None).unwrap().sampler(), Sampler::AlwaysOff));
        for (sampler, argument) in
            [("xray", None), ("", None), ("traceidratio", Some("2")), ("traceidratio", Some("NaN"))]
        {
            assert!(Sampling::parse(sampler, argument).is_err(), "{sampler} {argument:?}");
        }
    }
}

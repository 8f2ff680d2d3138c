//! Why a check that was made in code cannot be run.

use std::fmt;

use crate::model::{Flaw, InvalidName, Name, Policy};

/// Why a check that was made in code cannot be run.
#[derive(Clone, Debug, PartialEq)]
pub enum InvalidCheck {
    /// Its name cannot be one.
    Name(InvalidName),
    /// It cannot be run or judged as it says.
    Policy {
        /// The check.
        check: Name,
        /// Everything that is wrong.
        flaws: Vec<Flaw>,
    },
}

impl fmt::Display for InvalidCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Policy { check, flaws } => {
                write!(f, "the check {check} cannot be run: ")?;
                for (index, flaw) in flaws.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "; " })?;
                    match flaw {
                        Flaw::Limit(..) => write!(f, "{flaw}")?,
                        _ => write!(f, "`{}` {flaw}", flaw.setting())?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for InvalidCheck {}

impl From<InvalidName> for InvalidCheck {
    fn from(error: InvalidName) -> Self {
        Self::Name(error)
    }
}

/// Says what of `policy` a configuration would be refused for.
pub(super) fn refuse(check: &Name, policy: &Policy) -> Result<(), InvalidCheck> {
    let flaws = policy.flaws();
    if flaws.is_empty() { Ok(()) } else { Err(InvalidCheck::Policy { check: check.clone(), flaws }) }
}

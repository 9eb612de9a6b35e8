//! Retention: how many finished jobs are kept, and for how long logs are.

use std::str::FromStr;
use std::time::Duration;

use super::spec;

/// Retention as given by a spec or for a store. Fields that are not given are left to another source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// The number of finished jobs to keep; 1 or more.
    pub jobs: Option<u32>,
    /// The age at which logs of successful datums are removed.
    pub logs: Option<Duration>,
    /// The age at which logs of failed and recovered datums are removed.
    pub failed_logs: Option<Duration>,
}

/// Retention in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetentionLimits {
    /// The number of finished jobs; default 50.
    pub jobs: u32,
    /// The age at which logs of successful datums are removed; default 30 days.
    pub logs: Duration,
    /// The age at which logs of failed and recovered datums are removed; default 90 days.
    pub failed_logs: Duration,
}

impl Retention {
    /// The limits: each field as given here, else as given by `store`, else the default.
    pub fn limits(self, store: Self) -> RetentionLimits {
        const DAY: Duration = Duration::from_hours(24);
        RetentionLimits {
            jobs: self.jobs.or(store.jobs).unwrap_or(50),
            logs: self.logs.or(store.logs).unwrap_or(30 * DAY),
            failed_logs: self.failed_logs.or(store.failed_logs).unwrap_or(90 * DAY),
        }
    }
}

/// Reads `jobs=500,logs=7d,failed_logs=365d`, in which each field may be missing. The error is advice.
impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut retention = Self::default();
        for field in text.split(',') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let age = || match value.parse() {
                Ok(spec::Duration(age)) => Ok(age),
                Err(advice) => Err(format!("{name}: {advice}")),
            };
            let is_given = match name.trim() {
                "jobs" => {
                    let jobs = value.parse().ok().filter(|jobs| *jobs > 0);
                    let jobs =
                        jobs.ok_or("jobs: give a number of 1 or more, at most 4294967295")?;
                    retention.jobs.replace(jobs).is_some()
                }
                "logs" => retention.logs.replace(age()?).is_some(),
                "failed_logs" => retention.failed_logs.replace(age()?).is_some(),
                _ => {
                    return Err(format!(
                        "{field:?} is none of `jobs=N`, `logs=TIME` and `failed_logs=TIME`, for example `jobs=500,logs=7d`"
                    ));
                }
            };
            if is_given {
                return Err(format!("{name} is given twice"));
            }
        }
        Ok(retention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn the_spec_comes_before_the_store_and_the_store_before_the_default() {
        let spec = Retention {
            jobs: Some(1),
            ..Retention::default()
        };
        let store = Retention {
            jobs: Some(2),
            logs: Some(HOUR),
            failed_logs: None,
        };
        let expected = RetentionLimits {
            jobs: 1,
            logs: HOUR,
            failed_logs: 90 * 24 * HOUR,
        };
        assert_eq!(spec.limits(store), expected);
        assert_eq!(Retention::default().limits(Retention::default()).jobs, 50);
    }

    #[test]
    fn the_retention_of_a_store_is_read_or_refused_with_advice() {
        let all = Retention {
            jobs: Some(500),
            logs: Some(48 * HOUR),
            failed_logs: Some(Duration::ZERO),
        };
        assert_eq!("jobs=500,logs=2d,failed_logs=0s".parse(), Ok(all));
        assert_eq!(
            "jobs=4294967295".parse::<Retention>().unwrap().jobs,
            Some(u32::MAX)
        );
        for (text, advice) in [
            ("", "none of"),
            ("jobs", "1 or more"),
            ("jobs=0", "1 or more"),
            ("jobs=-1", "1 or more"),
            ("jobs=4294967296", "at most 4294967295"),
            ("logs=30", "logs: add a unit"),
            ("failed_logs=200y", "failed_logs: write a number and a unit"),
            ("jobs=1,jobs=2", "twice"),
            ("job=1", "none of"),
        ] {
            let refused = text.parse::<Retention>().unwrap_err();
            assert!(refused.contains(advice), "{text:?}: {refused}");
        }
    }
}

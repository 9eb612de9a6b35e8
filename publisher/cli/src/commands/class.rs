//! Classes of errors: the exit code of the command, and the kind in JSON.

use std::error::Error;

use drover_api::{AccessError, StoredTokenError};
use drover_core::catalog::{
    GroupError, LogError, OrderError, RedoError, RegisterError, RetryError, SubmitError,
};
use drover_core::coordinator::CoordinateError;
use drover_core::expand::ExpandError;
use drover_core::leader::LeadError;
use drover_shared::ledger::{ReferenceError, RegistryError};
use drover_shared::process::ProbeError;
use drover_shared::queue::QueueError;
use drover_shared::queue::rabbitmq::InvalidAddress;
use drover_shared::store::StoreError;
use drover_worker::WorkError;

use crate::commands::UsageError;
use crate::commands::spec::file_list::FileListError;
use crate::commands::spec::one_liner::OneLinerError;
use crate::exit::Exit;
use crate::render::OutputError;

/// The class of an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ErrorClass {
    /// Exit code of a command that ends with the error.
    pub(crate) exit: Exit,
    /// Field `kind` of the error in JSON.
    pub(crate) kind: &'static str,
}

impl ErrorClass {
    /// The class of the first known error in the chain. An unknown error is the machine's.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let unknown = Self::new(Exit::Unreachable, "system");
        error.chain().find_map(of_link).unwrap_or(unknown)
    }

    fn new(exit: Exit, kind: &'static str) -> Self {
        Self { exit, kind }
    }

    fn usage(kind: &'static str) -> Self {
        Self::new(Exit::Usage, kind)
    }

    fn store(error: &StoreError) -> Self {
        Self::new(exit_of_store(error), "store")
    }
}

type Link<'a> = &'a (dyn Error + 'static);

fn of_link(link: Link<'_>) -> Option<ErrorClass> {
    of_request(link)
        .or_else(|| of_records(link))
        .or_else(|| of_machinery(link))
}

/// Errors in what the user typed.
fn of_request(link: Link<'_>) -> Option<ErrorClass> {
    if let Some(error) = link.downcast_ref::<UsageError>() {
        return Some(ErrorClass::usage(error.kind()));
    }
    let is_usage = matches!(link.downcast_ref(), Some(SubmitError::Key { .. }))
        || link.is::<OneLinerError>()
        || link.is::<FileListError>()
        || link.is::<OrderError>()
        || link.is::<InvalidAddress>()
        || link.is::<AccessError>();
    is_usage.then(|| ErrorClass::usage("usage"))
}

/// Errors about jobs, pipelines and other records of the store.
fn of_records(link: Link<'_>) -> Option<ErrorClass> {
    if let Some(error) = link.downcast_ref::<StoredTokenError>() {
        return Some(match error {
            StoredTokenError::Store(error) => ErrorClass::new(exit_of_store(error), "usage"),
            _ => ErrorClass::usage("usage"),
        });
    }
    if let Some(error) = link.downcast_ref::<RedoError>() {
        return Some(match error {
            RedoError::Store(error) => ErrorClass::store(error),
            RedoError::Glob(_) => ErrorClass::usage("usage"),
            RedoError::Unknown(_) => ErrorClass::usage("pipeline"),
            RedoError::Busy(_) => ErrorClass::usage("job"),
        });
    }
    if let Some(error) = link.downcast_ref::<RegisterError>() {
        return Some(match error {
            RegisterError::Order(_) => ErrorClass::usage("usage"),
            RegisterError::Registry(error) => of_registry(error),
            RegisterError::Store(error) => ErrorClass::store(error),
        });
    }
    if let Some(error) = link.downcast_ref::<RegistryError>() {
        return Some(of_registry(error));
    }
    if let Some(error) = link.downcast_ref::<ReferenceError>() {
        return Some(match error {
            ReferenceError::Store(error) => ErrorClass::store(error),
            _ => ErrorClass::usage("job"),
        });
    }
    if let Some(error) = link.downcast_ref::<RetryError>() {
        return Some(match error {
            RetryError::Store(error) => ErrorClass::store(error),
            RetryError::First { .. } | RetryError::Group(_) => ErrorClass::usage("job"),
            RetryError::Spec(_) => ErrorClass::usage("spec"),
        });
    }
    link.is::<GroupError>().then(|| ErrorClass::usage("job"))
}

fn of_registry(error: &RegistryError) -> ErrorClass {
    match error {
        RegistryError::Store(error) => ErrorClass::store(error),
        RegistryError::Missing(_) | RegistryError::Exists(_) => ErrorClass::usage("pipeline"),
    }
}

/// Errors of inputs, jobs, broker and store.
fn of_machinery(link: Link<'_>) -> Option<ErrorClass> {
    if let Some(error) = link.downcast_ref::<OutputError>() {
        // A reader that closes standard output early is no error.
        let is_read = error.is_broken_pipe();
        let exit = if is_read {
            Exit::Success
        } else {
            Exit::Unreachable
        };
        return Some(ErrorClass::new(exit, "system"));
    }
    if let Some(error) = link.downcast_ref::<ExpandError>() {
        return Some(ErrorClass::new(exit_of_expand(error), "input"));
    }
    if let Some(error) = link.downcast_ref::<LeadError>() {
        return Some(ErrorClass::new(exit_of_lead(error), "run"));
    }
    if let Some(SubmitError::Store(error)) = link.downcast_ref() {
        return Some(ErrorClass::store(error));
    }
    if let Some(LogError::Store(error)) = link.downcast_ref() {
        return Some(ErrorClass::store(error));
    }
    if let Some(error) = link.downcast_ref::<StoreError>() {
        return Some(ErrorClass::store(error));
    }
    let kind = if link.is::<QueueError>() || link.is::<SubmitError>() {
        "broker"
    } else if link.is::<WorkError>() {
        "run"
    } else if link.is::<ProbeError>() {
        "probe"
    } else {
        return None;
    };
    Some(ErrorClass::new(Exit::Unreachable, kind))
}

/// A refused job is a usage error; for a broken job, the cause decides.
fn exit_of_lead(error: &LeadError) -> Exit {
    let is_refused = matches!(
        error,
        LeadError::Busy { .. }
            | LeadError::OnBroker { .. }
            | LeadError::Coordinate(
                CoordinateError::Incomplete { .. } | CoordinateError::Changed { .. }
            )
    );
    if is_refused {
        return Exit::Usage;
    }
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = link {
        if let Some(error) = cause.downcast_ref() {
            return exit_of_expand(error);
        }
        if let Some(error) = cause.downcast_ref() {
            return exit_of_store(error);
        }
        link = cause.source();
    }
    Exit::Unreachable
}

fn exit_of_expand(error: &ExpandError) -> Exit {
    match error {
        ExpandError::List { source, .. } | ExpandError::Read { source, .. } => {
            exit_of_store(source)
        }
        _ => Exit::Usage,
    }
}

/// A wrong place is a usage error; a store that does not answer is not.
fn exit_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Missing { .. }
        | StoreError::Changed { .. }
        | StoreError::Exists { .. }
        | StoreError::Name { .. }
        | StoreError::Irregular { .. }
        | StoreError::Location { .. } => Exit::Usage,
        StoreError::Denied { .. }
        | StoreError::Full { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Unavailable { .. } => Exit::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error as IoError, ErrorKind};

    use anyhow::{Context, Error};
    use drover_shared::store::StoreKey;

    use super::*;

    fn no_folder() -> ExpandError {
        ExpandError::NoRepo {
            input: "in".to_owned(),
            repo: "in".to_owned(),
            folder: "/in".into(),
        }
    }

    fn down() -> StoreError {
        StoreError::Unavailable {
            key: StoreKey::root(),
            source: "no route to host".into(),
        }
    }

    #[test]
    fn every_way_to_fail_has_its_exit_code_and_kind() {
        let missing = StoreError::Missing {
            key: StoreKey::root(),
        };
        let coordinate = |error| Error::from(LeadError::Coordinate(error));
        let output = |kind| Error::from(OutputError::from(IoError::from(kind)));
        let rows = [
            (output(ErrorKind::BrokenPipe), Exit::Success, "system"),
            (output(ErrorKind::StorageFull), Exit::Unreachable, "system"),
            (missing.into(), Exit::Usage, "store"),
            (down().into(), Exit::Unreachable, "store"),
            (ReferenceError::NoJobs.into(), Exit::Usage, "job"),
            (
                ReferenceError::Store(down()).into(),
                Exit::Unreachable,
                "store",
            ),
            (
                SubmitError::Store(down()).into(),
                Exit::Unreachable,
                "store",
            ),
            (
                SubmitError::Queue(QueueError::Closed).into(),
                Exit::Unreachable,
                "broker",
            ),
            (LogError::Store(down()).into(), Exit::Unreachable, "store"),
            (no_folder().into(), Exit::Usage, "input"),
            (LeadError::Begin(down()).into(), Exit::Unreachable, "run"),
            (
                coordinate(CoordinateError::Expand(no_folder())),
                Exit::Usage,
                "run",
            ),
            (
                coordinate(CoordinateError::Store(down())),
                Exit::Unreachable,
                "run",
            ),
            (UsageError::NoBroker.into(), Exit::Usage, "usage"),
        ];
        for (error, exit, kind) in rows {
            let shown = format!("{error:#}");
            let expected = ErrorClass { exit, kind };
            assert_eq!(ErrorClass::of(&error), expected, "{shown}");
            let error = error.context("cannot do this");
            assert_eq!(ErrorClass::of(&error), expected, "with context: {shown}");
        }
    }

    #[test]
    fn an_error_that_is_not_known_is_the_machines() {
        let refused: Result<(), IoError> = Err(ErrorKind::AddrInUse.into());
        let error = refused.context("cannot listen").unwrap_err();
        let expected = ErrorClass {
            exit: Exit::Unreachable,
            kind: "system",
        };
        assert_eq!(ErrorClass::of(&error), expected);
    }
}

//! Notifications about jobs.

use std::time::Duration;

use url::Url;

use super::non_empty;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::{Notification, NotifyEvent, Receiver, spec};

/// Time limit of a delivery, and the longest one.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a job makes no progress before it stands still.
const STANDSTILL_AFTER: Duration = Duration::from_mins(10);

/// The most receivers of a pipeline.
const MOST: usize = 20;

const WHOM: &str = "write `webhook: URL`, or `command: [PROGRAM, ARGUMENT…]`";

/// Resolves all notifications; the wrong ones are left out.
pub(super) fn notify(
    all: &[spec::Notification],
    report: &mut FindingCollector<'_>,
) -> Vec<Notification> {
    let path = Path::root().field("notify");
    if all.len() > MOST {
        let message = format!("has {} items", all.len());
        report.error(&path, message, format!("write at most {MOST}"));
    }
    let each = all.iter().enumerate().filter_map(|(index, spec)| {
        let path = path.index(index);
        let receiver = receiver(spec, &path, report);
        let timeout = timeout(spec.timeout, &path.field("timeout"), report);
        Some(Notification {
            on: events(&spec.on),
            receiver: receiver?,
            timeout,
            standstill_after: spec
                .standstill_after
                .map_or(STANDSTILL_AFTER, |spec::Duration(after)| after),
        })
    });
    each.collect()
}

fn events(given: &[NotifyEvent]) -> Vec<NotifyEvent> {
    let is_wanted = |event: &NotifyEvent| given.is_empty() || given.contains(event);
    NotifyEvent::ALL.into_iter().filter(is_wanted).collect()
}

fn receiver(
    spec: &spec::Notification,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Receiver> {
    let signing_key = signing_key(spec, path, report);
    match (non_empty(spec.webhook.as_ref()), spec.command.first()) {
        (Some(_), Some(_)) => {
            let message = "`webhook` and `command` name a receiver each";
            report.error(path, message, "keep one of them, or write two items");
            None
        }
        (Some(url), None) => webhook(&url, signing_key, &path.field("webhook"), report),
        (None, Some(_)) => command(spec, path, report),
        (None, None) if report.has_error_within(path) => None,
        (None, None) => {
            report.missing(&path.field("webhook"), WHOM);
            None
        }
    }
}

fn webhook(
    text: &str,
    signing_key: Option<String>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Receiver> {
    let refused = |url: &Url| {
        if !matches!(url.scheme(), "http" | "https") {
            return Some("is neither http nor https");
        }
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        has_credentials.then_some("holds credentials")
    };
    let problem = match Url::parse(text) {
        Ok(url) => match refused(&url) {
            None => return Some(Receiver::Webhook { url, signing_key }),
            Some(problem) => problem,
        },
        Err(_) => "is no URL",
    };
    let advice = "write for example `https://hooks.example.org/drover`; `signing_key` proves who sent a request";
    report.error(path, problem, advice);
    None
}

fn command(
    spec: &spec::Notification,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Receiver> {
    if spec.signing_key.is_some() {
        let message = "is not used: a command gets no signature";
        report.note(&path.field("signing_key"), message, "");
    }
    let path = path.field("command");
    let is_empty = spec.command.first().is_some_and(String::is_empty);
    let has_nul = spec.command.iter().any(|each| each.contains('\0'));
    if is_empty || has_nul {
        let message = if is_empty {
            "the name of the program is empty"
        } else {
            "holds a NUL character"
        };
        report.error(&path, message, WHOM);
        return None;
    }
    Some(Receiver::Command(spec.command.clone()))
}

/// The name of a key is the name of a file, so it has no slash and does not begin with a dot.
fn signing_key(
    spec: &spec::Notification,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<String> {
    let name = non_empty(spec.signing_key.as_ref())?;
    let is_name = name.len() <= 253
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name {
        return Some(name);
    }
    let advice = "letters, digits, '-', '_' or '.', not '.' first: the name of a file in the directory `--notify-keys`, never the key itself";
    // The text may be the key itself and stays out of the message.
    report.error(&path.field("signing_key"), "is no name of a key", advice);
    None
}

fn timeout(
    given: Option<spec::Duration>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Duration {
    let Some(spec::Duration(timeout)) = given else {
        return TIMEOUT;
    };
    if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
        report.error(path, "is out of range", "write more than 0s, at most 5m");
    }
    timeout
}

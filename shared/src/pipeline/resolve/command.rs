//! The command and its surroundings.

use super::non_empty;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::{Secret, Transform, spec};

/// Prefixes of variables set by Drover for each datum; Drover's value replaces an equal name in `env`.
const OURS: [&str; 3] = ["PACH_", "PPS_", "DROVER_"];

/// Resolves a transform.
pub(super) fn transform(
    spec: Option<&spec::Transform>,
    report: &mut FindingCollector<'_>,
) -> Option<Transform> {
    let path = Path::root().field("transform");
    let Some(spec) = spec else {
        report.missing(
            &path,
            "say what to run: `transform: {cmd: [sh], stdin: [...]}`",
        );
        return None;
    };
    argv(spec, &path, report);
    environment(spec, &path, report);
    user(spec, &path, report);
    batching(spec, &path, report);
    let directory = non_empty(spec.working_dir.as_ref());
    if directory
        .as_ref()
        .is_some_and(|directory| directory.contains('\0'))
    {
        report.error(
            &path.field("working_dir"),
            "holds a NUL character",
            "delete the character",
        );
    }
    let secrets = secrets(&spec.secrets, &path.field("secrets"), report);
    Some(Transform {
        image: spec.image.clone().unwrap_or_default(),
        cmd: spec.cmd.clone(),
        stdin: spec.stdin.clone(),
        err_cmd: spec.err_cmd.clone(),
        err_stdin: spec.err_stdin.clone(),
        accept_return_code: spec.accept_return_code.clone(),
        env: spec.env.clone(),
        secrets,
        user: non_empty(spec.user.as_ref()),
        working_dir: directory,
        memory_volume: spec.memory_volume.unwrap_or_default(),
        datum_batching: spec.datum_batching.unwrap_or_default(),
        placeholders: spec.placeholders.unwrap_or_default(),
    })
}

fn argv(spec: &spec::Transform, path: &Path, report: &mut FindingCollector<'_>) {
    let advice = "name a program and its arguments, for example `[\"python3\", \"/code/main.py\"]`; for a script, \
                  `cmd: [sh]` with the script in `stdin`; the entrypoint of an image is not used";
    if spec.cmd.is_empty() {
        report.missing(&path.field("cmd"), advice);
    }
    for (field, arguments) in [("cmd", &spec.cmd), ("err_cmd", &spec.err_cmd)] {
        if arguments.first().is_some_and(String::is_empty) {
            let path = path.field(field).index(0);
            report.error(&path, "the name of the program is empty", advice);
        }
    }
    for (index, secret) in spec.image_pull_secrets.iter().enumerate() {
        if secret.is_empty() {
            let path = path.field("image_pull_secrets").index(index);
            report.error(&path, "is empty", "name a Kubernetes secret, or delete it");
        }
    }
    if spec.err_cmd.is_empty() && !spec.err_stdin.is_empty() {
        report.note(
            &path.field("err_stdin"),
            "is not used: there is no `err_cmd` to read it",
            "",
        );
    }
    for (field, arguments) in [("cmd", &spec.cmd), ("err_cmd", &spec.err_cmd)] {
        for (index, argument) in arguments.iter().enumerate() {
            if argument.contains('\0') {
                report.error(
                    &path.field(field).index(index),
                    "holds a NUL character",
                    "delete the character",
                );
            }
        }
    }
}

fn environment(spec: &spec::Transform, path: &Path, report: &mut FindingCollector<'_>) {
    for (name, value) in &spec.env {
        let path = path.field("env").field(name);
        if !is_variable(name) {
            report.error(
                &path,
                format!("{name:?} cannot name a variable"),
                "leave out `=` and NUL",
            );
        } else if OURS.iter().any(|prefix| name.starts_with(prefix)) || name == "PFS" {
            report.note(
                &path,
                "may be hidden: Drover sets variables of this kind itself",
                "",
            );
        }
        if value.contains('\0') {
            report.error(&path, "holds a NUL character", "delete the character");
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

fn batching(spec: &spec::Transform, path: &Path, report: &mut FindingCollector<'_>) {
    if spec.datum_batching != Some(true) {
        return;
    }
    if spec.placeholders == Some(true) {
        report.error(
            &path.field("placeholders"),
            "cannot be replaced: with `datum_batching` the command is started once for many datums",
            "leave it out, and let the command read the variables in `/pfs/.env` after each `next-datum`",
        );
    }
    if !spec.accept_return_code.is_empty() && spec.err_cmd.is_empty() {
        report.note(
            &path.field("accept_return_code"),
            "is not used: with `datum_batching` the command succeeds by asking for its next datum",
            "",
        );
    }
}

fn user(spec: &spec::Transform, path: &Path, report: &mut FindingCollector<'_>) {
    let Some(user) = non_empty(spec.user.as_ref()) else {
        return;
    };
    let parts: Vec<&str> = user.split(':').collect();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = |part: &&str| match *part {
        "" => false,
        number if is_number(number) => number.parse::<u32>().is_ok(),
        name => {
            !name.starts_with('-')
                && !name.contains(|each: char| each.is_whitespace() || each == '/')
        }
    };
    if parts.len() > 2 || !parts.iter().all(is_part) {
        let advice = "write a name or a number, with a group after `:` if wanted, for example `nobody` or `1000:100`";
        report.error(
            &path.field("user"),
            format!("{user:?} is not a user"),
            advice,
        );
    }
}

fn secrets(specs: &[spec::Secret], path: &Path, report: &mut FindingCollector<'_>) -> Vec<Secret> {
    let mut secrets = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        secrets.extend(secret(spec, &path.index(index), report));
    }
    secrets
}

fn secret(spec: &spec::Secret, path: &Path, report: &mut FindingCollector<'_>) -> Option<Secret> {
    let name = non_empty(spec.name.as_ref());
    if name.is_none() {
        report.missing(&path.field("name"), "name the Kubernetes secret");
    }
    let secret = Secret {
        name: name?,
        key: non_empty(spec.key.as_ref()),
        mount_path: non_empty(spec.mount_path.as_ref()),
        env_var: non_empty(spec.env_var.as_ref()),
    };
    match (&secret.mount_path, &secret.env_var) {
        (None, None) => {
            let advice = "give `mount_path` for files, or `env_var` and `key` for a variable";
            report.error(
                path,
                format!("the secret {:?} is not put anywhere", secret.name),
                advice,
            );
        }
        (Some(mount), _) if !mount.starts_with('/') => {
            report.error(
                &path.field("mount_path"),
                format!("{mount:?} is not an absolute path"),
                "begin it with `/`",
            );
        }
        (Some(mount), _) if mount == "/pfs" || mount.starts_with("/pfs/") => {
            let advice = "mount it elsewhere: `/pfs` is made anew for each datum";
            report.error(
                &path.field("mount_path"),
                format!("{mount:?} lies below `/pfs`"),
                advice,
            );
        }
        _ => {}
    }
    match (&secret.env_var, &secret.key) {
        (Some(_), None) => report.missing(
            &path.field("key"),
            "`env_var` holds one key of the secret: name it",
        ),
        (None, Some(_)) => {
            report.note(
                &path.field("key"),
                "is not used: there is no `env_var` to hold it",
                "",
            );
        }
        (Some(variable), _) if !is_variable(variable) => {
            let message = format!("{variable:?} cannot name a variable");
            report.error(&path.field("env_var"), message, "leave out `=` and NUL");
        }
        _ => {}
    }
    Some(secret)
}

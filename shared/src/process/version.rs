//! The text of `--version`: version, commit and features of a build.

/// The C library that is linked in, and how.
const LINKAGE: &str = if cfg!(target_feature = "crt-static") {
    "static"
} else {
    "dynamic"
};

/// The features of each build; no feature is optional.
const FEATURES: &str = "\
stores:   folder, s3://, gs://, az://
queues:   embedded, RabbitMQ (amqp://, amqps://)
sandbox:  namespaces, Landlock";

/// Describes a build of `version` for `--version`, one property a line. Without a commit, or with an empty one, the line about
/// it is absent.
pub fn describe_build(version: &str, commit: Option<&str>) -> String {
    let known = commit.filter(|commit| !commit.is_empty());
    let commit = known.map_or_else(String::new, |commit| format!("commit:   {commit}\n"));
    let (machine, system) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{version}\n{commit}target:   {machine}-{system}, {LINKAGE}\n{FEATURES}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_told_where_it_is_known() {
        let known = describe_build("1.2.3", Some("0123abc"));
        assert!(
            known.starts_with("1.2.3\ncommit:   0123abc\ntarget:"),
            "{known}"
        );
        for unknown in [None, Some("")] {
            let build = describe_build("1.2.3", unknown);
            assert!(build.starts_with("1.2.3\ntarget:"), "{build}");
            assert!(build.contains("\nsandbox:"), "{build}");
        }
    }
}

//! User and group of a command, looked up in `/etc/passwd` and `/etc/group` as the command would see them.

use std::fs;

use rustix::process::{getegid, geteuid};

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::runner) struct Identity {
    pub(in crate::runner) user: u32,
    pub(in crate::runner) group: u32,
}

impl Identity {
    /// User and group of the current process.
    pub(in crate::runner) fn own() -> Self {
        Self {
            user: geteuid().as_raw(),
            group: getegid().as_raw(),
        }
    }
}

/// The identity for `name|uid[:group|gid]`; `None` if the current process has the identity already.
pub(in crate::runner) fn identity(user: Option<&str>) -> Result<Option<Identity>, String> {
    let Some(user) = user else { return Ok(None) };
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let requested = parse(user, &read("/etc/passwd"), &read("/etc/group"))?;
    if requested == Identity::own() {
        return Ok(None);
    }
    if !geteuid().is_root() {
        return Err(format!(
            "the command cannot run as user {user:?}: the worker is not root; leave `user` out or run the worker as that user"
        ));
    }
    Ok(Some(requested))
}

/// Home directory for `name|uid[:group|gid]` as a container runtime sets it: `/` for a user that is not in
/// `/etc/passwd`. `None` for the user of the current process, whose `HOME` is inherited.
pub(crate) fn home_of_another(user: &str) -> Option<String> {
    let requested = identity(Some(user)).ok().flatten()?;
    if requested.user == Identity::own().user {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(home(user, &passwd))
}

fn home(text: &str, passwd: &str) -> String {
    let user = text.split_once(':').map_or(text, |(user, _)| user);
    let entry = find(passwd, user);
    let home = entry.and_then(|fields| fields.get(5).copied());
    home.filter(|home| !home.is_empty())
        .unwrap_or("/")
        .to_owned()
}

fn parse(text: &str, passwd: &str, group: &str) -> Result<Identity, String> {
    let (user_text, group_text) = text
        .split_once(':')
        .map_or((text, None), |(user, group)| (user, Some(group)));
    let entry = find(passwd, user_text);
    let user = entry
        .as_ref()
        .and_then(|fields| number(fields, 2))
        .or_else(|| user_text.parse().ok());
    let user = user.ok_or_else(|| {
        format!("user {user_text:?} is not in /etc/passwd; use a name from there or a number")
    })?;
    let group = match group_text {
        Some(name) => find(group, name)
            .and_then(|fields| number(&fields, 2))
            .or_else(|| name.parse().ok())
            .ok_or_else(|| {
                format!("group {name:?} is not in /etc/group; use a name from there or a number")
            })?,
        // The default of `su` and `docker run --user`: the primary group of the user, or root's if unknown.
        None => entry.and_then(|fields| number(&fields, 3)).unwrap_or(0),
    };
    Ok(Identity { user, group })
}

/// The fields of the line for `requested`, a name or else a number.
fn find<'a>(file: &'a str, requested: &str) -> Option<Vec<&'a str>> {
    let lines = || file.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines()
        .find(|fields| fields[0] == requested)
        .or_else(|| lines().find(|fields| fields.get(2) == Some(&requested)))
}

fn number(fields: &[&str], place: usize) -> Option<u32> {
    fields.get(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n77:x:5:6::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:ana\n";

    #[test]
    fn a_user_is_found_by_name_or_number() {
        for (text, expected) in [
            ("ana", Ok((1000, 1000))),
            ("1000", Ok((1000, 1000))),
            ("ana:staff", Ok((1000, 50))),
            ("ana:7", Ok((1000, 7))),
            ("4000", Ok((4000, 0))),
            ("4000:4001", Ok((4000, 4001))),
            ("77", Ok((5, 6))),
            (
                "bob",
                Err("user \"bob\" is not in /etc/passwd; use a name from there or a number"),
            ),
            (
                "ana:wheel",
                Err("group \"wheel\" is not in /etc/group; use a name from there or a number"),
            ),
            (
                "",
                Err("user \"\" is not in /etc/passwd; use a name from there or a number"),
            ),
        ] {
            let expected = expected
                .map(|(user, group)| Identity { user, group })
                .map_err(str::to_owned);
            assert_eq!(parse(text, PASSWD, GROUP), expected, "{text}");
        }
    }

    #[test]
    fn a_user_is_at_home_where_the_image_says() {
        for (text, expected) in [
            ("ana", "/home/ana"),
            ("1000", "/home/ana"),
            ("ana:staff", "/home/ana"),
            ("root", "/root"),
            ("4000", "/"),
            ("4000:50", "/"),
            ("homeless", "/"),
        ] {
            let passwd = format!("{PASSWD}homeless:x:9:9:::/bin/sh\nshort:x:8\n");
            assert_eq!(home(text, &passwd), expected, "{text}");
        }
    }
}

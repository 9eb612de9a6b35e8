//! Laws that hold for all inputs and files.

use std::collections::{BTreeMap, BTreeSet};

use drover_shared::pipeline::Input::{Cross, Group, Join, Union};
use proptest::prelude::*;

use super::*;

/// Paths of a repo; names that sort around `/` and share prefixes.
fn paths() -> impl Strategy<Value = BTreeSet<String>> {
    let name = prop::sample::select(vec!["a", "a-", "a.b", "a0", "b", "ab", "ü", "x y"]);
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    prop::collection::btree_set(path, 0..12)
}

fn globs() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/", "/*", "/*/*", "/a*", "/**", "/a/**", "/**/b", "/a.b/*", "/!(a)", "/{a,b}", "/*/",
        "/nothing",
    ])
}

fn keyed_globs() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["/(?)*", "/(*)", "/*/(*)", "/**(?)"])
}

fn repo(name: &str, paths: &BTreeSet<String>) -> Vec<String> {
    paths.iter().map(|path| format!("{name}/{path}")).collect()
}

fn memory(repos: &[(&str, &BTreeSet<String>)]) -> Memory {
    Memory::of(repos.iter().flat_map(|(name, paths)| repo(name, paths)))
}

/// What a leaf finds, said another way: all files and directories there are, those that match, sorted.
fn model(paths: &BTreeSet<String>, glob: &str, exclude: &str, files_only: bool) -> Vec<String> {
    let (glob, exclude): (drover_shared::glob::Glob, drover_shared::glob::Glob) =
        (glob.parse().unwrap(), exclude.parse().unwrap());
    let above = |path: &str| {
        path.match_indices('/')
            .skip(1)
            .map(|(at, _)| path[..at].to_owned())
            .collect::<Vec<_>>()
    };
    let files: Vec<String> = paths
        .iter()
        .map(|path| format!("/{path}"))
        .filter(|path| {
            !above(path)
                .iter()
                .chain([path])
                .any(|each| exclude.matches(each).unwrap())
        })
        .collect();
    let directories: BTreeSet<String> = files.iter().flat_map(|path| above(path)).collect();
    let files = files.into_iter().filter(|path| glob.matches(path).unwrap());
    let directories = directories
        .into_iter()
        .filter(|path| !files_only && glob.matches(path).unwrap())
        .map(|path| path + "/");
    let root = (!files_only && glob.is_root()).then(|| "/".to_owned());
    let all: BTreeSet<String> = files.chain(directories).chain(root).collect();
    all.into_iter().map(|path| format!("in{path}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_leaf_finds_what_matches_in_byte_order(
        paths in paths(), glob in globs(), exclude in prop::sample::select(vec!["/zzz", "/a", "/a/b", "/**/b", "/*.b"]), files_only: bool,
    ) {
        let leaf = PfsInput { exclude: vec![exclude.parse().unwrap()], files_only, ..leaf("in", glob) };
        let found = briefs(Input::Pfs(leaf), &memory(&[("in", &paths)]));
        prop_assert_eq!(found, model(&paths, glob, exclude, files_only));
    }

    #[test]
    fn what_a_selection_rules_out_does_not_matter(paths in paths(), glob in globs(), exclude in globs()) {
        let with = PfsInput { exclude: vec![exclude.parse().unwrap()], ..leaf("in", glob) };
        let selection = Selection::of(&with);
        let reached: BTreeSet<String> = paths
            .iter()
            .filter(|path| selection.concerns(&format!("/{path}")).unwrap())
            .filter(|path| path.match_indices('/').all(|(at, _)| selection.reaches_below(&format!("/{}", &path[..at])).unwrap()))
            .cloned()
            .collect();
        let sizes = |paths: &BTreeSet<String>| {
            let found = datums(Input::Pfs(with.clone()), &memory(&[("in", paths)]));
            found.into_iter().map(|datum| (brief(&datum), datum.inputs[0].size)).collect::<Vec<_>>()
        };
        prop_assert_eq!(sizes(&paths), sizes(&reached));
    }

    #[test]
    fn a_cross_is_the_product_in_order(a in paths(), b in paths(), glob in globs(), other in globs()) {
        let memory = memory(&[("a", &a), ("b", &b)]);
        let (left, right) = (briefs(pfs("a", glob), &memory), briefs(pfs("b", other), &memory));
        let crossed = briefs(Cross(vec![pfs("a", glob), pfs("b", other)]), &memory);
        let product: Vec<String> = left.iter().flat_map(|left| right.iter().map(move |right| format!("{left}+{right}"))).collect();
        prop_assert_eq!(crossed, product);
    }

    #[test]
    fn a_union_is_the_sum_in_order(a in paths(), b in paths(), glob in globs(), other in globs()) {
        let memory = memory(&[("a", &a), ("b", &b)]);
        let sum = [briefs(pfs("a", glob), &memory), briefs(pfs("b", other), &memory)].concat();
        prop_assert_eq!(briefs(Union(vec![pfs("a", glob), pfs("b", other)]), &memory), sum);
    }

    #[test]
    fn an_inner_join_is_what_a_cross_has_with_equal_keys(a in paths(), b in paths(), glob in keyed_globs(), other in keyed_globs()) {
        let memory = memory(&[("a", &a), ("b", &b)]);
        let children = || vec![on("a", glob, "$1"), on("b", other, "$1")];
        let equal = |datum: &Datum| datum.inputs[0].join_on == datum.inputs[1].join_on;
        let crossed: BTreeSet<String> = datums(Cross(children()), &memory).iter().filter(|datum| equal(datum)).map(brief).collect();
        let joined = briefs(Join(children()), &memory);
        prop_assert_eq!(joined.len(), crossed.len());
        prop_assert_eq!(joined.into_iter().collect::<BTreeSet<_>>(), crossed);
    }

    #[test]
    fn an_outer_join_adds_each_lonely_input_once(a in paths(), b in paths(), glob in keyed_globs()) {
        let memory = memory(&[("a", &a), ("b", &b)]);
        let inner = datums(Join(vec![on("a", glob, "$1"), on("b", glob, "$1")]), &memory);
        let outer = datums(Join(vec![outer_on("a", glob, "$1"), outer_on("b", glob, "$1")]), &memory);
        let pairs = outer.iter().filter(|datum| datum.inputs.len() == 2);
        prop_assert!(pairs.map(brief).eq(inner.iter().map(brief)));
        let mut seen: Vec<String> = outer.iter().flat_map(|datum| &datum.inputs).map(brief_input).collect();
        seen.sort();
        seen.dedup();
        let all = datums(Union(vec![pfs("a", glob), pfs("b", glob)]), &memory);
        prop_assert_eq!(seen.len(), all.len(), "every input is in some datum");
    }

    #[test]
    fn groups_are_a_partition(a in paths(), b in paths(), glob in keyed_globs(), other in keyed_globs()) {
        let memory = memory(&[("a", &a), ("b", &b)]);
        let grouped = datums(Group(vec![by("a", glob, "$1"), by("b", other, "$1")]), &memory);
        let mut members: BTreeMap<String, usize> = BTreeMap::new();
        for (group, datum) in grouped.iter().enumerate() {
            prop_assert!(!datum.inputs.is_empty());
            for input in &datum.inputs {
                prop_assert_eq!(&input.group_by, &datum.inputs[0].group_by);
                prop_assert_eq!(members.insert(brief_input(input), group), None);
            }
        }
        let keys: BTreeSet<_> = grouped.iter().map(|datum| datum.inputs[0].group_by.clone()).collect();
        prop_assert_eq!(keys.len(), grouped.len(), "no key has two groups");
        prop_assert_eq!(members.len(), datums(Union(vec![pfs("a", glob), pfs("b", other)]), &memory).len());
    }

    #[test]
    fn indexes_are_consecutive_and_ids_name_the_work(a in paths(), b in paths()) {
        let memory = memory(&[("a", &a), ("b", &b)]);
        let found = datums(Union(vec![pfs("a", "/**"), Cross(vec![pfs("a", "/*"), pfs("b", "/*")]), pfs("a", "/**")]), &memory);
        prop_assert!(found.iter().map(|datum| datum.index).eq(0..found.len() as u64));
        let mut works: BTreeMap<_, String> = BTreeMap::new();
        for datum in &found {
            let work = brief(datum);
            prop_assert_eq!(works.entry(datum.id).or_insert_with(|| work.clone()), &work, "one id, one work");
        }
        let distinct: BTreeSet<String> = found.iter().map(brief).collect();
        prop_assert_eq!(works.len(), distinct.len(), "one work, one id");
    }

    #[test]
    fn files_that_come_later_in_order_change_no_datum_before(paths in paths(), more in paths(), glob in globs()) {
        // Below `z` and the root, so no directory of the first listing changes but the root itself.
        prop_assume!(glob != "/");
        let longer: BTreeSet<String> = paths.iter().cloned().chain(more.iter().map(|path| format!("\u{10000}/{path}"))).collect();
        let before = datums(pfs("in", glob), &memory(&[("in", &paths)]));
        let after = datums(pfs("in", glob), &memory(&[("in", &longer)]));
        prop_assert_eq!(&after[..before.len()], &before[..]);
    }
}

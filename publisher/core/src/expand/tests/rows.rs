//! Vectors: an input, files, and the datums they make, in order.

use drover_shared::pipeline::Input;
use drover_shared::pipeline::Input::{Cross, Group, Join, Union};

use super::*;

/// Checks rows of name, input, files (`repo/path`) and datums (`name/path`, inputs joined by `+`).
fn check(rows: impl IntoIterator<Item = (&'static str, Input, &'static str, &'static str)>) {
    for (name, input, files, expected) in rows {
        let found = briefs(input, &Memory::holding(files));
        assert_eq!(found, expected.split_whitespace().collect::<Vec<_>>(), "{name}");
    }
}

/// Checks how many datums there are.
fn check_counts(rows: impl IntoIterator<Item = (&'static str, Input, Vec<String>, usize)>) {
    for (name, input, files, expected) in rows {
        assert_eq!(briefs(input, &Memory::of(files)).len(), expected, "{name}");
    }
}

fn numbered(prefix: &str, numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    let prefix = prefix.to_owned();
    numbers.map(move |number| format!("{prefix}{number}"))
}

const A: &str = "in/foo in/dir/bar in/dir/buzz";
const C: &str = "in/dir1/file1.1 in/dir1/file1.2 in/dir2/file2.1 in/dir2/file2.2";
const STATES: &str = "in/California/San-Francisco.json in/California/Los-Angeles.json in/Colorado/Denver.json \
     in/Colorado/Boulder.json in/Washington/Seattle.json in/Washington/Vancouver.json";

#[test]
fn a_glob_takes_files_and_directories() {
    check([
        ("nothing is the root", pfs("in", ""), A, "in/"),
        ("the root is one datum", pfs("in", "/"), A, "in/"),
        ("an empty repo is one datum too", pfs("in", "/"), "", "in/"),
        ("a star takes files and directories", pfs("in", "/*"), A, "in/dir/ in/foo"),
        ("a leading slash is optional", pfs("in", "*"), A, "in/dir/ in/foo"),
        ("one level down", pfs("in", "dir/*"), A, "in/dir/bar in/dir/buzz"),
        ("one level down, absolute", pfs("in", "/dir/*"), A, "in/dir/bar in/dir/buzz"),
        ("in any directory", pfs("in", "*/*"), A, "in/dir/bar in/dir/buzz"),
        ("in any directory, absolute", pfs("in", "/*/*"), A, "in/dir/bar in/dir/buzz"),
        ("files of a directory", pfs("in", "/dir1/*"), C, "in/dir1/file1.1 in/dir1/file1.2"),
        ("a whole repo of directories", pfs("in", "/"), C, "in/"),
        ("a path that exists", pfs("in", "/dir/bar"), A, "in/dir/bar"),
        ("a directory that exists", pfs("in", "/dir"), A, "in/dir/"),
        ("a directory, with a trailing slash", pfs("in", "/dir/"), A, "in/dir/"),
        ("a path that does not exist", pfs("in", "/dir/nothing"), A, ""),
        ("no match", pfs("in", "/*.txt"), A, ""),
        ("everything at once", pfs("in", "/**"), A, "in/dir/ in/dir/bar in/dir/buzz in/foo"),
        ("overlapping directories", pfs("in", "/**"), "in/a/b/c in/a/b/d in/a/e", "in/a/ in/a/b/ in/a/b/c in/a/b/d in/a/e"),
        ("two stars need their slashes", pfs("in", "/**/x"), "in/x in/a/x in/a/b/x", "in/a/b/x in/a/x"),
        ("a directory stands where its slash would", pfs("in", "/*"), "in/a.b in/a/x in/a-b in/a0 in/b", "in/a-b in/a.b in/a/ in/a0 in/b"),
        ("what only looks like a directory", pfs("in", "/a*"), "in/ab/x in/a/x in/abc", "in/a/ in/ab/ in/abc"),
        ("a file and a directory of one name, as buckets allow", pfs("in", "/*"), "in/a in/a/x in/a.b", "in/a in/a.b in/a/"),
        ("all states", pfs("in", "/*"), STATES, "in/California/ in/Colorado/ in/Washington/"),
        ("all of it", pfs("in", "/"), STATES, "in/"),
        ("cities of a state", pfs("in", "/Colorado/*"), STATES, "in/Colorado/Boulder.json in/Colorado/Denver.json"),
        ("states with a C", pfs("in", "/C*"), STATES, "in/California/ in/Colorado/"),
    ]);
    let b = || {
        let all = ["in/file", "in/dir1/file", "in/dir2/dir3/file"];
        all.iter().flat_map(|prefix| numbered(prefix, 0..100)).collect::<Vec<_>>()
    };
    let cities = STATES.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    check_counts([
        ("100 files and 2 directories", pfs("in", "*"), b(), 102),
        ("100 files", pfs("in", "file*"), b(), 100),
        ("100 files of a directory", pfs("in", "dir1/*"), b(), 100),
        ("100 files and a directory", pfs("in", "*/*"), b(), 101),
        ("100 files two levels down", pfs("in", "dir2/dir3/*"), b(), 100),
        ("all cities", pfs("in", "/*/*"), cities, 6),
    ]);
}

#[test]
fn what_is_excluded_or_a_directory_is_left_out() {
    let files = "in/a.txt in/a.log in/d/b.txt in/d/b.log in/e/deep/c.log in/tmp/x";
    check([
        ("files only", files_only("in", "/**"), files, "in/a.log in/a.txt in/d/b.log in/d/b.txt in/e/deep/c.log in/tmp/x"),
        ("a file by its path", without("in", "/*", &["/a.log"]), files, "in/a.txt in/d/ in/e/ in/tmp/"),
        ("all below a directory", without("in", "/**", &["/tmp", "/d", "/e"]), files, "in/a.log in/a.txt"),
        ("a directory with nothing left is none", without("in", "/*", &["/**/*.log"]), files, "in/a.log in/a.txt in/d/ in/tmp/"),
        ("several globs", without("in", "/*", &["/*.txt", "/{d,e}", "/tmp/*"]), files, "in/a.log"),
        ("the root stays", without("in", "/", &["/**"]), files, "in/"),
    ]);
    let tag_of = |input: Input, files: &str| datums(input, &Memory::holding(files))[0].inputs[0].tag.clone();
    let whole = tag_of(pfs("in", "/d"), files);
    let part = tag_of(without("in", "/d", &["/d/*.log"]), files);
    assert_ne!(whole, part, "what is left out of a directory is not part of its content");
}

#[test]
fn a_directory_knows_its_size_and_content() {
    let memory = Memory::holding("in/d/one in/d/e/two in/f/one");
    let found = datums(pfs("in", "/*"), &memory);
    let sizes: Vec<u64> = found.iter().map(|datum| datum.inputs[0].size).collect();
    assert_eq!(sizes, [14, 6]);

    let tag = |files: &str, glob: &str| datums(pfs("in", glob), &Memory::holding(files))[0].inputs[0].tag.clone();
    let same = tag("in/d/one in/d/two", "/d");
    assert_eq!(tag("in/d/one in/d/two in/other", "/d"), same, "files elsewhere do not count");
    assert_ne!(tag("in/d/two in/d/one", "/d"), same, "contents count");
    assert_ne!(tag("in/d/one in/d/tw", "/d"), same, "names count");
    assert_ne!(tag("in/d/one", "/d"), same, "missing files count");
    assert_eq!(tag("in/e/one in/e/two", "/e"), same, "only what lies below counts");
    assert!(same.as_str().starts_with("tree:"));
}

#[test]
fn a_cross_is_every_combination() {
    check([
        ("montage", Cross(vec![pfs("images", "/"), pfs("edges", "/")]), "images/a images/b edges/c", "images/+edges/"),
        (
            "iris",
            Cross(vec![pfs("attributes", "/*"), pfs("model", "/")]),
            "attributes/1 attributes/2 model/m",
            "attributes/1+model/ attributes/2+model/",
        ),
        (
            "the last child varies fastest",
            Cross(vec![pfs("a", "/*"), pfs("b", "/*"), pfs("c", "/*")]),
            "a/1 a/2 b/1 b/2 c/1 c/2",
            "a/1+b/1+c/1 a/1+b/1+c/2 a/1+b/2+c/1 a/1+b/2+c/2 a/2+b/1+c/1 a/2+b/1+c/2 a/2+b/2+c/1 a/2+b/2+c/2",
        ),
        ("children stay in the order of the spec", Cross(vec![pfs("z", "/*"), pfs("a", "/*")]), "a/1 z/1", "z/1+a/1"),
        ("with nothing there is nothing", Cross(vec![pfs("a", "/*"), pfs("b", "/*")]), "a/1 a/2", ""),
        ("with nothing first there is nothing", Cross(vec![pfs("a", "/*"), pfs("b", "/*")]), "b/1 b/2", ""),
        ("of one", Cross(vec![pfs("a", "/*")]), "a/1 a/2", "a/1 a/2"),
        ("one repo twice", Cross(vec![pfs("a", "/*"), named("again", "a", "/*")]), "a/1 a/2", "a/1+again/1 a/1+again/2 a/2+again/1 a/2+again/2"),
        (
            "nested ones are flat",
            Cross(vec![Cross(vec![pfs("a", "/*"), pfs("b", "/*")]), pfs("c", "/*")]),
            "a/1 a/2 b/1 c/1 c/2",
            "a/1+b/1+c/1 a/1+b/1+c/2 a/2+b/1+c/1 a/2+b/1+c/2",
        ),
        (
            "with a union",
            Cross(vec![Union(vec![pfs("a", "/*"), pfs("b", "/*")]), pfs("c", "/*")]),
            "a/1 b/1 c/1 c/2",
            "a/1+c/1 a/1+c/2 b/1+c/1 b/1+c/2",
        ),
    ]);
}

#[test]
fn a_union_is_child_after_child() {
    let four = "a/file-0 a/file-1 b/file-0 b/file-1 c/file-0 c/file-1 d/file-0 d/file-1";
    check([
        (
            "four repos",
            Union(vec![pfs("a", "/*"), pfs("b", "/*"), pfs("c", "/*"), pfs("d", "/*")]),
            four,
            "a/file-0 a/file-1 b/file-0 b/file-1 c/file-0 c/file-1 d/file-0 d/file-1",
        ),
        (
            "four repos of one name",
            Union(vec![named("in", "a", "/*"), named("in", "b", "/*"), named("in", "c", "/*"), named("in", "d", "/*")]),
            four,
            "in/file-0 in/file-1 in/file-0 in/file-1 in/file-0 in/file-1 in/file-0 in/file-1",
        ),
        (
            "fruits and prices",
            Union(vec![pfs("fruits", "/*.jpeg"), pfs("pricing", "/*.json")]),
            "fruits/apple.jpeg fruits/pear.jpeg fruits/readme pricing/a.json pricing/b.json",
            "fruits/apple.jpeg fruits/pear.jpeg pricing/a.json pricing/b.json",
        ),
        ("the same twice stays twice", Union(vec![pfs("a", "/*"), pfs("a", "/*")]), "a/1 a/2", "a/1 a/2 a/1 a/2"),
        ("children as written", Union(vec![pfs("z", "/*"), pfs("a", "/*")]), "a/1 z/1", "z/1 a/1"),
        ("with nothing", Union(vec![pfs("a", "/*"), pfs("b", "/*")]), "b/1", "b/1"),
        (
            "of crosses",
            Union(vec![Cross(vec![pfs("a", "/*"), pfs("b", "/*")]), Cross(vec![pfs("b", "/*"), pfs("a", "/*")])]),
            "a/1 b/1 b/2",
            "a/1+b/1 a/1+b/2 b/1+a/1 b/2+a/1",
        ),
    ]);
}

#[test]
fn a_join_is_pairs_of_one_key() {
    let stores = "stores/STOREID1 stores/STOREID2 stores/STOREID3 stores/STOREID4 stores/STOREID5 \
         purchases/1-STOREID1 purchases/2-STOREID1 purchases/3-STOREID2 purchases/4-STOREID3 purchases/5-STOREID5 \
         purchases/6-STOREID5 returns/1-STOREID1 returns/2-STOREID5 returns/3-STOREID5 returns/4-STOREID0";
    let store = |outer: bool| {
        if outer { outer_on("stores", "/STOREID(*)", "$1") } else { on("stores", "/STOREID(*)", "$1") }
    };
    let returns = |outer: bool| {
        if outer { outer_on("returns", "/*-STOREID(*)", "$1") } else { on("returns", "/*-STOREID(*)", "$1") }
    };
    let purchases = || on("purchases", "/*-STOREID(*)", "$1");
    let readings = "readings/ID1234/file1.txt readings/ID1234/file2.txt readings/ID1234/file3.txt readings/ID1234/file4.txt \
         readings/ID1234/file5.txt parameters/file1.txt parameters/file2.txt parameters/file3.txt parameters/file4.txt \
         parameters/file5.txt parameters/file6.txt parameters/file7.txt parameters/file8.txt";
    check([
        ("only pairs", Join(vec![on("a", "/(*).csv", "$1"), on("b", "/(*).json", "$1")]), "a/1.csv a/3.csv b/1.json b/2.json", "a/1.csv+b/1.json"),
        (
            "order of first sight",
            Join(vec![on("a", "/*-(*)", "$1"), on("b", "/*-(*)", "$1")]),
            "a/1-z a/2-y a/3-z b/1-y b/2-z",
            "a/1-z+b/2-z a/3-z+b/2-z a/2-y+b/1-y",
        ),
        (
            "purchases of stores",
            Join(vec![store(false), purchases()]),
            stores,
            "stores/STOREID1+purchases/1-STOREID1 stores/STOREID1+purchases/2-STOREID1 stores/STOREID2+purchases/3-STOREID2 \
             stores/STOREID3+purchases/4-STOREID3 stores/STOREID5+purchases/5-STOREID5 stores/STOREID5+purchases/6-STOREID5",
        ),
        (
            "inner",
            Join(vec![store(false), returns(false)]),
            stores,
            "stores/STOREID1+returns/1-STOREID1 stores/STOREID5+returns/2-STOREID5 stores/STOREID5+returns/3-STOREID5",
        ),
        (
            "outer returns",
            Join(vec![store(false), returns(true)]),
            stores,
            "stores/STOREID1+returns/1-STOREID1 stores/STOREID5+returns/2-STOREID5 stores/STOREID5+returns/3-STOREID5 returns/4-STOREID0",
        ),
        (
            "outer stores",
            Join(vec![store(true), returns(false)]),
            stores,
            "stores/STOREID1+returns/1-STOREID1 stores/STOREID2 stores/STOREID3 stores/STOREID4 stores/STOREID5+returns/2-STOREID5 \
             stores/STOREID5+returns/3-STOREID5",
        ),
        (
            "outer both",
            Join(vec![store(true), returns(true)]),
            stores,
            "stores/STOREID1+returns/1-STOREID1 stores/STOREID2 stores/STOREID3 stores/STOREID4 stores/STOREID5+returns/2-STOREID5 \
             stores/STOREID5+returns/3-STOREID5 returns/4-STOREID0",
        ),
        (
            "readings and their parameters",
            Join(vec![on("readings", "/*/(*).txt", "$1"), on("parameters", "/(*).txt", "$1")]),
            readings,
            "readings/ID1234/file1.txt+parameters/file1.txt readings/ID1234/file2.txt+parameters/file2.txt \
             readings/ID1234/file3.txt+parameters/file3.txt readings/ID1234/file4.txt+parameters/file4.txt \
             readings/ID1234/file5.txt+parameters/file5.txt",
        ),
        (
            "readings and all parameters",
            Join(vec![on("readings", "/*/(*).txt", "$1"), outer_on("parameters", "/(*).txt", "$1")]),
            readings,
            "readings/ID1234/file1.txt+parameters/file1.txt readings/ID1234/file2.txt+parameters/file2.txt \
             readings/ID1234/file3.txt+parameters/file3.txt readings/ID1234/file4.txt+parameters/file4.txt \
             readings/ID1234/file5.txt+parameters/file5.txt parameters/file6.txt parameters/file7.txt parameters/file8.txt",
        ),
        ("with nothing", Join(vec![on("a", "/(*)", "$1"), on("b", "/(*)", "$1")]), "a/1", ""),
        ("without a key it is a cross", Join(vec![pfs("a", "/*"), pfs("b", "/*")]), "a/1 a/2 b/1 b/2", "a/1+b/1 a/1+b/2 a/2+b/1 a/2+b/2"),
        (
            "an outer one of three keeps the outer file alone, once",
            Join(vec![outer_on("a", "/(*)", "$1"), on("b", "/(?)*", "$1"), on("c", "/(*)", "$1")]),
            "a/x b/x1 b/x2 c/y",
            "a/x",
        ),
        (
            "outer ones of three keep each other",
            Join(vec![outer_on("a", "/(*)", "$1"), outer_on("b", "/(?)*", "$1"), on("c", "/(*)", "$1")]),
            "a/x b/x1 b/x2 c/y",
            "a/x+b/x1 a/x+b/x2",
        ),
        (
            "the inputs of a nested cross count by themselves",
            Join(vec![Cross(vec![on("a", "/(*)", "$1"), on("b", "/(*)", "$1")]), on("c", "/(*)", "$1")]),
            "a/1 b/2 c/1 c/2",
            "a/1+c/1 b/2+c/2",
        ),
        ("directories join too", Join(vec![on("a", "/(*)/", "$1"), on("b", "/(*)", "$1")]), "a/d/x b/d", "a/d/+b/d"),
    ]);
    let ten = |repo: &str| numbered(&format!("{repo}/foo-"), 0..10).collect::<Vec<_>>();
    let pairs = |glob: &str| Join(vec![on("a", glob, "$1"), on("b", glob, "$1")]);
    let eight = |repo: &str, other: &str| numbered(&format!("{repo}/"), 0..8).chain([format!("{repo}/{other}")]).collect::<Vec<_>>();
    check_counts([
        ("pairs", pairs("/(*)"), [ten("a"), ten("b")].concat(), 10),
        ("pairs, with a trailing slash", pairs("/(*)/"), [ten("a"), ten("b")].concat(), 10),
        (
            "an outer one keeps its odd file",
            Join(vec![outer_on("a", "/(*)", "$1"), on("b", "/(*)", "$1")]),
            [eight("a", "foo"), eight("b", "bar")].concat(),
            9,
        ),
    ]);
}

#[test]
fn a_group_is_all_files_of_one_key() {
    let labs = "labs/T1-PATID1-CLIA24D9871327.txt labs/T2-PATID2-CLIA24D9871327.txt labs/T3-PATID3-CLIA24D9871327.txt \
         labs/T4-PATID4-CLIA24D9871328.txt labs/T5-PATID1-CLIA24D9871328.txt labs/T6-PATID3-CLIA24D9871327.txt";
    check([
        (
            "by patient",
            Group(vec![by("labs", "/*-PATID(*)-*.txt", "$1")]),
            labs,
            "labs/T1-PATID1-CLIA24D9871327.txt+labs/T5-PATID1-CLIA24D9871328.txt labs/T2-PATID2-CLIA24D9871327.txt \
             labs/T3-PATID3-CLIA24D9871327.txt+labs/T6-PATID3-CLIA24D9871327.txt labs/T4-PATID4-CLIA24D9871328.txt",
        ),
        (
            "by laboratory",
            Group(vec![by("labs", "/*-CLIA(*).txt", "$1")]),
            labs,
            "labs/T1-PATID1-CLIA24D9871327.txt+labs/T2-PATID2-CLIA24D9871327.txt+labs/T3-PATID3-CLIA24D9871327.txt+labs/T6-PATID3-CLIA24D9871327.txt \
             labs/T4-PATID4-CLIA24D9871328.txt+labs/T5-PATID1-CLIA24D9871328.txt",
        ),
        (
            "of several repos, in the order of the spec",
            Group(vec![by("z", "/*-(*)", "$1"), by("a", "/(*)", "$1")]),
            "z/1-x z/2-y z/3-x a/y a/w",
            "z/1-x+z/3-x z/2-y+a/y a/w",
        ),
        ("without a key it is everything", Group(vec![pfs("a", "/*"), pfs("b", "/*")]), "a/1 a/2 b/1", "a/1+a/2+b/1"),
        ("with nothing", Group(vec![pfs("a", "/*")]), "", ""),
        (
            "a join inside only chooses, and what it repeats stays",
            Group(vec![Join(vec![on_by("a", "/(*)-(*)", "$1", "$2"), on_by("b", "/(*)-(*)", "$1", "$2")])]),
            "a/1-x a/2-x a/3-x b/1-x b/1-y b/2-y",
            "a/1-x+a/1-x+a/2-x+b/1-x b/1-y+b/2-y",
        ),
    ]);
    let stores = "stores/STOREID1 stores/STOREID2 stores/STOREID3 stores/STOREID4 stores/STOREID5 purchases/1-STOREID1 \
         purchases/2-STOREID1 purchases/3-STOREID2 purchases/4-STOREID3 purchases/5-STOREID5 purchases/6-STOREID5 \
         returns/1-STOREID1 returns/2-STOREID5 returns/3-STOREID5 returns/4-STOREID0";
    let all = Group(vec![by("stores", "/STOREID(*)", "$1"), by("purchases", "/*-STOREID(*)", "$1"), by("returns", "/*-STOREID(*)", "$1")]);
    let sizes: Vec<usize> = datums(all, &Memory::holding(stores)).iter().map(|datum| datum.inputs.len()).collect();
    assert_eq!(sizes, [4, 2, 2, 1, 5, 1], "stores 1 to 5 and 0");
}

#[test]
fn numbers_group_by_a_bit_and_by_its_absence() {
    let files = (0..16).map(|number: u32| format!("in/file.{number:4b}"));
    let found = datums(Group(vec![by("in", "/file.(?)(?)(?)(?)", "$3")]), &Memory::of(files));
    let groups: Vec<(&str, Vec<u32>)> = found
        .iter()
        .map(|datum| {
            let numbers = datum.inputs.iter().map(|input| {
                let bits = input.path.trim_start_matches("/file.").trim_start();
                u32::from_str_radix(bits, 2).unwrap()
            });
            (datum.inputs[0].group_by.as_deref().unwrap(), numbers.collect())
        })
        .collect();
    let expected = [(" ", vec![0, 1]), ("1", vec![2, 3, 6, 7, 10, 11, 14, 15]), ("0", vec![4, 5, 8, 9, 12, 13])];
    assert_eq!(groups, expected);
}

#[test]
fn keys_are_told_with_the_inputs() {
    let memory = Memory::holding("a/1.csv b/1.json");
    let joined = datums(Join(vec![on_by("a", "/(*).(*)", "$1", "$2"), on("b", "/(*).json", "$1")]), &memory);
    let keys: Vec<_> = joined[0].inputs.iter().map(|input| (input.join_on.as_deref(), input.group_by.as_deref())).collect();
    assert_eq!(keys, [(Some("1"), Some("csv")), (Some("1"), None)]);
    let leaves: Vec<u16> = joined[0].inputs.iter().map(|input| input.leaf).collect();
    assert_eq!(leaves, [0, 1]);
}

#[test]
fn each_tick_of_a_clock_is_a_datum() {
    let memory = Memory::holding("a/1 test_tick/2026-01-01T00:00:00Z test_tick/2026-01-01T01:00:00Z");
    let Input::Pfs(ticks) = pfs("test_tick", "/*") else { unreachable!() };
    let clock = Input::Cron(drover_shared::pipeline::CronInput {
        ticks,
        schedule: "@hourly".parse().unwrap(),
        start: None,
        overwrite: false,
    });
    assert_eq!(datums(Cross(vec![pfs("a", "/*"), clock]), &memory).len(), 2);
}

#[test]
fn datums_come_before_the_listing_ends() {
    let memory = Memory::of(numbered("a/", 0..200).chain(numbered("b/", 0..200)));
    let mut stream = expand(&pipeline(pfs("a", "/*")), Arc::new(memory.clone())).unwrap();
    stream.next().unwrap().unwrap();
    assert_eq!(memory.listed.swap(0, Ordering::Relaxed), 1);

    let mut stream = expand(&pipeline(Cross(vec![pfs("a", "/*"), pfs("b", "/*")])), Arc::new(memory.clone())).unwrap();
    stream.next().unwrap().unwrap();
    assert_eq!(memory.listed.load(Ordering::Relaxed), 201, "a cross keeps all children but the first");
    assert_eq!(stream.count(), 39_999);
}

#[test]
fn more_datums_than_allowed_are_refused() {
    let memory = Memory::of(numbered("a/", 0..30).chain(numbered("b/", 0..30)).chain(numbered("c/", 0..50)));
    let (a, b, c) = (pfs("a", "/*"), pfs("b", "/*"), pfs("c", "/*"));
    let rows = [
        (a.clone(), 30, 30, true),
        (a.clone(), 29, 29, false),
        (Union(vec![a.clone(), b.clone()]), 59, 59, false),
        (Cross(vec![a.clone(), b.clone()]), 900, 900, true),
        (Cross(vec![a.clone(), b.clone()]), 899, 899, false),
        (Cross(vec![a.clone(), b.clone()]), 29, 0, false),
        (Cross(vec![a.clone(), b.clone(), c.clone()]), 45_000, 45_000, true),
        (Cross(vec![a.clone(), b.clone(), c.clone()]), 44_999, 0, false),
        (Cross(vec![a.clone(), Cross(vec![b, c.clone(), c.clone(), c])]), 44_999, 0, false),
    ];
    for (input, max_datums, before, all) in rows {
        let pipeline = Pipeline { max_datums, ..pipeline(input) };
        let stream = expand(&pipeline, Arc::new(memory.clone())).unwrap();
        let (mut datums, mut errors) = (0, Vec::new());
        for datum in stream {
            match datum {
                Ok(_) => datums += 1,
                Err(error) => errors.push(error.to_string()),
            }
        }
        assert_eq!(datums, before, "at most {max_datums}");
        assert_eq!(errors.is_empty(), all, "at most {max_datums}: {errors:?}");
        assert!(errors.iter().all(|error| error.contains("max_datums")), "{errors:?}");
    }
}

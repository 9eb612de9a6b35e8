//! Test vectors and properties of the grammar.

use proptest::prelude::*;

use super::syntax::parse;
use super::{Captures, Glob, InvalidGlob, Template, translate};

fn glob(text: &str) -> Glob {
    text.parse()
        .unwrap_or_else(|error: InvalidGlob| panic!("{error}"))
}

/// A glob as written, matched against a text that need not be a normalized path.
fn matches_uncleaned(text: &str, candidate: &str) -> bool {
    let syntax = parse(text).unwrap_or_else(|error| panic!("{error}"));
    let regex = translate::regex(&syntax.tokens, syntax.goes_on_after_negation);
    fancy_regex::Regex::new(&regex)
        .unwrap_or_else(|error| panic!("{regex}: {error}"))
        .is_match(candidate)
        .unwrap()
}

#[test]
fn tokens_match_what_the_grammar_says() {
    let rows = [
        ("*/*/*", "foo/bb/aa/rr", false),
        ("**/**/**", "foo/bb/aa/rr", true),
        ("a/*", "a/b/c", false),
        ("a/**", "a/b/c", true),
        ("?at", "at", false),
        ("?at", "cat", true),
        ("?at", "/at", false),
        ("[!a]*", "this is", true),
        ("[^a]*", "a this is", false),
        ("[!a]", "/", true),
        ("{abc,abcd}a", "abcda", true),
        ("{*,**}{a,b}", "ac", false),
        ("{*,**}{a,b}", "xa", true),
        ("[a-z]", "C", false),
        ("[a-z0-9_]", "7", true),
        ("[a-z0-9_]", "_", true),
        ("[a-z0-9_]", "-", false),
        ("[-a]", "-", true),
        ("[a-]", "-", true),
        ("[\\]x]", "]", true),
        ("[a[:digit:]]", "5", true),
        ("[[:alpha:]]", "5", false),
        ("[[:alpha:]]", "q", true),
        ("[[:^alpha:]]", "5", true),
        ("[.&&a]", "&", true),
        ("/{rate,[0-9][0-9][0-9]}*", "/rate", true),
        ("/{rate,[0-9][0-9][0-9]}*", "/404x", true),
        ("/{rate,[0-9][0-9][0-9]}*", "/usd", false),
        ("{a,{b,c}d}", "cd", true),
        ("*//{,*.}example.com", "http://example.com.net", false),
        ("*//{,*.}example.com", "http://www.example.com", true),
        ("", "b", false),
        ("", "", true),
        ("\\*", "*", true),
        ("\\*", "a", false),
        ("*.(a|b)", "a.bb", false),
        ("*.(a|b)", "a.a.a", true),
        ("(a)", "a", true),
        ("*(0|1|3|5|7|9)", "137577991", true),
        ("*(0|1|3|5|7|9)", "2468", false),
        ("*(0|1|3|5|7|9)", "", true),
        ("*(f*(o))", "fooofoofofooo", true),
        ("@(foo|f|fo)*(f|of+(o))", "foofoofo", true),
        ("*.c?(c)", "file.ccc", false),
        ("*.c?(c)", "file.cc", true),
        ("@(ab|a*@(b))*(c)d", "abcd", true),
        ("!(a)", "", true),
        ("!(a)", "a", false),
        ("!(a)", "aa", true),
        ("!(a|b)c", "ac", false),
        ("!(a|b)*", "xc", true),
        ("!(a|b)?", "ac", true),
        ("**(x)", "aaxx", true),
        ("**(x)", "a/xx", false),
        ("foo*(bar)", "foobarbar", true),
        ("foo*(bar)", "foo-bar", false),
        ("a**b", "a/x/b", true),
        ("a.b", "axb", false),
        ("a+b@c!d", "a+b@c!d", true),
        ("a|b,c", "a|b,c", true),
        ("*", "two\nlines", true),
        ("**", "two\n/lines", true),
        ("?", "ü", true),
        ("?", "日", true),
        ("a b%c#d", "a b%c#d", true),
    ];
    for (text, candidate, expected) in rows {
        assert_eq!(
            matches_uncleaned(text, candidate),
            expected,
            "{text} against {candidate}"
        );
    }
}

#[test]
fn the_path_a_glob_spells_is_cleaned() {
    let root = [
        "",
        "/",
        ".",
        "/.",
        "//",
        "/foo/..",
        "foo/..",
        "/..",
        "./",
        "a/b/../..",
    ];
    for text in root {
        assert!(
            glob(text).is_root() && glob(text).matches("/").unwrap(),
            "{text} is the root"
        );
        assert!(
            !glob(text).matches("/a").unwrap(),
            "{text} is nothing but the root"
        );
    }
    let rows = [
        ("foo/", "/foo"),
        ("/foo/.", "/foo"),
        ("foo", "/foo"),
        ("//foo//bar/", "/foo/bar"),
        ("/foo/../bar", "/bar"),
        ("/(*)/", "/foo"),
        ("./*/..x", "/foo/..x"),
    ];
    for (text, path) in rows {
        assert!(glob(text).matches(path).unwrap(), "{text} matches {path}");
        assert!(
            !glob(text).is_root() && !glob(text).matches("/").unwrap(),
            "{text} is not the root"
        );
    }
}

#[test]
fn slashes_count() {
    let rows = [
        ("/**/x", "/x", false),
        ("/**/x", "/a/x", true),
        ("/**/x", "/a/b/x", true),
        ("dir/**", "/dir", false),
        ("dir/**", "/dir/a/b", true),
        ("/*", "/.hidden", true),
        ("/*", "/a/b", false),
        ("/A", "/a", false),
    ];
    for (text, path, expected) in rows {
        assert_eq!(
            glob(text).matches(path).unwrap(),
            expected,
            "{text} against {path}"
        );
    }
}

#[test]
fn groups_capture_in_order_of_their_opening() {
    let rows: [(&str, &str, &[&str]); 18] = [
        ("test/(a|b)/x.go", "/test/b/x.go", &["b"]),
        ("test/a*(a|b)/x.go", "/test/a/x.go", &[""]),
        ("test/a*(a|b)/x.go", "/test/aba/x.go", &["ba"]),
        ("test/+(a|b)/x.go", "/test/aba/x.go", &["aba"]),
        ("test/a?(a|b)/x.go", "/test/aa/x.go", &["a"]),
        ("test/!(a|b)/x.go", "/test/x/x.go", &["x"]),
        ("test/+(a|b)/(*).go", "/test/ab/x.go", &["ab", "x"]),
        (
            "test*(/?(+(a|b)/*.go))",
            "/test/a/x.go",
            &["/a/x.go", "a/x.go", "a"],
        ),
        ("/*/bar-(*)", "/foo/bar-123", &["123"]),
        ("/(*)/*/(??)*.txt", "/foo/bar-123/ABC.txt", &["foo", "AB"]),
        (
            "/*/(bar-(123))/*",
            "/foo/bar-123/ABC.txt",
            &["bar-123", "123"],
        ),
        ("/(*)/", "/foo", &["foo"]),
        ("/{a,b}-(*)", "/b-7", &["7"]),
        ("/?(a)(b)", "/b", &["", "b"]),
        ("/(a|b(c))", "/a", &["a", ""]),
        ("/*@(.txt|.csv)", "/x.csv", &[".csv"]),
        ("/(**)/(*)", "/a/b/c", &["a/b", "c"]),
        ("/*-(?)", "/ü-ß", &["ß"]),
    ];
    for (text, path, expected) in rows {
        let glob = glob(text);
        let captures = glob
            .captures(path)
            .unwrap()
            .unwrap_or_else(|| panic!("{text} does not match {path}"));
        assert_eq!(captures.get(0), path);
        for (number, expected) in (1..).zip(expected) {
            assert_eq!(
                captures.get(number),
                *expected,
                "${number} of {text} against {path}"
            );
        }
        assert_eq!(captures.get(expected.len() + 1), "");
    }
    assert_eq!(glob("/a(*)").captures("/b").unwrap(), None);
}

#[test]
fn templates_put_captures_in_place() {
    let people = ("name=(*)", "/name=adele");
    let photos = (
        "name=(*)/year=(*)/(*).dat",
        "/name=adele/year=2016/photos.dat",
    );
    let ten = ("(?)(?)(?)(?)(?)(?)(?)(?)(?)(?)", "/abcdefghij");
    let puzzle = (
        "name=!(adele)/year=(2?1(?))/(*).dat",
        "/name=roxanne/year=2514/puzzle.dat",
    );
    let rows = [
        (people, "${1}1", "adele1"),
        (people, "$11", ""),
        (people, "$1x", "adelex"),
        (people, "$$1", "$1"),
        (people, "$$$1", "$adele"),
        (people, "$x $", "$x $"),
        (people, "${1 ${x} ${}", "${1 ${x} ${}"),
        (people, "$01 ${01} ${+1}", "$01 ${01} ${+1}"),
        (people, "$2${99999999999999999999999}", ""),
        (people, "ä$1ö", "äadeleö"),
        (people, "", ""),
        (photos, "$3 of $1 from $2", "photos of adele from 2016"),
        (photos, "$0", "/name=adele/year=2016/photos.dat"),
        (photos, "${0}", "/name=adele/year=2016/photos.dat"),
        (ten, "$10-$1", "j-a"),
        (ten, "${1}0", "a0"),
        (puzzle, "$1 $2 $3 $4", "roxanne 2514 4 puzzle"),
    ];
    for ((text, path), template, expected) in rows {
        let glob = glob(text);
        let captures = glob
            .captures(path)
            .unwrap()
            .unwrap_or_else(|| panic!("{text} does not match {path}"));
        assert_eq!(
            Template::new(template).expand(&captures),
            expected,
            "{template} for {text} and {path}"
        );
        assert_eq!(Template::new(template).to_string(), template);
    }
    assert_eq!(Template::new("$1").expand(&Captures::default()), "");
}

#[test]
fn a_malformed_glob_is_told_with_its_position_and_a_way_out() {
    let rows = [
        "/a[b",
        "/a[]",
        "/[z-a]",
        "/[[:foo:]]",
        "/[[:alpha",
        "/{a,b",
        "/a}b",
        "/(a|b",
        "/a)",
        "/a]",
        "/a\\",
        "/{a,(b)}",
        "/ü{a,x*(b)}",
        "/(a{b)c}",
        "/[a",
    ];
    let told: Vec<String> = rows
        .iter()
        .map(|text| text.parse::<Glob>().unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    glob "/a[b", at character 3: this `[` is never closed; write `\[` for the character itself
    glob "/a[]", at character 3: this class is empty; write `\[` for the character itself, `[\]]` for a class with `]`
    glob "/[z-a]", at character 3: the range `z-a` runs backwards; write `a-z`
    glob "/[[:foo:]]", at character 3: there is no such named class; there are alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, word, xdigit
    glob "/[[:alpha", at character 3: there is no such named class; there are alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, word, xdigit
    glob "/{a,b", at character 2: this `{` is never closed; write `\{` for the character itself
    glob "/a}b", at character 3: nothing is open that `}` could close; write `\}` for the character itself
    glob "/(a|b", at character 2: this `(` is never closed; write `\(` for the character itself
    glob "/a)", at character 3: nothing is open that `)` could close; write `\)` for the character itself
    glob "/a]", at character 3: nothing is open that `]` could close; write `\]` for the character itself
    glob "/a\\", at character 3: nothing follows this `\`; write `\\` for the character itself
    glob "/{a,(b)}", at character 5: captures cannot stand inside `{…}`; write `(a|b)` instead of the braces
    glob "/ü{a,x*(b)}", at character 7: captures cannot stand inside `{…}`; write `(a|b)` instead of the braces
    glob "/(a{b)c}", at character 6: nothing is open that `)` could close; write `\)` for the character itself
    glob "/[a", at character 2: this `[` is never closed; write `\[` for the character itself
    "#);
}

#[test]
fn a_glob_that_could_exhaust_the_machine_is_refused() {
    let deep = |depth: usize| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
    assert!(deep(20).parse::<Glob>().is_ok());
    for text in [
        deep(21),
        deep(100_000),
        "{".repeat(100_000),
        "[[:alpha:]]?".repeat(100_000),
        "(".repeat(100_000),
    ] {
        assert!(
            text.parse::<Glob>().is_err(),
            "a glob of {} characters was accepted",
            text.len()
        );
    }
}

#[test]
fn a_negation_that_explodes_is_told_and_does_not_hang() {
    let path = format!("/{}", "a".repeat(60));
    let evil = glob("/+(!(x)a)+(!(x)a)b");
    let told = evil.matches(&path).unwrap_err();
    assert_eq!(
        (told.glob.as_str(), told.path.as_str()),
        ("/+(!(x)a)+(!(x)a)b", path.as_str())
    );
    // Without a negation, time is proportional to the path.
    let path = format!("/{}", "a".repeat(4000));
    assert!(!glob("/*(*(*(*(a|aa)|a)|a)|a)b").matches(&path).unwrap());
    assert!(!glob("/*a*a*a*a*a*a*a*a*a*a*b").matches(&path).unwrap());
}

#[test]
fn a_walk_is_told_where_it_need_not_look() {
    let rows = [
        ("/*", "/", true),
        ("/*", "/a", false),
        ("/*/*", "/a", true),
        ("/*/*", "/a/b", false),
        ("/a/*", "/b", false),
        ("/a/*", "/ab", false),
        ("/ab/*", "/a", false),
        ("/a*/x", "/ab", true),
        ("/a/b/*", "/a", true),
        ("/a/b/*", "/a/b", true),
        ("/a/**", "/a/b/c/d", true),
        ("/x/**", "/a", false),
        ("/[!a]x", "/b", true),
        ("/[!a]x", "/b/c", false),
        ("/{a,b/c}", "/b", true),
        ("/*(a/b)", "/a/b/a", true),
        ("/!(a)/b", "/c", true),
        ("/!(a)/b", "/c/d", false),
        ("/", "/", false),
        ("/foo", "/", true),
        ("/foo", "/foo", false),
    ];
    for (text, dir, expected) in rows {
        assert_eq!(
            glob(text).may_match_below(dir),
            expected,
            "{text} below {dir}"
        );
    }
}

#[test]
fn the_directory_of_a_glob_ends_before_its_first_wildcard() {
    let rows = [
        ("/", ""),
        ("/*", ""),
        ("/a", ""),
        ("/a/b", "/a"),
        ("/a/b*", "/a"),
        ("/a/b/*.csv", "/a/b"),
        ("/a/{b,c}/d", "/a"),
        ("/a/**", "/a"),
        ("/a\\*/x", "/a*"),
    ];
    for (text, expected) in rows {
        assert_eq!(glob(text).directory(), expected, "{text}");
    }
}

/// Globs of the grammar, most of them well-formed.
fn any_glob() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "(a|b)", "*(a)", "+(b|/)", "?(a)", "!(a)",
        "{a,b/}", "\\*", ".", "..", "ü",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab.ü]{1,3}", 1..5)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #[test]
    fn any_text_is_a_glob_or_an_error(text in r"[ab/*?\[\]{}()!@+|,:^\\-]{0,24}", path in any_path()) {
        match text.parse::<Glob>() {
            Ok(glob) => drop(glob.matches(&path)),
            Err(error) => prop_assert!(error.position <= text.chars().count()),
        }
    }

    #[test]
    fn nothing_matches_below_a_directory_that_a_walk_leaves_out(text in any_glob(), path in any_path()) {
        let glob: Glob = text.parse().unwrap();
        if glob.matches(&path).unwrap() && path != "/" {
            let parents = path.match_indices('/').map(|(at, _)| &path[..at.max(1)]);
            for parent in parents {
                prop_assert!(glob.may_match_below(parent), "{text} matches {path}, not below {parent}");
            }
        }
    }

    #[test]
    fn what_a_glob_matches_lies_below_its_directory(text in any_glob(), path in any_path()) {
        let glob: Glob = text.parse().unwrap();
        if glob.matches(&path).unwrap() {
            let below = path.strip_prefix(glob.directory());
            prop_assert!(below.is_some_and(|below| below.starts_with('/')), "{text} matches {path}");
        }
    }

    #[test]
    fn captures_exist_exactly_when_a_glob_matches(text in any_glob(), path in any_path()) {
        let glob: Glob = text.parse().unwrap();
        let captures = glob.captures(&path).unwrap();
        prop_assert_eq!(captures.is_some(), glob.matches(&path).unwrap());
        if let Some(captures) = captures {
            prop_assert_eq!(captures.get(0), path.as_str());
        }
    }

    #[test]
    fn a_name_with_every_character_escaped_matches_itself_alone(name in r"[^/\x00]{1,12}", other in r"[^/\x00]{1,12}") {
        prop_assume!(name != "." && name != "..");
        let escaped: String = name.chars().flat_map(|each| ['\\', each]).collect();
        let glob: Glob = escaped.parse().unwrap();
        let (same, other_path) = (format!("/{name}"), format!("/{other}"));
        prop_assert!(glob.matches(&same).unwrap());
        prop_assert_eq!(glob.matches(&other_path).unwrap(), name == other);
    }
}

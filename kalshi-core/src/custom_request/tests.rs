//! Tests of the paths of custom requests and of the operations they match.
#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use super::*;

#[test]
fn paths_stay_below_the_base_url() {
    for good in [
        "/things",
        "/things/KX-26.5_a~b",
        "/a/b/",
        "/a:b@c;d=e,f",
        "/a%20b%C3%A9/c",
        "/a..b/...",
    ] {
        assert_eq!(check_path(good), Ok(()), "{good}");
        let base = Url::parse("https://example.com/api/v2").unwrap();
        let url = Url::parse(&format!("{base}{good}")).unwrap();
        assert!(is_below(&url, &base, good), "{good}");
    }
    for bad in [
        "",
        "things",
        "https://evil.example/things",
        "//evil.example/things",
        "/\\evil.example",
        "@evil.example/",
        ".evil.example/",
        ":8080/",
        "/..",
        "/../x",
        "/a/./b",
        "/a/..",
        "/%2e%2e/x",
        "/a/.%2E/b",
        "/a%2f..%2Fb",
        "/a%5c..",
        "/a//b",
        "/a?b=c",
        "/a#b",
        "/a b",
        "/a\t",
        "/a\nb",
        "/a\r\nhost: evil.example",
        "/a\0",
        "/a%00",
        "/a%0d%0a",
        "/a%",
        "/a%2",
        "/a%zz",
        "/\u{e9}",
        "/{id}",
        "/a|b",
    ] {
        assert!(check_path(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn operation_is_found_by_method_and_path() {
    const fn get(id: &'static str, path: &'static str) -> Operation {
        Operation::new(id, Method::GET, path, "", Bucket::Read)
    }
    static OPERATIONS: [Operation; 3] = [
        get("GetThing", "/things/{id}"),
        get("GetThings", "/things/recent"),
        get("GetParts", "/things/{id}/parts"),
    ];
    for (path, expected) in [
        ("/things/a%2Fb", Some("GetThing")),
        ("/things/recent", Some("GetThings")),
        ("/things/recent/parts", Some("GetParts")),
        ("/things", None),
        ("/things/", None),
        ("/things/a/", None),
        ("/things/a/parts/b", None),
        ("/others/a", None),
    ] {
        let found = find(&OPERATIONS, &Method::GET, path).map(|operation| operation.id);
        assert_eq!(found, expected, "{path}");
    }
    assert!(find(&OPERATIONS, &Method::DELETE, "/things/a").is_none());
}

#[test]
fn url_with_another_path_or_origin_is_not_below() {
    let base = Url::parse("https://example.com/api/v2").unwrap();
    for url in [
        "https://example.com/api/v2/b",
        "https://example.com/api/a",
        "https://evil.example/api/v2/a",
        "http://example.com/api/v2/a",
        "https://example.com:8443/api/v2/a",
    ] {
        assert!(!is_below(&Url::parse(url).unwrap(), &base, "/a"), "{url}");
    }
}

#[test]
fn structs_are_distinguished_from_types_that_may_be_lists() {
    #[derive(serde::Deserialize)]
    struct Struct {
        #[serde(default)]
        _field: u8,
    }
    #[derive(serde::Deserialize)]
    struct Newtype(#[allow(dead_code)] Struct);

    assert!(is_struct::<Struct>() && is_struct::<Newtype>() && is_struct::<Option<Struct>>());
    assert!(!is_struct::<Vec<Struct>>() && !is_struct::<serde_json::Value>());
    #[derive(serde::Deserialize)]
    struct Endless(#[allow(dead_code)] Option<Box<Endless>>);

    assert!(!is_struct::<Endless>());
    assert!(!is_struct::<BTreeMap<String, Struct>>() && !is_struct::<(u8, u8)>());
}

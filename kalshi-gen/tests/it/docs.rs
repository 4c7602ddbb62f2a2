//! Documentation of emitted code: descriptions never become doctests, and hidden characters are escaped.

use kalshi_gen::{Options, generate};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, Options as Extensions, Parser, Tag};
use serde_json::{Value, json};
use syn::visit::Visit;

use crate::generate::with_schemas;

/// All doc strings of a file, with lines joined as rustdoc joins them.
#[derive(Default)]
struct Docs(Vec<String>);

impl Docs {
    fn of(rust: &str) -> Vec<String> {
        let mut docs = Self::default();
        docs.visit_file(&syn::parse_file(rust).unwrap());
        docs.0
    }

    fn push(&mut self, attributes: &[syn::Attribute]) {
        let lines = attributes.iter().filter_map(|attribute| {
            let syn::Meta::NameValue(meta) = &attribute.meta else {
                return None;
            };
            match &meta.value {
                syn::Expr::Lit(literal) if meta.path.is_ident("doc") => match &literal.lit {
                    syn::Lit::Str(text) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            }
        });
        self.0.push(lines.collect::<Vec<_>>().join("\n"));
    }
}

impl<'ast> Visit<'ast> for Docs {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Struct(item) => self.push(&item.attrs),
            syn::Item::Enum(item) => self.push(&item.attrs),
            syn::Item::Impl(item) => self.push(&item.attrs),
            syn::Item::Mod(item) => self.push(&item.attrs),
            syn::Item::Fn(item) => self.push(&item.attrs),
            syn::Item::Const(item) => self.push(&item.attrs),
            syn::Item::Static(item) => self.push(&item.attrs),
            _ => {}
        }
        syn::visit::visit_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.push(&field.attrs);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.push(&variant.attrs);
        syn::visit::visit_variant(self, variant);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        match item {
            syn::ImplItem::Fn(item) => self.push(&item.attrs),
            syn::ImplItem::Const(item) => self.push(&item.attrs),
            _ => {}
        }
    }
}

/// Returns the code blocks that rustdoc would run or reject, with rustdoc's Markdown extensions
/// and with all extensions.
fn doctests(doc: &str) -> Vec<String> {
    let rustdoc = Extensions::ENABLE_TABLES
        | Extensions::ENABLE_FOOTNOTES
        | Extensions::ENABLE_STRIKETHROUGH
        | Extensions::ENABLE_TASKLISTS
        | Extensions::ENABLE_SMART_PUNCTUATION;
    let mut found = doctests_with(doc, rustdoc);
    found.extend(doctests_with(doc, Extensions::all()));
    found
}

fn doctests_with(doc: &str, extensions: Extensions) -> Vec<String> {
    let blocks = Parser::new_ext(doc, extensions).filter_map(|event| match event {
        Event::Start(Tag::CodeBlock(kind)) => Some(kind),
        _ => None,
    });
    blocks
        .filter(|kind| !matches!(kind, CodeBlockKind::Fenced(info) if &**info == "text"))
        .map(|kind| format!("{kind:?}"))
        .collect()
}

/// Returns a small OpenAPI spec with `text` in every field that may hold prose.
fn with_text(text: &str) -> String {
    let described = |schema: Value| {
        let mut schema = schema;
        schema["description"] = text.into();
        schema
    };
    let thing = json!({ "$ref": "#/components/schemas/Thing" });
    let content = json!({ "application/json": { "schema": thing } });
    let spec = json!({
        "openapi": "3.0.0",
        "info": { "title": text, "version": text, "description": text },
        "paths": { format!("/{}/{{id}}", text.replace(['{', '}'], "")): { "post": {
            "operationId": "SendThing", "summary": text, "description": text, "tags": [text],
            "parameters": [
                described(json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } })),
                described(json!({ "name": "kind", "in": "query", "schema": { "type": "string", "enum": [text, "b"] } })),
            ],
            "requestBody": { "content": content, "description": text },
            "responses": { "200": { "description": text, "content": content } },
        } } },
        "components": { "schemas": {
            "Thing": described(json!({ "type": "object", "title": text, "properties": {
                "a": described(json!({ "type": "string", "default": text })),
                "kind": described(json!({ "type": "string", "enum": ["a", text] })),
                "count": described(json!({ "$ref": "#/components/schemas/Count" })),
                "other": { "oneOf": [described(json!({ "type": "string" })), described(json!({ "type": "integer" }))] },
                "list": described(json!({ "type": "array", "items": described(json!({ "type": "object", "properties": { "b": described(json!({ "type": "string" })) } })) })),
                "map": described(json!({ "type": "object", "additionalProperties": { "type": "string" } })),
            } })),
            "Count": described(json!({ "type": "integer" })),
        } },
    });
    spec.to_string()
}

/// Returns a small AsyncAPI spec with `text` in every field that may hold prose.
fn streams_with_text(text: &str) -> String {
    let message = json!({ "summary": text, "title": text, "payload": { "type": "object", "description": text, "properties": {
        "type": { "type": "string", "const": text },
        "msg": { "type": "object", "description": text, "properties": {
            "side": { "type": "string", "description": text, "enum": [text] },
        } },
    } } });
    let spec = json!({
        "asyncapi": "3.0.0",
        "info": { "title": text, "version": text, "description": text },
        "channels": { "c": { "address": text, "description": text, "messages": { "note": { "$ref": "#/components/messages/note" } } } },
        "operations": { "o": { "action": "send", "summary": text, "channel": { "$ref": "#/channels/c" }, "messages": [{ "$ref": "#/channels/c/messages/note" }] } },
        "components": { "messages": { "note": message } },
    });
    spec.to_string()
}

fn check(spec: &str, text: &str) {
    let rust = generate(spec, &Options::new())
        .unwrap_or_else(|error| panic!("{error}: {text:?}"))
        .rust;
    let docs = Docs::of(&rust);
    assert!(docs.len() > 3);
    for doc in docs {
        assert_eq!(doctests(&doc), Vec::<String>::new(), "{text:?}\n{doc}");
        let hidden = |c: &char| {
            (c.is_control() && *c != '\n' && *c != '\t')
                || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert_eq!(doc.chars().find(hidden), None, "{text:?}\n{doc:?}");
    }
}

#[test]
fn hostile_text_never_becomes_a_doctest() {
    let hostile = [
        "```",
        "a```\nb",
        "x\n```\npanic!()\n```",
        "```rust\npanic!()",
        "~~~\npanic!()\n~~~",
        "~~~~ rust `x`\npanic!()",
        "````\n```\npanic!()\n````",
        "```text\n~~~\n```\n```\npanic!()\n```",
        "- a\n\n      panic!()",
        "- ```\n  panic!()\n  ```",
        "-     panic!()",
        "1. ~~~\n   panic!()",
        "- [ ] ```\n  panic!()",
        "- [x]     panic!()",
        "> ```\n> panic!()\n```\npanic!()\n```",
        ">     panic!()",
        "> - >\t\tpanic!()",
        "a\n\n    panic!()\n\n\tpanic!()\n\nb",
        "# Title\n    panic!()",
        "***\n    panic!()",
        "-\n\n      panic!()",
        "[^a]: ```\n    panic!()",
        "[^a]:\n        panic!()",
        "[a]: /u '\n```\nx'\n```\npanic!()",
        "<!--\n```\n-->\n```\npanic!()",
        "<script>\n```\n</script>\n```\npanic!()",
        "<div>\n```\n</div>\n\n    panic!()",
        "a\r```\rpanic!()\r```",
        "a\r\n\r\n    panic!()",
        "| a |\n|---|\n```\npanic!()\n```",
        "`a\n```\npanic!()\n```",
        "a\n\n\u{a0}\u{3000}   panic!()\n\n\u{2003}```\npanic!()",
        "a\n\n    \u{a0}\n",
        "a\n\n    \u{a0}\n    panic!()\n\u{2003}\n\n    \u{3000}panic!()",
        "- a\n\n      \u{a0}\n",
        "---\na: b\n---\n```\npanic!()",
        "$$\n```\n$$\n```\npanic!()",
        "Safe \u{202e}```\u{202c}\u{2066}x\u{2069}\u{200f}\u{61c}\u{7}",
        "Invisible \u{200b}\u{2060}\u{ad}\u{180e}\u{206a}\u{e0041}\u{feff}",
    ];
    let blocks = hostile.iter().filter(|text| !doctests(text).is_empty());
    assert!(blocks.count() > 25);
    for text in hostile {
        check(&with_text(text), text);
        check(&streams_with_text(text), text);
    }
}

#[test]
fn values_and_paths_are_printable_ascii() {
    let text = "a```b\n\u{202e}\u{e9}";
    let rust = generate(&with_text(text), &Options::new()).unwrap().rust;
    let docs = Docs::of(&rust);
    let value = r"`a\u{60}\u{60}\u{60}b\u{a}\u{202e}\u{e9}`";
    assert!(docs.iter().any(|doc| doc == value), "{docs:?}");
    let path = r"Sends the request: `POST /a\u{60}\u{60}\u{60}b\u{a}";
    assert!(docs.iter().any(|doc| doc.starts_with(path)), "{docs:?}");
}

#[test]
fn code_blocks_keep_their_content_and_the_rest_is_unchanged() {
    let text = "Use `x` or ``y`z``:\n\n- one\n  - two\n\n<https://example.com> and 3 < 4.\n\n```json\n{\"a\": 1}\n```\n\nAfter.";
    let rust = generate(&with_text(text), &Options::new()).unwrap().rust;
    let expected = text.replace("```json", "```text");
    let docs = Docs::of(&rust);
    assert!(docs.contains(&expected), "{docs:?}");
    let indented = generate(
        &with_text("A:\n\n    let a;\n\n      b\n\nC"),
        &Options::new(),
    )
    .unwrap();
    let docs = Docs::of(&indented.rust);
    let expected = "A:\n\n```text\nlet a;\n\n  b\n```\n\nC".to_owned();
    assert!(docs.contains(&expected), "{docs:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn descriptions_never_become_doctests(parts in proptest::collection::vec(prop::sample::select(vec![
        "```", "~~~", "````", "`", "\n", "\n", "\n", "\n\n", "    ", "\t", " ", "  ", "> ", ">", "- ", "-", "* ", "1. ", "2)", "[ ] ",
        "[^a]: ", "[a]: /u '", "'", ": ", "<!--", "-->", "<div>", "</div>", "<pre>", "</pre>", "<?", "?>", "<a\n", "text", "rust", "panic!()", "# ", "***",
        "| a |\n|---|", "---", "===", "$$", "\r", "\u{b}", "\u{c}", "\u{a0}", "\u{a0}\n", "\u{2003}", "\u{200b}", "\\", "&#96;", "+++", ":::", "{", "}",
    ]), 1..24)) {
        let text = parts.concat();
        check(&streams_with_text(&format!("a{text}")), &text);
        if !text.trim().is_empty() {
            check(&streams_with_text(&text), &text);
        }
    }
}

#[test]
fn methods_with_the_plural_of_an_acronym_have_the_docs_of_the_spec() {
    let spec = with_schemas("Thing: {type: object}").replace(
        "operationId: GetThing",
        "operationId: GetRFQs\n      deprecated: true\n      description: 'Deprecated: use `GetThings`.'",
    );
    let rust = generate(&spec, &Options::new()).unwrap().rust;
    assert!(!rust.contains("```ignore"), "{rust}");
    let code: String = rust.split_whitespace().collect();
    assert!(
        code.contains("#[deprecated(note=\"use`GetThings`\")]pubfnget_rfqs"),
        "{code}"
    );
}

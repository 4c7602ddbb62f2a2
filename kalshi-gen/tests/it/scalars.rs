//! Types determined by field names, and hand-written types for enums.

use kalshi_gen::{Options, generate};

use crate::generate::{PARAMETERS, RESPONSE, spec, with_schemas};

const SIDES: &str = "Side: {type: string, enum: [up, down]}\nThing:\n  type: object\n  required: [side, taker_side]\n  properties:\n    side: {$ref: '#/components/schemas/Side'}\n    taker_side: {type: string, enum: [down, up]}\n    result: {type: string, enum: [up, down]}\n";

fn code(schemas: &str, options: &Options) -> String {
    let generated = generate(&with_schemas(schemas), options);
    let code = generated.unwrap_or_else(|error| panic!("{error}")).rust;
    code.split_whitespace().collect()
}

#[test]
fn id_types_follow_field_names() {
    let code = code(
        "Thing:\n  type: object\n  required: [order_id, trade_id, order_group_id, subaccount]\n  properties:\n    order_id: {type: string}\n    buyer_order_id: {type: string, format: uuid}\n    client_order_id: {type: string}\n    updated_client_order_id: {type: string, nullable: true}\n    trade_id: {type: string}\n    order_group_id: {type: string}\n    subaccount: {type: integer}\n    from_subaccount: {type: integer, format: int32}\n    subaccount_number: {type: string}\n    border_id: {type: string}\n    order_ids: {type: array, items: {type: string}}",
        &Options::new(),
    );
    for expected in [
        "puborder_id:::kalshi_core::OrderId",
        "pubbuyer_order_id:::std::option::Option<::kalshi_core::OrderId>",
        "pubclient_order_id:::std::option::Option<::kalshi_core::ClientOrderId>",
        "pubupdated_client_order_id:::std::option::Option<::kalshi_core::ClientOrderId>",
        "pubtrade_id:::kalshi_core::TradeId",
        "puborder_group_id:::kalshi_core::OrderGroupId",
        "pubsubaccount:::kalshi_core::SubaccountNumber",
        "pubfrom_subaccount:::std::option::Option<::kalshi_core::SubaccountNumber>",
        "pubsubaccount_number:::std::option::Option<::std::string::String>",
        "pubborder_id:::std::option::Option<::std::string::String>",
        "puborder_ids:::std::vec::Vec<::std::string::String>",
    ] {
        assert!(code.contains(expected), "{expected}\n{code}");
    }
}

#[test]
fn parameter_ids_are_typed() {
    let parameters = PARAMETERS.replace(
        "parameters:\n",
        "parameters:\n  - {name: subaccount, in: query, schema: {type: integer}}\n  - {name: order_id, in: query, schema: {type: string}}\n",
    );
    let spec = spec(&format!("{parameters}{RESPONSE}"), "Thing: {type: object}");
    let code = generate(&spec, &Options::new()).unwrap().rust;
    let code: String = code.split_whitespace().collect();
    for expected in [
        "TryInto<::kalshi_core::SubaccountNumber>",
        "TryInto<::kalshi_core::OrderId>",
    ] {
        assert!(code.contains(expected), "{expected}\n{code}");
    }
}

#[test]
fn hand_written_type_replaces_only_the_named_enum() {
    let options = Options::new().enum_type("Side", &["up", "down"], "crate::Direction");
    let code = code(SIDES, &options);
    for expected in [
        "pubside:crate::Direction",
        "pubtaker_side:crate::Direction",
        "pubusecrate::Direction;",
        // The values are the same, but the meaning differs.
        "pubresult:::std::option::Option<ThingResult>",
        "pubenumThingResult",
    ] {
        assert!(code.contains(expected), "{expected}\n{code}");
    }
    assert!(!code.contains("pubenumSide"), "{code}");
}

#[test]
fn hand_written_type_must_match_the_spec() {
    let error = |name: &str, values: &[&str], path: &str| {
        let options = Options::new().enum_type(name, values, path);
        let error = generate(&with_schemas(SIDES), &options).unwrap_err();
        error.to_string()
    };
    let missing = error("Direction", &["up", "down"], "crate::Direction");
    assert!(
        missing.contains("enum `Direction` is not in the spec"),
        "{missing}"
    );
    let other = error("Side", &["up"], "crate::Direction");
    assert!(
        other.contains("enum `Side` has the values [\"up\",\"down\"]"),
        "{other}"
    );
    let no_enum = error("Thing", &["up"], "crate::Direction");
    assert!(
        no_enum.contains("enum `Thing` is not in the spec"),
        "{no_enum}"
    );
    let path = error("Side", &["up", "down"], "not a path");
    assert!(path.contains("\"not a path\" is not a Rust path"), "{path}");
}

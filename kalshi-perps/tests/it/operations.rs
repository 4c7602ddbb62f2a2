//! The size of the operation table.

use kalshi_perps::operation;

#[test]
fn the_table_has_every_operation() {
    assert_eq!(operation::ALL.len(), 53);
    let count = |filter: fn(&&kalshi_perps::Operation) -> bool| {
        operation::ALL.iter().filter(filter).count()
    };
    assert_eq!(count(|operation| operation.paging.is_some()), 3);
    assert_eq!(count(|operation| !operation.auth), 12);
}

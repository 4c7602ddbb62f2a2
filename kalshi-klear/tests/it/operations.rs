//! The size of the operation table.

use kalshi_klear::{Operation, operation, operation::Bucket};

#[test]
fn the_table_has_every_operation() {
    assert_eq!(operation::ALL.len(), 28);
    let count = |filter: fn(&&Operation) -> bool| operation::ALL.iter().filter(filter).count();
    assert_eq!(count(|operation| operation.paging.is_some()), 7);
    assert_eq!(count(|operation| !operation.auth), 0);
    assert_eq!(count(|operation| operation.bucket == Bucket::Write), 8);
}

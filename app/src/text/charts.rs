//! Words of charts and heat tables.

pub const EMPTY: &str = "Nothing in this time range";
pub const SHOW_TABLE: &str = "Show as table";
pub const TOTAL: &str = "Total";
/// Where a table has rows of hours and columns of keys.
pub const HOUR: &str = "Hour";

pub fn table_of(title: &str) -> String {
    format!("Table: {title}")
}

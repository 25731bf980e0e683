//! Words of deleting a stored analysis.

pub const DELETE: &str = "Delete";
pub const UNDO: &str = "Undo";
pub const WAITING: &str = "Deleted in a few seconds.";

pub fn delete(title: &str) -> String {
    format!("Delete {title}")
}

pub fn failed(reason: &str) -> String {
    format!("Not deleted. {reason}")
}

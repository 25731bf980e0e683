//! The pages, rendered on the server only. Who may see which is settled before one is rendered.

mod analysis;
mod analyze;
mod doctor;
mod errors;
mod history;
mod query;
mod register;
mod set_up;
mod sign_in;
mod status;

#[cfg(test)]
mod tests;

pub use analysis::AnalysisDetail;
pub use analyze::{Analyze, recent_fragment};
pub use doctor::Doctor;
pub use errors::{NotFound, error_document, error_page};
pub use history::History;
pub use register::Register;
pub use set_up::{SetUpAdmin, SetUpKey};
pub use sign_in::SignIn;
pub use status::Status;

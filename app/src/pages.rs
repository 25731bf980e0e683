//! The pages, rendered on the server only. Who may see which is settled before one is rendered.

mod account;
mod alerts;
mod analysis;
mod analyze;
mod audit;
mod by_link;
mod doctor;
mod errors;
mod history;
mod query;
mod register;
mod set_up;
mod sign_in;
mod sign_in_code;
mod status;
mod tokens;
mod two_factor;
mod usage;
mod user;
mod users;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use alerts::Alerts;
pub use analysis::AnalysisDetail;
pub use analyze::{Analyze, recent_fragment};
pub use audit::Audit;
pub use by_link::{AcceptInvitation, SetPassword};
pub use doctor::Doctor;
pub use errors::{NotFound, error_document, error_page};
pub use history::History;
pub use register::Register;
pub use set_up::{SetUpAdmin, SetUpKey};
pub use sign_in::SignIn;
pub use sign_in_code::SignInCode;
pub use status::Status;
pub use tokens::Tokens;
pub use two_factor::TwoFactor;
pub use usage::{
    ErrorsPage, ForecastPage, HourlyPage, LatencyPage, OneRequestPage, OverviewPage, RequestsPage, UsagePage,
    overview_fragment, requests_fragment,
};
pub use user::User;
pub use users::Users;

//! The shell around the core: does what `pool` decides and shows it through `app`.

pub mod accounts;
pub mod analysis;
pub mod backend;
pub mod clock;
pub mod config;
pub mod email;
pub mod history;
pub mod housekeeping;
pub mod http;
pub mod keyring;
pub mod keys;
pub mod pool_log;
pub mod private_files;
pub mod provider;
pub mod recovery;
pub mod sessions;
pub mod shared_pool;
pub mod startup;
pub mod status;
pub mod store;
pub mod usage;

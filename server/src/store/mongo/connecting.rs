//! The client, and whether what it finds can keep our data.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, ReadConcern, ReadPreference, SelectionCriteria};
use mongodb::{Client, Database};
use secrecy::ExposeSecret as _;

use super::error::{Result, UNINITIATED};
use super::runner::confirmed;
use crate::store::{MongoAddress, StoreError};

const APP_NAME: &str = "keypool";
/// How often the driver looks who is primary; the least it takes.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long an operation waits for a primary. Longer than an election takes.
const SELECTION_WAIT_MAX: Duration = Duration::from_secs(4);
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);
const CONNECTIONS_MAX: u32 = 64;

/// What the address says of hosts, TLS and user is taken; what our promises rest on is not left to it.
pub(super) async fn connect(address: &MongoAddress) -> Result<Database> {
    let mut options = ClientOptions::parse(address.uri.expose_secret()).await?;
    options.app_name = Some(APP_NAME.to_owned());
    options.heartbeat_freq = Some(HEARTBEAT);
    options.server_selection_timeout = Some(SELECTION_WAIT_MAX);
    options.connect_timeout.get_or_insert(CONNECT_WAIT_MAX);
    options.max_pool_size.get_or_insert(CONNECTIONS_MAX);
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.write_concern = Some(confirmed());
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(Client::with_options(options)?.database(address.database()))
}

/// The server's version.
///
/// # Errors
/// `Unfit` when it has no transactions.
pub(super) async fn check_server(database: &Database) -> Result<String> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    if hello.get_bool("isreplicaset").unwrap_or(false) {
        return Err(StoreError::Unavailable(UNINITIATED.to_owned()).into());
    }
    let has_transactions = hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
    if !has_transactions {
        return Err(StoreError::Unfit(STANDALONE.to_owned()).into());
    }
    let info: Document = database.run_command(doc! { "buildInfo": 1 }).await?;
    Ok(info.get_str("version").unwrap_or("of an unknown version").to_owned())
}

const STANDALONE: &str = "MongoDB runs as a single server without a replica set, and such a server has no transactions: start mongod with \
                          `--replSet rs0` and run `rs.initiate()` in mongosh once; one server is enough, and its data stays";

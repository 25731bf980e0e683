//! A MongoDB to measure: a replica set of one on the disk, with the cache that it takes by itself.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use mongodb::bson::{Bson, doc};
use mongodb::{Client, Database};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::stores::Bytes;

const START_WAIT_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Mongod {
    pub(crate) uri: String,
    pub(crate) process: Child,
}

impl Mongod {
    /// `None` when `target/tools` has none.
    pub(crate) async fn start(data: &Path) -> Result<Option<Self>> {
        let mut folders = Path::new(env!("CARGO_BIN_EXE_keypool")).ancestors();
        let program = folders.find_map(|folder| Some(folder.join("tools/mongod")).filter(|program| program.is_file()));
        let Some(program) = program else {
            return Ok(None);
        };
        let folder = data.join("mongod");
        std::fs::create_dir(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(program)
            .args([
                "--bind_ip",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--quiet",
                "--nounixsocket",
            ])
            .args(["--replSet", "rs0", "--dbpath"])
            .arg(&folder)
            .arg("--logpath")
            .arg(folder.join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("mongod does not start")?;
        let direct = Client::with_uri_str(format!("mongodb://127.0.0.1:{port}/?directConnection=true")).await?;
        let up = timeout(START_WAIT_MAX, become_primary(direct.database("admin"), port));
        up.await.context("mongod is not up in time")??;
        Ok(Some(Self {
            uri: format!("mongodb://127.0.0.1:{port}/keypool?replicaSet=rs0"),
            process,
        }))
    }

    /// Of documents and indexes, as compressed on the disk.
    pub(crate) async fn bytes(&self) -> Result<Bytes> {
        let client = Client::with_uri_str(&self.uri).await?;
        client.database("admin").run_command(doc! { "fsync": 1 }).await?;
        let database = client.default_database().context("a database")?;
        let found = database.run_command(doc! { "dbStats": 1, "freeStorage": 1 }).await?;
        let figure = |name: &str| match found.get(name) {
            Some(Bson::Double(bytes)) => format!("{bytes:.0}").parse().ok(),
            Some(Bson::Int64(bytes)) => u64::try_from(*bytes).ok(),
            Some(Bson::Int32(bytes)) => u64::try_from(*bytes).ok(),
            _ => None,
        };
        let on_disk: u64 = figure("totalSize").context("the size of all")?;
        Ok(Bytes {
            on_disk,
            in_use: on_disk.saturating_sub(figure("totalFreeStorageSize").unwrap_or_default()),
        })
    }
}

async fn become_primary(admin: Database, port: u16) -> Result<()> {
    while admin.run_command(doc! { "ping": 1 }).await.is_err() {
        tokio::task::yield_now().await;
    }
    let set = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": format!("127.0.0.1:{port}") }] };
    admin.run_command(doc! { "replSetInitiate": set }).await?;
    loop {
        let hello = admin.run_command(doc! { "hello": 1 }).await.unwrap_or_default();
        if hello.get_bool("isWritablePrimary").unwrap_or(false) {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

//! A real MongoDB: one for all tests of the process, or one of a test's own that it may stop.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};
use server::store::mongo::MongoStore;
use server::store::{MongoAddress, Store as _, StoreError};
use tempfile::TempDir;
use tokio::sync::OnceCell;

const MISSING: &str = "there is no mongod for the tests of the MongoDB store: run `cargo xtask test --only tools`, which puts one into \
                       target/tools, or set MONGO_URI to a replica set that tests may write to";
/// Far above what a loaded machine takes.
const START_WAIT_MAX: Duration = Duration::from_secs(60);

/// Runs what it is given until it reads a line. A test process that is killed cannot end what it started, but its end of the
/// pipe is closed then; nobody asks for the data any more.
const WATCH: &str = "\"$@\" & pid=$!; echo $pid > \"$DATA/pid\"; read word; kill -9 $pid; wait $pid; test \"$word\" = keep || rm -rf \"$DATA\"";

/// Whose address every test gets a database of its own on.
static SHARED: OnceCell<Server> = OnceCell::const_new();

enum Server {
    Ours(Mongod),
    /// `MONGO_URI` of the environment.
    Theirs(String),
}

/// An address for a database of this name.
pub(crate) async fn uri(database: &str) -> String {
    let server = SHARED.get_or_init(|| async {
        match given() {
            Some(uri) => Server::Theirs(uri),
            None => Server::Ours(Mongod::start(true).await),
        }
    });
    match server.await {
        Server::Ours(mongod) => mongod.uri(database),
        Server::Theirs(uri) => with_database(uri, database),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own setting: the program gets another address"
)]
fn given() -> Option<String> {
    std::env::var("MONGO_URI").ok().filter(|uri| !uri.is_empty())
}

/// The same address with another database in its path.
fn with_database(uri: &str, database: &str) -> String {
    let (address, options) = uri.split_once('?').map_or((uri, None), |(a, b)| (a, Some(b)));
    let scheme = address.find("://").expect("an address") + 3;
    let hosts = &address[..address[scheme..].find('/').map_or(address.len(), |at| scheme + at)];
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{hosts}/{database}{options}")
}

/// A server of its own, which ends with this process however that ends.
pub(crate) struct Mongod {
    port: u16,
    is_replica_set: bool,
    data: TempDir,
    running: Option<Child>,
}

impl Mongod {
    /// A replica set of one, ready to be written to; or a server without one.
    pub(crate) async fn start(is_replica_set: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut mongod = Self {
            port,
            is_replica_set,
            data: TempDir::with_prefix_in("keypool-mongod-", folder()).unwrap(),
            running: None,
        };
        mongod.resume().await;
        mongod
    }

    pub(crate) fn uri(&self, database: &str) -> String {
        let set = if self.is_replica_set { "?replicaSet=rs0" } else { "" };
        format!("mongodb://127.0.0.1:{}/{database}{set}", self.port)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let mut watch = running.stdin.take().unwrap();
            watch.write_all(b"keep\n").unwrap();
            running.wait().unwrap();
        }
    }

    /// SIGSTOP and SIGCONT: connections stay, and nothing is answered on them.
    pub(crate) fn freeze(&self, frozen: bool) {
        let pid = std::fs::read_to_string(self.data.path().join("pid")).unwrap();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, pid.trim()]).status().unwrap();
        assert!(sent.success());
    }

    /// Starts it on the data that it had.
    pub(crate) async fn resume(&mut self) {
        self.spawn();
        let direct = format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port);
        let client = Client::with_uri_str(&direct).await.unwrap();
        let admin = client.database("admin");
        let up = tokio::time::timeout(START_WAIT_MAX, async {
            while admin.run_command(doc! { "ping": 1 }).await.is_err() {
                tokio::task::yield_now().await;
            }
            if !self.is_replica_set {
                return;
            }
            let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", self.port) };
            let set = doc! { "_id": "rs0", "members": [member] };
            // It was done when the server is on data of before.
            let _ = admin.run_command(doc! { "replSetInitiate": set }).await;
            while !is_primary(&admin).await {
                tokio::task::yield_now().await;
            }
        });
        up.await.expect("mongod is up in time");
        client.shutdown().immediate(true).await;
    }

    fn spawn(&mut self) {
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh"])
            .arg(program())
            .args(["--bind_ip", "127.0.0.1", "--port", &self.port.to_string(), "--quiet"])
            .args(["--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"])
            .args([
                "--setParameter",
                "ttlMonitorSleepSecs=1",
                "--setParameter",
                "diagnosticDataCollectionEnabled=false",
            ])
            .arg("--nounixsocket")
            .arg("--dbpath")
            .arg(self.data.path())
            .arg("--logpath")
            .arg(self.data.path().join("log"));
        if self.is_replica_set {
            command.args(["--replSet", "rs0"]);
        }
        let child = command
            .env("DATA", self.data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(child.spawn().unwrap());
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In memory where there is room: every test makes a database, and on a disk that takes four times as long.
fn folder() -> PathBuf {
    #[cfg(target_os = "linux")]
    {
        const BYTES_MIN: u64 = 2 << 30;
        let room = rustix::fs::statvfs("/dev/shm").map(|found| found.f_bavail.saturating_mul(found.f_frsize));
        if room.is_ok_and(|bytes| bytes >= BYTES_MIN) {
            return "/dev/shm".into();
        }
    }
    std::env::temp_dir()
}

async fn is_primary(admin: &Database) -> bool {
    let hello = admin.run_command(doc! { "hello": 1 }).await.unwrap_or_default();
    hello.get_bool("isWritablePrimary").unwrap_or(false)
}

/// Beside the program under test, wherever the target folder is.
fn program() -> PathBuf {
    let mut folders = Path::new(env!("CARGO_BIN_EXE_keypool")).ancestors();
    folders
        .find_map(|folder| Some(folder.join("tools/mongod")).filter(|program| program.is_file()))
        .expect(MISSING)
}

/// A database of a test's own, and a data folder beside it.
pub(crate) struct Scratch {
    pub(crate) uri: String,
    pub(crate) data: TempDir,
}

impl Scratch {
    pub(crate) async fn new() -> Self {
        Self {
            uri: uri(&name()).await,
            data: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn address(&self) -> MongoAddress {
        MongoAddress::parse(&self.uri).unwrap()
    }

    pub(crate) async fn open(&self) -> Result<MongoStore, StoreError> {
        MongoStore::open(&self.address(), self.data.path()).await
    }

    /// The database itself, beside the store.
    pub(crate) async fn database(&self) -> Database {
        let client = Client::with_uri_str(&self.uri).await.unwrap();
        client.default_database().unwrap()
    }

    /// Every document there is, with the name of its collection.
    pub(crate) async fn documents(&self) -> Vec<(String, Document)> {
        use futures::TryStreamExt as _;
        let database = self.database().await;
        let mut documents = Vec::new();
        for name in database.list_collection_names().await.unwrap() {
            let found = database.collection::<Document>(&name).find(doc! {}).await.unwrap();
            let found: Vec<Document> = found.try_collect().await.unwrap();
            documents.extend(found.into_iter().map(|document| (name.clone(), document)));
        }
        documents
    }

    pub(crate) async fn clear(self, store: MongoStore) {
        store.close().await.unwrap();
        self.remove().await;
    }

    pub(crate) async fn remove(self) {
        self.database().await.drop().await.unwrap();
    }
}

pub(crate) fn name() -> String {
    format!("keypool_test_{}", uuid::Uuid::new_v4().simple())
}

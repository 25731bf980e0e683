//! Prompts and answers are their owner's: kept where and as long as the settings say, erased when the owner says, and
//! nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::types::{Analysis, AnalysisState, AnalysisSummary, Kind, Role, TokenUsage};
use pool::Timestamp;
use reqwest::{Client, Method};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use server::http::{Policy, policies};
use server::store::sqlite::SqliteStore;
use server::store::{Store, StoredAnalysis};
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;

use crate::process::{Running, sign_in, start};
use crate::support::{App, PASSWORD, Reply, Setup, key, spawn, spawn_app};

const ANALYZE: &str = "/api/ai-analysis/analyze";
const ANALYSES: &str = "/api/ai-analysis/analyses";
const PROMPT_MARK: &str = "mark-of-the-prompt-zq81";
const ANSWER_MARK: &str = "mark-of-the-answer-zq82";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// An answer of the provider with the mark in it.
fn marked() -> Behaviour {
    let body = json!({
        "candidates": [{ "content": { "parts": [{ "text": ANSWER_MARK }], "role": "model" }, "finishReason": "STOP" }],
        "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7 },
        "modelVersion": "gemini-2.5-flash",
    });
    Behaviour::respond(200, body.to_string())
}

/// A refusal in which the provider says the prompt again.
fn echoed() -> Behaviour {
    let message = format!("Cannot do \"{PROMPT_MARK}\"");
    let body = json!({ "error": { "code": 400, "message": message, "status": "INVALID_ARGUMENT" } });
    Behaviour::respond(400, body.to_string())
}

/// Short enough to be asked for whole.
fn body(prompt: &str) -> Value {
    json!({ "prompt": prompt, "system": prompt, "maxOutputTokens": 900 })
}

fn marks_in(bytes: &[u8]) -> Vec<&'static str> {
    let found = |mark: &&str| bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
    [PROMPT_MARK, ANSWER_MARK].into_iter().filter(found).collect()
}

/// The marks in each file that has one, by its name.
fn marked_files(folder: &Path) -> BTreeMap<String, Vec<&'static str>> {
    let marked = files(folder).into_iter().filter_map(|path| {
        let marks = marks_in(&std::fs::read(&path).ok()?);
        (!marks.is_empty()).then(|| (path.display().to_string(), marks))
    });
    marked.collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// The tables of the store in which a row holds a mark, with whose rows these are.
fn marked_tables(data: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let file = data.join("data/keypool.db");
    let store = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut names = store
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(tables.len() > 10, "{tables:?}");
    let mut marked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in tables {
        let mut statement = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let owner = ["user_id", "caller"]
            .iter()
            .find_map(|name| statement.column_index(name).ok());
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|column| row.get_ref(column).unwrap());
            let is_marked = values.into_iter().any(|value| {
                let bytes = value.as_bytes().unwrap_or_default();
                !marks_in(bytes).is_empty()
            });
            if is_marked {
                let owner = owner.and_then(|column| row.get(column).ok()).unwrap_or_default();
                marked.entry(table.clone()).or_default().insert(owner);
            }
        }
    }
    marked
}

async fn sent(client: &Client, running: &Running, method: Method, path: &str, body: &Value) -> (u16, String) {
    let request = client.request(method, format!("{}{path}", running.base)).json(body);
    let answer = request
        .header("idempotency-key", format!("key-{}", uuid::Uuid::new_v4()))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// All that an admin can read of the server.
async fn reports(client: &Client, running: &Running) -> Vec<(String, String)> {
    let mut reports = Vec::new();
    for (policy, path) in policies() {
        let is_report = policy == Policy::Admin && !path.contains('{') && !path.contains("stream");
        // The admin's own history and pages that show it are its owner's.
        if is_report || path.contains("service-status") && !path.contains("stream") || path == "/api/status.json" {
            let answer = client.get(format!("{}{path}", running.base)).send().await.unwrap();
            reports.push((path, answer.text().await.unwrap()));
        }
    }
    assert!(reports.len() > 10);
    reports
}

#[tokio::test]
async fn what_is_asked_and_answered_is_in_the_owners_history_alone_and_after_erasing_nowhere() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let running = start(data.path(), &sim);
    let client = sign_in(&running).await;
    sim.always(&key(1), "*", marked());
    let (status, answered) = sent(&client, &running, Method::POST, ANALYZE, &body(PROMPT_MARK)).await;
    assert_eq!(status, 200, "{answered}");
    assert!(answered.contains(ANSWER_MARK), "{answered}");
    for (behaviour, expected) in [(echoed(), 400), (Behaviour::fixture("prompt-blocked"), 422)] {
        sim.always(&key(1), "*", behaviour);
        let (status, refused) = sent(
            &client,
            &running,
            Method::POST,
            ANALYZE,
            &body(&format!("{PROMPT_MARK}!")),
        )
        .await;
        assert_eq!(status, expected, "{refused}");
        assert_eq!(
            marks_in(refused.as_bytes()),
            Vec::<&str>::new(),
            "a refusal repeats nothing"
        );
    }
    // A body that cannot be read, and an address that nothing is at.
    for (path, body) in [
        (ANALYZE, json!({ "promt": PROMPT_MARK })),
        ("/api/nothing", json!(PROMPT_MARK)),
    ] {
        let (status, _) = sent(&client, &running, Method::POST, path, &body).await;
        assert!((400..500).contains(&status), "{status}");
    }
    for (path, report) in reports(&client, &running).await {
        assert_eq!(marks_in(report.as_bytes()), Vec::<&str>::new(), "{path}: {report}");
    }
    let (_, me) = sent(&client, &running, Method::GET, "/api/auth/me", &Value::Null).await;
    let me: Value = serde_json::from_str(&me).unwrap();
    let owner = BTreeSet::from([me["data"]["id"].as_str().unwrap().to_owned()]);
    assert_eq!(
        marked_tables(data.path()),
        BTreeMap::from([("analyses".to_owned(), owner)]),
        "one table, one owner"
    );
    let names = marked_files(data.path());
    assert!(
        !names.is_empty() && names.keys().all(|name| name.contains("keypool.db")),
        "{names:?}"
    );

    let (status, erased) = sent(&client, &running, Method::DELETE, ANALYSES, &Value::Null).await;
    assert_eq!(status, 200, "{erased}");
    assert_eq!(marked_tables(data.path()), BTreeMap::new());
    assert_eq!(marked_files(data.path()), BTreeMap::new(), "while the server runs");
    let (printed, _) = running.kill();
    assert_eq!(
        marks_in(printed.as_bytes()),
        Vec::<&str>::new(),
        "on the standard output"
    );
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(log.contains("TRACE"), "the log tells all");
}

fn stored(user_id: &str, number: u64, text: &str) -> StoredAnalysis {
    // Short and long ones, so that pages split and overflow.
    let long = text.repeat(usize::try_from(number * number % 311).unwrap() + 1);
    let summary = AnalysisSummary {
        id: uuid::Uuid::new_v4().to_string(),
        created_at: String::new(),
        kind: Kind::Text,
        title: text.to_owned(),
        state: AnalysisState::Complete,
        model: "gemini-2.5-flash".to_owned(),
        response_time_ms: 1,
    };
    StoredAnalysis {
        user_id: user_id.to_owned(),
        created_at: Timestamp::from_millis(1_000 + number),
        analysis: Analysis {
            summary,
            prompt: text.to_owned(),
            system: None,
            image_count: 0,
            text: long,
            finish_reason: None,
            usage: TokenUsage::default(),
            attempts: Vec::new(),
            error: None,
        },
    }
}

#[tokio::test]
async fn of_an_erased_history_no_byte_is_left_in_the_files_whatever_was_moved_about_in_them() {
    let data = TempDir::new().unwrap();
    let store = SqliteStore::open(&data.path().join("keypool.db")).unwrap();
    for round in 0..2 {
        // As many as fill pages, split them and leave gaps in them; each is written to the disk by itself.
        for number in 0..60 {
            store.insert_analysis(stored("ada", number, PROMPT_MARK)).await.unwrap();
            store
                .insert_analysis(stored("bob", number, "something else"))
                .await
                .unwrap();
            if number % 7 == round {
                let page = store.analyses("bob", None, 3).await.unwrap();
                let id = &page.items.last().unwrap().id;
                assert!(store.delete_analysis("bob", id).await.unwrap());
            }
        }
        assert!(!marked_files(data.path()).is_empty());
        assert_eq!(store.delete_analyses_of("ada").await.unwrap(), 60);
        assert_eq!(marked_files(data.path()), BTreeMap::new(), "round {round}");
    }
    let left = store.analyses("bob", None, 100).await.unwrap();
    // 9 of each 60 were deleted.
    assert_eq!(left.items.len(), 100, "another's are untouched");
}

async fn titles(app: &App, token: &str) -> Vec<String> {
    let page = app.get(&format!("{ANALYSES}?limit=100"), token).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let items = page.body["data"]["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_analysis_older_than_the_setting_is_removed() {
    let app = spawn(Setup {
        environment: vec![("HISTORY_RETENTION", "30d".to_owned())],
        ..Setup::default()
    })
    .await;
    let email = app.account(Role::User).await;
    let ask = async |prompt: &str| {
        let token = app.login(&email).await;
        assert_eq!(app.post(ANALYZE, &token, &body(prompt)).await.status, 200);
    };
    ask("old").await;
    app.clock.advance(20 * DAY);
    ask("young").await;
    assert_eq!(titles(&app, &app.login(&email).await).await, ["young", "old"]);
    app.clock.advance(10 * DAY + Duration::from_secs(3_600));
    let token = app.login(&email).await;
    for _ in 0..500 {
        if titles(&app, &token).await == ["young"] {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("still there: {:?}", titles(&app, &token).await);
}

fn off() -> Setup {
    Setup {
        environment: vec![("KEYPOOL_HISTORY", "off".to_owned())],
        ..Setup::default()
    }
}

/// A browser that is signed in, without script.
async fn browser(app: &App, email: &str) -> Client {
    let client = Client::builder()
        .no_proxy()
        .cookie_store(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let form = [("email", email), ("password", PASSWORD), ("next", "/")];
    let signed_in = client
        .post(format!("{}/sign-in", app.base))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(signed_in.status(), 303);
    client
}

async fn page(app: &App, client: &Client, path: &str) -> (u16, String) {
    let answer = client.get(format!("{}{path}", app.base)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn without_a_history_nothing_is_stored_and_the_page_shows_its_answer_for_some_minutes() {
    let app = spawn(off()).await;
    let email = app.account(Role::User).await;
    let token = app.login(&email).await;
    (1..=3).for_each(|number| app.sim.always(&key(number), "*", marked()));
    let reply = app.post(ANALYZE, &token, &body(PROMPT_MARK)).await;
    assert_eq!(reply.text("/data/text"), ANSWER_MARK);
    let id = reply.text("/data/id");
    assert_eq!(
        app.get(&format!("{ANALYSES}/{id}"), &token).await.status,
        404,
        "a program has its answer"
    );

    let client = browser(&app, &email).await;
    let form = reqwest::multipart::Form::new()
        .text("prompt", PROMPT_MARK)
        .text("maxOutputTokens", "900");
    let posted = client.post(format!("{}/", app.base)).multipart(form);
    let posted = posted.send().await.unwrap();
    assert_eq!(posted.status(), 303);
    let place = posted.headers()["location"].to_str().unwrap().to_owned();
    let (status, shown) = page(&app, &client, &place).await;
    assert!(status == 200 && shown.contains(ANSWER_MARK), "{status}: {shown}");
    let (status, fragment) = page(&app, &client, &format!("{place}/answer")).await;
    assert!(status == 200 && fragment.contains(ANSWER_MARK), "{status}: {fragment}");
    let other = browser(&app, &app.account(Role::User).await).await;
    assert_eq!(page(&app, &other, &place).await.0, 404, "its owner alone");
    let (_, history) = page(&app, &client, "/history").await;
    assert!(history.contains("This server keeps no history"), "{history}");
    assert_eq!(marks_in(history.as_bytes()), Vec::<&str>::new());

    app.clock.advance(Duration::from_secs(600));
    let client = browser(&app, &email).await;
    assert_eq!(page(&app, &client, &place).await.0, 404, "not any more");
    // One that fails and one whose caller leaves.
    (1..=3).for_each(|number| app.sim.always(&key(number), "*", echoed()));
    let token = app.login(&email).await;
    assert_eq!(app.post(ANALYZE, &token, &body(PROMPT_MARK)).await.status, 400);
    let (data, _sim) = app.stop().await;
    assert_eq!(marked_tables(data.path()), BTreeMap::new());
    assert_eq!(marked_files(data.path()), BTreeMap::new());
}

#[tokio::test]
async fn erasing_reaches_the_cache_and_leaves_others_alone() {
    let app = spawn(Setup {
        environment: vec![("CACHE_MAX_ENTRIES", "100".to_owned())],
        ..Setup::default()
    })
    .await;
    let (ada, bob) = (app.user().await, app.user().await);
    let cached = async |token: &str| {
        let reply = app.post(ANALYZE, token, &body("Why?")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        (reply.body["data"]["cached"] == true, reply.text("/data/id"))
    };
    for token in [&ada, &bob] {
        assert!(!cached(token).await.0);
        assert!(cached(token).await.0);
    }
    let filtered = format!("{ANALYSES}?before=2020-01-01");
    let refused = app.call(Method::DELETE, &filtered, &ada, None).await;
    assert_eq!(refused.status, 400, "who names a part does not mean everything");
    let erased = app.call(Method::DELETE, ANALYSES, &ada, None).await;
    assert_eq!((erased.status, &erased.body["data"]["erased"]), (200, &json!(2)));
    assert_eq!(titles(&app, &ada).await, Vec::<String>::new());
    assert_eq!(titles(&app, &bob).await.len(), 2);
    assert!(cached(&bob).await.0);
    let (was_cached, id) = cached(&ada).await;
    assert!(!was_cached, "asked anew");
    let deleted = app.call(Method::DELETE, &format!("{ANALYSES}/{id}"), &ada, None).await;
    assert_eq!(deleted.status, 200);
    assert!(!cached(&ada).await.0, "one that was deleted is not given again either");
}

#[tokio::test]
async fn an_answer_that_comes_after_its_account_is_gone_is_not_kept() {
    let data = TempDir::new().unwrap();
    let store: std::sync::Arc<dyn Store> =
        std::sync::Arc::new(SqliteStore::open(&data.path().join("keypool.db")).unwrap());
    let (recorder, entries) = server::usage::Recorder::new(true, server::usage::Durability::Group);
    let finish = tokio_util::sync::CancellationToken::new();
    let entry = server::usage::Entry::Analysis(Box::new(stored("nobody-any-more", 1, PROMPT_MARK)));
    recorder.record(entry);
    finish.cancel();
    server::usage::run(entries, std::sync::Arc::clone(&store), finish).await;
    let page = store.analyses("nobody-any-more", None, 10).await.unwrap();
    assert_eq!(page.items, Vec::new());
    assert_eq!(marked_files(data.path()), BTreeMap::new());
}

/// What a person sees of their own things.
async fn own(app: &App, token: &str) -> Value {
    let mut seen = serde_json::Map::new();
    for path in [ANALYSES, "/api/tokens", "/api/auth/me"] {
        let reply = app.get(path, token).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        seen.insert(path.to_owned(), reply.body["data"].clone());
    }
    Value::Object(seen)
}

#[tokio::test]
async fn whatever_has_an_id_is_its_owners_on_every_route() {
    let app = spawn_app().await;
    let (ada, bob) = (app.user().await, app.user().await);
    let mut ids = vec![app.post(ANALYZE, &bob, &body("Why?")).await.text("/data/id")];
    let made = json!({ "name": "mine", "scopes": ["analyze"] });
    let made = app.post("/api/tokens", &bob, &made).await;
    assert_eq!(made.status, 201, "{}", made.body);
    ids.push(
        own(&app, &bob).await["/api/tokens"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    let sessions = app.get("/api/auth/sessions", &bob).await;
    assert_eq!(sessions.status, 200, "{}", sessions.body);
    let sessions = sessions.body["data"].as_array().unwrap().clone();
    ids.extend(
        sessions
            .iter()
            .map(|session| session["id"].as_str().unwrap().to_owned()),
    );
    ids.push(own(&app, &bob).await["/api/auth/me"]["id"].as_str().unwrap().to_owned());
    let before = own(&app, &bob).await;

    let mut walked = 0;
    let routes: BTreeSet<String> = policies()
        .into_iter()
        .filter(|(policy, path)| *policy != Policy::Admin && path.contains('{') && !path.contains('*'))
        .map(|(_, path)| path)
        .collect();
    for path in &routes {
        for id in &ids {
            let (start, rest) = path.split_once('{').unwrap();
            let path = format!("{start}{id}{}", rest.split_once('}').unwrap().1);
            for method in [Method::GET, Method::DELETE, Method::PATCH, Method::POST, Method::PUT] {
                let reply = app.call(method.clone(), &path, &ada, Some(&json!({}))).await;
                assert!(
                    (400..500).contains(&reply.status),
                    "{method} {path}: {} {}",
                    reply.status,
                    reply.body
                );
                walked += 1;
            }
        }
    }
    assert!(routes.len() >= 3 && walked > 50, "{routes:?}");
    assert_eq!(own(&app, &bob).await, before, "nothing of another's is seen or changed");
}

/// Steps that follow from a number, so that a failing run can be run again.
struct Steps(u64);

impl Steps {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// What two people should see, whatever they do with each other's ids and keys.
#[derive(Default)]
struct Model {
    /// Analyses by id, with the prompt.
    kept: BTreeMap<String, String>,
    /// What a key was used for, and the analysis that answers it.
    keys: BTreeMap<String, (String, String)>,
}

#[tokio::test]
async fn nobody_reads_deletes_or_replays_what_is_another_persons() {
    let app = spawn_app().await;
    let people = [app.user().await, app.user().await];
    let mut models = [Model::default(), Model::default()];
    let mut ids: Vec<String> = Vec::new();
    let mut steps = Steps(42);
    for step in 0..250 {
        let who = steps.below(2);
        let (token, model) = (&people[who], &mut models[who]);
        let id = ids.get(steps.below(ids.len().max(1))).cloned().unwrap_or_default();
        match steps.below(8) {
            0..=3 => {
                let (key, prompt) = (format!("key-{}", steps.below(4)), format!("Why {}?", steps.below(2)));
                let request = app
                    .request(Method::POST, ANALYZE)
                    .bearer_auth(token)
                    .header("idempotency-key", &key)
                    .json(&body(&prompt));
                let reply = Reply::of(request.send().await.unwrap()).await;
                match model.keys.get(&key) {
                    Some((used, _)) if *used != prompt => assert_eq!(reply.status, 409, "{step}"),
                    Some((_, answer)) => assert_eq!(&reply.text("/data/id"), answer, "{step}"),
                    None => {
                        let made = reply.text("/data/id");
                        assert!(!ids.contains(&made), "{step}: another's answer");
                        ids.push(made.clone());
                        model.kept.insert(made.clone(), prompt.clone());
                        model.keys.insert(key, (prompt, made));
                    }
                }
            }
            4 | 5 if !id.is_empty() => {
                let reply = app.get(&format!("{ANALYSES}/{id}"), token).await;
                let seen = reply.body["data"]["prompt"].as_str().map(str::to_owned);
                assert_eq!(seen, model.kept.get(&id).cloned(), "{step}: {}", reply.body);
            }
            6 if !id.is_empty() => {
                let reply = app.call(Method::DELETE, &format!("{ANALYSES}/{id}"), token, None).await;
                let was_kept = model.kept.remove(&id).is_some();
                model.keys.retain(|_, (_, answer)| *answer != id);
                assert_eq!(reply.status, if was_kept { 200 } else { 404 }, "{step}: {}", reply.body);
            }
            7 if step % 5 == 0 => {
                let reply = app.call(Method::DELETE, ANALYSES, token, None).await;
                assert_eq!(reply.body["data"]["erased"], json!(model.kept.len()), "{step}");
                *model = Model::default();
            }
            _ => {}
        }
        let mut expected: Vec<String> = model.kept.values().cloned().collect();
        let mut seen = titles(&app, token).await;
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected, "{step}");
    }
    assert!(ids.len() > 20, "much was asked: {}", ids.len());
}

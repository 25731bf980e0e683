//! What is left of a user who was deleted.

use std::path::Path;

use app::types::Role;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use server::store::sqlite::SqliteStore;
use server::store::{
    AuditFilter, EventKind, LinkKind, Store, StoredIdempotency, StoredLink, StoredSecondFactor, StoredSession,
    UsageEvent,
};

use super::api_tokens::api_token;
use super::audit::entry;
use super::history::analysis;
use super::idempotency::request;
use super::links::link;
use super::second_factors::switch_on;
use super::{NOW, begin_sign_in, later, session, successor, user};

/// Fills every place of the store that knows users.
pub(super) async fn settle(store: &dyn Store, id: &str, first: u8) {
    let email = format!("{id}@example.com");
    store.create_user(user(id, &email, Role::User)).await.unwrap();
    let factor = StoredSecondFactor {
        user_id: id.to_owned(),
        sealed: vec![first],
        confirmed: true,
        last_step: 1,
        recovery: vec![[first; 32]],
    };
    switch_on(store, &factor).await;
    let made = StoredSession {
        credentials: store.user(id).await.unwrap().unwrap().credentials,
        ..session(first, Some(id), later(60))
    };
    assert!(store.create_session(made).await.unwrap());
    begin_sign_in(store, first, &format!("family-{first}"), id).await;
    store
        .rotate_refresh_token(&[first; 32], successor(first + 1), NOW)
        .await
        .unwrap();
    store.insert_api_token(api_token(first, id)).await.unwrap();
    let password = StoredLink {
        user_id: Some(id.to_owned()),
        ..link(first, LinkKind::Password, later(60))
    };
    let invitation = StoredLink {
        created_by: id.to_owned(),
        ..link(first + 1, LinkKind::Invitation, later(60))
    };
    for link in [password, invitation] {
        store.insert_link(link).await.unwrap();
    }
    store
        .insert_analysis(analysis(id, &format!("analysis-{first}"), NOW))
        .await
        .unwrap();
    let begun = StoredIdempotency {
        caller: id.to_owned(),
        ..request("k", later(60))
    };
    store.begin_idempotent(begun).await.unwrap();
    store.append_usage(vec![event(id, first)]).await.unwrap();
}

fn event(user_id: &str, number: u8) -> UsageEvent {
    UsageEvent {
        id: format!("event-{number}"),
        kind: EventKind::Request,
        at: NOW,
        request_id: "request".to_owned(),
        key: None,
        attempts: 0,
        model: "gemini-2.5-flash".to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: true,
        outcome: "success".into(),
        error_type: None,
        response_time_ms: 1,
        first_token_ms: None,
        prompt_tokens: 1,
        output_tokens: 1,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 2,
        cached: false,
        user_id: Some(user_id.to_owned()),
        token_id: Some("token".to_owned()),
        user_agent: Some(format!("agent of {user_id}")),
    }
}

pub(super) async fn a_deleted_user_leaves_nothing_but_the_audit_log(store: &dyn Store) {
    settle(store, "ada", 10).await;
    settle(store, "eve", 20).await;
    store
        .append_audit(entry(1, "ada", "key.add", "key/1"), [0; 32])
        .await
        .unwrap();
    assert!(store.delete_user("ada").await.unwrap());
    assert!(!store.delete_user("ada").await.unwrap());
    assert!(store.user("ada").await.unwrap().is_none());
    assert!(store.session(&[10; 32]).await.unwrap().is_none());
    assert!(store.sign_in("family-10").await.unwrap().is_none());
    assert!(!store.revoke_refresh_token(&[11; 32]).await.unwrap());
    assert!(store.api_token_by_hash(&[10; 32]).await.unwrap().is_none());
    assert!(store.link(&[10; 32]).await.unwrap().is_none() && store.link(&[11; 32]).await.unwrap().is_none());
    assert!(store.second_factor("ada").await.unwrap().is_none());
    assert!(!store.use_recovery_code("ada", &[10; 32]).await.unwrap());
    assert!(store.analyses("ada", None, 5).await.unwrap().items.is_empty());
    let events = super::usage::all(store).await;
    let callers: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.user_id.as_deref(),
                event.token_id.is_some(),
                event.user_agent.is_some(),
            )
        })
        .collect();
    assert_eq!(
        callers,
        [(None, false, false), (Some("eve"), true, true)],
        "what was used stays"
    );
    let log = store.audit_page(AuditFilter::default(), None, 5).await.unwrap();
    assert_eq!(log[0].before, Some(json!({ "b": 1, "a": ["ü", 1.5, null] })));
    // All of the other user is where it was.
    assert!(store.user("eve").await.unwrap().is_some() && store.session(&[20; 32]).await.unwrap().is_some());
    assert!(store.sign_in("family-20").await.unwrap().is_some());
    assert!(store.api_token_by_hash(&[20; 32]).await.unwrap().is_some());
    assert!(store.link(&[20; 32]).await.unwrap().is_some() && store.link(&[21; 32]).await.unwrap().is_some());
    assert!(store.second_factor("eve").await.unwrap().is_some());
    assert!(store.analysis("eve", "analysis-20").await.unwrap().is_some());
}

/// A look into the file itself: a new table with a user's id in it is found without anybody thinking of it.
#[tokio::test]
async fn no_column_of_any_table_names_a_deleted_user() {
    const ID: &str = "0190aaaa-dead-7000-8000-canarycanary";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keypool.db");
    let store = SqliteStore::open(&path).unwrap();
    settle(&store, ID, 10).await;
    let (places, tables) = places_of(&path, ID);
    assert!(
        places.len() >= 10 && tables > 15,
        "the walk finds what is there: {places:?}"
    );
    store.delete_user(ID).await.unwrap();
    let (places, _) = places_of(&path, ID);
    assert!(places.is_empty(), "{places:?}");
    store.close().await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let found = bytes.windows(ID.len()).any(|window| window == ID.as_bytes());
    assert!(!found, "nor is it left in the file's free space");
}

/// Which columns hold the text, and how many tables were looked at.
fn places_of(path: &Path, text: &str) -> (Vec<String>, usize) {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let mut places = Vec::new();
    for table in &tables {
        for column in names(&format!("SELECT name FROM pragma_table_info('{table}')")) {
            let sql = format!("SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS TEXT), ?1) > 0");
            let found: i64 = connection.query_row(&sql, [text], |row| row.get(0)).unwrap();
            if found > 0 {
                places.push(format!("{table}.{column}"));
            }
        }
    }
    (places, tables.len())
}

//! What every store must do, run against each of them.

use std::time::Duration;

use app::types::{Analysis, AnalysisState, AnalysisSummary, Attempt, KeyOrigin, Kind, Role, TokenUsage};
use pool::{Tier, Timestamp};
use serde_json::json;
use server::accounts::Email;
use server::store::sqlite::SqliteStore;
use server::store::{
    Cursor, EnvironmentKey, EventKey, EventKind, KeyChange, LinkUse, NewStoredKey, Rotation, Store, StoreError, StoredAnalysis, StoredKey,
    StoredRefreshToken, StoredSession, StoredUser, Successor, UsageEvent,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let dir = tempfile::tempdir().unwrap();
                    let store = super::SqliteStore::open(&dir.path().join("keypool.db")).unwrap();
                    super::$name(&store).await;
                }
            )*
        }
    };
}

contract![
    a_new_store_is_ready_and_empty,
    keys_are_numbered_in_order_and_no_number_comes_twice,
    a_key_is_stored_once,
    a_change_of_a_key_leaves_the_rest_of_it,
    keys_of_the_environment_keep_their_row,
    a_key_known_from_the_environment_becomes_one_of_the_console_with_its_secret,
    pool_records_replace_each_other_by_name,
    an_account_is_found_by_email_in_any_case_and_made_once,
    roles_are_counted_and_changed,
    a_changed_role_or_password_ends_what_was_signed_in,
    a_set_up_link_makes_one_admin,
    a_set_up_link_outlives_a_form_that_is_refused,
    sessions_are_kept_until_they_are_ended,
    a_refresh_token_is_good_once,
    a_refresh_token_used_twice_revokes_its_family,
    concurrent_uses_of_a_refresh_token_have_one_winner,
    what_has_expired_is_removed_and_nothing_else,
    the_history_comes_in_pages_newest_first,
    pages_do_not_shift_when_the_history_grows,
    an_analysis_belongs_to_its_user,
    usage_is_stored_once_however_often_it_is_sent,
    usage_is_counted_from_an_instant_on,
    a_thousand_writers_at_once_all_succeed,
    a_closed_store_refuses,
];

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn new_key(id: u64, fingerprint: u8) -> NewStoredKey {
    NewStoredKey { id, label: String::new(), fingerprint: [fingerprint; 32], sealed: vec![1, 2, fingerprint], created_at: NOW }
}

async fn add_key(store: &dyn Store, fingerprint: u8) -> StoredKey {
    let id = store.next_key_id().await.unwrap();
    store.insert_key(new_key(id, fingerprint)).await.unwrap()
}

fn environment(number: u32, fingerprint: u8) -> EnvironmentKey {
    let label = format!("GOOGLE_AI_API_KEY_{number}");
    EnvironmentKey { fingerprint: [fingerprint; 32], label, preferred_number: number, now: NOW }
}

fn user(id: &str, email: &str, role: Role) -> StoredUser {
    StoredUser {
        id: id.to_owned(),
        email: Email::parse(email).unwrap(),
        name: format!("Name of {id}"),
        role,
        password_hash: "$argon2id$of-nobody".to_owned(),
        created_at: NOW,
    }
}

fn session(id: u8, user_id: Option<&str>, expires_at: Timestamp) -> StoredSession {
    let data = json!({"user_id": user_id, "list": [1, {"text": "ü"}]});
    StoredSession { id: [id; 32], user_id: user_id.map(str::to_owned), data, expires_at, ends_at: later(43_200) }
}

fn token(token: u8, family: &str, user_id: &str) -> StoredRefreshToken {
    StoredRefreshToken { token: [token; 32], family: family.to_owned(), user_id: user_id.to_owned(), expires_at: later(3600) }
}

fn successor(token: u8) -> Successor {
    Successor { token: [token; 32], expires_at: later(7200) }
}

fn analysis(user_id: &str, id: &str, created_at: Timestamp) -> StoredAnalysis {
    let summary = AnalysisSummary {
        id: id.to_owned(),
        created_at: "2023-11-14T22:13:20.000Z".to_owned(),
        kind: Kind::Image,
        title: format!("Title of {id}"),
        state: AnalysisState::Complete,
        model: "gemini-2.5-flash".to_owned(),
        response_time_ms: 1234,
    };
    let analysis = Analysis {
        summary,
        prompt: "What is this? \u{1f980} 'quoted' -- ; DROP TABLE analyses".to_owned(),
        system: None,
        image_count: 2,
        text: "# An answer\n\nwith two lines".to_owned(),
        finish_reason: Some("STOP".to_owned()),
        usage: TokenUsage { prompt_tokens: 10, output_tokens: 20, total_tokens: 30 },
        attempts: vec![Attempt { key_number: 1, outcome: "success".to_owned(), ms: 1200 }],
        error: None,
    };
    StoredAnalysis { user_id: user_id.to_owned(), created_at, analysis }
}

fn event(id: &str, at: Timestamp, key: u32, outcome: &'static str) -> UsageEvent {
    UsageEvent {
        id: id.to_owned(),
        kind: EventKind::Attempt,
        at,
        request_id: "request-1".to_owned(),
        key: Some(EventKey { id: u64::from(key) + 100, number: key, project: Some("projects/1".to_owned()) }),
        model: "gemini-2.5-flash".to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: outcome == "success",
        outcome: outcome.into(),
        error_type: (outcome != "success").then(|| "quota".into()),
        response_time_ms: 250,
        first_token_ms: Some(100),
        prompt_tokens: 3,
        output_tokens: 4,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 7,
        cached: false,
        user_id: Some("ada".to_owned()),
        token_id: None,
        user_agent: Some("test".to_owned()),
    }
}

async fn a_new_store_is_ready_and_empty(store: &dyn Store) {
    store.ready().await.unwrap();
    assert!(store.schema_version().await.unwrap() >= 1);
    assert!(store.keys().await.unwrap().is_empty());
    assert!(store.pool_records().await.unwrap().is_empty());
    assert!(store.users().await.unwrap().is_empty());
    assert!(store.usage_counts(Timestamp::from_millis(0)).await.unwrap().is_empty());
}

async fn keys_are_numbered_in_order_and_no_number_comes_twice(store: &dyn Store) {
    let (first, second) = (add_key(store, 1).await, add_key(store, 2).await);
    assert_eq!((first.number, first.label.as_str(), second.number), (1, "Key 1", 2));
    assert_eq!((first.origin, first.tier, first.enabled), (KeyOrigin::Console, Tier::Free, true));
    assert!(store.delete_key(second.id).await.unwrap());
    assert!(!store.delete_key(second.id).await.unwrap());
    let third = add_key(store, 2).await;
    assert_eq!(third.number, 3, "2 was the number of another key");
    assert!(third.id > second.id);
    assert_eq!(store.keys().await.unwrap(), [first, third]);
}

async fn a_key_is_stored_once(store: &dyn Store) {
    let first = add_key(store, 1).await;
    let conflict = Err(StoreError::Conflict { what: "This key" });
    let id = store.next_key_id().await.unwrap();
    assert_eq!(store.insert_key(new_key(id, 1)).await, conflict, "the same fingerprint");
    assert_eq!(store.insert_key(new_key(first.id, 2)).await, conflict, "the same id");
    assert_eq!(store.keys().await.unwrap(), [first]);
    assert_eq!(add_key(store, 2).await.number, 2, "refused keys use no number");
}

async fn a_change_of_a_key_leaves_the_rest_of_it(store: &dyn Store) {
    let key = add_key(store, 1).await;
    assert_eq!(store.update_key(key.id, KeyChange::default()).await.unwrap(), key);
    let change = KeyChange { tier: Some(Tier::Paid), priority: Some(-3), enabled: Some(false), ..KeyChange::default() };
    let changed = store.update_key(key.id, change).await.unwrap();
    let expected = StoredKey { tier: Tier::Paid, priority: -3, enabled: false, ..key.clone() };
    assert_eq!(changed, expected);
    let change = KeyChange { label: Some("Team".to_owned()), project: Some("projects/7".to_owned()), ..KeyChange::default() };
    let expected = StoredKey { label: "Team".to_owned(), project: Some("projects/7".to_owned()), ..expected };
    assert_eq!(store.update_key(key.id, change).await.unwrap(), expected);
    assert_eq!(store.keys().await.unwrap(), [expected]);
    let unknown = store.update_key(key.id + 1, KeyChange::default()).await;
    assert_eq!(unknown, Err(StoreError::NotFound { what: "This key" }));
}

async fn keys_of_the_environment_keep_their_row(store: &dyn Store) {
    let fifth = store.adopt_environment_key(environment(5, 1)).await.unwrap();
    assert_eq!((fifth.number, fifth.origin, fifth.sealed.len()), (5, KeyOrigin::Environment, 0));
    let again = EnvironmentKey { now: later(60), ..environment(5, 1) };
    assert_eq!(store.adopt_environment_key(again).await.unwrap(), fifth);
    let moved = store.adopt_environment_key(environment(2, 1)).await.unwrap();
    assert_eq!((moved.id, moved.number, moved.label.as_str()), (fifth.id, 5, "GOOGLE_AI_API_KEY_2"));
    assert_eq!(store.adopt_environment_key(environment(5, 2)).await.unwrap().number, 6, "5 is taken");
    assert_eq!(store.adopt_environment_key(environment(3, 3)).await.unwrap().number, 3, "a gap is free");
    let of_console = add_key(store, 4).await;
    assert_eq!(store.adopt_environment_key(environment(9, 4)).await.unwrap(), of_console);
    let numbers: Vec<u32> = store.keys().await.unwrap().iter().map(|key| key.number).collect();
    assert_eq!(numbers, [3, 5, 6, 7]);
}

async fn a_key_known_from_the_environment_becomes_one_of_the_console_with_its_secret(store: &dyn Store) {
    let known = store.adopt_environment_key(environment(4, 1)).await.unwrap();
    let change = KeyChange { sealed: Some(vec![9, 9]), ..KeyChange::default() };
    let kept = store.update_key(known.id, change).await.unwrap();
    assert_eq!(kept, StoredKey { origin: KeyOrigin::Console, sealed: vec![9, 9], ..known });
}

async fn pool_records_replace_each_other_by_name(store: &dyn Store) {
    let records = vec![("cell/2".to_owned(), json!({"until": 5})), ("cell/1".to_owned(), json!(null)), ("key/1".to_owned(), json!("ü"))];
    store.save_pool_records(records).await.unwrap();
    store.save_pool_records(vec![("cell/2".to_owned(), json!({"until": u64::MAX}))]).await.unwrap();
    let expected = [("cell/1".to_owned(), json!(null)), ("cell/2".to_owned(), json!({"until": u64::MAX})), ("key/1".to_owned(), json!("ü"))];
    assert_eq!(store.pool_records().await.unwrap(), expected);
    store.delete_pool_records(vec!["cell/1".to_owned(), "key/1".to_owned(), "none".to_owned()]).await.unwrap();
    assert_eq!(store.pool_records().await.unwrap(), expected[1..2]);
    store.save_pool_records(vec![]).await.unwrap();
}

async fn an_account_is_found_by_email_in_any_case_and_made_once(store: &dyn Store) {
    let ada = user("1", "ada@example.com", Role::User);
    store.create_user(ada.clone()).await.unwrap();
    let email = Email::parse("ADA@Example.com").unwrap();
    assert_eq!(store.user_by_email(&email).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.user("1").await.unwrap(), Some(ada.clone()));
    assert_eq!(store.user("2").await.unwrap(), None);
    let twice = store.create_user(user("2", "Ada@EXAMPLE.com", Role::Admin)).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })));
    let same_id = store.create_user(user("1", "eve@example.com", Role::Admin)).await;
    assert!(matches!(same_id, Err(StoreError::Conflict { .. })));
    assert_eq!(store.users().await.unwrap(), [ada]);
}

async fn roles_are_counted_and_changed(store: &dyn Store) {
    let eve = StoredUser { created_at: later(60), ..user("1", "eve@example.com", Role::User) };
    store.create_user(eve).await.unwrap();
    store.create_user(user("2", "ada@example.com", Role::User)).await.unwrap();
    assert_eq!((store.count_users(Role::User).await.unwrap(), store.count_users(Role::Admin).await.unwrap()), (2, 0));
    assert!(store.set_role("1", Role::Admin).await.unwrap());
    assert!(!store.set_role("3", Role::Admin).await.unwrap());
    assert!(store.set_password_hash("1", "new".to_owned()).await.unwrap());
    assert!(!store.set_password_hash("3", "new".to_owned()).await.unwrap());
    assert_eq!((store.count_users(Role::User).await.unwrap(), store.count_users(Role::Admin).await.unwrap()), (1, 1));
    let users = store.users().await.unwrap();
    let listed: Vec<_> = users.iter().map(|user| (user.id.as_str(), user.role, user.password_hash.as_str())).collect();
    assert_eq!(listed, [("2", Role::User, "$argon2id$of-nobody"), ("1", Role::Admin, "new")], "oldest first");
}

async fn a_changed_role_or_password_ends_what_was_signed_in(store: &dyn Store) {
    for (id, email) in [("ada", "ada@example.com"), ("eve", "eve@example.com")] {
        store.create_user(user(id, email, Role::User)).await.unwrap();
    }
    for (number, change_role) in [(1, true), (2, false)] {
        store.create_session(session(number, Some("ada"), later(60))).await.unwrap();
        store.insert_refresh_token(token(number, "family", "ada")).await.unwrap();
        if change_role {
            store.set_role("ada", Role::Viewer).await.unwrap();
        } else {
            store.set_password_hash("ada", "new".to_owned()).await.unwrap();
        }
        assert!(store.session(&[number; 32]).await.unwrap().is_none());
        let spent = store.rotate_refresh_token(&[number; 32], successor(number + 10), NOW).await.unwrap();
        assert_eq!(spent, Rotation::Reused { family: "family".to_owned() });
    }
    store.create_session(session(3, Some("eve"), later(60))).await.unwrap();
    store.create_session(session(4, None, later(60))).await.unwrap();
    store.set_role("ada", Role::Admin).await.unwrap();
    assert!(store.session(&[3; 32]).await.unwrap().is_some() && store.session(&[4; 32]).await.unwrap().is_some(), "others stay");
}

async fn a_set_up_link_makes_one_admin(store: &dyn Store) {
    let (link, old) = ([1; 32], [2; 32]);
    store.insert_set_up_link(link, later(1800)).await.unwrap();
    store.insert_set_up_link(old, later(60)).await.unwrap();
    let make = |token, id: &'static str, now| {
        let admin = user(id, &format!("{id}@example.com"), Role::Admin);
        async move { store.create_first_admin(&token, admin, now).await.unwrap() }
    };
    assert!(store.set_up_link_is_good(&link, later(1799)).await.unwrap());
    assert!(!store.set_up_link_is_good(&link, later(1800)).await.unwrap());
    assert!(!store.set_up_link_is_good(&[9; 32], NOW).await.unwrap());
    assert_eq!(make([9; 32], "a", NOW).await, LinkUse::Unknown);
    assert_eq!(make(old, "b", later(60)).await, LinkUse::Expired);
    assert!(store.users().await.unwrap().is_empty());
    assert_eq!(make(link, "c", NOW).await, LinkUse::Created);
    assert_eq!(make(link, "d", NOW).await, LinkUse::AdminExists);
    assert_eq!(make(old, "e", NOW).await, LinkUse::AdminExists);
    assert!(!store.set_up_link_is_good(&old, NOW).await.unwrap());
    assert_eq!(store.count_users(Role::Admin).await.unwrap(), 1);
}

async fn a_set_up_link_outlives_a_form_that_is_refused(store: &dyn Store) {
    store.create_user(user("1", "ada@example.com", Role::User)).await.unwrap();
    store.insert_set_up_link([1; 32], later(1800)).await.unwrap();
    let taken = store.create_first_admin(&[1; 32], user("2", "ada@example.com", Role::Admin), NOW).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })));
    assert!(store.set_up_link_is_good(&[1; 32], NOW).await.unwrap());
}

async fn sessions_are_kept_until_they_are_ended(store: &dyn Store) {
    let made = session(1, None, later(60));
    store.create_session(made.clone()).await.unwrap();
    assert!(matches!(store.create_session(made.clone()).await, Err(StoreError::Conflict { .. })));
    assert!(store.session(&[1; 32]).await.unwrap() == Some(made.clone()));
    let saved = StoredSession { ends_at: later(99_999), ..session(1, Some("ada"), later(120)) };
    assert!(store.save_session(saved.clone()).await.unwrap());
    let expected = StoredSession { ends_at: made.ends_at, ..saved.clone() };
    assert!(store.session(&[1; 32]).await.unwrap() == Some(expected), "the absolute end stays");
    store.delete_session(&[1; 32]).await.unwrap();
    store.delete_session(&[1; 32]).await.unwrap();
    assert!(!store.save_session(saved).await.unwrap(), "an ended one does not come back");
    assert!(store.session(&[1; 32]).await.unwrap().is_none());
    for (id, user_id) in [(2, "ada"), (3, "ada"), (4, "eve")] {
        store.create_session(session(id, Some(user_id), later(60))).await.unwrap();
    }
    assert_eq!(store.delete_user_sessions("ada").await.unwrap(), 2);
    assert!(store.session(&[4; 32]).await.unwrap().is_some());
}

async fn a_refresh_token_is_good_once(store: &dyn Store) {
    store.insert_refresh_token(token(1, "family", "ada")).await.unwrap();
    let fresh = Rotation::Fresh { user_id: "ada".to_owned(), family: "family".to_owned() };
    assert_eq!(store.rotate_refresh_token(&[9; 32], successor(8), NOW).await.unwrap(), Rotation::Unknown);
    assert_eq!(store.rotate_refresh_token(&[8; 32], successor(7), NOW).await.unwrap(), Rotation::Unknown, "no successor was stored");
    assert_eq!(store.rotate_refresh_token(&[1; 32], successor(2), later(3599)).await.unwrap(), fresh);
    assert_eq!(store.rotate_refresh_token(&[2; 32], successor(3), later(7200)).await.unwrap(), Rotation::Expired);
    assert_eq!(store.rotate_refresh_token(&[2; 32], successor(3), later(7199)).await.unwrap(), fresh);
}

async fn a_refresh_token_used_twice_revokes_its_family(store: &dyn Store) {
    store.insert_refresh_token(token(1, "family", "ada")).await.unwrap();
    store.insert_refresh_token(token(5, "another", "ada")).await.unwrap();
    store.rotate_refresh_token(&[1; 32], successor(2), NOW).await.unwrap();
    let reused = Rotation::Reused { family: "family".to_owned() };
    assert_eq!(store.rotate_refresh_token(&[1; 32], successor(3), NOW).await.unwrap(), reused);
    assert_eq!(store.rotate_refresh_token(&[2; 32], successor(3), NOW).await.unwrap(), reused, "the successor is revoked too");
    assert!(matches!(store.rotate_refresh_token(&[5; 32], successor(6), NOW).await.unwrap(), Rotation::Fresh { .. }));
    assert!(store.revoke_refresh_token(&[6; 32]).await.unwrap());
    assert!(!store.revoke_refresh_token(&[9; 32]).await.unwrap());
    let signed_out = store.rotate_refresh_token(&[6; 32], successor(7), NOW).await.unwrap();
    assert_eq!(signed_out, Rotation::Reused { family: "another".to_owned() });
}

async fn concurrent_uses_of_a_refresh_token_have_one_winner(store: &dyn Store) {
    store.insert_refresh_token(token(1, "family", "ada")).await.unwrap();
    let uses = (10..30).map(|next| store.rotate_refresh_token(&[1; 32], successor(next), NOW));
    let rotations: Vec<Rotation> = futures::future::try_join_all(uses).await.unwrap();
    let fresh = rotations.iter().filter(|rotation| matches!(rotation, Rotation::Fresh { .. })).count();
    let reused = rotations.iter().filter(|rotation| matches!(rotation, Rotation::Reused { .. })).count();
    assert_eq!((fresh, reused), (1, 19));
}

async fn what_has_expired_is_removed_and_nothing_else(store: &dyn Store) {
    store.create_session(session(1, None, later(60))).await.unwrap();
    store.create_session(session(2, None, later(61))).await.unwrap();
    store.create_session(StoredSession { ends_at: later(60), ..session(3, None, later(600)) }).await.unwrap();
    store.insert_refresh_token(StoredRefreshToken { expires_at: later(60), ..token(1, "family", "ada") }).await.unwrap();
    store.insert_refresh_token(token(2, "family", "ada")).await.unwrap();
    store.insert_set_up_link([1; 32], later(60)).await.unwrap();
    store.insert_set_up_link([2; 32], later(61)).await.unwrap();
    assert_eq!(store.delete_expired(later(59)).await.unwrap(), 0);
    assert_eq!(store.delete_expired(later(60)).await.unwrap(), 4);
    assert_eq!(store.delete_expired(later(60)).await.unwrap(), 0);
    assert!(store.session(&[2; 32]).await.unwrap().is_some());
    assert!(store.set_up_link_is_good(&[2; 32], NOW).await.unwrap());
    assert!(matches!(store.rotate_refresh_token(&[2; 32], successor(3), NOW).await.unwrap(), Rotation::Fresh { .. }));
}

async fn the_history_comes_in_pages_newest_first(store: &dyn Store) {
    // Two of the same millisecond: the id decides.
    for (id, at) in [("a", 1), ("b", 3), ("c", 3), ("d", 2), ("e", 5)] {
        store.insert_analysis(analysis("ada", id, later(at))).await.unwrap();
    }
    store.insert_analysis(analysis("eve", "z", later(4))).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor: Option<Cursor> = None;
    let mut pages = 0;
    loop {
        let page = store.analyses("ada", cursor.as_ref(), 2).await.unwrap();
        pages += 1;
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|item| item.id));
        match page.next_cursor {
            Some(next) => cursor = Some(Cursor::parse(&next).unwrap()),
            None => break,
        }
    }
    assert_eq!((seen.join(""), pages), ("ecbda".to_owned(), 3));
    let exact = store.analyses("ada", None, 5).await.unwrap();
    assert_eq!((exact.items.len(), exact.next_cursor), (5, None), "the last page has no cursor");
    assert_eq!(exact.items[4], analysis("ada", "a", later(1)).analysis.summary);
    assert!(store.analyses("nobody", None, 5).await.unwrap().items.is_empty());
}

async fn pages_do_not_shift_when_the_history_grows(store: &dyn Store) {
    for (id, at) in [("a", 1), ("b", 2), ("c", 3)] {
        store.insert_analysis(analysis("ada", id, later(at))).await.unwrap();
    }
    let first = store.analyses("ada", None, 1).await.unwrap();
    let cursor = Cursor::parse(&first.next_cursor.unwrap()).unwrap();
    store.insert_analysis(analysis("ada", "d", later(4))).await.unwrap();
    store.delete_analysis("ada", "c").await.unwrap();
    let second = store.analyses("ada", Some(&cursor), 1).await.unwrap();
    assert_eq!(second.items[0].id, "b");
}

async fn an_analysis_belongs_to_its_user(store: &dyn Store) {
    let stored = analysis("ada", "a", NOW);
    store.insert_analysis(stored.clone()).await.unwrap();
    assert!(matches!(store.insert_analysis(stored.clone()).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.analysis("ada", "a").await.unwrap(), Some(stored.analysis));
    assert_eq!(store.analysis("eve", "a").await.unwrap(), None);
    assert!(!store.delete_analysis("eve", "a").await.unwrap());
    assert!(store.delete_analysis("ada", "a").await.unwrap());
    assert!(!store.delete_analysis("ada", "a").await.unwrap());
    assert_eq!(store.analysis("ada", "a").await.unwrap(), None);
}

async fn usage_is_stored_once_however_often_it_is_sent(store: &dyn Store) {
    let events = || vec![event("1", NOW, 1, "success"), event("2", later(1), 1, "success")];
    store.append_usage(events()).await.unwrap();
    store.append_usage([events(), vec![event("3", later(2), 1, "success")]].concat()).await.unwrap();
    store.append_usage(vec![]).await.unwrap();
    let counts = store.usage_counts(NOW).await.unwrap();
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!((counts[0].count, counts[0].total_tokens, counts[0].last_at), (3, 21, later(2)));
}

async fn usage_is_counted_from_an_instant_on(store: &dyn Store) {
    let keyless = UsageEvent { kind: EventKind::Request, key: None, first_token_ms: None, ..event("5", later(5), 0, "success") };
    let events = vec![
        event("1", NOW, 1, "success"),
        event("2", later(2), 1, "success"),
        event("3", later(3), 1, "day_quota"),
        event("4", later(4), 2, "success"),
        keyless,
    ];
    store.append_usage(events).await.unwrap();
    let counts = store.usage_counts(later(2)).await.unwrap();
    let rows: Vec<_> = counts.iter().map(|row| (row.key_id, row.key_number, row.kind, row.outcome.as_str(), row.success, row.count)).collect();
    let expected = [
        (None, None, EventKind::Request, "success", true, 1),
        (Some(101), Some(1), EventKind::Attempt, "day_quota", false, 1),
        (Some(101), Some(1), EventKind::Attempt, "success", true, 1),
        (Some(102), Some(2), EventKind::Attempt, "success", true, 1),
    ];
    assert_eq!(rows, expected);
}

async fn a_thousand_writers_at_once_all_succeed(store: &dyn Store) {
    let writes = (0..1000).map(|number| store.append_usage(vec![event(&number.to_string(), NOW, 1, "success")]));
    futures::future::try_join_all(writes).await.unwrap();
    assert_eq!(store.usage_counts(NOW).await.unwrap()[0].count, 1000);
}

async fn a_closed_store_refuses(store: &dyn Store) {
    add_key(store, 1).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.next_key_id().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.keys().await, Err(StoreError::Unavailable(_))));
}

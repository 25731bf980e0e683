//! Analyses.

use app::types::{Analysis, AnalysisState, AnalysisSummary, Attempt, Kind, TokenUsage};
use pool::Timestamp;
use server::store::{Cursor, Store, StoreError, StoredAnalysis};

use super::{NOW, later};

pub(super) fn analysis(user_id: &str, id: &str, created_at: Timestamp) -> StoredAnalysis {
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
        usage: TokenUsage {
            prompt_tokens: 10,
            output_tokens: 20,
            total_tokens: 30,
        },
        attempts: vec![Attempt {
            key_number: 1,
            outcome: "success".to_owned(),
            ms: 1200,
        }],
        error: None,
    };
    StoredAnalysis {
        user_id: user_id.to_owned(),
        created_at,
        analysis,
    }
}

pub(super) async fn the_history_comes_in_pages_newest_first(store: &dyn Store) {
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
    assert_eq!(
        (exact.items.len(), exact.next_cursor),
        (5, None),
        "the last page has no cursor"
    );
    assert_eq!(exact.items[4], analysis("ada", "a", later(1)).analysis.summary);
    assert!(store.analyses("nobody", None, 5).await.unwrap().items.is_empty());
}

pub(super) async fn pages_do_not_shift_when_the_history_grows(store: &dyn Store) {
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

pub(super) async fn an_analysis_belongs_to_its_user(store: &dyn Store) {
    let stored = analysis("ada", "a", NOW);
    store.insert_analysis(stored.clone()).await.unwrap();
    assert!(matches!(
        store.insert_analysis(stored.clone()).await,
        Err(StoreError::Conflict { .. })
    ));
    assert_eq!(store.analysis("ada", "a").await.unwrap(), Some(stored.analysis));
    assert_eq!(store.analysis("eve", "a").await.unwrap(), None);
    assert!(!store.delete_analysis("eve", "a").await.unwrap());
    assert!(store.delete_analysis("ada", "a").await.unwrap());
    assert!(!store.delete_analysis("ada", "a").await.unwrap());
    assert_eq!(store.analysis("ada", "a").await.unwrap(), None);
}

pub(super) async fn a_history_is_erased_by_user_and_by_age(store: &dyn Store) {
    for (id, user_id, at) in [("a", "ada", 1), ("b", "ada", 2), ("c", "eve", 1), ("d", "eve", 3)] {
        store.insert_analysis(analysis(user_id, id, later(at))).await.unwrap();
    }
    assert_eq!(store.delete_analyses_before(later(2)).await.unwrap(), 2);
    assert!(store.analysis("ada", "a").await.unwrap().is_none() && store.analysis("eve", "c").await.unwrap().is_none());
    assert_eq!(store.delete_analyses_of("ada").await.unwrap(), 1);
    assert_eq!(store.delete_analyses_of("ada").await.unwrap(), 0);
    assert!(store.analyses("ada", None, 5).await.unwrap().items.is_empty());
    assert!(store.analysis("eve", "d").await.unwrap().is_some());
}

use std::collections::BTreeSet;

use simulator::{Behaviour, fixtures};

use crate::Bed;

#[test]
fn every_file_of_the_corpus_is_embedded_and_has_a_case() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/gemini");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "cases.json")
        .collect();
    let embedded: BTreeSet<String> = fixtures::all().iter().map(|fixture| fixture.file.to_owned()).collect();
    assert_eq!(embedded, files);
    assert_eq!(fixtures::all().len(), files.len(), "a file has two cases");
    for fixture in fixtures::all() {
        assert_eq!(
            fixture.body,
            std::fs::read_to_string(format!("{folder}/{}", fixture.file)).unwrap()
        );
    }
}

#[test]
fn a_fixture_carries_what_its_case_says() {
    let fixture = fixtures::get("minute-requests").unwrap();
    assert_eq!(
        (fixture.http_status, fixture.outcome.as_str(), fixture.stream),
        (429, "MinuteQuota", false)
    );
    assert_eq!((fixture.retry_after_seconds, fixture.limit), (Some(21), Some(10)));
    assert!(fixtures::get("stream-ok").unwrap().stream);
    assert_eq!(
        fixtures::get("project-denied").unwrap().scope.as_deref(),
        Some("project")
    );
    assert!(fixtures::get("minute-requests.json").is_none());
}

#[tokio::test]
async fn every_fixture_is_answered_verbatim_with_its_status() {
    let bed = Bed::start().await;
    for fixture in fixtures::all() {
        bed.sim.script("k1", "*", vec![Behaviour::fixture(fixture.name)]);
        let response = bed.generate("k1", "anything").await;
        assert_eq!(response.status(), fixture.http_status, "{}", fixture.name);
        assert_eq!(
            response.headers()["content-type"],
            fixture.content_type(),
            "{}",
            fixture.name
        );
        assert_eq!(response.text().await.unwrap(), fixture.body, "{}", fixture.name);
    }
}

#[test]
#[should_panic(expected = "the corpus has no fixture named \"minute-request\"")]
fn a_misspelt_fixture_fails_where_it_is_written() {
    let _ = Behaviour::fixture("minute-request");
}

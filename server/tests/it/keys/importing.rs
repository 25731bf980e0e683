//! Many keys at once.

use app::types::IMPORT_LINES_MAX;
use serde_json::{Value, json};
use simulator::Behaviour;

use super::{keys, with_keys};
use crate::support::{key, spawn};

#[tokio::test]
async fn each_line_of_an_import_says_what_became_of_it() {
    let app = spawn(with_keys(1)).await;
    let admin = app.admin().await;
    app.sim.always(&key(4), "*", Behaviour::fixture("key-leaked"));
    let text = format!(
        "# of the team\n{two} Team two\n{one}\n\nGOOGLE_AI_API_KEY_9={three}\n{four}\n{two}\nyour-production-key-1\n",
        one = key(1),
        two = key(2),
        three = key(3),
        four = key(4),
    );
    let report = app
        .post(
            "/api/admin/keys/import",
            &admin,
            &json!({ "text": text, "tier": "paid" }),
        )
        .await;
    assert_eq!(report.status, 200, "{}", report.body);
    let data = &report.body["data"];
    assert_eq!(
        (&data["added"], &data["duplicates"], &data["refused"]),
        (&json!(2), &json!(2), &json!(2))
    );
    let lines: Vec<(u64, &str, Option<u64>)> = data["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let number = line["line"].as_u64().unwrap();
            (number, line["result"].as_str().unwrap(), line["keyNumber"].as_u64())
        })
        .collect();
    assert_eq!(
        lines,
        [
            (2, "added", Some(2)),
            (3, "duplicate", Some(1)),
            (5, "added", Some(3)),
            (6, "refused", None),
            (7, "duplicate", None),
            (8, "refused", None),
        ]
    );
    assert!(
        data["lines"][3]["message"].as_str().unwrap().contains("AI Studio"),
        "{data}"
    );
    for number in 1..=4 {
        assert!(!report.body.to_string().contains(&key(number)), "no secret is repeated");
    }
    assert_eq!(
        (app.calls(1), app.calls(2)),
        (0, 1),
        "a known key is not asked, a repeated one once"
    );
    let kept = keys(&app, &admin).await;
    let kept: Vec<(&Value, &Value)> = kept.iter().map(|key| (&key["label"], &key["tier"])).collect();
    assert_eq!(
        kept,
        [
            (&json!("GOOGLE_AI_API_KEY_1"), &json!("free")),
            (&json!("Team two"), &json!("paid")),
            (&json!("GOOGLE_AI_API_KEY_9"), &json!("paid")),
        ]
    );
}

#[tokio::test]
async fn an_import_is_bounded() {
    let app = spawn(with_keys(0)).await;
    let admin = app.admin().await;
    let many = |count: usize| -> String { (0..count).map(|number| format!("AQ.many-keys-{number:08}\n")).collect() };
    let too_many = json!({ "text": many(IMPORT_LINES_MAX + 1), "test": false });
    for body in [too_many, json!({ "text": "\n# nothing\n" })] {
        let refused = app.post("/api/admin/keys/import", &admin, &body).await;
        assert_eq!((refused.status, refused.text("/field").as_str()), (400, "text"));
    }
    assert!(keys(&app, &admin).await.is_empty());
    let report = app
        .post(
            "/api/admin/keys/import",
            &admin,
            &json!({ "text": many(50), "test": false }),
        )
        .await;
    assert_eq!(report.body["data"]["added"], 50, "{}", report.body);
    let numbers: Vec<u64> = keys(&app, &admin)
        .await
        .iter()
        .map(|key| key["keyNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>(), "in the order of the lines");
}

#[tokio::test]
async fn a_key_is_kept_untested_when_the_provider_cannot_be_asked() {
    let app = spawn(with_keys(0)).await;
    let admin = app.admin().await;
    app.sim.always(&key(1), "(probes)", Behaviour::fixture("internal"));
    let report = app
        .post("/api/admin/keys/import", &admin, &json!({ "text": key(1) }))
        .await;
    let line = &report.body["data"]["lines"][0];
    assert_eq!(line["result"], "added", "{line}");
    assert!(line["message"].as_str().unwrap().contains("Test it later"), "{line}");
    app.sim.always(&key(2), "(probes)", Behaviour::fixture("internal"));
    for (number, is_untested) in [(2, true), (3, false)] {
        let added = app
            .post("/api/admin/keys", &admin, &json!({ "key": key(number) }))
            .await;
        assert_eq!(added.status, 201, "{}", added.body);
        let message = added.body["data"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            message.starts_with("Added, not tested: the provider could not be asked."),
            is_untested,
            "{message:?}"
        );
    }
}

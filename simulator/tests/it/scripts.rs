use simulator::{Behaviour, Ended, Options, PROBES};

use crate::{Bed, MODEL, asking};

async fn statuses(bed: &Bed, key: &str, calls: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..calls {
        statuses.push(bed.generate(key, "hello").await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_queue_is_taken_in_order_and_then_the_sticky_behaviour_holds() {
    let bed = Bed::start().await;
    bed.sim.script(
        "k1",
        MODEL,
        vec![
            Behaviour::fixture("overloaded"),
            Behaviour::answer(),
            Behaviour::respond(418, "{}"),
        ],
    );
    assert_eq!(statuses(&bed, "k1", 5).await, [503, 200, 418, 200, 200]);
    bed.sim.always("k1", MODEL, Behaviour::fixture("internal"));
    bed.sim.script("k1", MODEL, vec![Behaviour::fixture("deadline")]);
    assert_eq!(statuses(&bed, "k1", 3).await, [504, 500, 500]);
    bed.sim.clear_scripts();
    assert_eq!(statuses(&bed, "k1", 1).await, [200]);
}

#[tokio::test]
async fn the_narrowest_script_that_has_something_to_say_wins() {
    let bed = Bed::start().await;
    bed.sim.always("*", "*", Behaviour::respond(501, "{}"));
    bed.sim.script("*", MODEL, vec![Behaviour::respond(502, "{}")]);
    bed.sim.script("k1", "*", vec![Behaviour::respond(503, "{}")]);
    bed.sim.script("k1", MODEL, vec![Behaviour::respond(504, "{}")]);
    assert_eq!(statuses(&bed, "k1", 4).await, [504, 503, 502, 501]);
    assert_eq!(statuses(&bed, "k2", 1).await, [501]);
}

#[tokio::test]
async fn headers_of_a_hand_made_reply_are_sent_and_replace_ours() {
    let bed = Bed::start().await;
    let moved = Behaviour::respond(302, "elsewhere")
        .with_header("location", "http://127.0.0.1:1/")
        .with_header("content-type", "text/plain");
    bed.sim.script(
        "k1",
        "*",
        vec![moved, Behaviour::respond(503, "").with_header("retry-after", "7")],
    );
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/v1/models/{MODEL}:generateContent?key=k1", bed.sim.base_url());
    let response = client
        .post(&url)
        .body(asking("hello").to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://127.0.0.1:1/");
    assert_eq!(
        response.headers().get_all("content-type").iter().collect::<Vec<_>>(),
        ["text/plain"]
    );
    let response = client
        .post(&url)
        .body(asking("hello").to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(response.headers()["content-type"], "application/json; charset=UTF-8");
    assert_eq!(response.text().await.unwrap(), "");
    assert!(bed.sim.calls().iter().all(|call| call.ended == Ended::Answered));
}

#[tokio::test]
async fn probes_leave_scripts_alone_but_feel_a_fault_of_the_key() {
    let bed = Bed::start().await;
    let probe = async |key: &str| {
        bed.get(&format!("/v1beta/models/{MODEL}"))
            .header("x-goog-api-key", key)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    bed.sim.always("spent", "*", Behaviour::fixture("day-quota-paid"));
    bed.sim.script("once", "*", vec![Behaviour::fixture("key-not-valid")]);
    bed.sim.always("revoked", "*", Behaviour::fixture("key-leaked"));
    assert_eq!(
        (probe("spent").await, probe("once").await, probe("revoked").await),
        (200, 200, 403)
    );
    assert_eq!(bed.generate("once", "hello").await.status(), 400);

    bed.sim.script("once", PROBES, vec![Behaviour::fixture("internal")]);
    assert_eq!((probe("once").await, probe("once").await), (500, 200));
    assert_eq!(bed.sim.call_count("once"), 4);
}

#[tokio::test]
async fn an_unknown_key_is_refused_everywhere_where_only_known_keys_may_call() {
    let options = Options {
        known_keys_only: true,
        known_keys: vec!["listed".to_owned()],
        ..Options::default()
    };
    let bed = Bed::with(options).await;
    bed.sim.add_key("added");
    bed.sim.assign("assigned", "p1");
    bed.sim.script("scripted", "*", vec![Behaviour::answer()]);
    for key in ["listed", "added", "assigned", "scripted"] {
        assert_eq!(bed.generate(key, "hello").await.status(), 200, "{key}");
    }
    bed.sim.remove_key("added");
    for key in ["added", "*", "unknown"] {
        let generated = bed.generate(key, "hello").await;
        assert_eq!(generated.status(), 400, "{key}");
        assert!(generated.text().await.unwrap().contains("API_KEY_INVALID"));
        let listed = bed
            .get("/v1beta/models")
            .header("x-goog-api-key", key)
            .send()
            .await
            .unwrap();
        assert_eq!(listed.status(), 400, "{key}");
    }
}

#[tokio::test]
async fn a_call_without_a_key_is_forbidden() {
    let bed = Bed::start().await;
    let response = bed
        .post(&format!("/v1beta/models/{MODEL}:generateContent"), &asking("hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    assert!(response.text().await.unwrap().contains("PERMISSION_DENIED"));
}

#[tokio::test]
async fn models_are_listed_and_described_without_cost() {
    let bed = Bed::start().await;
    let text = bed.get("/v1/models?key=k1").send().await.unwrap().text().await.unwrap();
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(
        list["models"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["name"] == format!("models/{MODEL}"))
    );
    let calls = bed.sim.calls();
    assert_eq!(
        (calls[0].method.as_str(), calls[0].path.as_str(), calls[0].key.as_str()),
        ("models.list", "/v1/models", "k1")
    );
}

#[tokio::test]
async fn paths_and_methods_of_no_api_are_not_found() {
    let bed = Bed::start().await;
    for path in [
        "/",
        "/v2/models/m:generateContent",
        "/v1beta/models/m",
        "/v1beta/models/m:think",
        "/v1beta/nothing",
    ] {
        let response = bed
            .post(path, &asking("hello"))
            .header("x-goog-api-key", "k1")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_call_is_kept_as_it_came_but_for_its_key() {
    let bed = Bed::start().await;
    bed.sim.set_now_ms(Some(1_234));
    let body = asking("hello");
    let url = format!("/v1alpha/models/{MODEL}:countTokens?key=secret-1&alt=json");
    bed.post(&url, &body)
        .header("x-goog-api-key", "secret-2")
        .header("x-goog-api-client", "test/1")
        .send()
        .await
        .unwrap();
    let call = bed.sim.calls().remove(0);
    assert_eq!(
        (call.key.as_str(), call.model.as_str(), call.method.as_str(), call.at_ms),
        ("secret-2", MODEL, "countTokens", 1_234)
    );
    assert_eq!(call.path, format!("/v1alpha/models/{MODEL}:countTokens?alt=json"));
    assert_eq!(call.body, body);
    assert_eq!(&*call.raw_body, body.to_string().as_bytes());
    assert!(
        call.headers
            .contains(&("x-goog-api-client".to_owned(), "test/1".to_owned()))
    );
    assert!(!format!("{call:?} {:?} {:?}", call.headers, call.path).contains("secret"));
}

#[tokio::test]
async fn only_the_newest_calls_are_kept_but_all_are_counted() {
    let bed = Bed::with(Options {
        calls_kept_max: 2,
        ..Options::default()
    })
    .await;
    for prompt in ["one", "two", "three"] {
        bed.generate("k1", prompt).await.text().await.unwrap();
    }
    let bodies: Vec<_> = bed.sim.calls().into_iter().map(|call| call.body).collect();
    assert_eq!(bodies, [asking("two"), asking("three")]);
    assert_eq!((bed.sim.call_count("k1"), bed.sim.in_progress()), (3, 0));
}

#[tokio::test]
async fn calls_that_the_simulator_does_not_know_are_on_record_and_can_be_scripted() {
    let bed = Bed::start().await;
    bed.sim.script("k1", MODEL, vec![Behaviour::respond(200, "embedding")]);
    bed.sim.script("k1", PROBES, vec![Behaviour::respond(200, "file")]);
    let embedded = bed.call("k1", MODEL, "embedContent", &asking("hello"));
    assert_eq!(embedded.send().await.unwrap().text().await.unwrap(), "embedding");
    let upload = bed.post("/upload/v1beta/files?key=k1", &asking("hello"));
    assert_eq!(upload.send().await.unwrap().text().await.unwrap(), "file");
    let seen: Vec<_> = bed
        .sim
        .calls()
        .into_iter()
        .map(|call| (call.method, call.path))
        .collect();
    let expected = [
        (
            "embedContent".to_owned(),
            format!("/v1beta/models/{MODEL}:embedContent"),
        ),
        ("other".to_owned(), "/upload/v1beta/files".to_owned()),
    ];
    assert_eq!(seen, expected);
}

//! Model names come from callers: some do not exist, and there is no end to them.

use pool::{Lease, Limits, ModelId, Outcome, Policy, Strategy};

use crate::{DAY, OK, Story, key, secs};

/// Two keys and room for three models; the story's own is the first.
fn story() -> Story {
    let policy = Policy {
        models_max: 3,
        ..Policy::default()
    };
    Story::under(policy, Strategy::Headroom, (1..=2).map(key))
}

impl Story {
    fn named(&mut self, name: &str) -> ModelId {
        self.pool.model(name).unwrap()
    }

    fn lease_on(&mut self, model: ModelId) -> Lease {
        let own = std::mem::replace(&mut self.model, model);
        let lease = self.acquire().unwrap();
        self.model = own;
        lease
    }

    fn call_on(&mut self, model: ModelId, outcome: &Outcome) {
        let lease = self.lease_on(model);
        self.report(lease, outcome);
    }

    fn models(&self) -> Vec<String> {
        let models = self.pool.snapshot(self.now).models;
        models.into_iter().map(|view| view.model).collect()
    }
}

#[test]
fn a_thousand_invented_names_never_stop_a_new_one() {
    let mut story = Story::of(2);
    story.call_of(1, &OK);
    for invented in 0..1_000 {
        let model = story.named(&format!("invented-{invented}"));
        story.call_on(model, &Outcome::ModelGone);
        story.pass(secs(1));
    }
    let new = story.named("new");
    story.call_on(new, &OK);
    assert_eq!(story.models().len(), Policy::default().models_max);
    assert_eq!(story.pool.model("flash"), Ok(story.model), "it answered");
    assert_eq!(story.pool.model("new"), Ok(new));
}

#[test]
fn a_model_that_answered_is_never_forgotten() {
    let mut story = story();
    let (b, c) = (story.named("b"), story.named("c"));
    for model in [story.model, b, c] {
        story.call_on(model, &OK);
        story.call_on(model, &Outcome::ModelGone);
    }
    assert_eq!(story.pool.model("d").unwrap_err().models_max, 3);
    assert_eq!(story.pool.model("b"), Ok(b));
    assert_eq!(story.pool.model_name(b), "b");
}

#[test]
fn a_call_under_way_and_configured_limits_protect_their_model() {
    let mut story = story();
    let limits = Limits {
        requests_per_minute: Some(10),
        ..Limits::default()
    };
    story.limit(limits);
    let called = story.named("called");
    let lease = story.lease_on(called);
    for name in ["c", "d", "e"] {
        story.named(name);
        assert_eq!(story.models(), ["flash", "called", name]);
    }
    story.report(lease, &Outcome::Transport);
    story.named("f");
    assert_eq!(story.models(), ["flash", "e", "f"]);
}

#[test]
fn hidden_models_are_forgotten_first_and_then_the_oldest() {
    let mut story = story();
    let (counted, hidden) = (story.named("counted"), story.named("hidden"));
    story.call_on(
        counted,
        &Outcome::MinuteQuota {
            retry_after: None,
            limit: None,
        },
    );
    story.call_on(hidden, &Outcome::ModelGone);
    story.named("d");
    assert_eq!(story.models(), ["flash", "counted", "d"]);
    story.named("e");
    assert_eq!(story.models(), ["counted", "d", "e"]);
    story.named("f");
    assert_eq!(
        story.models(),
        ["counted", "e", "f"],
        "a quota shows that the model exists"
    );
}

#[test]
fn an_id_of_a_forgotten_model_is_no_other_model() {
    let mut story = story();
    let old = story.named("old");
    story.call_on(old, &DAY);
    story.call_on(old, &DAY);
    story.named("c");
    let lease = story.lease_on(story.model);
    for name in ["d", "e"] {
        story.named(name);
    }
    let used = story.named("c");
    let lease_used = story.lease_on(used);
    let new = story.named("new");
    assert!(!story.models().contains(&"old".to_owned()));
    assert_eq!((story.pool.model_name(old), story.pool.model_name(new)), ("", "new"));
    let own = std::mem::replace(&mut story.model, old);
    let refused = story.acquire().unwrap_err();
    assert_eq!(refused.retry_at, None);
    story.model = own;
    story.report(lease, &OK);
    story.report(lease_used, &OK);

    let again = story.named("old");
    assert_ne!(again, old);
    story.call_on(again, &OK);
    assert!(
        story
            .pool
            .records()
            .iter()
            .all(|record| !format!("{record:?}").contains("Exhausted"))
    );
}

#[test]
fn a_model_that_never_answered_leaves_no_trace_without_a_rest_or_a_count() {
    let mut story = Story::of(1);
    let invented = story.named("invented");
    story.call_on(invented, &Outcome::Transport);
    assert!(story.pool.snapshot(story.now).keys[0].cells.is_empty());
    assert!(story.pool.records().is_empty());

    let lease = story.lease_on(invented);
    assert_eq!(story.pool.snapshot(story.now).keys[0].cells[0].in_flight, 1);
    story.report(lease, &Outcome::ZeroLimit);
    assert_eq!(story.pool.snapshot(story.now).keys[0].cells.len(), 1);
    assert_eq!(story.pool.records().len(), 1);

    story.call_of(1, &OK);
    assert_eq!(
        story.pool.snapshot(story.now).keys[0].cells[0].model,
        "flash",
        "in order of first use"
    );
    assert_eq!(story.pool.records().len(), 2);
}

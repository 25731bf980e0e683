use proptest::prelude::*;

use super::*;

fn content(prompt: &str) -> Content {
    Content {
        prompt: prompt.to_owned(),
        system: None,
        images: Vec::new(),
        temperature: None,
        max_output_tokens: None,
    }
}

fn image(mime_type: &str, data: &str) -> Image {
    Image {
        mime_type: mime_type.to_owned(),
        data: data.to_owned(),
    }
}

fn form(tenant: &str, model: &str, content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_canonical(tenant, model, content, &mut |part| bytes.extend_from_slice(part));
    bytes
}

/// Texts out of few letters, so that fields often join up to the same letters.
fn text() -> impl Strategy<Value = String> {
    "[ab\\x00\\x01]{0,3}"
}

fn requests() -> impl Strategy<Value = (String, String, Content)> {
    let images = prop::collection::vec((text(), text()), 0..3);
    let temperature = prop::option::of(prop::sample::select(vec![0.0, 0.5, 1.0]));
    let parameters = (temperature, prop::option::of(0_u32..3));
    (text(), text(), text(), prop::option::of(text()), images, parameters).prop_map(
        |(tenant, model, prompt, system, images, (temperature, max_output_tokens))| {
            let images = images.iter().map(|(mime_type, data)| image(mime_type, data)).collect();
            let content = Content {
                prompt,
                system,
                images,
                temperature,
                max_output_tokens,
            };
            (tenant, model, content)
        },
    )
}

/// The letters dealt out to the fields in their order, so that only where a field ends tells two requests apart.
fn dealt(letters: &str, mut cuts: [usize; 5]) -> (String, String, Content) {
    cuts.sort_unstable();
    let mut from = 0;
    let mut next = |to: usize| {
        let to = to.min(letters.len());
        let part = letters[from..to].to_owned();
        from = to;
        part
    };
    let (tenant, model, system, prompt, mime_type) = (
        next(cuts[0]),
        next(cuts[1]),
        next(cuts[2]),
        next(cuts[3]),
        next(cuts[4]),
    );
    let content = Content {
        system: Some(system),
        images: vec![image(&mime_type, &next(letters.len()))],
        ..content(&prompt)
    };
    (tenant, model, content)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn requests_share_a_key_exactly_when_they_are_the_same(one in requests(), other in requests()) {
        let same = one == other;
        prop_assert_eq!(form(&one.0, &one.1, &one.2) == form(&other.0, &other.1, &other.2), same);
        let keys = [&one, &other].map(|(tenant, model, content)| CacheKey::new(tenant, model, content));
        prop_assert_eq!(keys[0] == keys[1], same);
    }

    #[test]
    fn the_same_letters_in_other_fields_make_another_key(
        letters in "[ab]{0,8}",
        cuts in prop::array::uniform5(0_usize..=8),
        other_cuts in prop::array::uniform5(0_usize..=8),
    ) {
        let (one, other) = (dealt(&letters, cuts), dealt(&letters, other_cuts));
        let keys = [&one, &other].map(|(tenant, model, content)| CacheKey::new(tenant, model, content));
        prop_assert_eq!(keys[0] == keys[1], one == other);
    }

    #[test]
    fn two_tenants_never_share_a_key((tenant, model, content) in requests(), stranger in text()) {
        prop_assume!(tenant != stranger);
        prop_assert!(CacheKey::new(&tenant, &model, &content) != CacheKey::new(&stranger, &model, &content));
    }
}

#[test]
fn every_field_takes_part() {
    let mut variants = vec![
        ("ada", "flash", content("one")),
        ("bob", "flash", content("one")),
        ("ada", "pro", content("one")),
        ("ada", "flash", content("two")),
    ];
    let changes: [fn(&mut Content); 8] = [
        |content| content.system = Some(String::new()),
        |content| content.system = Some("one".to_owned()),
        |content| content.temperature = Some(0.0),
        |content| content.temperature = Some(1.0),
        |content| content.max_output_tokens = Some(1),
        |content| content.images = vec![image("image/png", "AAAA")],
        |content| content.images = vec![image("image/jpeg", "AAAA")],
        |content| content.images = vec![image("image/png", "AAAA"), image("image/png", "AAAA")],
    ];
    for change in changes {
        let mut changed = content("one");
        change(&mut changed);
        variants.push(("ada", "flash", changed));
    }
    let keys: std::collections::HashSet<CacheKey> = variants
        .iter()
        .map(|(tenant, model, content)| CacheKey::new(tenant, model, content))
        .collect();
    assert_eq!(keys.len(), variants.len());
}

#[test]
fn what_moves_from_one_field_into_the_next_makes_another_key() {
    let pairs = [
        (("ab", "c", content("d")), ("a", "bc", content("d"))),
        (("a", "b", content("")), ("a", "", content("b"))),
        (
            (
                "a",
                "b",
                Content {
                    system: Some("x".to_owned()),
                    ..content("y")
                },
            ),
            (
                "a",
                "b",
                Content {
                    system: None,
                    ..content("xy")
                },
            ),
        ),
        (
            (
                "a",
                "b",
                Content {
                    images: vec![image("p", "q"), image("r", "s")],
                    ..content("c")
                },
            ),
            (
                "a",
                "b",
                Content {
                    images: vec![image("p", "qr"), image("", "s")],
                    ..content("c")
                },
            ),
        ),
    ];
    for ((tenant, model, content), (other_tenant, other_model, other)) in pairs {
        assert!(CacheKey::new(tenant, model, &content) != CacheKey::new(other_tenant, other_model, &other));
    }
}

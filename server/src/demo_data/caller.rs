//! Who asks: people in browsers, and programs with tokens. None of them has an account, and so stores forget who they were
//! unless somebody makes accounts of their ids.

use uuid::Builder;

use super::chance::{Chance, mix};

const PEOPLE: usize = 32;
const PROGRAMS: usize = 8;

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
];
/// With the surface that each is for.
const LIBRARIES: [(&str, &str); 4] = [
    ("api", "python-requests/2.32.5"),
    ("openai", "OpenAI/Python 2.8.0"),
    ("api", "curl/8.15.0"),
    ("gemini", "google-genai-sdk/1.50.0 gl-python/3.13.7"),
];

#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) surface: &'static str,
    pub(super) user_id: String,
    pub(super) token_id: Option<String>,
    pub(super) user_agent: &'static str,
}

/// Some ask much more than others. The callers are the same for every seed.
pub(super) struct Callers {
    people: Vec<Caller>,
    programs: Vec<Caller>,
}

impl Callers {
    pub(super) fn new() -> Self {
        let people = (0..PEOPLE)
            .zip(BROWSERS.iter().cycle())
            .map(|(number, browser)| Caller {
                surface: "web",
                user_id: id(number),
                token_id: None,
                user_agent: browser,
            });
        let programs = (0..PROGRAMS).zip(LIBRARIES.iter().cycle());
        let programs = programs.map(|(number, (surface, library))| Caller {
            surface,
            user_id: id(number * 3),
            token_id: Some(id(PEOPLE + number)),
            user_agent: library,
        });
        Self {
            people: people.collect(),
            programs: programs.collect(),
        }
    }

    pub(super) fn any(&self, chance: &mut Chance) -> &Caller {
        let of = if chance.happens(0.58) {
            &self.people
        } else {
            &self.programs
        };
        &of[chance.low(of.len())]
    }
}

pub(super) fn user_ids() -> Vec<String> {
    (0..PEOPLE).map(id).collect()
}

/// Shaped as accounts' ids are, of an instant long before this product.
fn id(number: usize) -> String {
    const LONG_AGO_MS: u64 = 1_000_000_000_000;
    let random = mix(number as u64).to_be_bytes();
    let mut bytes = [0; 10];
    bytes
        .iter_mut()
        .skip(2)
        .zip(random)
        .for_each(|(byte, random)| *byte = random);
    let uuid = Builder::from_unix_timestamp_millis(LONG_AGO_MS + number as u64, &bytes).into_uuid();
    uuid.hyphenated().to_string()
}

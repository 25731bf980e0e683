//! The simulated answer: says what it is, depends on the prompt, and is the same for the same request.

mod image;
mod text;

use serde_json::{Value, json};

use crate::request::{Request, tokens};
use text::Text;

const TERMS_SHOWN_MAX: usize = 5;
const WORDS_PER_CHUNK: usize = 3;

/// What the provider says about one request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The text in groups of about three words, at least one.
    pub(crate) chunks: Vec<String>,
    pub(crate) finish_reason: &'static str,
    pub(crate) output_tokens: u64,
}

/// Answers a request with Markdown of about 80 to 200 words, or with a JSON object where JSON was asked for.
pub(crate) fn answer(request: &Request) -> Answer {
    let mut text = if request.wants_json {
        as_json(request)
    } else {
        as_markdown(request)
    };
    let whole = tokens(&text);
    let allowed = request.output_tokens_max.unwrap_or(u64::MAX);
    let finish_reason = if whole > allowed { "MAX_TOKENS" } else { "STOP" };
    if whole > allowed {
        let chars = usize::try_from(allowed.saturating_mul(4)).unwrap_or(usize::MAX);
        text = text.chars().take(chars).collect();
    }
    Answer {
        output_tokens: whole.min(allowed),
        chunks: word_groups(&text),
        finish_reason,
    }
}

fn as_markdown(request: &Request) -> String {
    let prompt = Text::read(&request.prompt);
    let mut sections = vec![
        "> **Simulated answer.** No model was asked: this text is computed from the request.".to_owned(),
        format!(
            "## {}",
            prompt.title().unwrap_or_else(|| "A request without words".to_owned())
        ),
        description(&prompt),
    ];
    let terms: Vec<String> = prompt
        .terms(TERMS_SHOWN_MAX)
        .iter()
        .map(|(term, count)| format!("- **{term}** × {count}"))
        .collect();
    if !terms.is_empty() {
        sections.push(format!("### Key terms\n\n{}", terms.join("\n")));
    }
    let images: Vec<String> = request
        .images
        .iter()
        .enumerate()
        .map(|(index, inline)| format!("- Image {}: {}", index + 1, image::describe(inline)))
        .collect();
    if !images.is_empty() {
        sections.push(format!(
            "### {}\n\n{}",
            counted(images.len(), "image"),
            images.join("\n")
        ));
    }
    sections.push(format!(
        "### Observations\n\n{}",
        observations(request, &prompt).join("\n")
    ));
    sections.push(format!("### Next step\n\n{}", next_step(request, &prompt)));
    sections.join("\n\n") + "\n"
}

fn description(prompt: &Text) -> String {
    if prompt.words == 0 {
        return "The request carries no text, so there are no words to count and no language to guess.".to_owned();
    }
    let questions = match prompt.questions {
        0 => "none of them a question".to_owned(),
        1 => "one of them a question".to_owned(),
        n => format!("{n} of them questions"),
    };
    format!(
        "The prompt has {} in {}, {questions}. It is {} long, looks like {}, and reads as {}.",
        counted(prompt.words, "word"),
        counted(prompt.sentences, "sentence"),
        counted(prompt.chars, "character"),
        prompt.language,
        prompt.intent().description(),
    )
}

fn observations(request: &Request, prompt: &Text) -> Vec<String> {
    let mut observations = Vec::new();
    if prompt.words > 0 {
        let per_sentence = prompt.words.div_ceil(prompt.sentences.max(1));
        let judgement = if per_sentence > 20 {
            "long; shorter ones are easier to follow"
        } else {
            "short enough to follow easily"
        };
        observations.push(format!(
            "Sentences average {}, which is {judgement}.",
            counted(per_sentence, "word")
        ));
        let distinct_percent = prompt.distinct * 100 / prompt.words;
        observations.push(format!(
            "{} of {} words differ ({distinct_percent} %); the longest is “{}”.",
            prompt.distinct, prompt.words, prompt.longest
        ));
    }
    if let Some(number) = &prompt.first_number {
        observations.push(format!(
            "It names {}, beginning with {number}.",
            counted(prompt.numbers, "number")
        ));
    }
    if request.turns > 1 {
        observations.push(format!("It continues a conversation of {} turns.", request.turns));
    }
    if request.has_system {
        observations.push("A system instruction came with it.".to_owned());
    }
    if observations.len() < 3 {
        observations.push(format!(
            "The whole request weighs about {} on the way in.",
            counted(usize::try_from(request.input_tokens).unwrap_or(usize::MAX), "token")
        ));
    }
    observations
        .iter()
        .enumerate()
        .map(|(index, line)| format!("{}. {line}", index + 1))
        .collect()
}

fn next_step(request: &Request, prompt: &Text) -> String {
    let about = prompt
        .terms(1)
        .first()
        .map_or_else(|| "the subject".to_owned(), |(term, _)| format!("“{term}”"));
    let step = if request.images.is_empty() {
        prompt.intent().next_step(&about)
    } else {
        format!("Ask for one detail of the picture and how it bears on {about}.")
    };
    format!("{step} To read a real answer, send the same request with a provider key.")
}

fn as_json(request: &Request) -> String {
    let prompt = Text::read(&request.prompt);
    let terms: Vec<Value> = prompt
        .terms(TERMS_SHOWN_MAX)
        .iter()
        .map(|(term, count)| json!({ "term": term, "count": count }))
        .collect();
    let images: Vec<String> = request.images.iter().map(image::describe).collect();
    let answer = json!({
        "simulated": true,
        "title": prompt.title(),
        "words": prompt.words,
        "sentences": prompt.sentences,
        "questions": prompt.questions,
        "language": prompt.language,
        "keyTerms": terms,
        "images": images,
    });
    answer.to_string()
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Splits a text into groups of words; joined they are the text again.
fn word_groups(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let groups: Vec<String> = words.chunks(WORDS_PER_CHUNK).map(<[&str]>::concat).collect();
    if groups.is_empty() { vec![String::new()] } else { groups }
}

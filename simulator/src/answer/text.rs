//! Simple facts about a text: counts, terms, a guess at its language and at what it wants.

use std::collections::{BTreeMap, BTreeSet};

const TITLE_WORDS_MAX: usize = 8;
const TITLE_CHARS_MAX: usize = 60;
/// Shorter words are rarely what a text is about.
const TERM_CHARS_MIN: usize = 4;

/// Common words by language: they vote for it, and are no terms.
const COMMON_WORDS: [(&str, &[&str]); 6] = [
    (
        "English",
        &[
            "the", "and", "of", "to", "is", "what", "how", "with", "this", "that", "from", "which", "have", "does",
            "about", "please", "their", "would", "should", "into", "when", "where", "there", "they", "your", "were",
            "will", "than", "then", "some", "each",
        ],
    ),
    (
        "German",
        &[
            "der", "die", "das", "und", "ist", "nicht", "ein", "eine", "wie", "mit", "für", "auf", "welche", "werden",
            "dass", "einen", "sind", "warum",
        ],
    ),
    (
        "French",
        &[
            "le", "la", "les", "des", "est", "une", "pour", "dans", "que", "avec", "comment", "quelle", "cette",
            "sont", "pourquoi",
        ],
    ),
    (
        "Spanish",
        &[
            "el", "los", "las", "es", "una", "para", "con", "por", "cómo", "qué", "como", "esta", "pero", "sobre",
        ],
    ),
    (
        "Portuguese",
        &[
            "os", "uma", "não", "com", "para", "por", "como", "mais", "você", "são", "isso",
        ],
    ),
    (
        "Turkish",
        &["ve", "bir", "bu", "için", "ile", "nasıl", "daha", "çok", "olan", "gibi"],
    ),
];

/// A text, counted.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) words: usize,
    pub(super) distinct: usize,
    pub(super) sentences: usize,
    pub(super) questions: usize,
    pub(super) chars: usize,
    pub(super) numbers: usize,
    pub(super) first_number: Option<String>,
    pub(super) longest: String,
    pub(super) language: &'static str,
    first_line: String,
    first_word: String,
    count_by_term: BTreeMap<String, usize>,
}

/// What a text seems to want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Question,
    Summary,
    Comparison,
    Translation,
    Writing,
    Explanation,
    Statement,
}

impl Text {
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        let words: Vec<String> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'))
            .filter(|word| word.chars().any(char::is_alphanumeric))
            .map(str::to_lowercase)
            .collect();
        let numbers: Vec<&String> = words
            .iter()
            .filter(|word| word.starts_with(|c: char| c.is_numeric()))
            .collect();
        let sentences: Vec<&str> = text
            .split_inclusive(['.', '!', '?', '\n', '。', '？'])
            .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
            .collect();
        let mut count_by_term = BTreeMap::new();
        for word in words.iter().filter(|word| is_term(word)) {
            *count_by_term.entry(word.clone()).or_insert(0) += 1;
        }
        Self {
            distinct: words.iter().collect::<BTreeSet<_>>().len(),
            sentences: sentences.len(),
            questions: sentences
                .iter()
                .filter(|sentence| sentence.ends_with(['?', '？']))
                .count(),
            chars: text.chars().count(),
            numbers: numbers.len(),
            first_number: numbers.first().map(|number| (*number).clone()),
            longest: longest(&words),
            language: language(text, &words),
            first_line: text
                .lines()
                .find(|line| line.chars().any(char::is_alphanumeric))
                .unwrap_or_default()
                .to_owned(),
            first_word: words.first().cloned().unwrap_or_default(),
            count_by_term,
            words: words.len(),
        }
    }

    /// The beginning of the text, without Markdown signs; `None` without words.
    pub(super) fn title(&self) -> Option<String> {
        let clean: String = self
            .first_line
            .chars()
            .map(|c| if "#*_`<>[]|\\~".contains(c) { ' ' } else { c })
            .collect();
        let words: Vec<&str> = clean.split_whitespace().collect();
        let mut title = words
            .iter()
            .take(TITLE_WORDS_MAX)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let cut = words.len() > TITLE_WORDS_MAX || title.chars().count() > TITLE_CHARS_MAX;
        title = title
            .chars()
            .take(TITLE_CHARS_MAX)
            .collect::<String>()
            .trim_end_matches(['.', ',', ';', ':', ' '])
            .to_owned();
        if cut {
            title.push('…');
        }
        (!title.is_empty()).then_some(title)
    }

    /// The most frequent terms with their counts; of equals the longer ones, which say more, and then by the alphabet.
    pub(super) fn terms(&self, max: usize) -> Vec<(&str, usize)> {
        let mut terms: Vec<(&str, usize)> = self
            .count_by_term
            .iter()
            .map(|(term, count)| (term.as_str(), *count))
            .collect();
        terms.sort_by_key(|(term, count)| std::cmp::Reverse((*count, term.chars().count())));
        terms.truncate(max);
        terms
    }

    pub(super) fn intent(&self) -> Intent {
        match self.first_word.as_str() {
            "summarize" | "summarise" | "shorten" => Intent::Summary,
            "compare" | "contrast" | "rank" => Intent::Comparison,
            "translate" => Intent::Translation,
            "write" | "draft" | "create" | "generate" | "list" => Intent::Writing,
            "explain" | "describe" | "analyze" | "analyse" | "review" => Intent::Explanation,
            _ if self.questions > 0 => Intent::Question,
            _ => Intent::Statement,
        }
    }
}

impl Intent {
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Question => "a question that wants an answer",
            Self::Summary => "a request for a summary",
            Self::Comparison => "a request to weigh things against each other",
            Self::Translation => "a request for a translation",
            Self::Writing => "a request to write something",
            Self::Explanation => "a request to look into something",
            Self::Statement => "a statement rather than a question",
        }
    }

    pub(super) fn next_step(self, about: &str) -> String {
        match self {
            Self::Question => format!("Say what is known about {about} already, so that the answer can begin there."),
            Self::Summary => format!("Give the length of the summary and whether {about} must be in it."),
            Self::Comparison => format!("Name the measure by which {about} shall be weighed."),
            Self::Translation => format!("Name the readers, since {about} has more than one rendering."),
            Self::Writing => format!("Give the readers, the length and one example of the tone for {about}."),
            Self::Explanation => format!("Tell how deep to go into {about} and what it is for."),
            Self::Statement => format!("Turn it into a question about {about} that has a checkable answer."),
        }
    }
}

fn is_term(word: &str) -> bool {
    word.chars().count() >= TERM_CHARS_MIN
        && word.chars().any(char::is_alphabetic)
        && !COMMON_WORDS.iter().any(|(_, common)| common.contains(&word))
}

/// The first of the longest words.
fn longest(words: &[String]) -> String {
    let mut longest = "";
    for word in words {
        if word.chars().count() > longest.chars().count() {
            longest = word;
        }
    }
    longest.to_owned()
}

/// Tells the letters of a script.
type IsOfScript = fn(char) -> bool;

fn language(text: &str, words: &[String]) -> &'static str {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let scripts: [(&str, IsOfScript); 6] = [
        ("Japanese", |c| matches!(c, '\u{3040}'..='\u{30ff}')),
        ("Chinese", |c| matches!(c, '\u{4e00}'..='\u{9fff}')),
        ("Korean", |c| matches!(c, '\u{ac00}'..='\u{d7af}')),
        ("a language in Cyrillic letters", |c| {
            matches!(c, '\u{0400}'..='\u{04ff}')
        }),
        ("a language in Arabic letters", |c| matches!(c, '\u{0600}'..='\u{06ff}')),
        ("Greek", |c| matches!(c, '\u{0370}'..='\u{03ff}')),
    ];
    // A fifth is enough: Japanese mixes kana with Chinese characters, and technical text mixes in Latin names.
    if let Some((name, _)) = scripts
        .iter()
        .find(|(_, is_of)| letters > 0 && text.chars().filter(|c| is_of(*c)).count() * 5 > letters)
    {
        return name;
    }
    let votes = |common: &[&str]| words.iter().filter(|word| common.contains(&word.as_str())).count();
    let mut best = ("a language that is hard to tell", 0);
    for (name, common) in COMMON_WORDS {
        let count = votes(common);
        if count > best.1 {
            best = (name, count);
        }
    }
    best.0
}

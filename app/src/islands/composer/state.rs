//! What the composer knows, and what can happen to it.

use leptos::html;
use leptos::prelude::*;

use super::Draft;
use super::picture::Picture;
use super::stage::Stage;
use crate::error::AppError;
use crate::islands::live::Feed;
use crate::text;
use crate::types::{Level, PublicStatus};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Text,
    Image,
}

impl Tab {
    pub fn id(self) -> &'static str {
        match self {
            Self::Text => "composer-tab-text",
            Self::Image => "composer-tab-image",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Text => Self::Image,
            Self::Image => Self::Text,
        }
    }
}

/// The form's fields, by the names they are sent under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Prompt,
    Images,
    System,
    Temperature,
    MaxOutputTokens,
}

impl Field {
    const ALL: [Self; 5] = [
        Self::Prompt,
        Self::Images,
        Self::System,
        Self::Temperature,
        Self::MaxOutputTokens,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Images => "images",
            Self::System => "system",
            Self::Temperature => "temperature",
            Self::MaxOutputTokens => "maxOutputTokens",
        }
    }

    pub fn error_id(self) -> String {
        format!("{}-error", self.name())
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub field: Field,
    pub text: String,
}

impl Problem {
    pub fn at(&self, field: Field) -> Option<String> {
        (self.field == field).then(|| self.text.clone())
    }

    /// An error that belongs beside a field of this form.
    pub fn from_error(error: &AppError) -> Option<Self> {
        let field = Field::parse(error.field.as_deref()?)?;
        Some(Self {
            field,
            text: error.message.clone(),
        })
    }
}

#[derive(Clone, Copy)]
pub struct Composing {
    pub tab: RwSignal<Tab>,
    pub prompt: RwSignal<String>,
    /// The form holds what no answer has come for.
    pub unsent: RwSignal<bool>,
    pub pictures: RwSignal<Vec<Picture>>,
    pub problem: RwSignal<Option<Problem>>,
    /// Files hover over the form.
    pub dragging: RwSignal<bool>,
    pub stage: RwSignal<Stage>,
    /// What has been written so far, as it came.
    pub text: RwSignal<String>,
    /// The finished answer as the server renders it, sanitised there.
    pub html: RwSignal<Option<String>>,
    /// The end of the answer is below what can be seen.
    pub away: RwSignal<bool>,
    /// When the stage began, by the feed's clock.
    pub stage_at_ms: RwSignal<u64>,
    /// What a screen reader was told last of where the analysis stands.
    pub announced: RwSignal<String>,
    /// So many images the analysis to run again had; they are not kept.
    pub images_lost: u32,
    pub(in crate::islands) feed: Feed,
    pub user_id: StoredValue<String>,
    pub form: NodeRef<html::Form>,
    pub prompt_box: NodeRef<html::Textarea>,
    pub file_input: NodeRef<html::Input>,
    pub stream: NodeRef<html::Div>,
    pub end: NodeRef<html::Div>,
}

impl Composing {
    pub fn new(draft: &Draft, refused: Option<AppError>, status: PublicStatus, user_id: String) -> Self {
        let problem = refused.as_ref().and_then(Problem::from_error);
        let stage = match refused {
            Some(error) if problem.is_none() => Stage::Failed(Box::new(error)),
            _ => Stage::Idle,
        };
        Self {
            tab: RwSignal::new(if draft.images_lost > 0 { Tab::Image } else { Tab::Text }),
            prompt: RwSignal::new(draft.prompt.clone()),
            unsent: RwSignal::new(true),
            pictures: RwSignal::new(Vec::new()),
            problem: RwSignal::new(problem),
            dragging: RwSignal::new(false),
            stage: RwSignal::new(stage),
            text: RwSignal::new(String::new()),
            html: RwSignal::new(None),
            away: RwSignal::new(false),
            stage_at_ms: RwSignal::new(0),
            announced: RwSignal::new(String::new()),
            images_lost: draft.images_lost,
            feed: Feed::follow(status, None, true),
            user_id: StoredValue::new(user_id),
            form: NodeRef::new(),
            prompt_box: NodeRef::new(),
            file_input: NodeRef::new(),
            stream: NodeRef::new(),
            end: NodeRef::new(),
        }
    }

    pub fn is_running(self) -> bool {
        self.stage.with(Stage::is_running)
    }

    pub fn has_text(self) -> bool {
        self.text.with(|text| !text.is_empty())
    }

    /// The line below the heading. It moves by itself only while it counts down.
    pub fn line(self) -> String {
        let words = self.text.with_untracked(|text| text.split_whitespace().count());
        self.stage.with(|stage| stage.line(words, || self.passed_ms()))
    }

    /// Since the stage began; moves every second.
    pub fn passed_ms(self) -> u64 {
        self.feed.now_ms.get().saturating_sub(self.stage_at_ms.get())
    }

    /// Until the failed request can be tried again, where it was said.
    pub fn retry_left_ms(self) -> Option<u64> {
        let wait_ms = self.stage.with(|stage| match stage {
            Stage::Failed(error) => error.retry_after_seconds.map(|seconds| seconds.saturating_mul(1_000)),
            _ => None,
        })?;
        Some(wait_ms.saturating_sub(self.passed_ms()))
    }

    /// Why nothing can be analysed now.
    pub fn blocked(self) -> Option<String> {
        if self.feed.level() != Level::MajorOutage {
            return None;
        }
        let reset = self.feed.next_reset();
        Some(self.feed.live.with(|live| text::live::blocked(&live.status, reset)))
    }

    pub fn is_wrong(self, field: Field) -> bool {
        self.problem
            .with(|problem| problem.as_ref().is_some_and(|problem| problem.field == field))
    }
}

/// How a finished answer can be kept as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The text alone.
    Markdown,
    /// All that the API answers: text, model, tokens, attempts.
    Json,
}

/// What people and the browser do to the composer.
pub enum Act {
    Hydrated,
    Submit {
        fresh: bool,
    },
    Stop,
    Choose,
    DragOver(leptos::ev::DragEvent),
    Drop(leptos::ev::DragEvent),
    Paste(leptos::ev::ClipboardEvent),
    Remove(u32),
    /// Put the n-th example into the prompt.
    Example(usize),
    Show(Tab),
    Download(FileKind),
    /// Back to the prompt, to change it.
    Edit,
    Jump,
}

#[cfg(target_arch = "wasm32")]
pub fn act(state: Composing, act: Act) {
    super::drive::act(state, act);
}

/// Nobody acts on the server, and effects do not run there.
#[cfg(not(target_arch = "wasm32"))]
pub fn act(_: Composing, _: Act) {}

#[cfg(test)]
mod tests {
    use super::{Field, Problem};
    use crate::error::{AppError, ErrorCode};

    #[test]
    fn an_error_with_a_known_field_belongs_beside_it() {
        let error = AppError::new(ErrorCode::BadRequest, "Too hot.").field("temperature");
        assert_eq!(
            Problem::from_error(&error),
            Some(Problem {
                field: Field::Temperature,
                text: "Too hot.".to_owned()
            })
        );
        assert_eq!(
            Problem::from_error(&AppError::new(ErrorCode::BadRequest, "x").field("maxRetries")),
            None
        );
        assert_eq!(Problem::from_error(&AppError::new(ErrorCode::Internal, "x")), None);
    }
}

//! What one call gets: a reply, how it opens, how it is cut.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::fixtures;

/// What one call gets. Build it from a reply and add disturbances: `Behaviour::answer().stall_after_bytes(120)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use = "a behaviour does nothing until it is scripted"]
pub struct Behaviour {
    /// The content.
    pub reply: Reply,
    /// What happens before the status line is sent.
    pub opening: Opening,
    /// Overrides the pace: the body in pieces of a given size, whatever the boundaries of its frames.
    pub chunking: Option<Chunking>,
    /// Ends the body early. A body shorter than the cut is cut at its end.
    pub cut: Option<Cut>,
}

/// The content of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The normal one: checks the request, counts it against the quotas, and answers.
    #[default]
    Answer,
    /// A body of the corpus with its status, verbatim, whatever was asked. See [`fixtures::all`].
    Fixture(String),
    /// Anything else.
    Respond {
        /// HTTP status, 100–999.
        status: u16,
        /// Names and values. Without a `content-type` it is JSON.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Sent as it is.
        #[serde(default)]
        body: String,
    },
    /// Bytes that are no text, such as a compressed body.
    Bytes {
        /// HTTP status, 100–999.
        status: u16,
        /// Names and values. Without a `content-type` it is JSON.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// What is sent, in Base64.
        base64: String,
    },
    /// A well-formed answer in one line whose text is this long, never held in memory.
    Huge {
        /// Length of the text; the JSON around it comes on top.
        bytes: u64,
    },
}

/// What happens before the status line is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// It is sent at once.
    #[default]
    Prompt,
    /// It is sent after a delay in milliseconds of real time.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// It is never sent; the connection stays open.
    Hang,
    /// The connection is reset instead.
    Reset,
}

/// Pieces of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunking {
    /// Size of a piece, at least 1.
    pub bytes: usize,
    /// Real time between two pieces, in milliseconds.
    pub pause_ms: u64,
}

/// The early end of a body, after so many bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Then nothing more comes; the connection stays open.
    Stall {
        /// Bytes of the body that are sent.
        after_bytes: u64,
    },
    /// Then the connection is reset (TCP RST). Exact while the caller keeps reading; the kernel may drop bytes on their way.
    Reset {
        /// Bytes of the body that are sent.
        after_bytes: u64,
    },
    /// Then the body ends as if it were whole.
    Truncate {
        /// Bytes of the body that are sent.
        after_bytes: u64,
    },
}

impl Cut {
    /// How many bytes of the body are sent before it.
    pub(crate) fn after_bytes(self) -> u64 {
        match self {
            Self::Stall { after_bytes } | Self::Reset { after_bytes } | Self::Truncate { after_bytes } => after_bytes,
        }
    }
}

impl From<Reply> for Behaviour {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            ..Self::default()
        }
    }
}

impl Behaviour {
    /// The normal answer.
    pub fn answer() -> Self {
        Self::default()
    }

    /// A body of the corpus by its name, such as `"minute-requests"`.
    ///
    /// # Panics
    /// When the corpus has no such body: a misspelt name in a test must not pass for a provider's failure.
    #[track_caller]
    pub fn fixture(name: &str) -> Self {
        assert!(
            fixtures::get(name).is_some(),
            "the corpus has no fixture named {name:?}"
        );
        Reply::Fixture(name.to_owned()).into()
    }

    /// A hand-made JSON reply. For other headers see [`Reply::Respond`] and [`Behaviour::with_header`].
    pub fn respond(status: u16, body: impl Into<String>) -> Self {
        Reply::Respond {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
        .into()
    }

    /// A hand-made reply of any bytes.
    pub fn respond_bytes(status: u16, bytes: &[u8]) -> Self {
        Reply::Bytes {
            status,
            headers: Vec::new(),
            base64: BASE64_STANDARD.encode(bytes),
        }
        .into()
    }

    /// An answer whose text has this many bytes.
    pub fn huge_body(bytes: u64) -> Self {
        Reply::Huge { bytes }.into()
    }

    /// Adds a header to [`Reply::Respond`] and [`Reply::Bytes`]; other replies stay as they are.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Reply::Respond { headers, .. } | Reply::Bytes { headers, .. } = &mut self.reply {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Waits before the status line, in milliseconds of real time.
    pub fn delayed_ms(mut self, ms: u64) -> Self {
        self.opening = Opening::Delay { ms };
        self
    }

    /// Never sends a status line.
    pub fn hang_before_headers(mut self) -> Self {
        self.opening = Opening::Hang;
        self
    }

    /// Resets the connection instead of sending a status line.
    pub fn reset_before_headers(mut self) -> Self {
        self.opening = Opening::Reset;
        self
    }

    /// Sends the body in pieces of `bytes` with a pause between them.
    pub fn chunked(mut self, bytes: usize, pause_ms: u64) -> Self {
        self.chunking = Some(Chunking {
            bytes: bytes.max(1),
            pause_ms,
        });
        self
    }

    /// Sends so many bytes of the body, then nothing more.
    pub fn stall_after_bytes(mut self, after_bytes: u64) -> Self {
        self.cut = Some(Cut::Stall { after_bytes });
        self
    }

    /// Sends so many bytes of the body, then resets the connection.
    pub fn reset_after_bytes(mut self, after_bytes: u64) -> Self {
        self.cut = Some(Cut::Reset { after_bytes });
        self
    }

    /// Sends so many bytes of the body and ends it cleanly.
    pub fn truncate_after_bytes(mut self, after_bytes: u64) -> Self {
        self.cut = Some(Cut::Truncate { after_bytes });
        self
    }
}

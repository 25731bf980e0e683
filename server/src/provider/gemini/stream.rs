//! Bytes of a successful answer into chunks. A body that is one JSON value is read the same way: it is all tail.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::Sleep;

use super::judge::{End, Judge};
use super::sse::EventReader;
use crate::provider::{Chunk, Failure};

/// How long a complete answer waits for its connection to end, so that it can be used again and late usage is counted.
const END_GRACE: Duration = Duration::from_millis(100);

/// What some bytes brought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Step {
    /// None of them is empty.
    pub(super) texts: Vec<String>,
    /// Set when nothing more follows.
    pub(super) end: Option<Result<Chunk, Failure>>,
}

/// The pure part: the same bytes give the same chunks, however they are split.
#[derive(Debug)]
pub(super) struct Reader {
    events: EventReader,
    judge: Judge,
}

impl Reader {
    pub(super) fn new(http_status: u16, line_bytes_max: usize, body_bytes_max: usize) -> Self {
        Self {
            events: EventReader::new(line_bytes_max, body_bytes_max),
            judge: Judge::new(http_status),
        }
    }

    /// Bytes as they come.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Step {
        let mut events = Vec::new();
        let pushed = self.events.push(bytes, &mut events);
        let mut texts = Vec::new();
        for event in events {
            if let Err(failure) = self.judge.take(&event, &mut texts) {
                return Step {
                    texts,
                    end: Some(Err(failure)),
                };
            }
        }
        let end = pushed.err().map(|_| self.judge.end(End::TooLarge, true));
        Step { texts, end }
    }

    /// No more bytes come. What is left over may still hold the answer or the error that ended it.
    pub(super) fn end(&mut self, end: End) -> Step {
        let rest = self.events.rest();
        let mut texts = Vec::new();
        let mut garbled = false;
        let bare = Some(rest.bare).filter(|bare| !bare.is_empty());
        for left in rest.data.into_iter().chain(bare) {
            if serde_json::from_slice::<serde::de::IgnoredAny>(&left).is_err() {
                // Cut JSON is a truncation, not a verdict of the provider.
                garbled = true;
            } else if let Err(failure) = self.judge.take(&left, &mut texts) {
                return Step {
                    texts,
                    end: Some(Err(failure)),
                };
            }
        }
        Step {
            texts,
            end: Some(self.judge.end(end, garbled)),
        }
    }
}

/// Reads `body` to its end, its failure or its time limits. Dropping it drops `body`, and with it the connection.
/// `total` bounds the whole call and runs already.
pub(super) fn answer<B, E>(
    body: B,
    mut reader: Reader,
    idle_timeout: Duration,
    total: Sleep,
) -> impl Stream<Item = Result<Chunk, Failure>> + Send + use<B, E>
where
    B: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send,
{
    async_stream::stream! {
        let mut body = Box::pin(body);
        let mut total = Box::pin(total);
        loop {
            let wait = if reader.judge.is_finished() { END_GRACE } else { idle_timeout };
            let step = tokio::select! {
                biased;
                () = &mut total => reader.end(End::TimedOut),
                piece = tokio::time::timeout(wait, body.next()) => match piece {
                    Ok(Some(Ok(bytes))) => reader.push(&bytes),
                    Ok(Some(Err(_))) => reader.end(End::Broken),
                    Ok(None) => reader.end(End::Closed),
                    Err(_) => reader.end(End::TimedOut),
                },
            };
            for text in step.texts {
                yield Ok(Chunk::Text(text));
            }
            if let Some(end) = step.end {
                // Whoever holds on to the answer must not hold on to the connection.
                drop(body);
                yield end;
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Bodies of requests: how slowly they may come, and how much of all of them is held at once.

mod budget;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::limits::ServeLimits;
use crate::http::body::BODY_BYTES_MAX;

pub(in crate::http) use budget::{Sender, at_most, discarded, sent_by};
pub(super) use budget::{Share, UploadBudget};

/// Why a body is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum BodyFault {
    #[error("the body comes too slowly")]
    TooSlow,
    #[error("too many uploads are under way")]
    NoRoom,
    #[error("the body broke off")]
    BrokeOff,
}

/// How a body comes, since it is read.
struct Pace {
    limits: ServeLimits,
    /// The next piece.
    piece_by: Instant,
    window_ends: Instant,
    in_window: u64,
    /// All of it.
    whole_by: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    fn new(limits: ServeLimits, is_upload: bool) -> Self {
        let now = Instant::now();
        let whole = if is_upload {
            limits.upload_whole
        } else {
            limits.body_whole
        };
        Self {
            limits,
            piece_by: now + limits.body_piece,
            window_ends: now + limits.body_window,
            in_window: 0,
            whole_by: now + whole,
            timer: None,
        }
    }

    fn came(&mut self, bytes: usize) {
        self.in_window += bytes as u64;
        self.piece_by = Instant::now() + self.limits.body_piece;
    }

    /// A fast beginning does not pay for a slow rest: each window counts for itself.
    fn is_too_slow(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.whole_by || now >= self.piece_by {
            return true;
        }
        if now >= self.window_ends {
            let rate = u128::from(self.limits.body_bytes_per_second_min);
            let least = self.limits.body_window.as_millis() * rate / 1_000;
            if u128::from(self.in_window) < least {
                return true;
            }
            self.in_window = 0;
            self.window_ends = now + self.limits.body_window;
        }
        false
    }

    /// As [`Pace::is_too_slow`], and looks again when it may be.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.is_too_slow() {
            let next = self.piece_by.min(self.window_ends).min(self.whole_by);
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
            timer.as_mut().reset(next);
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        true
    }
}

/// A body that ends with a [`BodyFault`] when its caller takes too long or there is no room for it.
pub(super) struct BoundedBody {
    body: Incoming,
    limits: ServeLimits,
    share: Arc<Share>,
    pace: Option<Pace>,
}

impl BoundedBody {
    pub(super) fn new(body: Incoming, limits: ServeLimits, share: Arc<Share>) -> Self {
        Self {
            body,
            limits,
            share,
            pace: None,
        }
    }
}

impl HttpBody for BoundedBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        let pace = match &mut this.pace {
            Some(pace) => pace,
            None if !this.share.has_room_for(this.body.size_hint().exact()) => {
                return Poll::Ready(Some(Err(BodyFault::NoRoom)));
            }
            none => none.insert(Pace::new(this.limits, this.share.bytes_max() > BODY_BYTES_MAX)),
        };
        let Poll::Ready(piece) = Pin::new(&mut this.body).poll_frame(cx) else {
            return if pace.poll_too_slow(cx) {
                Poll::Ready(Some(Err(BodyFault::TooSlow)))
            } else {
                Poll::Pending
            };
        };
        let Some(Ok(frame)) = piece else {
            return Poll::Ready(piece.map(|_| Err(BodyFault::BrokeOff)));
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        pace.came(bytes);
        Poll::Ready(Some(if !this.share.take(bytes) {
            Err(BodyFault::NoRoom)
        } else if !this.body.is_end_stream() && pace.is_too_slow() {
            Err(BodyFault::TooSlow)
        } else {
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

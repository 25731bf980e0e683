//! Bodies of requests: how slowly they may come, and how much of all of them is held at once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::limits::ServeLimits;
use crate::http::body::UPLOAD_BYTES_MAX;

/// So much of every body is always taken: nobody's uploads keep others from signing in.
const ALWAYS_TAKEN: usize = 64 * 1024;

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

pub(super) struct UploadBudget {
    bytes_max: usize,
    held: AtomicUsize,
}

impl UploadBudget {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            held: AtomicUsize::new(0),
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.held.load(Ordering::Relaxed).saturating_add(bytes) <= self.bytes_max
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|held| *held <= self.bytes_max)
        });
        taken.is_ok()
    }
}

/// One request's part of the budget; given back when the request has ended, because what was read lives on in it.
pub(super) struct Share {
    budget: Arc<UploadBudget>,
    came: AtomicUsize,
    taken: AtomicUsize,
}

impl Share {
    pub(super) fn new(budget: &Arc<UploadBudget>) -> Arc<Self> {
        Arc::new(Self {
            budget: Arc::clone(budget),
            came: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        })
    }

    fn has_room_for(&self, declared: Option<u64>) -> bool {
        let declared = declared.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let counted = declared.min(UPLOAD_BYTES_MAX);
        counted <= ALWAYS_TAKEN || self.budget.has_room(counted - ALWAYS_TAKEN)
    }

    /// More bytes of one request than are ever kept are thrown away as they come.
    fn take(&self, bytes: usize) -> bool {
        let came = self.came.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let wanted = came.min(UPLOAD_BYTES_MAX).saturating_sub(ALWAYS_TAKEN);
        let more = wanted.saturating_sub(self.taken.load(Ordering::Relaxed));
        if !self.budget.take(more) {
            return false;
        }
        self.taken.fetch_add(more, Ordering::Relaxed);
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(*self.taken.get_mut(), Ordering::Relaxed);
    }
}

/// A body that ends with a [`BodyFault`] when its caller takes too long or there is no room for it.
pub(super) struct BoundedBody {
    body: Incoming,
    limits: ServeLimits,
    share: Arc<Share>,
    /// Since it is read.
    begun: Option<Instant>,
    bytes: u64,
    patience: Option<Pin<Box<Sleep>>>,
}

impl BoundedBody {
    pub(super) fn new(body: Incoming, limits: ServeLimits, share: Arc<Share>) -> Self {
        Self {
            body,
            limits,
            share,
            begun: None,
            bytes: 0,
            patience: None,
        }
    }

    fn is_too_slow(&self, begun: Instant) -> bool {
        let took = begun.elapsed();
        took > self.limits.body_start && self.bytes < took.as_secs() * self.limits.body_bytes_per_second_min
    }
}

impl HttpBody for BoundedBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let begun = match self.begun {
            Some(begun) => begun,
            None if !self.share.has_room_for(self.body.size_hint().exact()) => {
                return Poll::Ready(Some(Err(BodyFault::NoRoom)));
            }
            None => *self.begun.insert(Instant::now()),
        };
        let Poll::Ready(piece) = Pin::new(&mut self.body).poll_frame(cx) else {
            let limit = self.limits.body_piece;
            let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            return match patience.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(BodyFault::TooSlow))),
                Poll::Pending => Poll::Pending,
            };
        };
        self.patience = None;
        let Some(Ok(frame)) = piece else {
            return Poll::Ready(piece.map(|_| Err(BodyFault::BrokeOff)));
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.bytes += bytes as u64;
        Poll::Ready(Some(if !self.share.take(bytes) {
            Err(BodyFault::NoRoom)
        } else if !self.body.is_end_stream() && self.is_too_slow(begun) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_uploads_are_bounded_and_come_back_with_their_requests() {
        let budget = Arc::new(UploadBudget::new(1_000_000));
        let (one, other) = (Share::new(&budget), Share::new(&budget));
        assert!(one.take(600_000) && one.take(400_000));
        assert!(!other.has_room_for(Some(200_000)), "refused before it is read");
        assert!(other.take(64 * 1024), "small ones are always taken");
        assert!(!other.take(100_000));
        drop(one);
        assert!(other.has_room_for(Some(200_000)) && other.take(100_000));
        drop(other);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_thrown_away_is_not_held() {
        let budget = Arc::new(UploadBudget::new(UPLOAD_BYTES_MAX));
        let share = Share::new(&budget);
        assert!((0..100).all(|_| share.take(1024 * 1024)));
        assert_eq!(budget.held.load(Ordering::Relaxed), UPLOAD_BYTES_MAX - ALWAYS_TAKEN);
    }
}

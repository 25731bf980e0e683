//! Sends a body: in pieces, with pauses, and cut where the script says so.

use std::convert::Infallible;
use std::future::pending;
use std::iter::Peekable;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;

use crate::behaviour::{Chunking, Cut};
use crate::calls::OpenCall;
use crate::connection::Connection;

/// Pieces of a body, each with the pause before it in milliseconds.
pub(crate) type Pieces = Box<dyn Iterator<Item = (u64, Bytes)> + Send>;

/// A whole body without pauses.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Pieces {
    let bytes = bytes.into();
    Box::new((!bytes.is_empty()).then_some((0, bytes)).into_iter())
}

/// Cuts a body anew into pieces of one size; the pauses it had are replaced.
pub(crate) fn rechunk(pieces: Pieces, chunking: Chunking) -> Pieces {
    let size = chunking.bytes.max(1);
    let mut pieces = pieces.map(|(_, bytes)| bytes);
    let mut buffer = BytesMut::new();
    let mut first = true;
    Box::new(std::iter::from_fn(move || {
        while buffer.len() < size {
            let Some(bytes) = pieces.next() else { break };
            buffer.extend_from_slice(&bytes);
        }
        let piece = buffer.split_to(size.min(buffer.len())).freeze();
        let pause_ms = if std::mem::take(&mut first) {
            0
        } else {
            chunking.pause_ms
        };
        (!piece.is_empty()).then_some((pause_ms, piece))
    }))
}

/// The body that plays these pieces. The call is over when its last byte is handed over, or at the cut.
pub(crate) fn body(pieces: Pieces, cut: Option<Cut>, mut call: OpenCall, connection: Connection) -> Body {
    let mut pieces = pieces.peekable();
    if cut.is_none() && pieces.peek().is_none() {
        // hyper does not poll a body that has no bytes.
        call.answered();
        return Body::empty();
    }
    let left = cut.map_or(u64::MAX, Cut::after_bytes);
    let sending = Sending {
        pieces,
        cut,
        left,
        call,
        connection,
    };
    Body::from_stream(stream::unfold(sending, |mut sending| async move {
        let bytes = sending.next().await?;
        Some((Ok::<_, Infallible>(bytes), sending))
    }))
}

struct Sending {
    pieces: Peekable<Pieces>,
    cut: Option<Cut>,
    /// Bytes until the cut.
    left: u64,
    call: OpenCall,
    connection: Connection,
}

impl Sending {
    async fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return self.end().await;
        }
        let Some((pause_ms, mut bytes)) = self.pieces.next() else {
            return self.end().await;
        };
        if pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        self.call.sent(bytes.len());
        // With a length in its head the body is not polled again after its last byte, so the end must be told before.
        if self.cut.is_none() && self.pieces.peek().is_none() {
            self.call.answered();
        }
        Some(bytes)
    }

    async fn end(&mut self) -> Option<Bytes> {
        match self.cut {
            None | Some(Cut::Truncate { .. }) => self.call.answered(),
            Some(Cut::Stall { .. }) => pending().await,
            Some(Cut::Reset { .. }) => {
                // One turn for hyper to flush what it was given: it does so when the body has nothing ready.
                tokio::task::yield_now().await;
                self.call.answered();
                self.connection.reset();
                pending::<()>().await;
            }
        }
        None
    }
}

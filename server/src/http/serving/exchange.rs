//! One request and its answer, between hyper and the router.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use app::error::{AppError, ErrorCode};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{self, HeaderValue, Version, header};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, Incoming, SizeHint};
use tower::Service as _;

use super::Shared;
use super::state::{ConnectionState, Request};
use super::upload::{BoundedBody, Share};
use crate::http::connection::Connection;
use crate::http::layers::failure_body;

/// An answer that tells the connection how far it has come.
pub(super) struct Answer {
    body: Body,
    request: Request,
    /// What was uploaded may be held as long as it is answered.
    _share: Arc<Share>,
}

/// Begins at once, so that the connection knows that the head is whole.
pub(super) fn answer(
    request: http::Request<Incoming>,
    connection: Connection,
    state: &Arc<ConnectionState>,
    shared: &Arc<Shared>,
) -> impl Future<Output = http::Response<Answer>> + Send + use<> {
    let (under_way, two_lengths) = state.begin(request.version());
    let shared = Arc::clone(shared);
    async move {
        let is_http2 = request.version() == Version::HTTP_2;
        // Where a body ends is not beyond doubt to everybody: what follows it must not be taken for a request.
        let mut is_last = !is_http2 && request.headers().contains_key(header::TRANSFER_ENCODING);
        let share = Share::new(&shared.uploads, connection.peer.ip());
        let mut response = if two_lengths {
            is_last = true;
            two_lengths_refused()
        } else {
            let mut request = request.map(|body| Body::new(BoundedBody::new(body, shared.limits, Arc::clone(&share))));
            request.extensions_mut().insert(ConnectInfo(connection));
            let mut router = shared.router.clone();
            let Ok(response) = share.within(router.call(request)).await;
            response
        };
        if is_last || (!is_http2 && shared.draining.is_cancelled()) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        // Nobody has asked for the body yet, and perhaps never will.
        under_way.handed_over(0);
        response.map(|body| Answer {
            body,
            request: under_way,
            _share: share,
        })
    }
}

fn two_lengths_refused() -> http::Response<Body> {
    let error = AppError::new(
        ErrorCode::BadRequest,
        "The request gives both Content-Length and Transfer-Encoding: send one of them.",
    );
    (http::StatusCode::BAD_REQUEST, axum::Json(failure_body(&error))).into_response()
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.request.asked_for();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(piece)) = &polled {
            let data = piece.as_ref().ok().and_then(Frame::data_ref);
            self.request.handed_over(data.map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

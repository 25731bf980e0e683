//! A request under way that several may wait for.

use std::sync::Arc;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{Progress, StreamEvent};
use futures::{Stream, StreamExt, stream};
use tokio::sync::{mpsc, watch};
use tracing::debug;

use super::records::Found;
use super::{Idempotency, Scope, Work};
use crate::analysis;
use crate::store::Digest;

/// How long the one that began may not read while others wait.
const LEADER_PATIENCE: Duration = Duration::from_secs(2);

/// What all who wait are told. Without a receiver nobody waits.
pub(super) struct Flight {
    pub request: Digest,
    pub news: watch::Sender<News>,
}

#[derive(Default)]
pub(super) struct News {
    /// Whether the answer was kept from before; absent while nobody knows.
    was_kept: Option<bool>,
    /// The newest, and how many there were.
    status: (u64, Option<Progress>),
    /// The one that began read too slowly, and gets nothing more.
    is_leader_left_behind: bool,
    /// `Done` or `Error`.
    end: Option<StreamEvent>,
}

impl News {
    pub(super) fn has_begun(&self) -> bool {
        self.was_kept.is_some() || self.end.is_some()
    }

    /// Whether it was kept from before; the error when it could not begin.
    pub(super) fn begun(&self, request_id: &str) -> Result<bool, AppError> {
        match (&self.was_kept, &self.end) {
            (None, Some(StreamEvent::Error(error))) => Err(AppError {
                request_id: Some(request_id.to_owned()),
                ..AppError::clone(error)
            }),
            (was_kept, _) => Ok(*was_kept == Some(true)),
        }
    }
}

impl Flight {
    pub(super) fn new(request: Digest) -> (Arc<Self>, watch::Receiver<News>) {
        let (news, seat) = watch::channel(News::default());
        (Arc::new(Self { request, news }), seat)
    }

    fn begin(&self, was_kept: bool) {
        self.news.send_modify(|news| news.was_kept = Some(was_kept));
    }

    fn tell(&self, progress: &Progress) {
        self.news.send_modify(|news| {
            news.status = (news.status.0 + 1, Some(progress.clone()));
        });
    }
}

/// Whoever comes after it begins anew, however it ended.
struct Landing {
    idempotency: Arc<Idempotency>,
    scope: Scope,
    flight: Arc<Flight>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.idempotency.remove(&self.scope, &self.flight);
    }
}

impl Idempotency {
    /// Does the work, keeps what came of it, and only then tells it: who sends the request again finds it.
    pub(super) async fn fly(
        self: Arc<Self>,
        scope: Scope,
        flight: Arc<Flight>,
        leader: mpsc::Sender<StreamEvent>,
        work: Work,
    ) {
        let landing = Landing {
            idempotency: Arc::clone(&self),
            scope: scope.clone(),
            flight: Arc::clone(&flight),
        };
        let found = self.records.begin(&scope, flight.request, self.clock.now()).await;
        let end = match found {
            Ok(Found::Nothing) => {
                flight.begin(false);
                let Some(end) = self.work(&scope, &flight, leader, work).await else {
                    debug!("everybody who waited for a request has left");
                    return;
                };
                match &end {
                    StreamEvent::Done(result) => {
                        self.records
                            .finish(&scope, flight.request, result, self.clock.now())
                            .await;
                    }
                    _ => self.records.abandon(&scope).await,
                }
                end
            }
            Ok(Found::Answer(result)) => {
                flight.begin(true);
                StreamEvent::Done(result)
            }
            Err(error) => StreamEvent::Error(Box::new(error)),
        };
        drop(landing);
        flight.news.send_modify(|news| news.end = Some(end));
    }

    /// Up to the last event; `None` when nobody waits for that any more.
    async fn work(
        &self,
        scope: &Scope,
        flight: &Arc<Flight>,
        leader: mpsc::Sender<StreamEvent>,
        work: Work,
    ) -> Option<StreamEvent> {
        let events = analysis::run(work.deps, work.request, work.caller, work.mode);
        let mut events = std::pin::pin!(events);
        let mut leader = Some(leader);
        loop {
            let event = tokio::select! {
                biased;
                () = self.deserted(scope, flight) => return None,
                () = self.finish.cancelled() => return None,
                event = events.next() => event,
            };
            match event {
                Some(end @ (StreamEvent::Done(_) | StreamEvent::Error(_))) => return Some(end),
                None => return Some(StreamEvent::Error(Box::new(AppError::internal()))),
                Some(event) => {
                    if let StreamEvent::Status(progress) = &event {
                        flight.tell(progress);
                    }
                    let passed_on = tokio::select! {
                        biased;
                        () = self.deserted(scope, flight) => return None,
                        () = self.finish.cancelled() => return None,
                        passed_on = pass_on(flight, &mut leader, event) => passed_on,
                    };
                    if !passed_on {
                        leader = None;
                    }
                }
            }
        }
    }

    /// Returns when nobody waits; from then on nobody can come to wait.
    async fn deserted(&self, scope: &Scope, flight: &Arc<Flight>) {
        loop {
            flight.news.closed().await;
            let mut flights = self.lock();
            // Somebody may have come between the last one's leaving and the lock.
            if flight.news.receiver_count() == 0 {
                flights.remove(scope);
                return;
            }
        }
    }

    fn remove(&self, scope: &Scope, flight: &Arc<Flight>) {
        let mut flights = self.lock();
        if flights.get(scope).is_some_and(|other| Arc::ptr_eq(other, flight)) {
            flights.remove(scope);
        }
    }
}

/// Gives it to the one that began, at its pace. `false` when that has left, or reads too slowly for those who wait too.
async fn pass_on(flight: &Flight, leader: &mut Option<mpsc::Sender<StreamEvent>>, event: StreamEvent) -> bool {
    let Some(leader) = leader else { return false };
    let others_waited = async {
        loop {
            tokio::time::sleep(LEADER_PATIENCE).await;
            if flight.news.receiver_count() > 1 {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        sent = leader.send(event) => sent.is_ok(),
        () = others_waited => {
            // Before its channel is closed, or it would take the end for its own.
            flight.news.send_modify(|news| news.is_leader_left_behind = true);
            false
        }
    }
}

/// All events, for the request that began it. `seat` says that somebody waits.
pub(super) fn lead(
    events: mpsc::Receiver<StreamEvent>,
    seat: watch::Receiver<News>,
    request_id: String,
) -> impl Stream<Item = StreamEvent> + Send {
    stream::unfold(Some((events, seat, request_id)), |waiting| async {
        let (mut events, mut seat, request_id) = waiting?;
        if let Some(event) = events.recv().await {
            return Some((event, Some((events, seat, request_id))));
        }
        let news = seat
            .wait_for(|news| news.is_leader_left_behind || news.end.is_some())
            .await;
        let end = match news {
            Ok(news) if news.is_leader_left_behind => Some(left_behind()),
            Ok(news) => news.end.clone(),
            Err(_) => None,
        };
        Some((own(end, request_id), None))
    })
}

/// Pieces of the answer are missing from here on, so its end is kept back too.
fn left_behind() -> StreamEvent {
    let message = "The answer was read too slowly while others waited for it. Send the request again with the same \
                   Idempotency-Key to get it whole.";
    StreamEvent::Error(Box::new(AppError::new(ErrorCode::RequestTimeout, message)))
}

/// Where it stands and how it ends, for the others.
pub(super) fn follow(news: watch::Receiver<News>, request_id: String) -> impl Stream<Item = StreamEvent> + Send {
    stream::unfold(Some((news, request_id, 0)), |waiting| async {
        let (mut news, request_id, seen) = waiting?;
        loop {
            let (status, end) = {
                let now = news.borrow_and_update();
                (now.status.clone(), now.end.clone())
            };
            if let Some(end) = end {
                return Some((own(Some(end), request_id), None));
            }
            if let (count, Some(progress)) = status
                && count > seen
            {
                return Some((StreamEvent::Status(progress), Some((news, request_id, count))));
            }
            if news.changed().await.is_err() {
                // It may have ended between the look and the wait.
                let end = news.borrow().end.clone();
                return Some((own(end, request_id), None));
            }
        }
    })
}

/// The end as this request's: errors carry the id of the request that they answer.
fn own(end: Option<StreamEvent>, request_id: String) -> StreamEvent {
    match end {
        Some(StreamEvent::Error(mut error)) => {
            error.request_id = Some(request_id);
            StreamEvent::Error(error)
        }
        Some(end) => end,
        None => {
            let mut error = AppError::internal();
            error.request_id = Some(request_id);
            StreamEvent::Error(Box::new(error))
        }
    }
}

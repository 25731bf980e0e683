//! The seed's performance test: one real request, as a caller makes it, as short as can be.

use std::sync::Arc;

use app::types::{AnalyzeRequest, PerformanceTest};
use tokio::time::Instant;

use crate::analysis::{self, Caller, Deps};

const PROMPT: &str = "Reply with OK";
/// Models that think first need room for that before they write two letters.
const OUTPUT_TOKENS_MAX: u32 = 256;

/// Goes the way of every request: the pool, the provider, another key where one fails. It is nobody's, so no history keeps
/// it, and it is never answered from the cache.
pub(super) async fn run(deps: &Arc<Deps>) -> PerformanceTest {
    let request = AnalyzeRequest {
        prompt: PROMPT.to_owned(),
        max_output_tokens: Some(OUTPUT_TOKENS_MAX),
        fresh: Some(true),
        ..AnalyzeRequest::default()
    };
    let caller = Caller {
        user_id: String::new(),
        request_id: uuid::Uuid::now_v7().to_string(),
        surface: "doctor",
        user_agent: None,
        token_id: None,
    };
    let started = Instant::now();
    let result = analysis::run_whole(Arc::clone(deps), request, caller).await;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(answer) => PerformanceTest {
            passed: true,
            ms,
            model: answer.model,
            key_number: answer.attempts.last().map(|attempt| attempt.key_number),
            error: None,
        },
        Err(error) => PerformanceTest {
            passed: false,
            ms,
            model: deps.text_model.clone(),
            key_number: None,
            error: Some(error.message),
        },
    }
}

-- Rollups of all outcomes together, so that questions that do not ask how events ended read no row for each way to fail:
-- grains 4 to 7 are 0 to 3 with outcome and error type added up.

INSERT INTO usage_rollups
SELECT level, grain + 4, kind, key_id, model, start, operation, 0, 0,
    sum(count), sum(successes), sum(quota_errors), sum(cached), sum(response_time_ms), sum(prompt_tokens), sum(output_tokens),
    sum(cached_tokens), sum(thought_tokens), sum(total_tokens), min(first_at), max(last_at), latency_total(times),
    latency_total(first_tokens)
FROM usage_rollups
GROUP BY level, grain, kind, key_id, model, start, operation;

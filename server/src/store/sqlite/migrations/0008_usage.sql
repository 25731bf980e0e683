-- Usage, laid out for hundreds of millions of events: words and callers are stored once, events lie in the order of time,
-- and what dashboards ask for is added up as events arrive.

-- Models, operations, outcomes and the like. Few, and kept: rollups of years ago name them.
CREATE TABLE usage_words (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    word TEXT NOT NULL UNIQUE
) STRICT;

-- Who called. A row that is removed makes its events forget whose they were; its id is never given to another.
CREATE TABLE usage_callers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Empty where there is none.
    user_id TEXT NOT NULL,
    token_id TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    -- Of the last event, since the Unix epoch.
    last_day INTEGER NOT NULL,
    UNIQUE (user_id, token_id, user_agent)
) STRICT;

-- Keys that rollups name, so that each is looked up where it lies.
CREATE TABLE usage_keys (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;

-- Ids of events and requests are UUIDs: 16 bytes, or a text where they are none. Words are their ids, absent ones 0.
CREATE TABLE usage_log (
    at INTEGER NOT NULL,
    id ANY NOT NULL,
    -- 0 request, 1 attempt.
    kind INTEGER NOT NULL,
    request_id ANY NOT NULL,
    key_id INTEGER,
    attempts INTEGER NOT NULL,
    project INTEGER NOT NULL,
    model INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    surface INTEGER NOT NULL,
    success INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    error_type INTEGER NOT NULL,
    response_time_ms INTEGER NOT NULL,
    first_token_ms INTEGER,
    prompt_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    thought_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    caller INTEGER NOT NULL,
    PRIMARY KEY (at, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_log_by_request ON usage_log (request_id);

-- Level: 0 minute, 1 quarter, 2 hour, 3 day; start counts them since the Unix epoch. Grain: 0 total, 1 by key, 2 by model,
-- 3 by key, model and operation; what it adds up over is 0, as is an absent key, error type or word.
CREATE TABLE usage_rollups (
    level INTEGER NOT NULL,
    grain INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    model INTEGER NOT NULL,
    start INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    error_type INTEGER NOT NULL,
    count INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    quota_errors INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    response_time_ms INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    thought_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    -- Distributions, as `latency.rs` encodes them.
    times BLOB NOT NULL,
    first_tokens BLOB NOT NULL,
    PRIMARY KEY (level, grain, kind, key_id, model, start, operation, outcome, error_type)
) STRICT, WITHOUT ROWID;

-- What was recorded before.
INSERT OR IGNORE INTO usage_words (word)
SELECT model FROM usage_events UNION SELECT operation FROM usage_events UNION SELECT surface FROM usage_events
UNION SELECT outcome FROM usage_events UNION SELECT error_type FROM usage_events WHERE error_type IS NOT NULL
UNION SELECT project FROM usage_events WHERE project IS NOT NULL;

INSERT INTO usage_callers (user_id, token_id, user_agent, last_day)
SELECT coalesce(user_id, ''), coalesce(token_id, ''), coalesce(user_agent, ''), max(at) / 86400000
FROM usage_events
WHERE coalesce(user_id, token_id, user_agent) IS NOT NULL
GROUP BY 1, 2, 3;

INSERT OR IGNORE INTO usage_keys (id, number)
SELECT DISTINCT key_id, key_number FROM usage_events WHERE key_id IS NOT NULL AND key_number IS NOT NULL;

INSERT INTO usage_log
SELECT at, usage_events.id, CASE kind WHEN 'request' THEN 0 ELSE 1 END, request_id, key_id,
    CASE kind WHEN 'request' THEN 0 ELSE 1 END,
    coalesce((SELECT id FROM usage_words WHERE word = project), 0),
    (SELECT id FROM usage_words WHERE word = model),
    (SELECT id FROM usage_words WHERE word = operation),
    (SELECT id FROM usage_words WHERE word = surface),
    success,
    (SELECT id FROM usage_words WHERE word = outcome),
    coalesce((SELECT id FROM usage_words WHERE word = error_type), 0),
    response_time_ms, first_token_ms, prompt_tokens, output_tokens, cached_tokens, thought_tokens, total_tokens, cached,
    coalesce((
        SELECT id FROM usage_callers AS caller
        WHERE caller.user_id = coalesce(usage_events.user_id, '') AND caller.token_id = coalesce(usage_events.token_id, '')
            AND caller.user_agent = coalesce(usage_events.user_agent, '')
    ), 0)
FROM usage_events;

INSERT INTO usage_rollups
SELECT level.number, grain.number, kind, CASE WHEN grain.number IN (1, 3) THEN coalesce(key_id, 0) ELSE 0 END,
    CASE WHEN grain.number IN (2, 3) THEN model ELSE 0 END, at / level.ms,
    CASE WHEN grain.number = 3 THEN operation ELSE 0 END, outcome, error_type,
    count(*), sum(success), sum(error_type = coalesce((SELECT id FROM usage_words WHERE word = 'quota'), -1)), sum(cached),
    sum(response_time_ms), sum(prompt_tokens), sum(output_tokens), sum(cached_tokens), sum(thought_tokens), sum(total_tokens),
    min(at), max(at), latency_of(response_time_ms), latency_of(first_token_ms)
FROM usage_log,
    (SELECT 0 AS number, 60000 AS ms UNION ALL SELECT 1, 900000 UNION ALL SELECT 2, 3600000 UNION ALL SELECT 3, 86400000) AS level,
    (SELECT 0 AS number UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS grain
-- Minutes are kept for two days.
WHERE level.number > 0 OR at > (SELECT max(at) FROM usage_log) - 172800000
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

DROP TABLE usage_hours;
DROP TABLE usage_events;

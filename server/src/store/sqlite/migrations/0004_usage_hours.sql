-- Usage events counted by hour (hours since the Unix epoch, in UTC): a start counts the day from here, not from every event.
CREATE TABLE usage_hours (
    hour INTEGER NOT NULL,
    -- 0 where no key was asked.
    key_id INTEGER NOT NULL,
    key_number INTEGER,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    success INTEGER NOT NULL,
    count INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (hour, key_id, model, kind, outcome, success)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_hours (hour, key_id, key_number, model, kind, outcome, success, count, total_tokens, last_at)
SELECT at / 3600000, coalesce(key_id, 0), max(key_number), model, kind, outcome, success, count(*), sum(total_tokens), max(at)
FROM usage_events
GROUP BY at / 3600000, coalesce(key_id, 0), model, kind, outcome, success;

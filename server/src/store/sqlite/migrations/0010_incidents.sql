-- What rules found to be wrong, from when until when, and what people did about it.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    -- What of all that the rule looks at, such as `key/2`.
    subject TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'critical')),
    escalated INTEGER NOT NULL,
    message TEXT NOT NULL,
    -- What was usual when it opened.
    baseline REAL,
    opened_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    silenced_until INTEGER,
    resolved_at INTEGER,
    -- What people are still to be told of it.
    untold TEXT CHECK (untold IN ('opened', 'escalated', 'resolved'))
) STRICT, WITHOUT ROWID;

CREATE INDEX incidents_by_time ON incidents (opened_at DESC, id DESC);

-- One open incident a rule and subject.
CREATE UNIQUE INDEX incidents_open ON incidents (rule, subject) WHERE resolved_at IS NULL;

CREATE INDEX incidents_untold ON incidents (untold) WHERE untold IS NOT NULL;

CREATE INDEX incidents_resolved ON incidents (resolved_at) WHERE resolved_at IS NOT NULL;

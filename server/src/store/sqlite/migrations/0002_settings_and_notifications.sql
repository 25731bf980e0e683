-- What was set while the server ran, and what it must remember of itself. JSON.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notifications (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    -- JSON.
    data TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX notifications_by_time ON notifications (created_at DESC, id DESC);

CREATE TABLE deliveries (
    notification_id TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    -- Our own words: no address, no secret, nothing the receiver said.
    last_error TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (notification_id, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (channel, due_at) WHERE state = 'pending';

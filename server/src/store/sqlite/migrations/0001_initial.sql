-- "KPOL": tells our files from other programs' databases.
PRAGMA application_id = 1263554380;

-- Instants are milliseconds since the Unix epoch, digests are 32 bytes.

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every number a key ever had, so that none is given to another key.
CREATE TABLE key_numbers (
    number INTEGER PRIMARY KEY CHECK (number > 0)
) STRICT;

CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    label TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('environment', 'console')),
    fingerprint BLOB NOT NULL UNIQUE,
    sealed BLOB NOT NULL,
    project TEXT,
    tier TEXT NOT NULL CHECK (tier IN ('free', 'paid')),
    priority INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE pool_records (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'viewer', 'admin')),
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE set_up_links (
    token BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    user_id TEXT,
    data TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
    token BLOB PRIMARY KEY,
    family TEXT NOT NULL,
    user_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Used once, or revoked: both make it worthless, and a second use suspect.
    spent INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);

CREATE TABLE analyses (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- JSON: the row of the history, and the whole analysis.
    summary TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX analyses_by_user ON analyses (user_id, created_at DESC, id DESC);

CREATE TABLE usage_events (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('request', 'attempt')),
    at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    key_id INTEGER,
    key_number INTEGER,
    project TEXT,
    model TEXT NOT NULL,
    operation TEXT NOT NULL,
    surface TEXT NOT NULL,
    success INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    error_type TEXT,
    response_time_ms INTEGER NOT NULL,
    first_token_ms INTEGER,
    prompt_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    thought_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    user_id TEXT,
    token_id TEXT,
    user_agent TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_events_by_time ON usage_events (at);
CREATE INDEX usage_events_by_request ON usage_events (request_id);

ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN last_sign_in_at INTEGER;

CREATE TABLE second_factors (
    user_id TEXT PRIMARY KEY,
    sealed BLOB NOT NULL,
    confirmed INTEGER NOT NULL,
    last_step INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL,
    code BLOB NOT NULL,
    PRIMARY KEY (user_id, code)
) STRICT, WITHOUT ROWID;

-- Invitations, and links that set a password.
CREATE TABLE account_links (
    id TEXT PRIMARY KEY,
    token BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('invitation', 'password')),
    email TEXT,
    role TEXT CHECK (role IN ('user', 'viewer', 'admin')),
    user_id TEXT,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A family of refresh tokens is a sign-in. It ends with its row; its tokens stay until they expire, so that a second use
-- of one is noticed.
CREATE TABLE sign_ins (
    family TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    user_agent TEXT,
    address TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_by_user ON sign_ins (user_id);

-- Sign-ins of before: a token was good for 30 days from when it was issued. A family without an unspent token has ended.
INSERT INTO sign_ins (family, user_id, began_at, last_used_at, expires_at)
SELECT family, min(user_id), max(min(expires_at) - 2592000000, 0), max(max(expires_at) - 2592000000, 0), max(expires_at)
FROM refresh_tokens
GROUP BY family
HAVING min(spent) = 0;

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    -- JSON: a list of texts.
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    requests_per_minute INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

-- Secrets the server made for itself, sealed.
CREATE TABLE server_secrets (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- For those who keep a history for a time only: what is older is found without reading it all.
CREATE INDEX analyses_by_time ON analyses (created_at);

-- Moves with everything that ends what an account has signed in: who checked a password before such a change does not
-- begin anything after it.
ALTER TABLE users ADD COLUMN credentials INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN credentials INTEGER NOT NULL DEFAULT 0;

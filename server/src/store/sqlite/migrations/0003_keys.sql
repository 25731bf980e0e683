-- What an admin says of a key beside its tier and priority. The account is the one that pays for the project.
ALTER TABLE keys ADD COLUMN account TEXT;
ALTER TABLE keys ADD COLUMN weight INTEGER NOT NULL DEFAULT 1 CHECK (weight > 0);
-- JSON: a list of texts.
ALTER TABLE keys ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';

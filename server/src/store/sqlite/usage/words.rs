//! Names behind the ids in stored rows, each looked up once a question.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};

use crate::store::Result;

pub(super) struct Words<'c> {
    connection: &'c Connection,
    words: HashMap<i64, Option<String>>,
    callers: HashMap<i64, Caller>,
    keys: HashMap<i64, Option<u32>>,
}

/// Who called; nobody where the row is gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    pub(super) user_id: Option<String>,
    pub(super) token_id: Option<String>,
    pub(super) user_agent: Option<String>,
}

impl<'c> Words<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            words: HashMap::new(),
            callers: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// `None` for 0.
    pub(super) fn word(&mut self, id: i64) -> Result<Option<String>> {
        if id == 0 {
            return Ok(None);
        }
        if let Some(known) = self.words.get(&id) {
            return Ok(known.clone());
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT word FROM usage_words WHERE id = ?1")?;
        let word: Option<String> = select.query_row([id], |row| row.get(0)).optional()?;
        self.words.insert(id, word.clone());
        Ok(word)
    }

    pub(super) fn caller(&mut self, id: i64) -> Result<Caller> {
        if id == 0 {
            return Ok(Caller::default());
        }
        if let Some(known) = self.callers.get(&id) {
            return Ok(known.clone());
        }
        let mut select = self.connection.prepare_cached(
            "SELECT nullif(user_id, ''), nullif(token_id, ''), nullif(user_agent, '') FROM usage_callers WHERE id = ?1",
        )?;
        let caller = select
            .query_row([id], |row| {
                Ok(Caller {
                    user_id: row.get(0)?,
                    token_id: row.get(1)?,
                    user_agent: row.get(2)?,
                })
            })
            .optional()?
            .unwrap_or_default();
        self.callers.insert(id, caller.clone());
        Ok(caller)
    }

    /// The number of a key.
    pub(super) fn key(&mut self, id: i64) -> Result<Option<u32>> {
        if let Some(known) = self.keys.get(&id) {
            return Ok(*known);
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT number FROM usage_keys WHERE id = ?1")?;
        let number = select.query_row([id], |row| row.get(0)).optional()?;
        self.keys.insert(id, number);
        Ok(number)
    }
}

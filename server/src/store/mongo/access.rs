//! The one way to the documents, in a transaction and outside of one: whoever works with them need not know which it is.

use futures::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use mongodb::options::{ReturnDocument, UpdateModifications};
use mongodb::{ClientSession, Collection, Database};

use super::error::Result;
use super::row::Row;
use crate::store::StoreError;

pub(super) struct Access {
    pub(super) database: Database,
    /// With a transaction under way.
    pub(super) session: Option<ClientSession>,
}

/// Awaits an action of the driver, in the session where there is one.
macro_rules! awaited {
    ($access:expr, $action:expr) => {{
        let action = $action;
        match &mut $access.session {
            Some(session) => action.session(session).await,
            None => action.await,
        }
    }};
}

impl Access {
    fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    pub(super) async fn find_one(&mut self, name: &str, filter: Document) -> Result<Option<Row>> {
        let collection = self.collection(name);
        let found = awaited!(self, collection.find_one(filter))?;
        Ok(found.map(Row))
    }

    /// All that match, in this order; `limit` 0 is none.
    pub(super) async fn find(&mut self, name: &str, filter: Document, sort: Document, limit: u64) -> Result<Vec<Row>> {
        let collection = self.collection(name);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = collection.find(filter).sort(sort).limit(limit);
        let found: Vec<Document> = match &mut self.session {
            Some(session) => {
                let mut cursor = find.session(&mut *session).await?;
                cursor.stream(session).try_collect().await?
            }
            None => find.await?.try_collect().await?,
        };
        Ok(found.into_iter().map(Row).collect())
    }

    pub(super) async fn aggregate(&mut self, name: &str, stages: Vec<Document>) -> Result<Vec<Row>> {
        let collection = self.collection(name);
        let aggregate = collection.aggregate(stages);
        let found: Vec<Document> = match &mut self.session {
            Some(session) => {
                let mut cursor = aggregate.session(&mut *session).await?;
                cursor.stream(session).try_collect().await?
            }
            None => aggregate.await?.try_collect().await?,
        };
        Ok(found.into_iter().map(Row).collect())
    }

    pub(super) async fn count(&mut self, name: &str, filter: Document) -> Result<u64> {
        let collection = self.collection(name);
        Ok(awaited!(self, collection.count_documents(filter))?)
    }

    /// A duplicate is an error; in a transaction it ends that.
    pub(super) async fn insert(&mut self, name: &str, document: Document) -> Result<()> {
        let collection = self.collection(name);
        awaited!(self, collection.insert_one(document))?;
        Ok(())
    }

    /// Every one that can be inserted is, the first failure is told.
    pub(super) async fn insert_many(&mut self, name: &str, documents: Vec<Document>) -> Result<()> {
        // The driver refuses to insert nothing.
        if documents.is_empty() {
            return Ok(());
        }
        let collection = self.collection(name);
        awaited!(self, collection.insert_many(documents).ordered(false))?;
        Ok(())
    }

    /// Whether there is one that matches; it is changed.
    pub(super) async fn update(
        &mut self,
        name: &str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<bool> {
        let collection = self.collection(name);
        let updated = awaited!(self, collection.update_one(filter, update))?;
        Ok(updated.matched_count > 0)
    }

    pub(super) async fn update_many(&mut self, name: &str, filter: Document, update: Document) -> Result<()> {
        let collection = self.collection(name);
        awaited!(self, collection.update_many(filter, update))?;
        Ok(())
    }

    /// Changes the one that matches or makes it. The filter must name the `_id`; a duplicate is an error, and means that
    /// there is one that does not match.
    pub(super) async fn upsert(&mut self, name: &str, filter: Document, update: Document) -> Result<()> {
        let collection = self.collection(name);
        awaited!(self, collection.update_one(filter, update).upsert(true))?;
        Ok(())
    }

    /// Each filter with its change, in one message; what is not there is made. Filters must name the `_id`.
    pub(super) async fn upsert_each(&mut self, name: &str, changes: Vec<(Document, Document)>) -> Result<()> {
        // The server refuses to update nothing.
        if changes.is_empty() {
            return Ok(());
        }
        let updates = changes
            .into_iter()
            .map(|(q, u)| doc! { "q": q, "u": u, "upsert": true });
        let command = doc! { "update": name, "updates": updates.collect::<Vec<_>>() };
        let database = self.database.clone();
        let done = awaited!(self, database.run_command(command))?;
        if done.contains_key("writeErrors") {
            let refused = StoreError::Refused("a part of a write to MongoDB".to_owned());
            return Err(refused.into());
        }
        Ok(())
    }

    /// The one that matches as it is after the change.
    pub(super) async fn changed(&mut self, name: &str, filter: Document, update: Document) -> Result<Option<Row>> {
        let collection = self.collection(name);
        let change = collection
            .find_one_and_update(filter, update)
            .return_document(ReturnDocument::After);
        Ok(awaited!(self, change)?.map(Row))
    }

    /// As [`Access::changed`]; made when it is not there.
    pub(super) async fn changed_or_made(
        &mut self,
        name: &str,
        filter: Document,
        update: impl Into<UpdateModifications>,
    ) -> Result<Option<Row>> {
        let collection = self.collection(name);
        let change = collection
            .find_one_and_update(filter, update)
            .upsert(true)
            .return_document(ReturnDocument::After);
        Ok(awaited!(self, change)?.map(Row))
    }

    pub(super) async fn delete(&mut self, name: &str, filter: Document) -> Result<bool> {
        let collection = self.collection(name);
        let deleted = awaited!(self, collection.delete_one(filter))?;
        Ok(deleted.deleted_count > 0)
    }

    /// How many there were.
    pub(super) async fn delete_many(&mut self, name: &str, filter: Document) -> Result<u64> {
        let collection = self.collection(name);
        let deleted = awaited!(self, collection.delete_many(filter))?;
        Ok(deleted.deleted_count)
    }
}

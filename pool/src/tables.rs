//! All models of a pool. Callers may name models that do not exist, so the number is bounded, and a place is given
//! to a new name at the cost of a model that never answered.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    model::{ModelId, TooManyModels},
    table::{IndexKind, Table},
};

#[derive(Debug)]
pub(crate) struct Tables {
    places: Vec<Table>,
    names: BTreeMap<String, ModelId>,
    /// How many names were learned, forgotten ones included.
    born: u32,
}

impl Tables {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            names: BTreeMap::new(),
            born: 0,
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<ModelId> {
        self.names.get(name).copied()
    }

    /// None for a model that was forgotten since.
    pub(crate) fn get(&self, model: ModelId) -> Option<&Table> {
        self.places.get(model.place()).filter(|table| table.id == model)
    }

    pub(crate) fn get_mut(&mut self, model: ModelId) -> Option<&mut Table> {
        self.places.get_mut(model.place()).filter(|table| table.id == model)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Table> {
        self.places.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        self.places.iter_mut()
    }

    /// Adds a model whose name is new.
    pub(crate) fn add(&mut self, name: &str, index: IndexKind, models_max: usize) -> Result<&mut Table, TooManyModels> {
        let refused = TooManyModels { models_max };
        let place = if self.places.len() < models_max {
            self.places.len()
        } else {
            self.place_to_give_up().ok_or(refused)?
        };
        let id = ModelId {
            place: u32::try_from(place).map_err(|_| refused)?,
            born: self.born,
        };
        self.born = self.born.wrapping_add(1);
        let table = Table::new(id, name.to_string(), index);
        if let Some(old) = self.places.get_mut(place) {
            self.names.remove(&old.name);
            *old = table;
        } else {
            self.places.push(table);
        }
        self.names.insert(name.to_string(), id);
        self.places.get_mut(place).ok_or(refused)
    }

    /// Of the models that never answered and have no call under way: first those that the provider never counted a
    /// quota of, of these first the hidden ones, of these the oldest.
    fn place_to_give_up(&self) -> Option<usize> {
        self.places
            .iter()
            .enumerate()
            .filter(|(_, table)| table.may_be_forgotten())
            .min_by_key(|(_, table)| (table.in_use, table.hidden.is_open(), table.id.born))
            .map(|(place, _)| place)
    }
}

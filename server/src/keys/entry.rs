//! A stored key as the pool knows it.

use pool::{AccountId, KeyId, ProjectId};
use sha2::{Digest as _, Sha256};

use crate::store::StoredKey;

/// Google's project numbers have about twelve digits; ours count keys and stay below.
const PROJECT_NUMBER_MIN: u64 = 100_000_000;
/// Set in ids made of names, so that they meet neither a project number nor an id of ours.
const NAMED: u64 = 1 << 63;

/// Until somebody tells its project, a key has one of its own, and a project has a billing account of its own.
pub fn pool_entry(stored: &StoredKey) -> pool::Key {
    let project = project_id(KeyId(stored.id), stored.project.as_deref());
    pool::Key {
        id: KeyId(stored.id),
        number: stored.number,
        project,
        account: stored
            .account
            .as_deref()
            .map_or(AccountId(project.0), |name| AccountId(id_of_name("account", name))),
        tier: stored.tier,
        priority: stored.priority,
        weight: stored.weight,
        enabled: stored.enabled,
    }
}

pub(super) fn project_id(key: KeyId, project: Option<&str>) -> ProjectId {
    ProjectId(match project {
        None => key.0,
        Some(name) => project_number(name).unwrap_or_else(|| id_of_name("project", name)),
    })
}

/// The provider's own number of a project. A name may also be a person's word for it; a number is never that.
pub(super) fn project_number(name: &str) -> Option<u64> {
    name.parse()
        .ok()
        .filter(|number| (PROJECT_NUMBER_MIN..NAMED).contains(number))
}

/// The same at every start: pool records are stored under it.
fn id_of_name(kind: &str, name: &str) -> u64 {
    let digest = Sha256::digest(format!("{kind}\0{name}"));
    let first = digest.iter().take(8);
    first.fold(0, |id: u64, byte| id << 8 | u64::from(*byte)) | NAMED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_keys_of_their_own_never_meet() {
        let project = |key, name| project_id(KeyId(key), name).0;
        assert_eq!(project(7, None), 7);
        assert_eq!(project(7, Some("123456789012")), 123_456_789_012);
        assert_eq!(project(7, Some("team")), project(8, Some("team")));
        assert_ne!(project(7, Some("team")), project(7, Some("other")));
        assert!(project(1, Some("7")) >= NAMED, "a short number is a name");
        assert!(project(1, Some("18446744073709551615")) >= NAMED);
        // Stored under this id by a version that runs already.
        assert_eq!(project(7, Some("team")), id_of_name("project", "team"));
        assert_ne!(id_of_name("project", "team"), id_of_name("account", "team"));
    }
}

//! Where MongoDB is, as the setting says it.

use std::fmt;

use mongodb::options::ConnectionString;
use secrecy::SecretString;

/// Where the data goes when the address names no database.
const DATABASE: &str = "keypool";
/// MongoDB's own.
const RESERVED: [&str; 3] = ["admin", "config", "local"];
/// MongoDB's limit.
/// <https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions>, of both systems it runs on.
const NOT_IN_NAMES: [char; 14] = ['/', '\\', '.', ' ', '"', '$', '*', '<', '>', ':', '|', '?', '\0', '\''];
const DATABASE_BYTES_MAX: usize = 63;

/// A connection string that the driver understands, and the database in it.
#[derive(Clone)]
pub struct MongoAddress {
    pub(super) uri: SecretString,
    database: String,
    passwords: Vec<SecretString>,
}

impl MongoAddress {
    /// Looks at the text only: no name is resolved and nothing is called.
    ///
    /// # Errors
    /// What it must be, without the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parsed = ConnectionString::parse(text)
            .map_err(|_| "must be an address such as mongodb://user:password@db.example.org/keypool?replicaSet=rs0")?;
        let database = parsed.default_database.unwrap_or_else(|| DATABASE.to_owned());
        if RESERVED.contains(&database.as_str()) {
            return Err("names a database of MongoDB itself: name another after the host, such as /keypool");
        }
        if database.contains(NOT_IN_NAMES) {
            return Err(
                "names a database with a character that MongoDB takes in no name: use letters, digits, - and _",
            );
        }
        if database.len() > DATABASE_BYTES_MAX {
            return Err("names a database whose name is too long: 63 bytes at most");
        }
        Ok(Self {
            uri: text.to_owned().into(),
            database,
            passwords: passwords(text, parsed.credential.and_then(|credential| credential.password)),
        })
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn uri(&self) -> &SecretString {
        &self.uri
    }

    /// The password as it is meant, and as it is encoded in the address.
    pub fn passwords(&self) -> &[SecretString] {
        &self.passwords
    }
}

fn passwords(text: &str, meant: Option<String>) -> Vec<SecretString> {
    let before_options = text.split('?').next().unwrap_or_default();
    let before_hosts = before_options
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'));
    let encoded = before_hosts.and_then(|(user, _)| Some(user.split_once(':')?.1.to_owned()));
    meant.into_iter().chain(encoded).map(Into::into).collect()
}

impl fmt::Debug for MongoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoAddress")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn an_address_names_its_database_or_gets_ours() {
        let table = [
            ("mongodb://db.example.org", "keypool"),
            ("mongodb://db.example.org/", "keypool"),
            ("mongodb://a:1,b:2/pool?replicaSet=rs0", "pool"),
            ("mongodb+srv://user:pass@db.example.org/team%2Da", "team-a"),
        ];
        for (text, database) in table {
            assert_eq!(MongoAddress::parse(text).unwrap().database(), database, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        let long = format!("mongodb://db/{}", "a".repeat(64));
        for text in [
            "",
            "db.example.org",
            "http://canary@db/keypool",
            "mongodb://canary:canary@/",
            "mongodb://db/admin",
            "mongodb://db/ca.nary",
            "mongodb://db/?w=canary&retryWrites=canary",
            &long,
        ] {
            let refused = MongoAddress::parse(text).unwrap_err();
            assert!(!refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn neither_address_nor_password_is_printed() {
        let address = MongoAddress::parse("mongodb://user:can%41ry@db/keypool").unwrap();
        assert_eq!(format!("{address:?}"), r#"MongoAddress { database: "keypool", .. }"#);
        let passwords: Vec<&str> = address
            .passwords()
            .iter()
            .map(|password| password.expose_secret())
            .collect();
        assert_eq!(passwords, ["canAry", "can%41ry"]);
    }
}

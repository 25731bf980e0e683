//! What the driver's errors mean for the port. Their own texts hold addresses, names of users and stored values, so none
//! of them is passed on.

use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure};

use crate::store::StoreError;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Of one try: what the driver says decides whether there is another.
#[derive(Debug)]
pub(super) enum Fault {
    Driver(Error),
    Store(StoreError),
}

/// Another document has the same unique value.
const DUPLICATE: i32 = 11000;
/// Of a server that steps down, shuts down, recovers, or cannot be reached from its router (the specification of retryable reads).
const BROKEN_OFF: [i32; 13] = [6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];
/// What the server answers whom it does not know, or who may not.
const NOT_ALLOWED: [i32; 4] = [11, 13, 18, 8000];

impl Fault {
    /// Whether the whole transaction may be tried again. Where no server was found the driver has waited for one already.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Driver(error) => {
                error.contains_label(TRANSIENT_TRANSACTION_ERROR)
                    && !matches!(*error.kind, ErrorKind::ServerSelection { .. })
            }
            Self::Store(_) => false,
        }
    }

    /// Whether it is not known if a transaction was committed: asking again is harmless and tells.
    pub(super) fn leaves_commit_open(&self) -> bool {
        matches!(self, Self::Driver(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
            && !matches!(*error.kind, ErrorKind::ServerSelection { .. }))
    }

    /// Whether a server broke it off that went away or is primary no more. It may have been done.
    pub(super) fn is_broken_off(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        let code = match &*error.kind {
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => return true,
            ErrorKind::Command(failed) => failed.code,
            ErrorKind::Write(WriteFailure::WriteConcernError(failed)) => failed.code,
            ErrorKind::InsertMany(failed) => failed.write_concern_error.as_ref().map_or(0, |failed| failed.code),
            _ => 0,
        };
        BROKEN_OFF.contains(&code)
    }

    pub(super) fn is_duplicate(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        match &*error.kind {
            ErrorKind::Command(failed) => failed.code == DUPLICATE,
            ErrorKind::Write(WriteFailure::WriteError(failed)) => failed.code == DUPLICATE,
            ErrorKind::InsertMany(failed) => {
                let failures = failed.write_errors.as_deref().unwrap_or_default();
                failed.write_concern_error.is_none()
                    && !failures.is_empty()
                    && failures.iter().all(|one| one.code == DUPLICATE)
            }
            _ => false,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(failure: Fault) -> Self {
        match failure {
            Fault::Store(error) => error,
            Fault::Driver(error) => of_driver(&error.kind),
        }
    }
}

/// `Conflict` for a document whose unique value exists; everything else as usual.
pub(super) fn conflict(what: &'static str) -> impl Fn(Fault) -> Fault {
    move |failure| {
        if failure.is_duplicate() {
            StoreError::Conflict { what }.into()
        } else {
            failure
        }
    }
}

/// A stored value that is not as it was written.
pub(super) fn unreadable(field: &str) -> StoreError {
    StoreError::Corrupt(format!("field {field} of a document is not as it was written"))
}

fn of_driver(kind: &ErrorKind) -> StoreError {
    let text = match kind {
        ErrorKind::Command(failed) => refused(failed.code, &failed.code_name),
        ErrorKind::Write(WriteFailure::WriteError(failed)) => {
            refused(failed.code, failed.code_name.as_deref().unwrap_or_default())
        }
        ErrorKind::InsertMany(failed) => {
            let first = failed.write_errors.as_deref().unwrap_or_default().first();
            first.map_or_else(unconfirmed, |first| {
                refused(first.code, first.code_name.as_deref().unwrap_or_default())
            })
        }
        ErrorKind::Write(_) => unconfirmed(),
        ErrorKind::ServerSelection { message, .. } => not_found(message).to_owned(),
        ErrorKind::Authentication { .. } => NOT_KNOWN.to_owned(),
        ErrorKind::Io(cause) => format!("the connection to MongoDB broke: {}", cause.kind()),
        ErrorKind::ConnectionPoolCleared { .. } => "the connection to MongoDB broke".to_owned(),
        ErrorKind::DnsResolve { .. } => "the host in MONGO_URI cannot be resolved".to_owned(),
        ErrorKind::InvalidTlsConfig { .. } => "the TLS files that MONGO_URI names cannot be used".to_owned(),
        ErrorKind::InvalidArgument { .. } => "the driver takes no such argument".to_owned(),
        ErrorKind::Bson(_) => return StoreError::Corrupt("a document is not as it was written".to_owned()),
        ErrorKind::Shutdown => "the store is closed".to_owned(),
        _ => "MongoDB or its driver did not do what was asked".to_owned(),
    };
    StoreError::Unavailable(text)
}

const NOT_KNOWN: &str =
    "MongoDB does not accept the user of MONGO_URI, or the user may not read and write the database";

fn unconfirmed() -> String {
    "a write was not confirmed by a majority of the replica set".to_owned()
}

/// The name of a code is the server's, out of a closed list.
fn refused(code: i32, name: &str) -> String {
    if NOT_ALLOWED.contains(&code) {
        NOT_KNOWN.to_owned()
    } else {
        format!("MongoDB refused an operation ({name}, code {code})")
    }
}

/// The driver lists the servers with what it last knew of them. The first cause of this list that is in it is told.
fn not_found(message: &str) -> &'static str {
    const CAUSES: [(&str, &str); 7] = [
        ("RsGhost", UNINITIATED),
        ("uthentication failed", NOT_KNOWN),
        ("AuthenticationFailed", NOT_KNOWN),
        ("ertificate", "the TLS certificate of MongoDB is not accepted"),
        ("ssociated with hostname", "the host in MONGO_URI cannot be resolved"),
        ("lookup address", "the host in MONGO_URI cannot be resolved"),
        ("refused", "nothing answers at the address in MONGO_URI"),
    ];
    let found = CAUSES.iter().find(|(word, _)| message.contains(word));
    found.map_or("MongoDB has no primary server that can be reached", |(_, cause)| *cause)
}

pub(super) const UNINITIATED: &str =
    "MongoDB waits for its replica set to be made: run `rs.initiate()` in mongosh once; one server is enough";

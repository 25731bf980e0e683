//! The stored shape of a pool record. The core knows no serde; this is its mirror with serde.

use pool::{
    AccountId, Fault, KeyId, Limits, ProjectId, Record, RestCause, StoredBilling, StoredFault, StoredMinute,
    StoredRest, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
#[serde(tag = "subject", rename_all = "snake_case")]
enum Row {
    Key {
        key: u64,
        fault: Option<FaultRow>,
    },
    Project {
        project: u64,
        fault: Option<FaultRow>,
    },
    Account {
        account: u64,
        billing: Option<BillingRow>,
    },
    Cell {
        project: u64,
        model: String,
        rest: Option<RestRow>,
        spent_until_reset: Option<u64>,
        day_retries: u8,
        learned: LimitsRow,
        #[serde(default)]
        learned_at: u64,
        #[serde(default)]
        minute: Option<MinuteRow>,
        requests_today: u64,
        tokens_today: u64,
        day_end: u64,
    },
    KeyOnModel {
        key: u64,
        model: String,
        until: Option<u64>,
        rests: u8,
    },
    Model {
        model: String,
        hidden_until: Option<u64>,
    },
}

#[derive(Serialize, Deserialize)]
struct FaultRow {
    fault: FaultName,
    probe_at: u64,
    probes: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultName {
    Suspect,
    Invalid,
    NeedsSetup,
    Revoked,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BillingRow {
    NoCredit { probe_at: u64 },
    SpendLimited { until: u64, rests: u8 },
}

#[derive(Serialize, Deserialize)]
struct RestRow {
    cause: CauseName,
    until: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CauseName {
    Cooling,
    Exhausted,
    NotEntitled,
}

#[derive(Serialize, Deserialize)]
struct MinuteRow {
    requests: u32,
    tokens: u64,
    last_at: u64,
}

#[derive(Serialize, Deserialize)]
struct LimitsRow {
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    requests_per_day: Option<u64>,
    tokens_per_day: Option<u64>,
}

/// The row's key (its subject) and its value; a newer row replaces an older one of the same key.
#[expect(clippy::too_many_lines, reason = "a table: one arm a kind of record")]
pub(super) fn to_row(record: Record) -> (String, Value) {
    let (key, row) = match record {
        Record::Key { key, fault } => (
            format!("key/{key}"),
            Row::Key {
                key: key.0,
                fault: fault.map(fault_row),
            },
        ),
        Record::Project { project, fault } => (
            format!("project/{project}"),
            Row::Project {
                project: project.0,
                fault: fault.map(fault_row),
            },
        ),
        Record::Account { account, billing } => (
            format!("account/{account}"),
            Row::Account {
                account: account.0,
                billing: billing.map(billing_row),
            },
        ),
        Record::Cell {
            project,
            model,
            rest,
            spent_until_reset,
            day_retries,
            learned,
            learned_at,
            minute,
            requests_today,
            tokens_today,
            day_end,
        } => (
            format!("cell/{project}/{model}"),
            Row::Cell {
                project: project.0,
                model,
                rest: rest.map(|rest| RestRow {
                    cause: cause_name(rest.cause),
                    until: rest.until.as_millis(),
                }),
                spent_until_reset: spent_until_reset.map(Timestamp::as_millis),
                day_retries,
                learned: LimitsRow {
                    requests_per_minute: learned.requests_per_minute,
                    tokens_per_minute: learned.tokens_per_minute,
                    requests_per_day: learned.requests_per_day,
                    tokens_per_day: learned.tokens_per_day,
                },
                learned_at: learned_at.as_millis(),
                minute: minute.map(|minute| MinuteRow {
                    requests: minute.requests,
                    tokens: minute.tokens,
                    last_at: minute.last_at.as_millis(),
                }),
                requests_today,
                tokens_today,
                day_end: day_end.as_millis(),
            },
        ),
        Record::KeyOnModel {
            key,
            model,
            until,
            rests,
        } => (
            format!("key_on_model/{key}/{model}"),
            Row::KeyOnModel {
                key: key.0,
                model,
                until: until.map(Timestamp::as_millis),
                rests,
            },
        ),
        Record::Model { model, hidden_until } => (
            format!("model/{model}"),
            Row::Model {
                model,
                hidden_until: hidden_until.map(Timestamp::as_millis),
            },
        ),
    };
    (key, serde_json::to_value(row).unwrap_or_default())
}

pub(super) fn from_row(value: Value) -> Option<Record> {
    let at = Timestamp::from_millis;
    Some(match serde_json::from_value(value).ok()? {
        Row::Key { key, fault } => Record::Key {
            key: KeyId(key),
            fault: fault.map(stored_fault),
        },
        Row::Project { project, fault } => Record::Project {
            project: ProjectId(project),
            fault: fault.map(stored_fault),
        },
        Row::Account { account, billing } => Record::Account {
            account: AccountId(account),
            billing: billing.map(stored_billing),
        },
        Row::Cell {
            project,
            model,
            rest,
            spent_until_reset,
            day_retries,
            learned,
            learned_at,
            minute,
            requests_today,
            tokens_today,
            day_end,
        } => Record::Cell {
            project: ProjectId(project),
            model,
            rest: rest.map(|rest| StoredRest {
                cause: rest_cause(&rest.cause),
                until: at(rest.until),
            }),
            spent_until_reset: spent_until_reset.map(at),
            day_retries,
            learned: Limits {
                requests_per_minute: learned.requests_per_minute,
                tokens_per_minute: learned.tokens_per_minute,
                requests_per_day: learned.requests_per_day,
                tokens_per_day: learned.tokens_per_day,
                calls_at_once: None,
            },
            learned_at: at(learned_at),
            minute: minute.map(|minute| StoredMinute {
                requests: minute.requests,
                tokens: minute.tokens,
                last_at: at(minute.last_at),
            }),
            requests_today,
            tokens_today,
            day_end: at(day_end),
        },
        Row::KeyOnModel {
            key,
            model,
            until,
            rests,
        } => Record::KeyOnModel {
            key: KeyId(key),
            model,
            until: until.map(at),
            rests,
        },
        Row::Model { model, hidden_until } => Record::Model {
            model,
            hidden_until: hidden_until.map(at),
        },
    })
}

fn fault_row(stored: StoredFault) -> FaultRow {
    let fault = match stored.fault {
        Fault::Suspect => FaultName::Suspect,
        Fault::Invalid => FaultName::Invalid,
        Fault::NeedsSetup => FaultName::NeedsSetup,
        Fault::Revoked => FaultName::Revoked,
    };
    FaultRow {
        fault,
        probe_at: stored.probe_at.as_millis(),
        probes: stored.probes,
    }
}

fn stored_fault(row: FaultRow) -> StoredFault {
    let fault = match row.fault {
        FaultName::Suspect => Fault::Suspect,
        FaultName::Invalid => Fault::Invalid,
        FaultName::NeedsSetup => Fault::NeedsSetup,
        FaultName::Revoked => Fault::Revoked,
    };
    StoredFault {
        fault,
        probe_at: Timestamp::from_millis(row.probe_at),
        probes: row.probes,
    }
}

fn billing_row(stored: StoredBilling) -> BillingRow {
    match stored {
        StoredBilling::NoCredit { probe_at } => BillingRow::NoCredit {
            probe_at: probe_at.as_millis(),
        },
        StoredBilling::SpendLimited { until, rests } => BillingRow::SpendLimited {
            until: until.as_millis(),
            rests,
        },
    }
}

fn stored_billing(row: BillingRow) -> StoredBilling {
    match row {
        BillingRow::NoCredit { probe_at } => StoredBilling::NoCredit {
            probe_at: Timestamp::from_millis(probe_at),
        },
        BillingRow::SpendLimited { until, rests } => StoredBilling::SpendLimited {
            until: Timestamp::from_millis(until),
            rests,
        },
    }
}

fn cause_name(cause: RestCause) -> CauseName {
    match cause {
        RestCause::Cooling => CauseName::Cooling,
        RestCause::Exhausted => CauseName::Exhausted,
        RestCause::NotEntitled => CauseName::NotEntitled,
    }
}

fn rest_cause(name: &CauseName) -> RestCause {
    match name {
        CauseName::Cooling => RestCause::Cooling,
        CauseName::Exhausted => RestCause::Exhausted,
        CauseName::NotEntitled => RestCause::NotEntitled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_comes_back_as_it_was_stored() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let fault = Some(StoredFault {
            fault: Fault::Invalid,
            probe_at: at,
            probes: 2,
        });
        let records = [
            Record::Key { key: KeyId(1), fault },
            Record::Project {
                project: ProjectId(2),
                fault: None,
            },
            Record::Account {
                account: AccountId(3),
                billing: Some(StoredBilling::SpendLimited { until: at, rests: 1 }),
            },
            Record::Cell {
                project: ProjectId(4),
                model: "gemini-2.5-flash".into(),
                rest: Some(StoredRest {
                    cause: RestCause::Exhausted,
                    until: at,
                }),
                spent_until_reset: Some(at),
                day_retries: 3,
                learned: Limits {
                    requests_per_day: Some(250),
                    ..Limits::default()
                },
                learned_at: at,
                minute: Some(StoredMinute {
                    requests: 7,
                    tokens: 700,
                    last_at: at,
                }),
                requests_today: 250,
                tokens_today: 9_000,
                day_end: at,
            },
            Record::KeyOnModel {
                key: KeyId(5),
                model: "m".into(),
                until: Some(at),
                rests: 2,
            },
            Record::Model {
                model: "gone".into(),
                hidden_until: Some(at),
            },
        ];
        for record in records {
            assert_eq!(from_row(to_row(record.clone()).1), Some(record));
        }
    }

    #[test]
    fn a_row_of_another_version_is_left_out() {
        assert_eq!(from_row(serde_json::json!({"subject": "something_new"})), None);
    }
}

//! SQL's functions on distributions of times, so that they are merged where they lie.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, Error, Result};

use crate::latency::Latency;

/// `latency_sum(a, b)`, and the aggregate `latency_of(milliseconds)`.
pub(in crate::store::sqlite) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("latency_sum", 2, flags, |context| {
        let mut sum = Latency::default();
        add(&mut sum, context, 0)?;
        add(&mut sum, context, 1)?;
        Ok(sum.encode())
    })?;
    connection.create_aggregate_function("latency_of", 1, flags, Of)
}

fn add(sum: &mut Latency, context: &Context<'_>, argument: usize) -> Result<()> {
    if sum.add_encoded(context.get_raw(argument).as_blob()?) {
        Ok(())
    } else {
        Err(Error::UserFunctionError("a stored distribution is damaged".into()))
    }
}

struct Of;

impl Aggregate<Latency, Vec<u8>> for Of {
    fn init(&self, _: &mut Context<'_>) -> Result<Latency> {
        Ok(Latency::default())
    }

    fn step(&self, context: &mut Context<'_>, of: &mut Latency) -> Result<()> {
        if let Some(ms) = context.get::<Option<i64>>(0)? {
            of.add(u64::try_from(ms).unwrap_or(0));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, of: Option<Latency>) -> Result<Vec<u8>> {
        Ok(of.unwrap_or_default().encode())
    }
}

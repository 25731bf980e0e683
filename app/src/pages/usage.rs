//! The pages about usage, for viewers and admins. What a page shows is all in its address: [`Address`].

mod address;
mod by_key;
mod errors;
mod forecast;
mod frame;
mod hourly;
mod latency;
mod notices;
mod overview;
mod request;
mod requests;
mod series;
mod toolbar;
mod zone;

use leptos::prelude::*;

use crate::backend::{BackendRef, UsageBackendRef};
use crate::context::PageContext;
use crate::types::{ServiceStatus, UsageQuery};

pub use by_key::UsagePage;
pub use errors::ErrorsPage;
pub use forecast::ForecastPage;
pub use hourly::HourlyPage;
pub use latency::LatencyPage;
pub use overview::{OverviewPage, overview_fragment};
pub use request::OneRequestPage;
pub use requests::{RequestsPage, requests_fragment};

use address::Address;
use zone::Zone;

/// What each of these pages begins with.
#[derive(Clone)]
struct Asked {
    address: Address,
    query: UsageQuery,
    zone: Zone,
    usage: UsageBackendRef,
    status: ServiceStatus,
    request_id: String,
}

impl Asked {
    /// From the context of the page.
    fn here() -> Self {
        let backend = expect_context::<BackendRef>();
        Self::of(
            expect_context::<UsageBackendRef>(),
            &backend,
            expect_context::<PageContext>(),
        )
    }

    fn of(usage: UsageBackendRef, backend: &BackendRef, context: PageContext) -> Self {
        let address = Address::of(&context.path);
        let query = address.usage();
        Self {
            zone: Zone::named(query.tz.as_deref()),
            query,
            address,
            usage,
            status: backend.status(),
            request_id: context.request_id,
        }
    }

    /// Keys and models to choose from; those that are chosen are always among them. Models that cannot be read are no
    /// reason to show nothing.
    async fn choices(&self) -> Choices {
        let mut models = self.usage.models_seen().await.unwrap_or_default();
        if let Some(chosen) = &self.query.model
            && !models.contains(chosen)
        {
            models.push(chosen.clone());
        }
        let mut keys: Vec<String> = self
            .status
            .available_keys
            .iter()
            .map(|key| key.key_number.to_string())
            .collect();
        if let Some(chosen) = &self.query.key_number
            && !keys.contains(chosen)
        {
            keys.push(chosen.clone());
        }
        Choices { keys, models }
    }
}

/// What can be chosen in the toolbar and in filters.
#[derive(Debug, Clone, Default)]
struct Choices {
    /// By number.
    keys: Vec<String>,
    models: Vec<String>,
}

/// The HTML of `parts`, made outside of a page: with what charts need around them.
fn fragment(usage: UsageBackendRef, context: PageContext, parts: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| {
        provide_context(usage);
        provide_context(context);
        parts().to_html()
    })
}

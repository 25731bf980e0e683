//! Everything that a page about usage shows is in its address: links and forms change a part of it and keep the rest.

use leptos::prelude::*;
use leptos_router::location::RequestUrl;

use crate::pages::query;
use crate::types::{RequestQuery, UsageQuery};

/// What goes along from page to page.
const SHARED: [&str; 6] = ["range", "startDate", "endDate", "tz", "keyNumber", "model"];
/// What only one page has.
const OWN: [&str; 11] = [
    "date",
    "sort",
    "dir",
    "status",
    "errorType",
    "operation",
    "surface",
    "user",
    "requestId",
    "limit",
    "cursor",
];
/// The filters of the log of requests, those of the toolbar among them.
pub(super) const FILTERS: [&str; 8] = [
    "status",
    "errorType",
    "keyNumber",
    "model",
    "operation",
    "surface",
    "user",
    "requestId",
];

/// Path and query of a page, without empty values and names that no page knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    path: String,
    parts: Vec<(&'static str, String)>,
}

impl Address {
    /// Of a page, or of the part of one that is brought up to date: its links are the page's.
    pub(super) fn of(path_and_query: &str) -> Self {
        let url = RequestUrl::new(path_and_query).parse();
        let path = url.as_ref().map_or("/", |url| url.path());
        let path = path.strip_suffix("/live").unwrap_or(path).to_owned();
        let parts = SHARED.into_iter().chain(OWN).filter_map(|name| {
            let value = url.as_ref().ok()?.search_params().get(name)?;
            (!value.trim().is_empty()).then(|| (name, value.trim().to_owned()))
        });
        Self {
            path,
            parts: parts.collect(),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let part = self.parts.iter().find(|(known, _)| *known == name);
        part.map(|(_, value)| value.as_str())
    }

    /// This page with some of it changed, an empty value taken away. A list begins anew.
    pub(super) fn with(&self, changes: &[(&'static str, &str)]) -> String {
        self.link(&self.path, changes, |name| name != "cursor")
    }

    /// Another page for the same range, zone, key and model, but for the changes.
    pub(super) fn at(&self, path: &str, changes: &[(&'static str, &str)]) -> String {
        self.link(path, changes, |name| SHARED.contains(&name))
    }

    /// This page for the last 30 days, whatever the key and model.
    pub(super) fn widest(&self) -> String {
        self.with(&[
            ("range", "30d"),
            ("startDate", ""),
            ("endDate", ""),
            ("keyNumber", ""),
            ("model", ""),
        ])
    }

    /// Another address with all of this one's query.
    pub(super) fn whole_at(&self, path: &str) -> String {
        query::link_all(path, &self.parts)
    }

    fn link(&self, path: &str, changes: &[(&'static str, &str)], keeps: impl Fn(&str) -> bool) -> String {
        let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        let kept = self
            .parts
            .iter()
            .filter(|(name, _)| keeps(name) && !is_changed(name))
            .cloned();
        let changed = changes
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (*name, (*value).to_owned()));
        query::link_all(path, &kept.chain(changed).collect::<Vec<_>>())
    }

    /// The rest of the address as hidden fields of a form that sets `fields` itself. A list begins anew.
    pub(super) fn hidden(&self, fields: &[&str]) -> Vec<AnyView> {
        let rest = self
            .parts
            .iter()
            .filter(|(name, _)| *name != "cursor" && !fields.contains(name));
        rest.map(|(name, value)| view! { <input type="hidden" name=*name value=value.clone()/> }.into_any())
            .collect()
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.filters() > 0
    }

    /// How many filters of the log are set.
    pub(super) fn filters(&self) -> usize {
        FILTERS.into_iter().filter(|name| self.get(name).is_some()).count()
    }

    /// Whether the range goes on as time does.
    pub(super) fn is_up_to_now(&self) -> bool {
        self.get("endDate").is_none()
    }

    pub(super) fn usage(&self) -> UsageQuery {
        let part = |name| self.get(name).map(str::to_owned);
        UsageQuery {
            range: part("range"),
            start_date: part("startDate"),
            end_date: part("endDate"),
            tz: part("tz"),
            key_number: part("keyNumber"),
            model: part("model"),
        }
    }

    pub(super) fn requests(&self) -> RequestQuery {
        let part = |name| self.get(name).map(str::to_owned);
        RequestQuery {
            cursor: part("cursor"),
            limit: part("limit"),
            status: part("status"),
            error_type: part("errorType"),
            operation: part("operation"),
            surface: part("surface"),
            user: part("user"),
            request_id: part("requestId"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_read_without_what_is_empty_or_unknown() {
        let address = Address::of("/requests?range=24h&model=&user=a%2Bb%40example.com&evil=1&cursor=%20x+");
        assert_eq!(address.get("user"), Some("a+b@example.com"));
        assert_eq!(address.get("cursor"), Some("x"));
        assert_eq!((address.get("model"), address.get("evil")), (None, None));
        assert_eq!(
            address.whole_at("/requests"),
            "/requests?range=24h&user=a%2Bb%40example.com&cursor=x"
        );
    }

    #[test]
    fn a_change_keeps_the_rest_and_begins_a_list_anew() {
        let address = Address::of("/requests?range=24h&status=failed&cursor=x");
        assert_eq!(address.with(&[("range", "7d")]), "/requests?status=failed&range=7d");
        assert_eq!(address.with(&[("status", "")]), "/requests?range=24h");
        assert_eq!(
            address.with(&[("cursor", "y")]),
            "/requests?range=24h&status=failed&cursor=y"
        );
    }

    #[test]
    fn another_page_gets_only_what_all_pages_have() {
        let address = Address::of("/analytics/usage?range=24h&tz=Europe/Berlin&sort=p95&keyNumber=2");
        assert_eq!(
            address.at("/analytics/errors", &[("keyNumber", "3")]),
            "/analytics/errors?range=24h&tz=Europe%2FBerlin&keyNumber=3"
        );
    }

    #[test]
    fn the_live_part_of_a_page_has_the_links_of_the_page() {
        assert_eq!(Address::of("/overview/live?range=1h").with(&[]), "/overview?range=1h");
    }
}

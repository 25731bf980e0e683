use leptos::prelude::*;

use crate::text;

/// An instant for people, in UTC and saying so unless the place already does.
#[component]
pub fn When(
    /// RFC 3339, UTC.
    #[prop(into)]
    at: String,
    /// The column or label already names the zone.
    #[prop(optional)]
    zone_shown: bool,
) -> impl IntoView {
    let words = when(&at);
    let zone = (!zone_shown).then_some(" UTC");
    view! { <time datetime=at class="nowrap">{words}{zone}</time> }
}

/// "23 Nov 2026, 18:07" for "2026-11-23T18:07:12Z"; anything else is given back as it is.
pub fn when(at: &str) -> String {
    parts(at).unwrap_or_else(|| at.to_owned())
}

fn parts(at: &str) -> Option<String> {
    let (_, time) = at.split_once('T')?;
    let minutes = time.get(..5)?;
    Some(format!("{}, {minutes}", text::day(at)?))
}

#[cfg(test)]
mod tests {
    use super::when;

    #[test]
    fn an_instant_is_written_for_people() {
        assert_eq!(when("2026-11-03T08:07:12.345Z"), "3 Nov 2026, 08:07");
    }

    #[test]
    fn what_is_no_instant_stays_as_it_is() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T",
        ] {
            assert_eq!(when(text), text);
        }
    }
}

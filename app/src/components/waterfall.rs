use leptos::prelude::*;

use super::Pill;
use crate::text::{self, analysis as words};
use crate::types::Attempt;

/// The calls of one request below each other, each bar where it was in the whole time. Drawn in SVG: the content security
/// policy allows no style attribute.
#[component]
pub fn Waterfall(
    attempts: Vec<Attempt>,
    /// From the request to its end, waiting included.
    whole_ms: u64,
    /// Said where there was no call.
    none: &'static str,
) -> impl IntoView {
    let empty = attempts.is_empty();
    let rows = spans(&attempts, whole_ms)
        .into_iter()
        .zip(attempts)
        .enumerate()
        .map(|(place, (span, attempt))| view! { <Row number=place + 1 attempt span/> })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="attempts-title" data-testid="attempts">
            <div class="card-head"><h2 id="attempts-title">{words::ATTEMPTS}</h2></div>
            {if empty {
                view! { <p class="muted">{none}</p> }.into_any()
            } else {
                view! {
                    <table class="table waterfall">
                        <thead>
                            <tr>
                                <th scope="col">{words::CALL}</th>
                                <th scope="col">{words::OUTCOME}</th>
                                <th scope="col" class="table-number">{words::TOOK}</th>
                                <th scope="col" class="waterfall-bar"><span class="visually-hidden">{words::WHEN}</span></th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                }
                .into_any()
            }}
        </section>
    }
    .into_any()
}

#[component]
fn Row(number: usize, attempt: Attempt, span: Span) -> impl IntoView {
    let served = attempt.outcome == "success";
    let (tone, icon) = if served {
        ("tone-ok", "operational")
    } else {
        ("tone-degraded", "degraded")
    };
    view! {
        <tr>
            <td>{words::call(number, attempt.key_number)}</td>
            <td><Pill tone icon word=text::outcome(&attempt.outcome)/></td>
            <td class="table-number">{text::took(attempt.ms)}</td>
            <td class="waterfall-bar">
                <svg class=tone viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="waterfall-track" width="1000" height="8" rx="4"></rect>
                    <rect class="waterfall-span" x=span.start width=span.width height="8"></rect>
                </svg>
            </td>
        </tr>
    }
    .into_any()
}

/// Place of a bar in thousandths of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u64,
    width: u64,
}

fn spans(attempts: &[Attempt], whole_ms: u64) -> Vec<Span> {
    let called_ms: u64 = attempts.iter().map(|attempt| attempt.ms).sum();
    let whole_ms = whole_ms.max(called_ms).max(1);
    let mut before_ms = 0;
    attempts
        .iter()
        .map(|attempt| {
            // Even a call of no time is a mark that can be seen.
            let width = (attempt.ms * 1_000 / whole_ms).max(8);
            let start = (before_ms * 1_000 / whole_ms).min(1_000 - width);
            before_ms += attempt.ms;
            Span { start, width }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(ms: u64) -> Attempt {
        Attempt {
            key_number: 1,
            outcome: "success".to_owned(),
            ms,
        }
    }

    #[test]
    fn each_call_starts_where_the_one_before_ended() {
        let placed = spans(&[attempt(100), attempt(300)], 1_000);
        assert_eq!(placed, [Span { start: 0, width: 100 }, Span { start: 100, width: 300 }]);
    }

    #[test]
    fn no_bar_leaves_the_picture_or_vanishes() {
        for whole_ms in [0, 1, 7, 10_000] {
            for span in spans(&[attempt(0), attempt(7), attempt(0)], whole_ms) {
                assert!(
                    span.width >= 8 && span.start + span.width <= 1_000,
                    "{span:?} of {whole_ms} ms"
                );
            }
        }
    }
}

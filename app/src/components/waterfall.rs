use leptos::prelude::*;

use super::Pill;
use crate::text::{self, analysis as words};
use crate::types::Attempt;

/// One call of a request. Times are from the request's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Such as "1. Key 2".
    pub word: String,
    /// In words.
    pub outcome: String,
    pub is_answer: bool,
    pub started_ms: u64,
    pub ms: u64,
}

impl Call {
    /// Calls of which only the order and the length are known: each starts where the one before ended.
    pub fn in_turn(attempts: &[Attempt]) -> Vec<Self> {
        let mut started_ms = 0;
        let calls = attempts.iter().zip(1..).map(|(attempt, number)| {
            let call = Self {
                word: words::call(number, attempt.key_number),
                outcome: text::outcome(&attempt.outcome),
                is_answer: attempt.outcome == "success",
                started_ms,
                ms: attempt.ms,
            };
            started_ms += attempt.ms;
            call
        });
        calls.collect()
    }
}

/// The calls of one request below each other, each bar where it was in the whole time. Drawn in SVG: the content security
/// policy allows no style attribute.
#[component]
pub fn Waterfall(
    calls: Vec<Call>,
    /// From the request to its end, waiting included.
    whole_ms: u64,
    /// Said where there was no call.
    none: &'static str,
) -> impl IntoView {
    let empty = calls.is_empty();
    let rows = spans(&calls, whole_ms)
        .into_iter()
        .zip(calls)
        .map(|(span, call)| view! { <Row call span/> })
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
fn Row(call: Call, span: Span) -> impl IntoView {
    let (tone, icon) = if call.is_answer {
        ("tone-ok", "operational")
    } else {
        ("tone-degraded", "degraded")
    };
    view! {
        <tr>
            <td>{call.word}</td>
            <td><Pill tone icon word=call.outcome/></td>
            <td class="table-number">{text::took(call.ms)}</td>
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

fn spans(calls: &[Call], whole_ms: u64) -> Vec<Span> {
    let ended_ms = calls.iter().map(|call| call.started_ms.saturating_add(call.ms)).max();
    let whole_ms = whole_ms.max(ended_ms.unwrap_or(0)).max(1);
    let share = |ms: u64| u64::try_from(u128::from(ms) * 1_000 / u128::from(whole_ms)).unwrap_or(1_000);
    calls
        .iter()
        .map(|call| {
            // Even a call of no time is a mark that can be seen.
            let width = share(call.ms).clamp(8, 1_000);
            let start = share(call.started_ms).min(1_000 - width);
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
        let calls = Call::in_turn(&[attempt(100), attempt(300)]);
        assert_eq!(
            spans(&calls, 1_000),
            [Span { start: 0, width: 100 }, Span { start: 100, width: 300 }]
        );
    }

    #[test]
    fn a_call_whose_start_is_known_stands_where_it_was() {
        let calls = [(0, 12), (500, 400)].map(|(started_ms, ms)| Call {
            started_ms,
            ..Call::in_turn(&[attempt(ms)]).remove(0)
        });
        assert_eq!(
            spans(&calls, 1_000),
            [Span { start: 0, width: 12 }, Span { start: 500, width: 400 }]
        );
    }

    #[test]
    fn no_bar_leaves_the_picture_or_vanishes() {
        for whole_ms in [0, 1, 7, 10_000, u64::MAX] {
            let mut calls = Call::in_turn(&[attempt(0), attempt(7), attempt(0)]);
            calls.push(Call {
                started_ms: u64::MAX,
                ..calls[1].clone()
            });
            for span in spans(&calls, whole_ms) {
                assert!(
                    span.width >= 8 && span.start + span.width <= 1_000,
                    "{span:?} of {whole_ms} ms"
                );
            }
        }
    }
}

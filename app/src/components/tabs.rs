use leptos::prelude::*;

use crate::text::account as words;

/// The pages of one's own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountTab {
    Account,
    TwoFactor,
    Tokens,
}

/// Links between the pages of one's own account.
#[component]
pub fn AccountTabs(here: AccountTab) -> impl IntoView {
    let tabs = [
        (AccountTab::Account, "/account", words::TAB_ACCOUNT),
        (AccountTab::TwoFactor, "/account/two-factor", words::TAB_TWO_FACTOR),
        (AccountTab::Tokens, "/account/tokens", words::TAB_TOKENS),
    ];
    let links = tabs
        .into_iter()
        .map(|(tab, href, word)| {
            let current = (tab == here).then_some("page");
            view! { <li><a href=href aria-current=current>{word}</a></li> }
        })
        .collect::<Vec<_>>();
    view! {
        <nav class="tabs no-print" aria-label=words::TABS>
            <ul role="list">{links}</ul>
        </nav>
    }
    .into_any()
}

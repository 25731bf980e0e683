use leptos::prelude::*;

/// A symbol of `public/icons.svg` in the colour of the text around it. Hidden from screen readers: a word stands beside it.
#[component]
pub fn Icon(
    #[prop(into)] name: Signal<&'static str>,
    /// One more class, such as `icon-large`.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg class=if class.is_empty() { "icon".to_owned() } else { format!("icon {class}") } aria-hidden="true" focusable="false">
            <use href=move || format!("/icons.svg#{}", name.get())></use>
        </svg>
    }
}

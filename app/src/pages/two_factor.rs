use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{
    AccountTab, AccountTabs, Confirm, Field, Frame, Icon, Once, Pill, QrCode, RefusedSummary, RegionError,
};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::error::AppError;
use crate::islands::CopyButton;
use crate::text::account::{FAILED, two_factor as words};
use crate::types::{TwoFactor as State, TwoFactorSecret};

const PAGE: &str = "/account/two-factor";

/// One's own second factor: off, being set up, or on.
#[component]
pub fn TwoFactor() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    Suspend::new(async move {
        let user_id = context.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        let refused = context.refused;
        let body = match (context.shown, read(&backend, &user_id).await) {
            (Some(Shown::RecoveryCodes(codes)), _) => view! { <Codes codes/> }.into_any(),
            (_, Err(error)) => {
                view! { <RegionError title=FAILED error request_id=context.request_id retry=PAGE.to_owned()/> }
                    .into_any()
            }
            (_, Ok((state, _))) if state.enabled => view! { <IsOn state refused/> }.into_any(),
            (_, Ok((_, Some(secret)))) => view! { <Pending secret refused/> }.into_any(),
            (_, Ok((_, None))) => view! { <IsOff refused/> }.into_any(),
        };
        view! {
            <Frame title=words::TITLE>
                <AccountTabs here=AccountTab::TwoFactor/>
                <div class="sections">{body}</div>
            </Frame>
        }
    })
}

async fn read(backend: &BackendRef, user_id: &str) -> Result<(State, Option<TwoFactorSecret>), AppError> {
    let state = backend.two_factor(user_id).await?;
    let pending = match state.enabled {
        true => None,
        false => backend.pending_two_factor(user_id).await?,
    };
    Ok((state, pending))
}

#[component]
fn Head(tone: &'static str, icon: &'static str, word: &'static str, title: &'static str) -> impl IntoView {
    view! {
        <div class="card-head">
            <h2 id="two-factor">{title}</h2>
            <Pill tone icon word/>
        </div>
    }
}

#[component]
fn IsOff(refused: Option<RefusedForm>) -> impl IntoView {
    let refused = RefusedForm::of(refused.as_ref(), "begin");
    view! {
        <section class="card" aria-labelledby="two-factor">
            <Head tone="tone-unknown" icon="disabled" word=words::STATE_OFF title=words::BEGIN/>
            <div class="stack">
                <p class="muted">{words::WHAT}</p>
                <RefusedSummary title=words::BEGIN_REFUSED refused=refused.clone()/>
                <form method="post" action="/account/two-factor" class="stack form-narrow">
                    <Field
                        name="password"
                        label=words::BEGIN_PASSWORD
                        kind="password"
                        autocomplete="current-password"
                        refused
                    />
                    <div><button type="submit" class="button button-primary">{words::BEGIN_SUBMIT}</button></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Pending(secret: TwoFactorSecret, refused: Option<RefusedForm>) -> impl IntoView {
    let begin = RefusedForm::of(refused.as_ref(), "begin");
    let again = begin.is_some();
    let refused = RefusedForm::of(refused.as_ref(), "confirm");
    let TwoFactorSecret { secret, uri } = secret;
    view! {
        <section class="card" aria-labelledby="two-factor" data-testid="enrolment">
            <Head tone="tone-maintenance" icon="busy" word=words::NOT_CONFIRMED title=words::PENDING/>
            <div class="enrolment">
                <div class="enrolment-code"><QrCode text=uri.clone() label=words::QR/></div>
                <div class="stack">
                    <p>{words::SCAN}</p>
                    <div class="stack-tight">
                        <p>{words::TYPE}</p>
                        <p class="code enrolment-secret" data-testid="secret">{grouped(&secret)}</p>
                        <div class="row no-print">
                            <CopyButton text=secret label=words::COPY_SECRET.to_owned()/>
                            <a class="button" href=uri>{words::OPEN_APP}</a>
                        </div>
                    </div>
                    <RefusedSummary title=words::CONFIRM_REFUSED refused=refused.clone()/>
                    <form method="post" action="/account/two-factor/confirm" class="stack form-narrow">
                        <Field
                            name="code"
                            label=words::CODE
                            autocomplete="one-time-code"
                            input_mode="numeric"
                            hint=words::CODE_HINT
                            refused
                        />
                        <div><button type="submit" class="button button-primary">{words::CONFIRM}</button></div>
                    </form>
                </div>
            </div>
            <details class="confirm section-end" open=again>
                <summary class="button button-quiet">{words::AGAIN}</summary>
                <div class="confirm-body stack">
                    <RefusedSummary title=words::BEGIN_REFUSED refused=begin.clone() form="begin"/>
                    <form method="post" action="/account/two-factor" class="stack form-narrow">
                        <Field
                            name="password"
                            form="begin"
                            label=words::BEGIN_PASSWORD
                            kind="password"
                            autocomplete="current-password"
                            refused=begin
                        />
                        <div><button type="submit" class="button">{words::BEGIN_SUBMIT}</button></div>
                    </form>
                </div>
            </details>
        </section>
    }
    .into_any()
}

#[component]
fn Codes(codes: Vec<String>) -> impl IntoView {
    view! {
        <div class="banner tone-ok" role="status">
            <Icon name="check"/>
            <p class="banner-body">{words::IS_ON}</p>
        </div>
        <Once
            title=words::CODES
            hint=words::CODES_ONCE
            label=words::CODES_LABEL
            copy=words::COPY_CODES
            secret=codes.join("\n")
            onward=PAGE
            onward_word=words::CODES_DONE
        />
    }
    .into_any()
}

#[component]
fn IsOn(state: State, refused: Option<RefusedForm>) -> impl IntoView {
    let renew = RefusedForm::of(refused.as_ref(), "renew");
    let off = RefusedForm::of(refused.as_ref(), "off");
    let (renew_open, off_open) = (renew.is_some(), off.is_some());
    let left = words::codes_left(state.recovery_codes_left);
    view! {
        <section class="card" aria-labelledby="two-factor">
            <Head tone="tone-ok" icon="operational" word=words::STATE_ON title=words::TITLE/>
            <div class="stack">
                <p class="muted">{words::WHAT}</p>
                <p data-testid="codes-left">{left}</p>
                <Confirm label=words::RENEW effect=words::RENEW_EFFECT open=renew_open>
                    <RefusedSummary title=words::RENEW_REFUSED refused=renew.clone() form="renew"/>
                    <form method="post" action="/account/two-factor/recovery-codes" class="stack form-narrow">
                        <Both form="renew" refused=renew/>
                        <div><button type="submit" class="button">{words::RENEW_SUBMIT}</button></div>
                    </form>
                </Confirm>
                <Confirm label=words::OFF effect=words::OFF_EFFECT open=off_open>
                    <RefusedSummary title=words::OFF_REFUSED refused=off.clone() form="off"/>
                    <form method="post" action="/account/two-factor/off" class="stack form-narrow">
                        <Both form="off" refused=off/>
                        <div><button type="submit" class="button button-danger">{words::OFF_SUBMIT}</button></div>
                    </form>
                </Confirm>
            </div>
        </section>
    }
    .into_any()
}

/// Password and code: whoever finds an open browser has neither.
#[component]
fn Both(form: &'static str, refused: Option<RefusedForm>) -> impl IntoView {
    view! {
        <Field
            name="password"
            form
            label=words::BEGIN_PASSWORD
            kind="password"
            autocomplete="current-password"
            refused=refused.clone()
        />
        <Field name="code" form label=words::CODE_OR_RECOVERY autocomplete="one-time-code" refused/>
    }
    .into_any()
}

/// In fours, as people read letters to each other.
fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn a_secret_is_read_in_fours() {
        assert_eq!(grouped("JBSWY3DPEHPK3PXPAB"), "JBSW Y3DP EHPK 3PXP AB");
        assert_eq!(grouped(""), "");
    }
}

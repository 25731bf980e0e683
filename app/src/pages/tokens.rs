use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{
    AccountTab, AccountTabs, Choice, Confirm, Field, Frame, Icon, Once, Pill, RefusedSummary, RegionError, When,
};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::islands::CopyButton;
use crate::text::{self, account, tokens as words};
use crate::types::{ApiToken, CreatedToken, Role, TokenScope};

const PAGE: &str = "/account/tokens";

/// One's own API tokens. A new one is shown on the page that answers its form, and never again.
#[component]
pub fn Tokens() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    Suspend::new(async move {
        let (user_id, role) = context
            .user
            .as_ref()
            .map_or((String::new(), Role::User), |user| (user.id.clone(), user.role));
        let tokens = backend.tokens(&user_id).await;
        let created = match context.shown {
            Some(Shown::Token(created)) => Some(created),
            _ => None,
        };
        let form = created.is_none();
        view! {
            <Frame title=text::nav::TOKENS>
                <AccountTabs here=AccountTab::Tokens/>
                <div class="sections sections-wide">
                    {created.map(|created| view! { <Created created/> })}
                    {match tokens {
                        Ok(tokens) => view! { <List tokens/> }.into_any(),
                        Err(error) => view! {
                            <RegionError title=account::FAILED error request_id=context.request_id retry=PAGE.to_owned()/>
                        }
                        .into_any(),
                    }}
                    {form.then(|| view! { <Create role refused=context.refused/> })}
                </div>
            </Frame>
        }
    })
}

#[component]
fn Created(created: CreatedToken) -> impl IntoView {
    let call = words::first_call(&created.facts.scopes, &created.token);
    let copied = call.clone();
    view! {
        <Once
            title=words::CREATED
            hint=words::CREATED_ONCE
            label=words::TOKEN
            copy=words::COPY
            secret=created.token
            onward=PAGE
            onward_word=words::CREATED_DONE
        >
            <details class="disclosure">
                <summary>{words::FIRST_CALL}<Icon name="chevron-down"/></summary>
                <div class="stack-tight">
                    <pre class="code" tabindex="0" role="region" aria-label=words::FIRST_CALL>{call}</pre>
                    <p class="label">{words::CALL_HINT}</p>
                    <div class="no-print"><CopyButton text=copied label=words::COPY_CALL.to_owned()/></div>
                </div>
            </details>
        </Once>
    }
    .into_any()
}

#[component]
fn List(tokens: Vec<ApiToken>) -> impl IntoView {
    let empty = tokens.is_empty();
    let rows = tokens
        .into_iter()
        .map(|token| view! { <Row token/> })
        .collect::<Vec<_>>();
    let table = (!empty).then(|| {
        view! {
            <div class="table-wrap">
                <table class="table cards" data-testid="tokens">
                    <thead>
                        <tr>
                            <th scope="col">{words::NAME}</th>
                            <th scope="col">{words::USED_FOR}</th>
                            <th scope="col">{words::LAST_USED}</th>
                            <th scope="col">{words::ENDS}</th>
                            <th scope="col"><span class="visually-hidden">{words::ACTIONS}</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
    });
    view! {
        <section class="card" aria-labelledby="tokens">
            <div class="card-head"><h2 id="tokens">{words::LIST}</h2></div>
            {empty.then(|| view! { <p class="muted">{words::EMPTY}</p> })}
            {table}
        </section>
    }
    .into_any()
}

#[component]
fn Row(token: ApiToken) -> impl IntoView {
    let action = format!("{PAGE}/{}/revoke", token.id);
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| words::scope(*scope).0).collect();
    let last_used = match token.last_used_at {
        Some(at) => view! { <When at zone_shown=true/> }.into_any(),
        None => words::UNUSED.into_any(),
    };
    let ends = match token.expires_at {
        Some(_) if token.expired => view! { <Pill tone="tone-unknown" icon="disabled" word=words::ENDED/> }.into_any(),
        Some(at) => view! { <When at zone_shown=true/> }.into_any(),
        None => words::NEVER_ENDS.into_any(),
    };
    view! {
        <tr>
            <th scope="row" class="cell-title">
                <span class="cell-name">{token.name.clone()}</span>
                <code class="muted">{token.mask}</code>
            </th>
            <td data-label=words::USED_FOR>
                {scopes.join(", ")}
                {token.requests_per_minute.map(|requests| view! { <span class="label muted">", "{words::per_minute(requests)}</span> })}
            </td>
            <td class="muted" data-label=words::LAST_USED>{last_used}</td>
            <td class="muted" data-label=words::ENDS>{ends}</td>
            <td class="cell-actions">
                <Confirm label=words::REVOKE about=token.name effect=words::REVOKE_EFFECT>
                    <form method="post" action=action>
                        <button type="submit" class="button button-danger">{words::REVOKE_SUBMIT}</button>
                    </form>
                </Confirm>
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn Create(role: Role, refused: Option<RefusedForm>) -> impl IntoView {
    let kept = |field| refused.as_ref().map(|refused| refused.kept(field));
    let name = kept("name").unwrap_or_default();
    let limit = kept("requestsPerMinute").unwrap_or_default();
    let chosen = kept("expiresInDays").unwrap_or_else(|| words::EXPIRY_DAYS_USUAL.to_string());
    let scopes = kept("scopes").unwrap_or_else(|| TokenScope::Analyze.as_str().to_owned());
    let choices = words::EXPIRY_DAYS
        .into_iter()
        .map(|days| (days.to_string(), words::days(days)))
        .chain([(String::new(), words::NEVER_ENDS.to_owned())])
        .collect();
    view! {
        <section class="card" aria-labelledby="create">
            <div class="card-head"><h2 id="create">{words::CREATE}</h2></div>
            <div class="stack">
                <p class="muted">{words::CREATE_HINT}</p>
                <RefusedSummary title=words::REFUSED refused=refused.clone()/>
                <form method="post" action=PAGE class="stack form-narrow">
                    <Field
                        name="name"
                        label=words::NAME
                        autocomplete="off"
                        hint=words::NAME_HINT
                        value=name
                        refused=refused.clone()
                    />
                    <Scopes role chosen=scopes refused=refused.clone()/>
                    <Choice name="expiresInDays" label=words::EXPIRES choices chosen/>
                    <Field
                        name="requestsPerMinute"
                        label=words::LIMIT
                        autocomplete="off"
                        input_mode="numeric"
                        hint=words::LIMIT_HINT
                        value=limit
                        required=false
                        refused=refused.clone()
                    />
                    {(role == Role::Admin).then(|| view! {
                        <Field
                            name="password"
                            label=words::PASSWORD
                            kind="password"
                            autocomplete="current-password"
                            hint=words::PASSWORD_HINT
                            required=false
                            refused
                        />
                    })}
                    <div><button type="submit" class="button button-primary">{words::SUBMIT}</button></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// Those that the role may give. `chosen` names them with commas between.
#[component]
fn Scopes(role: Role, chosen: String, refused: Option<RefusedForm>) -> impl IntoView {
    let error = refused
        .filter(|refused| refused.error.field.as_deref() == Some("scopes"))
        .map(|refused| refused.error.message);
    let described = error.is_some().then_some("scopes-error");
    let boxes = TokenScope::ALL
        .into_iter()
        .filter(|scope| scope.least_role() <= role)
        .map(|scope| {
            let (word, hint) = words::scope(scope);
            let checked = chosen.split(',').any(|name| name == scope.as_str());
            view! {
                <label class="check-option">
                    <input type="checkbox" name="scopes" value=scope.as_str() checked=checked/>
                    <span><strong>{word}</strong>" "<span class="muted">{hint}</span></span>
                </label>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <fieldset class="options" id="scopes" aria-describedby=described>
            <legend>{words::SCOPES}</legend>
            {boxes}
            {error.map(|error| view! {
                <p class="field-error" id="scopes-error"><Icon name="major"/><span>{error}</span></p>
            })}
        </fieldset>
    }
    .into_any()
}

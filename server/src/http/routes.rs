//! Every route with its policy, on one screen.

use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::{
    AppState, Policy, Scope, account, admin, alerts, analyses, analytics, analyze, audit, auth, cache, doctor, forms,
    notifications, operator, pages, settings, status, tokens, users, vault,
};

pub(super) type Routes = Vec<(Policy, &'static str, MethodRouter<AppState>)>;

/// All but pages and files.
pub(super) fn all() -> Routes {
    [
        account_api(),
        analysis_api(),
        usage_api(),
        key_api(),
        alert_api(),
        admin_api(),
        operator_api(),
        account_forms(),
        admin_forms(),
        other_forms(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The caller's account and its tokens.
fn account_api() -> Routes {
    use Policy::{Anyone, User};
    use Scope::Person;
    vec![
        (Anyone, "/api/auth/register", post(auth::register)),
        (Anyone, "/api/auth/login", post(auth::login)),
        (Anyone, "/api/auth/refresh", post(auth::refresh)),
        (Anyone, "/api/auth/logout", post(auth::logout)),
        (Anyone, "/api/auth/password-link", post(account::set_password_by_link)),
        (
            User(Person),
            "/api/auth/me",
            get(account::me).patch(account::rename).delete(account::delete),
        ),
        (User(Person), "/api/auth/password", post(account::change_password)),
        (
            User(Person),
            "/api/auth/sessions",
            get(account::sessions).delete(account::end_other_sessions),
        ),
        (User(Person), "/api/auth/sessions/{id}", delete(account::end_session)),
        (
            User(Person),
            "/api/auth/two-factor",
            get(account::two_factor)
                .post(account::begin_two_factor)
                .delete(account::disable_two_factor),
        ),
        (
            User(Person),
            "/api/auth/two-factor/confirm",
            post(account::confirm_two_factor),
        ),
        (
            User(Person),
            "/api/auth/two-factor/recovery-codes",
            post(account::renew_recovery_codes),
        ),
        (User(Person), "/api/tokens", get(tokens::list).post(tokens::create)),
        (User(Person), "/api/tokens/{id}", delete(tokens::revoke)),
    ]
}

/// What Keypool is there for.
fn analysis_api() -> Routes {
    use Policy::{Anyone, User};
    use Scope::{Analyze, History, Status};
    vec![
        (User(Analyze), "/api/ai-analysis/analyze", post(analyze::whole)),
        (
            User(Analyze),
            "/api/ai-analysis/analyze/stream",
            post(analyze::streamed),
        ),
        (
            User(History),
            "/api/ai-analysis/analyses",
            get(analyses::list).delete(analyses::erase),
        ),
        (
            User(History),
            "/api/ai-analysis/analyses/{id}",
            get(analyses::load).delete(analyses::delete),
        ),
        (User(Status), "/api/ai-analysis/service-status", get(status::service)),
        (
            User(Status),
            "/api/ai-analysis/service-status/stream",
            get(status::stream),
        ),
        (Anyone, "/api/status.json", get(status::public)),
    ]
}

/// What was used.
fn usage_api() -> Routes {
    const VIEWER: Policy = Policy::Viewer(Scope::Analytics);
    vec![
        (VIEWER, "/api/analytics/overview", get(analytics::overview)),
        (VIEWER, "/api/analytics/api-usage", get(analytics::api_usage)),
        (VIEWER, "/api/analytics/hourly-pattern", get(analytics::hourly_pattern)),
        (
            VIEWER,
            "/api/analytics/real-time-metrics",
            get(analytics::real_time_metrics),
        ),
        (VIEWER, "/api/analytics/timeseries", get(analytics::timeseries)),
        (VIEWER, "/api/analytics/charts/{file}", get(analytics::chart)),
        (VIEWER, "/api/analytics/errors", get(analytics::errors)),
        (VIEWER, "/api/analytics/forecast", get(analytics::forecast)),
        (VIEWER, "/api/analytics/requests", get(analytics::requests)),
        (VIEWER, "/api/analytics/requests/{id}", get(analytics::request)),
        (VIEWER, "/api/analytics/export.csv", get(analytics::export_csv)),
        (VIEWER, "/api/analytics/export.json", get(analytics::export_json)),
        (VIEWER, "/api/analytics/stream", get(analytics::stream)),
        (pages::VIEWER, "/overview/live", get(pages::live_overview)),
        (pages::VIEWER, "/requests/live", get(pages::live_requests)),
    ]
}

/// The pool's keys.
fn key_api() -> Routes {
    use Policy::Admin;
    vec![
        (Admin, "/api/admin/keys", get(admin::list_keys).post(admin::add_key)),
        (Admin, "/api/admin/keys/reset-quota", post(admin::reset_quota)),
        (Admin, "/api/admin/keys/switch", post(admin::switch)),
        (Admin, "/api/admin/keys/test-all", post(admin::test_all)),
        (Admin, "/api/admin/keys/import", post(admin::import_keys)),
        (
            Admin,
            "/api/admin/keys/rewrap",
            get(vault::standing).post(vault::rewrap),
        ),
        (Admin, "/api/admin/keys/siblings", get(admin::siblings)),
        (
            Admin,
            "/api/admin/keys/siblings/{id}/confirm",
            post(admin::confirm_siblings),
        ),
        (
            Admin,
            "/api/admin/keys/siblings/{id}/dismiss",
            post(admin::dismiss_siblings),
        ),
        (
            Admin,
            "/api/admin/keys/{id}",
            patch(admin::update_key).delete(admin::delete_key),
        ),
        (Admin, "/api/admin/keys/{id}/test", post(admin::test_key)),
        (Admin, "/api/admin/keys/{id}/enable", post(admin::enable_key)),
        (Admin, "/api/admin/keys/{id}/disable", post(admin::disable_key)),
        (Admin, "/api/admin/keys/{id}/reset", post(admin::reset_key)),
    ]
}

/// What rules find wrong.
fn alert_api() -> Routes {
    use Policy::Admin;
    vec![
        (Admin, "/api/admin/alerts", get(alerts::list)),
        (Admin, "/api/admin/alerts/history", get(alerts::history)),
        (Admin, "/api/admin/incidents", get(alerts::history)),
        (Admin, "/api/admin/alerts/rules/{id}", put(alerts::change_rule)),
        (Admin, "/api/admin/alerts/rules/{id}/preview", post(alerts::preview)),
        (Admin, "/api/admin/alerts/{id}/acknowledge", post(alerts::acknowledge)),
        (Admin, "/api/admin/alerts/{id}/silence", post(alerts::silence)),
        (Admin, "/api/admin/alerts/{id}/resolve", post(alerts::resolve)),
    ]
}

/// What admins see and do besides.
fn admin_api() -> Routes {
    use Policy::Admin;
    vec![
        (Admin, "/api/admin/backup", post(vault::backup)),
        (Admin, "/api/admin/users", get(users::list).post(users::create)),
        (
            Admin,
            "/api/admin/users/{id}",
            patch(users::change).delete(users::delete),
        ),
        (Admin, "/api/admin/users/{id}/sign-out", post(users::sign_out)),
        (Admin, "/api/admin/users/{id}/password", post(users::set_password)),
        (Admin, "/api/admin/users/{id}/password-link", post(users::password_link)),
        (Admin, "/api/admin/users/{id}/tokens", get(tokens::list_of)),
        (Admin, "/api/admin/users/{id}/tokens/{token}", delete(tokens::revoke_of)),
        (
            Admin,
            "/api/admin/users/{id}/two-factor/reset",
            post(users::reset_two_factor),
        ),
        (
            Admin,
            "/api/admin/invitations",
            get(users::invitations).post(users::invite),
        ),
        (Admin, "/api/admin/invitations/{id}", delete(users::delete_invitation)),
        (Admin, "/api/admin/cache", get(cache::stats).delete(cache::clear)),
        (Admin, "/api/admin/performance", get(cache::performance)),
        (Admin, "/api/admin/performance/reset", post(cache::reset_performance)),
        (Admin, "/api/admin/notifications", get(notifications::list)),
        (Admin, "/api/admin/notifications/test", post(notifications::test)),
        (Admin, "/api/admin/audit", get(audit::list)),
        (Admin, "/api/admin/audit/verify", get(audit::verify)),
        (Admin, "/api/admin/doctor", get(doctor::report).post(doctor::test)),
        (
            Admin,
            "/api/admin/settings",
            get(settings::list).patch(settings::change),
        ),
    ]
}

/// For those who run the server.
fn operator_api() -> Routes {
    use Policy::Anyone;
    vec![
        (Anyone, "/healthz", get(operator::healthz)),
        (Anyone, "/readyz", get(operator::readyz)),
    ]
}

/// Forms of the pages, which work before any script has loaded: signing in, and one's own account.
fn account_forms() -> Routes {
    use Policy::{Admin, Anyone, User};
    use Scope::Person;
    vec![
        (Anyone, "/sign-in", post(forms::sign_in::sign_in)),
        (Anyone, "/sign-in/code", post(forms::sign_in::code)),
        (Anyone, "/register", post(forms::sign_in::register)),
        (Anyone, "/sign-out", post(forms::sign_in::sign_out)),
        (Anyone, "/invitation", post(forms::by_link::invitation)),
        (Anyone, "/password", post(forms::by_link::password)),
        (Anyone, "/set-up", post(forms::set_up::admin)),
        (Admin, "/set-up/key", post(forms::set_up::key)),
        (User(Person), "/account/name", post(forms::account::rename)),
        (User(Person), "/account/password", post(forms::account::password)),
        (
            User(Person),
            "/account/sessions/end",
            post(forms::account::end_other_sessions),
        ),
        (
            User(Person),
            "/account/sessions/{id}/end",
            post(forms::account::end_session),
        ),
        (User(Person), "/account/export", get(forms::export::download)),
        (User(Person), "/account/erase", post(forms::account::erase)),
        (User(Person), "/account/delete", post(forms::account::delete)),
        (User(Person), "/account/two-factor", post(forms::two_factor::begin)),
        (
            User(Person),
            "/account/two-factor/confirm",
            post(forms::two_factor::confirm),
        ),
        (
            User(Person),
            "/account/two-factor/recovery-codes",
            post(forms::two_factor::renew_codes),
        ),
        (User(Person), "/account/two-factor/off", post(forms::two_factor::off)),
        (User(Person), "/account/tokens", post(forms::tokens::create)),
        (User(Person), "/account/tokens/{id}/revoke", post(forms::tokens::revoke)),
    ]
}

/// Forms of the admins' pages.
fn admin_forms() -> Routes {
    use Policy::Admin;
    vec![
        (Admin, "/admin/users/{id}/role", post(forms::users::role)),
        (Admin, "/admin/users/{id}/disable", post(forms::users::disable)),
        (Admin, "/admin/users/{id}/enable", post(forms::users::enable)),
        (Admin, "/admin/users/{id}/sign-out", post(forms::users::sign_out)),
        (
            Admin,
            "/admin/users/{id}/password-link",
            post(forms::users::password_link),
        ),
        (
            Admin,
            "/admin/users/{id}/two-factor",
            post(forms::users::reset_two_factor),
        ),
        (Admin, "/admin/users/{id}/delete", post(forms::users::delete)),
        (Admin, "/admin/invitations", post(forms::users::invite)),
        (
            Admin,
            "/admin/invitations/{id}/delete",
            post(forms::users::withdraw_invitation),
        ),
        (Admin, "/admin/alerts/test", post(forms::alerts::test)),
        (Admin, "/admin/alerts/rules/{id}", post(forms::alerts::change_rule)),
        (
            Admin,
            "/admin/alerts/rules/{id}/preview",
            post(forms::alerts::preview_rule),
        ),
        (Admin, "/admin/alerts/rules/{id}/reset", post(forms::alerts::reset_rule)),
        (
            Admin,
            "/admin/alerts/{id}/acknowledge",
            post(forms::alerts::acknowledge),
        ),
        (Admin, "/admin/alerts/{id}/silence", post(forms::alerts::silence)),
        (Admin, "/admin/alerts/{id}/resolve", post(forms::alerts::resolve)),
        (Admin, "/admin/doctor", post(doctor::test_form)),
        (Admin, "/admin/doctor/siblings", post(doctor::sibling_form)),
    ]
}

/// The other forms, and pieces of pages that scripts ask for.
fn other_forms() -> Routes {
    use Policy::{Anyone, User};
    use Scope::Person;
    vec![
        (Anyone, "/theme", post(forms::theme)),
        (User(Person), "/", post(forms::analyze)),
        (User(Person), "/history/{id}/delete", post(forms::delete_analysis)),
        (User(Person), "/history/recent", get(analyses::recent_fragment)),
        (User(Person), "/history/{id}/answer", get(analyses::answer_fragment)),
        (User(Person), "/history/answer", post(analyses::render_answer)),
    ]
}

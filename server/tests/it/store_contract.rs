//! What every store must do, run against each of them.

mod accounts;
mod api_tokens;
mod audit;
mod erasing;
mod history;
mod idempotency;
mod in_mongo;
mod incidents;
mod keys;
mod links;
mod notifications;
mod second_factors;
mod secrets;
mod sessions;
mod sign_ins;
mod usage;
mod whole;

use std::time::Duration;

use app::types::Role;
use pool::Timestamp;
use serde_json::json;
use server::email::Email;
use server::store::sqlite::SqliteStore;
use server::store::{Store, StoredRefreshToken, StoredSession, StoredSignIn, StoredUser, Successor};

use crate::support::mongod::Scratch;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

macro_rules! contract {
    ($($group:ident::$name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let dir = tempfile::tempdir().unwrap();
                    let store = super::SqliteStore::open(&dir.path().join("keypool.db")).unwrap();
                    super::$group::$name(&store).await;
                }
            )*
        }

        mod mongo {
            $(
                #[tokio::test]
                async fn $name() {
                    let place = super::Scratch::new().await;
                    let store = place.open().await.unwrap();
                    super::$group::$name(&store).await;
                    place.clear(store).await;
                }
            )*
        }
    };
}

contract![
    whole::a_new_store_is_ready_and_empty,
    keys::keys_are_numbered_in_order_and_no_number_comes_twice,
    keys::a_key_is_stored_once,
    keys::a_change_of_a_key_leaves_the_rest_of_it,
    keys::a_new_key_has_what_is_wanted_of_it,
    keys::keys_of_the_environment_keep_their_row,
    keys::a_key_known_from_the_environment_becomes_one_of_the_console_with_its_secret,
    whole::pool_records_replace_each_other_by_name,
    accounts::an_account_is_found_by_email_in_any_case_and_made_once,
    accounts::roles_are_counted_and_changed,
    accounts::a_changed_role_or_password_ends_what_was_signed_in,
    accounts::what_was_checked_before_a_change_begins_nothing_after_it,
    accounts::a_set_up_link_makes_one_admin,
    accounts::of_many_first_admins_at_the_same_time_one_is_made,
    accounts::a_set_up_link_outlives_a_form_that_is_refused,
    sessions::sessions_are_kept_until_they_are_ended,
    sessions::the_sessions_of_a_user_are_listed_while_they_last,
    sessions::what_has_expired_is_removed_and_nothing_else,
    sign_ins::a_refresh_token_is_good_once,
    sign_ins::a_refresh_token_used_twice_revokes_its_family,
    sign_ins::concurrent_uses_of_a_refresh_token_have_one_winner,
    sign_ins::what_begins_or_goes_on_while_everything_ends_ends_too,
    sign_ins::a_sign_in_lives_as_long_as_its_tokens,
    sign_ins::a_sign_in_is_ended_by_its_user_only,
    sign_ins::a_sign_in_ends_in_the_end_however_much_it_is_used,
    sign_ins::everything_of_a_user_ends_but_what_is_named,
    accounts::a_disabled_account_is_signed_in_nowhere,
    accounts::an_account_is_renamed_and_remembers_its_last_sign_in,
    accounts::a_new_password_spares_the_session_it_was_set_in,
    second_factors::a_second_factor_is_kept_replaced_and_removed,
    second_factors::a_confirmed_factor_is_not_begun_anew_nor_confirmed_twice,
    second_factors::new_recovery_codes_leave_the_last_step,
    second_factors::a_code_is_good_once_however_many_use_it_at_the_same_time,
    second_factors::a_recovery_code_is_good_once_however_many_use_it_at_the_same_time,
    links::links_are_listed_by_kind_newest_first,
    links::an_invitation_makes_one_account_however_many_open_it_at_the_same_time,
    links::an_invitation_outlives_a_form_that_is_refused,
    links::a_password_link_sets_one_password,
    links::a_new_password_ends_the_links_that_would_set_another,
    links::links_go_with_the_right_to_make_them,
    links::a_link_of_somebody_who_may_make_none_is_not_good,
    accounts::a_change_of_an_account_leaves_the_rest_of_it,
    api_tokens::an_api_token_is_found_by_its_hash_and_belongs_to_its_user,
    api_tokens::the_latest_use_of_an_api_token_is_remembered,
    audit::entries_are_appended_in_order_and_once,
    audit::of_entries_appended_at_the_same_time_one_is_kept,
    audit::the_log_is_read_from_both_ends,
    audit::what_is_searched_for_in_the_log_means_itself,
    secrets::sealed_values_are_listed_and_replaced_by_compare_and_set,
    secrets::the_first_secret_of_the_server_wins,
    idempotency::a_request_is_begun_once_however_often_it_is_sent,
    idempotency::an_expired_request_is_begun_anew,
    idempotency::what_is_not_finished_is_abandoned_and_nothing_else,
    idempotency::what_is_kept_of_an_analysis_goes_with_it,
    history::a_history_is_erased_by_user_and_by_age,
    erasing::a_deleted_user_leaves_nothing_but_the_audit_log,
    history::the_history_comes_in_pages_newest_first,
    history::pages_do_not_shift_when_the_history_grows,
    history::an_analysis_belongs_to_its_user,
    usage::usage_is_stored_once_however_often_it_is_sent,
    usage::an_event_is_listed_as_it_was_appended,
    usage::the_last_events_of_a_deleted_user_are_nobodys,
    usage::events_of_one_instant_are_paged_without_loss,
    usage::events_are_filtered_by_all_that_is_asked,
    usage::a_search_stops_where_it_has_looked_at_enough,
    usage::rollups_add_up_to_the_events,
    usage::old_usage_goes_and_what_it_adds_up_to_stays,
    usage::more_old_usage_than_goes_at_once_goes_too,
    usage::a_thousand_writers_at_once_all_succeed,
    notifications::a_setting_is_kept_replaced_and_removed,
    notifications::a_notification_is_stored_once_with_a_delivery_a_channel,
    notifications::deliveries_are_due_by_channel_and_time_until_they_ended,
    notifications::notifications_come_in_pages_newest_first,
    notifications::old_notifications_go_with_their_deliveries,
    incidents::an_incident_is_kept_as_it_was_and_open_once_a_rule_and_subject,
    incidents::a_change_of_an_incident_leaves_the_rest_of_it,
    incidents::a_resolved_incident_is_not_changed_and_its_end_is_told_once,
    incidents::incidents_come_in_pages_newest_first,
    incidents::old_incidents_go_and_open_ones_stay,
    whole::a_closed_store_refuses,
];

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn user(id: &str, email: &str, role: Role) -> StoredUser {
    StoredUser {
        id: id.to_owned(),
        email: Email::parse(email).unwrap(),
        name: format!("Name of {id}"),
        role,
        password_hash: "$argon2id$of-nobody".to_owned(),
        created_at: NOW,
        disabled: false,
        last_sign_in_at: None,
        credentials: 0,
    }
}

fn session(id: u8, user_id: Option<&str>, expires_at: Timestamp) -> StoredSession {
    let data = json!({"user_id": user_id, "list": [1, {"text": "ü"}]});
    StoredSession {
        id: [id; 32],
        user_id: user_id.map(str::to_owned),
        data,
        expires_at,
        ends_at: later(43_200),
        credentials: 0,
    }
}

fn token(token: u8, family: &str, user_id: &str) -> StoredRefreshToken {
    StoredRefreshToken {
        token: [token; 32],
        family: family.to_owned(),
        user_id: user_id.to_owned(),
        expires_at: later(3600),
    }
}

fn sign_in(family: &str, user_id: &str) -> StoredSignIn {
    StoredSignIn {
        family: family.to_owned(),
        user_id: user_id.to_owned(),
        began_at: NOW,
        last_used_at: NOW,
        expires_at: later(3600),
        user_agent: Some("test/1".to_owned()),
        address: Some("192.0.2.1".to_owned()),
    }
}

/// A sign-in of a new family with its first token.
async fn begin_sign_in(store: &dyn Store, number: u8, family: &str, user_id: &str) {
    let credentials = store.user(user_id).await.unwrap().map_or(0, |user| user.credentials);
    let begun = store.insert_refresh_token(token(number, family, user_id), sign_in(family, user_id), credentials);
    assert!(begun.await.unwrap());
}

fn successor(token: u8) -> Successor {
    Successor {
        token: [token; 32],
        expires_at: later(7200),
        life_max: Duration::from_secs(90 * 24 * 3600),
    }
}

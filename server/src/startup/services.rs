//! What handlers work with, out of the parts that `build` has opened.

use std::sync::Arc;
use std::time::Duration;

use app::context::DemoAccount;
use tokio_util::sync::CancellationToken;

use super::doctor;
use crate::accounts::{Accounts, SignedInBy};
use crate::alerts::Alerts;
use crate::analysis::Deps;
use crate::analytics::Analytics;
use crate::api_tokens::ApiTokens;
use crate::audit::Audit;
use crate::backend::PageBackend;
use crate::backup::Backups;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::history::History;
use crate::http::{CrossOrigin, Services, Site};
use crate::idempotency::{Idempotency, Records};
use crate::keys::Keys;
use crate::notify::Notifier;
use crate::performance::Performance;
use crate::rate_limit::RateLimiter;
use crate::sessions::Sessions;
use crate::settings::RuntimeSettings;
use crate::shared_pool::SharedPool;
use crate::status::StatusReader;
use crate::store::Store;
use crate::usage::Recorder;
use crate::waiting::WaitingRoom;

pub(super) fn analysis_deps(
    config: &Config,
    keys: &Keys,
    store: Arc<dyn Store>,
    recorder: Recorder,
    waiting: WaitingRoom,
    (deadline, cut): (Duration, CancellationToken),
) -> Deps {
    let clock = keys.clock.clone();
    let cache = Arc::new(Cache::new(config.cache, clock.clone()));
    let keep = config.history.keep;
    let records = Records::new(Arc::clone(&store), keep);
    Deps {
        history: History::new(Arc::clone(&store), keep, Arc::clone(&cache), records, clock.clone()),
        pool: keys.pool.clone(),
        keyring: Arc::clone(&keys.keyring),
        provider: Arc::clone(&keys.provider),
        store,
        recorder,
        waiting,
        cache,
        performance: Arc::new(Performance::new(clock.now())),
        grouping: keys.grouping.clone(),
        clock,
        text_model: config.text_model.clone(),
        vision_model: config.vision_model.clone(),
        fallback_models: config.fallback_models.clone(),
        deadline,
        cut,
    }
}

/// What pages and streams are told of the process around them.
pub(super) struct Surroundings {
    pub(super) demo: Option<Vec<DemoAccount>>,
    pub(super) site: Site,
    pub(super) stop: CancellationToken,
    pub(super) settings: RuntimeSettings,
    pub(super) notifier: Notifier,
    pub(super) analytics: Analytics,
    pub(super) alerts: Alerts,
    pub(super) idempotency: Arc<Idempotency>,
    pub(super) tokens: ApiTokens,
    pub(super) audit: Audit,
}

pub(super) fn status_reader(config: &Config, pool: &SharedPool, clock: &Clock, simulated: bool) -> StatusReader {
    StatusReader {
        pool: pool.clone(),
        clock: clock.clone(),
        text_model: config.text_model.clone(),
        vision_model: config.vision_model.clone(),
        fallback_models: config.fallback_models.clone(),
        queue: config.queue,
        simulated,
    }
}

pub(super) fn analytics(analysis: &Deps, status: StatusReader) -> Analytics {
    Analytics {
        store: Arc::clone(&analysis.store),
        clock: analysis.clock.clone(),
        recorder: analysis.recorder.clone(),
        status,
    }
}

pub(super) fn services(
    config: &Config,
    analysis: Arc<Deps>,
    accounts: Arc<Accounts>,
    keys: Arc<Keys>,
    around: Surroundings,
) -> Services {
    let status = status_reader(config, &analysis.pool, &analysis.clock, around.demo.is_some());
    let history = analysis.history.clone();
    let doctor = Arc::new(doctor::of_server(config, &analysis, &keys, &status));
    let tokens = Arc::new(around.tokens);
    let audit = around.audit.clone();
    let backend = PageBackend {
        status: status.clone(),
        doctor: Arc::clone(&doctor),
        keyring: Arc::clone(&keys.keyring),
        history: history.clone(),
        accounts: Arc::clone(&accounts),
        clock: analysis.clock.clone(),
        tokens: Arc::clone(&tokens),
        audit: audit.clone(),
        alerts: around.alerts.clone(),
        by: SignedInBy::Other,
    };
    Services {
        analytics: around.analytics,
        accounts,
        tokens,
        audit,
        backups: Backups::new(
            Arc::clone(&analysis.store),
            keys.keyring.vault().clone(),
            config.data_dir.clone(),
            analysis.clock.clone(),
        ),
        keys,
        status,
        cache: Arc::clone(&analysis.cache),
        performance: Arc::clone(&analysis.performance),
        doctor,
        settings: around.settings,
        notifier: around.notifier,
        alerts: around.alerts,
        idempotency: around.idempotency,
        sessions: Sessions::new(Arc::clone(&analysis.store), analysis.clock.clone()),
        store: Arc::clone(&analysis.store),
        history,
        backend: Arc::new(backend),
        clock: analysis.clock.clone(),
        limiter: RateLimiter::new(config.rate_limit, analysis.clock.clone()),
        trusted_proxies: config.trusted_proxies.clone(),
        cross_origin: CrossOrigin::new(&config.cors_origins),
        production: config.production,
        secure_cookies: config.production,
        demo: around.demo,
        site: around.site,
        stop: around.stop,
        analysis,
    }
}

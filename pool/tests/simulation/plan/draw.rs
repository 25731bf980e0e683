//! Draws a plan from a seed.

use pool::{Strategy, Tier};

use super::{
    DAY_MS, Failing, HORIZON_MS, HOUR_MS, Item, Kind, MINUTE_MS, Plan, ProjectPlan, Quota, SECOND_MS, START_MS,
    SecretPlan,
};
use crate::random::Random;

impl Plan {
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let random = &mut random;
        let projects: Vec<ProjectPlan> = (0..random.between(1, 6)).map(|nth| project(nth, random)).collect();
        let secrets: Vec<SecretPlan> = projects
            .iter()
            .enumerate()
            .flat_map(|(project, _)| secrets_of(project, random))
            .collect();
        let mut plan = Self {
            seed,
            horizon_ms: HORIZON_MS,
            projects,
            secrets,
            strategy: random.pick(&Strategy::ALL),
            request_gap_ms: random.pick(&[30, 60, 120]) * SECOND_MS,
            is_configured: random.in_thousand(300),
            advice_permille: random.pick(&[0, 500, 1_000]),
            named_permille: random.pick(&[0, 500, 1_000]),
            probe_sees_bill: random.in_thousand(500),
            is_patient: random.in_thousand(500),
            has_fallback_model: random.in_thousand(500),
            items: Vec::new(),
        };
        plan.draw_items(random);
        plan
    }

    fn draw_items(&mut self, random: &mut Random) {
        self.draw_provider_faults(random);
        self.draw_key_faults(random);
        self.draw_traffic(random);
        self.draw_events(random);
        self.items.sort_by_key(|item| (item.from_ms, item.until_ms));
    }

    fn window(&mut self, random: &mut Random, longest_ms: u64, kind: Kind) {
        let from_ms = random.below(HORIZON_MS);
        let until_ms = (from_ms + random.between(MINUTE_MS / 2, longest_ms)).min(HORIZON_MS - 1);
        self.items.push(Item {
            from_ms,
            until_ms: until_ms.max(from_ms + 1),
            kind,
        });
    }

    fn instant(&mut self, random: &mut Random, kind: Kind) {
        let from_ms = random.below(HORIZON_MS);
        self.items.push(Item {
            from_ms,
            until_ms: from_ms,
            kind,
        });
    }

    fn draw_provider_faults(&mut self, random: &mut Random) {
        for _ in 0..random.below(5) {
            let kind = Kind::Outage {
                model: random.pick(&[None, Some(0), Some(1)]),
                permille: random.pick(&[1_000, 1_000, 300]),
                how: random.pick(&[
                    Failing::Overloaded,
                    Failing::Broken,
                    Failing::Unreachable,
                    Failing::Mixed,
                ]),
            };
            self.window(random, HOUR_MS, kind);
        }
        for _ in 0..random.below(3) {
            self.window(random, 10 * MINUTE_MS, Kind::Storm);
        }
        for model in 0..2 {
            if random.in_thousand(150) {
                self.window(random, 2 * HOUR_MS, Kind::ModelGone { model });
            }
        }
        if random.in_thousand(150) {
            self.window(random, 2 * HOUR_MS, Kind::RegionRefused);
        }
        for _ in 0..random.below(3) {
            let longest_ms = random.pick(&[20 * SECOND_MS, 3 * MINUTE_MS, 20 * MINUTE_MS]);
            self.window(random, HOUR_MS, Kind::Slow { longest_ms });
        }
        for day in 0..2 {
            if random.in_thousand(400) {
                let from_ms = day * DAY_MS + DAY_MS - START_MS % DAY_MS;
                let until_ms = from_ms + random.between(MINUTE_MS, 3 * HOUR_MS);
                let kind = Kind::SlowReset;
                self.items.push(Item {
                    from_ms,
                    until_ms: until_ms.min(HORIZON_MS - 1),
                    kind,
                });
            }
        }
    }

    fn draw_key_faults(&mut self, random: &mut Random) {
        let (secrets, projects) = (self.secrets.len(), self.projects.len());
        for _ in 0..random.below(6) {
            let (secret, whole_project) = (random.index(secrets), random.in_thousand(300));
            let kind = match random.below(6) {
                0 | 1 => Kind::Invalid { secret },
                2 => Kind::Revoked {
                    secret,
                    whole_project,
                    for_good: random.in_thousand(300),
                },
                3 => Kind::NeedsSetup { secret, whole_project },
                _ => Kind::BareRefusals { secret },
            };
            self.window(random, 8 * HOUR_MS, kind);
            if let (Some(item), Kind::Revoked { for_good: true, .. }) = (self.items.last_mut(), kind) {
                item.until_ms = u64::MAX;
            }
        }
        for _ in 0..random.below(4) {
            let account = self.projects[random.index(projects)].account;
            let kind = if random.in_thousand(500) {
                Kind::NoCredit { account }
            } else {
                Kind::SpendsTooFast { account }
            };
            self.window(random, 4 * HOUR_MS, kind);
        }
        for _ in 0..random.below(3) {
            let (project, model) = (random.index(projects), random.index(2));
            self.window(random, 12 * HOUR_MS, Kind::ZeroLimit { project, model });
        }
    }

    fn draw_traffic(&mut self, random: &mut Random) {
        for _ in 0..random.below(5) {
            let gap_ms = random.pick(&[200, 500, 2_000]);
            self.window(random, 2_000 * gap_ms / 2, Kind::Burst { gap_ms });
        }
        // Every outage deserves an audience now and then.
        let outages = self
            .items
            .iter()
            .filter(|item| matches!(item.kind, Kind::Outage { permille: 1_000, .. }));
        let audience: Vec<Item> = outages
            .map(|item| Item {
                until_ms: item.until_ms.min(item.from_ms + 5 * MINUTE_MS),
                kind: Kind::Burst { gap_ms: 1_000 },
                ..*item
            })
            .filter(|_| random.in_thousand(500))
            .collect();
        self.items.extend(audience);
        for _ in 0..random.below(3) {
            let permille = random.pick(&[20, 100, 500]);
            self.window(random, 6 * HOUR_MS, Kind::OddAnswers { permille });
            self.window(random, 6 * HOUR_MS, Kind::BadPrompts { permille });
            self.window(random, 6 * HOUR_MS, Kind::Leavers { permille });
        }
    }

    fn draw_events(&mut self, random: &mut Random) {
        let secrets = self.secrets.len();
        if random.in_thousand(400) {
            for _ in 0..random.between(1, 3) {
                let hour = i64::try_from(HOUR_MS).unwrap();
                let by_ms = random.pick(&[hour, -hour, -24 * hour]);
                self.instant(random, Kind::ClockStep { by_ms });
            }
        }
        for _ in 0..random.below(5) {
            let crash = random.in_thousand(500);
            self.instant(random, Kind::Restart { crash });
        }
        if random.in_thousand(300) {
            self.window(random, 10 * MINUTE_MS, Kind::Paused);
        }
        for _ in 0..random.below(8) {
            let (secret, model) = (random.index(secrets), random.index(2));
            match random.below(9) {
                0 => self.instant(random, Kind::ResetAll),
                1 => self.instant(random, Kind::ResetKey { secret }),
                2 => self.instant(random, Kind::ResetCell { secret, model }),
                3 => self.window(random, 6 * HOUR_MS, Kind::SwitchedOff { secret }),
                4 => self.window(random, 6 * HOUR_MS, Kind::Removed { secret }),
                5 | 6 => self.instant(random, Kind::Regrouped { secret }),
                7 => self.instant(random, Kind::SwitchTo { secret }),
                _ => {
                    let strategy = random.pick(&Strategy::ALL);
                    self.instant(random, Kind::Choosing(strategy));
                }
            }
        }
    }
}

fn project(nth: u64, random: &mut Random) -> ProjectPlan {
    let paid = random.in_thousand(250);
    let mut quota = || Quota {
        requests_per_minute: random.pick(&[None, Some(2), Some(5), Some(10), Some(15), Some(60)]),
        tokens_per_minute: random.pick(&[None, None, Some(32_000), Some(250_000)]),
        requests_per_day: random.pick(&[None, Some(25), Some(100), Some(500), Some(1_500)]),
    };
    let quotas = [quota(), quota()];
    ProjectPlan {
        account: if random.in_thousand(250) { 1 } else { nth + 1 },
        tier: if paid { Tier::Paid } else { Tier::Free },
        quotas,
    }
}

fn secrets_of(project: usize, random: &mut Random) -> Vec<SecretPlan> {
    (0..random.pick(&[1_u64, 1, 1, 2, 3]))
        .map(|_| SecretPlan {
            project,
            is_project_known: random.in_thousand(500),
            priority: i32::try_from(random.below(2)).unwrap(),
            weight: u32::try_from(random.below(4)).unwrap(),
            is_used: true,
        })
        .collect()
}

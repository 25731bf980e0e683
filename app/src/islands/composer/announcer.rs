//! What a screen reader says of the state line. The line itself counts down every second, which nobody wants read out.

use super::stage::Stage;

/// Changes of the place in the queue are said at most so often.
const PLACE_EVERY_MS: u64 = 10_000;

/// Remembers what was said last.
#[derive(Debug, Default)]
pub struct Announcer {
    said: String,
    /// The place that was said last, while queued.
    place: Option<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    position: Option<u32>,
    said_at_ms: u64,
}

impl Announcer {
    /// What to say now, if anything. `line` is what stands on the page; asked with every change and every second.
    pub fn next(&mut self, stage: &Stage, line: String, now_ms: u64) -> Option<String> {
        let is_new = match (stage.queued(), self.place) {
            (Some(progress), Some(place)) => {
                progress.position != place.position && now_ms.saturating_sub(place.said_at_ms) >= PLACE_EVERY_MS
            }
            (Some(_), None) => true,
            (None, _) => self.said != line,
        };
        if !is_new {
            return None;
        }
        self.place = stage.queued().map(|progress| Place {
            position: progress.position,
            said_at_ms: now_ms,
        });
        self.said.clone_from(&line);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::Announcer;
    use crate::islands::composer::stage::Stage;
    use crate::types::{Phase, Progress};

    fn queued(position: u32) -> Stage {
        Stage::Working(Progress {
            phase: Phase::Queued,
            message: String::new(),
            attempt: 0,
            keys: 3,
            position: Some(position),
            estimate_ms: Some(30_000),
        })
    }

    #[test]
    fn a_countdown_is_not_read_out() {
        let mut announcer = Announcer::default();
        let said: Vec<Option<String>> = (0..40)
            .map(|second| announcer.next(&queued(3), format!("about {} s", 30 - second.min(30)), second * 1_000))
            .collect();
        assert_eq!(said[0].as_deref(), Some("about 30 s"));
        assert!(said[1..].iter().all(Option::is_none), "{said:?}");
    }

    #[test]
    fn places_are_said_at_most_every_ten_seconds_and_the_newest_wins() {
        let mut announcer = Announcer::default();
        let mut say = |position: u32, at_ms| announcer.next(&queued(position), format!("place {position}"), at_ms);
        assert_eq!(say(9, 0).as_deref(), Some("place 9"));
        assert_eq!(say(8, 2_000), None);
        assert_eq!(say(7, 9_999), None);
        assert_eq!(say(7, 10_000).as_deref(), Some("place 7"), "said later, not lost");
        assert_eq!(say(6, 19_999), None);
    }

    #[test]
    fn what_ends_the_wait_is_said_at_once() {
        let mut announcer = Announcer::default();
        announcer.next(&queued(1), "next in line".to_owned(), 0);
        assert_eq!(
            announcer.next(&Stage::Sending, "Asking".to_owned(), 500).as_deref(),
            Some("Asking")
        );
        assert_eq!(announcer.next(&Stage::Sending, "Asking".to_owned(), 700), None);
        assert_eq!(
            announcer.next(&queued(1), "next in line".to_owned(), 900).as_deref(),
            Some("next in line"),
            "back in the line is news"
        );
    }
}

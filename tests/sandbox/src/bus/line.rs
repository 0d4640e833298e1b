//! The order in which events leave: as they came, but for those that are held back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Events on their way, each known by its place among all that were emitted.
pub(crate) struct Line<T> {
    ready: VecDeque<(usize, T)>,
    held: Vec<Held<T>>,
}

struct Held<T> {
    place: usize,
    event: T,
    until: Instant,
    others: Option<u32>,
}

/// How long an event is held back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    /// Until so many that were emitted later went first; `None` waits for nobody.
    pub(crate) others: Option<u32>,
    /// But no longer than this.
    pub(crate) time: Duration,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { ready: VecDeque::new(), held: Vec::new() }
    }
}

impl<T> Line<T> {
    /// Takes in an event that was emitted at `at`.
    pub(crate) fn arrive(&mut self, place: usize, event: T, hold: Option<Hold>, at: Instant) {
        match hold {
            None => self.ready.push_back((place, event)),
            Some(Hold { others, time }) => self.held.push(Held { place, event, until: at + time, others }),
        }
    }

    /// The event that leaves next, with its place; `None` when none is due.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(usize, T)> {
        let due = self.held.iter().position(|held| held.others == Some(0) || held.until <= now);
        let (place, event) = match due {
            Some(index) => {
                let held = self.held.remove(index);
                (held.place, held.event)
            }
            None => self.ready.pop_front()?,
        };
        for held in self.held.iter_mut().filter(|held| held.place < place) {
            held.others = held.others.map(|others| others.saturating_sub(1));
        }
        Some((place, event))
    }

    /// When the next event is due that is held back.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.held.iter().map(|held| held.until).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUND: Duration = Duration::from_secs(5);

    fn behind(others: u32) -> Hold {
        Hold { others: Some(others), time: BOUND }
    }

    fn all(line: &mut Line<char>, now: Instant) -> String {
        std::iter::from_fn(|| line.next(now)).map(|(_, event)| event).collect()
    }

    #[test]
    fn a_held_event_leaves_behind_as_many_as_it_waits_for() {
        let now = Instant::now();
        let mut line = Line::default();
        for (place, event) in "abcdef".chars().enumerate() {
            line.arrive(place, event, (event == 'b').then_some(behind(2)), now);
        }
        assert_eq!(all(&mut line, now), "acdbef");
    }

    #[test]
    fn nothing_is_stuck_for_want_of_others() {
        let now = Instant::now();
        let mut line = Line::default();
        line.arrive(0, 'a', Some(behind(9)), now);
        line.arrive(1, 'b', Some(Hold { others: None, time: BOUND / 2 }), now);
        assert_eq!(all(&mut line, now), "");
        assert_eq!(line.due(), Some(now + BOUND / 2));
        assert_eq!(all(&mut line, now + BOUND / 2), "b");
        assert_eq!(all(&mut line, now + BOUND), "a");
        assert_eq!(line.due(), None);
    }

    fn hold() -> impl Strategy<Value = Option<Hold>> {
        let hold = (prop::option::of(1_u32..4), 0_u64..50);
        prop::option::of(hold.prop_map(|(others, time)| Hold { others, time: Duration::from_millis(time) }))
    }

    proptest! {
        /// Whatever is held back, everything leaves once, no later than it may, and what is not held keeps its order.
        #[test]
        fn all_that_came_leaves(holds in prop::collection::vec((hold(), 0_u64..20), 0..40)) {
            let begin = Instant::now();
            let (mut line, mut left, mut now) = (Line::default(), Vec::new(), begin);
            for (place, (hold, pause)) in holds.iter().enumerate() {
                line.arrive(place, place, *hold, now);
                now += Duration::from_millis(*pause);
                left.extend(std::iter::from_fn(|| line.next(now)));
            }
            while let Some(due) = line.due() {
                let latest = now + Duration::from_millis(50);
                prop_assert!(due <= latest);
                now = now.max(due);
                let before = left.len();
                left.extend(std::iter::from_fn(|| line.next(now)));
                prop_assert!(left.len() > before, "what is due leaves");
            }
            let mut places: Vec<usize> = left.iter().map(|(place, _)| *place).collect();
            let free: Vec<usize> = places.iter().copied().filter(|place| holds[*place].0.is_none()).collect();
            prop_assert!(free.is_sorted());
            places.sort_unstable();
            prop_assert_eq!(places, (0..holds.len()).collect::<Vec<_>>());
        }
    }
}

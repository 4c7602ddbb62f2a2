//! The order book events of one frame, usually a single one.

use std::{iter::Chain, ops::Deref, option, slice, vec};

use super::event::BookEvent;

/// The order book events of one frame, in order. Derefs to a slice. A single event, the usual case, is stored without an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookEvents(Events);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Events {
    #[default]
    None,
    One(BookEvent),
    /// Two or more events.
    Several(Vec<BookEvent>),
}

impl BookEvents {
    pub(super) fn push(&mut self, event: BookEvent) {
        self.0 = match std::mem::take(&mut self.0) {
            Events::None => Events::One(event),
            Events::One(first) => Events::Several(vec![first, event]),
            Events::Several(mut events) => {
                events.push(event);
                Events::Several(events)
            }
        };
    }
}

impl Deref for BookEvents {
    type Target = [BookEvent];

    fn deref(&self) -> &[BookEvent] {
        match &self.0 {
            Events::None => &[],
            Events::One(event) => slice::from_ref(event),
            Events::Several(events) => events,
        }
    }
}

impl Extend<BookEvent> for BookEvents {
    fn extend<T: IntoIterator<Item = BookEvent>>(&mut self, events: T) {
        for event in events {
            self.push(event);
        }
    }
}

impl FromIterator<BookEvent> for BookEvents {
    fn from_iter<T: IntoIterator<Item = BookEvent>>(events: T) -> Self {
        let mut collected = Self::default();
        collected.extend(events);
        collected
    }
}

/// Owning iterator over [`BookEvents`].
#[derive(Clone, Debug)]
pub struct IntoIter(Chain<option::IntoIter<BookEvent>, vec::IntoIter<BookEvent>>);

impl Iterator for IntoIter {
    type Item = BookEvent;

    fn next(&mut self) -> Option<BookEvent> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl IntoIterator for BookEvents {
    type Item = BookEvent;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        let (one, several) = match self.0 {
            Events::None => (None, Vec::new()),
            Events::One(event) => (Some(event), Vec::new()),
            Events::Several(events) => (None, events),
        };
        IntoIter(one.into_iter().chain(several))
    }
}

impl<'a> IntoIterator for &'a BookEvents {
    type Item = &'a BookEvent;
    type IntoIter = slice::Iter<'a, BookEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

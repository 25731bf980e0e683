//! Server-sent events of a stream that goes on for hours.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;
use web_sys::{EventSource, MessageEvent};

/// An open stream. Closed when dropped.
pub(in crate::islands) struct Source {
    source: EventSource,
    broken: Rc<Cell<bool>>,
    // Kept as long as the browser may call them.
    _on_event: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut()>,
}

impl Source {
    /// Hands the name and the data of each event of these names to `on_event`. The name `open` is the browser's own.
    pub(in crate::islands) fn open(
        url: &str,
        names: &[&str],
        mut on_event: impl FnMut(&str, String) + 'static,
    ) -> Option<Self> {
        let source = EventSource::new(url).ok()?;
        let broken = Rc::new(Cell::new(false));
        let on_event = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            on_event(&event.type_(), event.data().as_string().unwrap_or_default());
        });
        // The browser would try again by itself, but without limit and not after a refusal; whoever opened it decides
        // instead. It is only marked here: dropping the stream inside its own handler would free the handler that runs.
        let on_error = {
            let (source, broken) = (source.clone(), broken.clone());
            Closure::<dyn FnMut()>::new(move || {
                source.close();
                broken.set(true);
            })
        };
        for name in names {
            source
                .add_event_listener_with_callback(name, on_event.as_ref().unchecked_ref())
                .ok()?;
        }
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Some(Self {
            source,
            broken,
            _on_event: on_event,
            _on_error: on_error,
        })
    }

    pub(in crate::islands) fn is_broken(&self) -> bool {
        self.broken.get()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.source.close();
    }
}

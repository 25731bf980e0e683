//! Reading `text/event-stream` as the WHATWG describes it, from pieces that may end anywhere.
//! `EventSource` cannot send a body, so the answer to a POST is read by hand.

/// One event, its `data` lines joined by line feeds. Reconnection fields (`id`, `retry`) are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `message` when the stream names none.
    pub name: String,
    pub data: String,
}

/// Holds what came of a line and of an event until the rest of it arrives.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    /// A line feed right after a carriage return belongs to it, even in the next piece.
    after_return: bool,
    past_first_line: bool,
    name: String,
    data: Option<String>,
}

impl Parser {
    /// The events that `piece` completes, in order. Bytes that are not UTF-8 become replacement characters.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in piece {
            let second_half = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                _ if second_half => {}
                b'\r' | b'\n' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = if self.past_first_line {
            &line
        } else {
            line.trim_start_matches('\u{feff}')
        };
        self.past_first_line = true;
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment has an empty field name; unknown fields are to be ignored.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = self.data.take()?;
        Some(Event {
            name: if name.is_empty() { "message".to_owned() } else { name },
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Parser};

    /// However the stream is cut, the same events come out.
    #[track_caller]
    fn check(stream: &str, expected: &[(&str, &str)]) {
        let expected: Vec<Event> = expected
            .iter()
            .map(|(name, data)| Event {
                name: (*name).to_owned(),
                data: (*data).to_owned(),
            })
            .collect();
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let mut parser = Parser::default();
            let mut events = parser.feed(&bytes[..cut]);
            events.extend(parser.feed(&bytes[cut..]));
            assert_eq!(events, expected, "cut at byte {cut} of {stream:?}");
        }
        let mut parser = Parser::default();
        let single: Vec<Event> = bytes.iter().flat_map(|byte| parser.feed(&[*byte])).collect();
        assert_eq!(single, expected, "byte by byte: {stream:?}");
    }

    #[test]
    fn events_have_a_name_and_data() {
        check(
            "event: delta\ndata: {\"text\":\"a\"}\n\ndata: b\n\n",
            &[("delta", "{\"text\":\"a\"}"), ("message", "b")],
        );
    }

    #[test]
    fn every_line_ending_is_taken_and_may_be_mixed() {
        check(
            "event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n",
            &[("a", "1"), ("b", "2"), ("c", "3")],
        );
    }

    #[test]
    fn data_lines_are_joined_and_only_one_space_is_removed() {
        check(
            "data: one\ndata:  two\ndata:three\ndata\n\n",
            &[("message", "one\n two\nthree\n")],
        );
    }

    #[test]
    fn comments_unknown_fields_and_a_byte_order_mark_are_skipped() {
        check(
            "\u{feff}: keep-alive\n\nid: 7\nretry: 10\nwhat: ever\ndata: x\n\n",
            &[("message", "x")],
        );
    }

    #[test]
    fn characters_of_several_bytes_survive_any_cut() {
        check("data: Zürich, 東京, 🦀\n\n", &[("message", "Zürich, 東京, 🦀")]);
    }

    #[test]
    fn an_event_without_data_or_without_its_blank_line_is_not_sent() {
        check("event: done\n\ndata: unfinished\n", &[]);
        check("event: done\n\ndata: next\n\n", &[("message", "next")]);
    }

    #[test]
    fn a_value_may_hold_colons() {
        check(
            "data: {\"at\":\"00:00:01\"}\n\n",
            &[("message", "{\"at\":\"00:00:01\"}")],
        );
    }
}

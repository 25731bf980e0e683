//! Bytes into events: Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) within bounds.
//!
//! Gemini may break out of the format and end a stream with bare JSON. Lines of no known field are kept for that.
//! `eventsource-stream` drops such lines and has no bounds, hence our own.

/// A line or the body is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// What is left when no more bytes come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// Data whose closing blank line is missing. It may be cut.
    pub(super) data: Option<Vec<u8>>,
    /// All lines that were no Server-Sent Events.
    pub(super) bare: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct EventReader {
    line_bytes_max: usize,
    /// How many more bytes the body may have.
    body_bytes_left: usize,
    line: Vec<u8>,
    /// A line feed here belongs to the carriage return before it.
    after_cr: bool,
    first_line: bool,
    data: Option<Vec<u8>>,
    bare: Vec<u8>,
}

impl EventReader {
    pub(super) fn new(line_bytes_max: usize, body_bytes_max: usize) -> Self {
        Self {
            line_bytes_max,
            body_bytes_left: body_bytes_max,
            line: Vec::new(),
            after_cr: false,
            first_line: true,
            data: None,
            bare: Vec::new(),
        }
    }

    /// Adds the data of every event that is whole now. After an error nothing more may be pushed.
    pub(super) fn push(&mut self, bytes: &[u8], events: &mut Vec<Vec<u8>>) -> Result<(), TooLarge> {
        let allowed = &bytes[..bytes.len().min(self.body_bytes_left)];
        self.body_bytes_left -= allowed.len();
        self.split(allowed, events)?;
        if allowed.len() < bytes.len() {
            Err(TooLarge)
        } else {
            Ok(())
        }
    }

    pub(super) fn rest(&mut self) -> Rest {
        // A last line without its end: events that are complete JSON count, cut ones cannot be parsed.
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.read_line(&line);
        }
        Rest {
            data: self.data.take(),
            bare: std::mem::take(&mut self.bare),
        }
    }

    fn split(&mut self, bytes: &[u8], events: &mut Vec<Vec<u8>>) -> Result<(), TooLarge> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + part.len() > self.line_bytes_max {
                return Err(TooLarge);
            }
            self.line.extend_from_slice(part);
            if end.is_none() {
                break;
            }
            self.after_cr = after[0] == b'\r';
            rest = &after[1..];
            let line = std::mem::take(&mut self.line);
            if line.is_empty() {
                events.extend(self.data.take());
            } else {
                self.read_line(&line);
            }
            // Keep the memory for the next line.
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8]) {
        let line = if std::mem::take(&mut self.first_line) {
            line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
        } else {
            line
        };
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((line, &[][..]), |colon| (&line[..colon], &line[colon + 1..]));
        match field {
            b"data" => {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                if let Some(data) = &mut self.data {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                } else {
                    self.data = Some(value.to_vec());
                }
            }
            // A line that begins with a colon is a comment, sent to keep the connection open.
            b"event" | b"id" | b"retry" | b"" => {}
            _ => {
                self.bare.extend_from_slice(line);
                self.bare.push(b'\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: &[u8], events: &[&str], data: Option<&str>, bare: &str) {
        // Every place to cut a stream in two must give the same.
        for at in 0..=stream.len() {
            let mut reader = EventReader::new(1000, 1000);
            let mut seen = Vec::new();
            reader.push(&stream[..at], &mut seen).unwrap();
            reader.push(&stream[at..], &mut seen).unwrap();
            let seen: Vec<_> = seen
                .into_iter()
                .map(|event| String::from_utf8(event).unwrap())
                .collect();
            assert_eq!(seen, events, "cut at {at}");
            let rest = Rest {
                data: data.map(|data| data.as_bytes().to_vec()),
                bare: bare.as_bytes().to_vec(),
            };
            assert_eq!(reader.rest(), rest, "cut at {at}");
        }
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        check(
            b"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata:d\n\n",
            &["a", "b", "c", "d"],
            None,
            "",
        );
    }

    #[test]
    fn several_data_lines_are_one_event() {
        check(
            b"data: a\r\ndata: b\r\n\r\ndata: c\rdata: d\r\r",
            &["a\nb", "c\nd"],
            None,
            "",
        );
        check(
            b"data: {\ndata:  \"a\": 1\ndata\ndata: }\n\n",
            &["{\n \"a\": 1\n\n}"],
            None,
            "",
        );
    }

    #[test]
    fn comments_other_fields_and_a_byte_order_mark_are_no_content() {
        check(
            b"\xEF\xBB\xBFdata: a\n: still here\nevent: x\nid: 1\nretry: 5\n\n\n\n",
            &["a"],
            None,
            "",
        );
    }

    #[test]
    fn letters_of_several_bytes_survive_any_cut() {
        check("data: grün 水 🙂\n\n".as_bytes(), &["grün 水 🙂"], None, "");
    }

    #[test]
    fn bare_lines_are_kept_apart() {
        check(
            b"data: a\n\n{\n  \"error\": {\"data: x\": 1}\n}",
            &["a"],
            None,
            "{\n  \"error\": {\"data: x\": 1}\n}\n",
        );
    }

    #[test]
    fn an_event_without_its_blank_line_is_left_over() {
        check(b"data: a\n\ndata: b\ndata: c", &["a"], Some("b\nc"), "");
        check(b"data: a\n\ndata: b\n", &["a"], Some("b"), "");
    }

    #[test]
    fn a_long_line_and_a_long_body_are_refused_after_what_fits() {
        let mut events = Vec::new();
        assert_eq!(
            EventReader::new(10, 1000).push(b"data: a\n\ndata: too long\n\n", &mut events),
            Err(TooLarge)
        );
        assert_eq!(
            EventReader::new(10, 12).push(b"data: b\n\ndata: c\n\n", &mut events),
            Err(TooLarge)
        );
        assert_eq!(events, [b"a", b"b"]);
        let mut reader = EventReader::new(10, 15);
        assert_eq!(reader.push(b"12345\n", &mut events), Ok(()));
        assert_eq!(reader.push(b"123456789\n", &mut events), Err(TooLarge));
        let mut reader = EventReader::new(10, 1000);
        assert_eq!(reader.push(b"12345", &mut events), Ok(()));
        assert_eq!(reader.push(b"678901", &mut events), Err(TooLarge));
    }
}

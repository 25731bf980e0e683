//! Looks at the bytes of a head for one thing that the parser forgives: two lengths of one body. A proxy in front may believe
//! the other one, and take the rest of the body for somebody else's request. (RFC 9112, section 6.3)

/// As much of a line as tells the two names apart from all others.
const NAME_BYTES_MAX: usize = 20;

/// Reads a head as it comes. Stops at its end; what follows is body.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    name: Vec<u8>,
    in_value: bool,
    past_first_line: bool,
    is_over: bool,
    has_length: bool,
    has_encoding: bool,
}

impl HeadScan {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.is_over {
                return;
            }
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                b':' => self.in_value = true,
                _ if !self.in_value && self.name.len() < NAME_BYTES_MAX => self.name.push(byte.to_ascii_lowercase()),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        // Empty lines before the request line are allowed.
        let is_empty = self.name.is_empty() && !self.in_value;
        self.is_over = is_empty && self.past_first_line;
        self.past_first_line |= !is_empty;
        if self.in_value {
            self.has_length |= self.name == b"content-length";
            self.has_encoding |= self.name == b"transfer-encoding";
        }
        self.name.clear();
        self.in_value = false;
    }

    pub(super) fn has_two_lengths(&self) -> bool {
        self.has_length && self.has_encoding
    }
}

#[cfg(test)]
mod tests {
    use super::HeadScan;

    /// However the head is cut.
    #[track_caller]
    fn check(head: &str, expected: bool) {
        for cut in 0..=head.len() {
            let mut scan = HeadScan::default();
            scan.feed(&head.as_bytes()[..cut]);
            scan.feed(&head.as_bytes()[cut..]);
            assert_eq!(scan.has_two_lengths(), expected, "cut at byte {cut} of {head:?}");
        }
    }

    #[test]
    fn two_lengths_of_a_body_are_found_in_the_head_only() {
        check(
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        );
        check(
            "POST / HTTP/1.1\ntransfer-encoding: chunked\ncontent-LENGTH:3\n\n",
            true,
        );
        check(
            "\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: x\r\nA: b\r\nContent-Length: 3\r\n\r\n",
            true,
        );
        check(
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            false,
        );
        check(
            "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nTransfer-Encoding: chunked\r\n",
            false,
        );
        check("POST /?transfer-encoding: HTTP/1.1\r\nContent-Length: 3\r\n\r\n", false);
        check(
            "POST / HTTP/1.1\r\nX: transfer-encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            false,
        );
    }
}

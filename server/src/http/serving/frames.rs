//! Looks at the frames of HTTP/2 for one thing that its library sets no time for: a head in pieces that does not end.
//! (RFC 9113, sections 4.1, 6.2 and 6.10)

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Reads frames as they come. Does nothing on a connection that does not begin as one of HTTP/2.
#[derive(Debug, Default)]
pub(super) struct FrameScan {
    preface_bytes: usize,
    is_other: bool,
    head: [u8; FRAME_HEAD_BYTES],
    head_bytes: usize,
    /// Of the payload of the frame that has begun.
    left: usize,
    /// The last frame of the head that has begun.
    is_last: bool,
    is_within: bool,
}

/// What some bytes brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heads {
    /// A head has begun and not ended.
    pub(super) is_within: bool,
    /// One has ended.
    pub(super) has_ended: bool,
}

impl FrameScan {
    pub(super) fn is_within(&self) -> bool {
        self.is_within
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Heads {
        let mut has_ended = false;
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.is_other {
                break;
            }
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                has_ended |= self.end_frame();
                continue;
            }
            bytes = rest;
            if let Some(expected) = PREFACE.get(self.preface_bytes) {
                self.is_other = byte != *expected;
                self.preface_bytes += 1;
                continue;
            }
            self.head[self.head_bytes] = byte;
            self.head_bytes += 1;
            if self.head_bytes == FRAME_HEAD_BYTES {
                self.begin_frame();
                has_ended |= self.end_frame();
            }
        }
        Heads {
            is_within: self.is_within,
            has_ended,
        }
    }

    fn begin_frame(&mut self) {
        self.head_bytes = 0;
        let [a, b, c, kind, flags, ..] = self.head;
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_within = true;
            self.is_last = flags & END_HEADERS != 0;
        }
    }

    /// Whether a head ends here.
    fn end_frame(&mut self) -> bool {
        let ends = self.left == 0 && self.is_within && self.is_last;
        if ends {
            (self.is_within, self.is_last) = (false, false);
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// However the bytes are cut: whether a head is open after them, and whether one has ended in them.
    #[track_caller]
    fn check(frames: &[Vec<u8>], is_within: bool, has_ended: bool) {
        let bytes = [PREFACE, &frames.concat()].concat();
        for cut in 0..=bytes.len() {
            let mut scan = FrameScan::default();
            let before = scan.feed(&bytes[..cut]);
            let after = scan.feed(&bytes[cut..]);
            let found = (scan.is_within(), before.has_ended || after.has_ended);
            assert_eq!(found, (is_within, has_ended), "cut at byte {cut}");
        }
    }

    #[test]
    fn a_head_is_open_until_its_last_piece_is_whole() {
        let settings = frame(4, 0, &[0; 6]);
        check(std::slice::from_ref(&settings), false, false);
        check(
            &[settings.clone(), frame(HEADERS, END_HEADERS | 1, b"head")],
            false,
            true,
        );
        check(&[frame(HEADERS, END_HEADERS, b""), frame(0, 1, b"body")], false, true);
        check(&[settings.clone(), frame(HEADERS, 1, b"head")], true, false);
        check(
            &[frame(HEADERS, 1, b"head"), frame(CONTINUATION, 0, b"more")],
            true,
            false,
        );
        let whole = [frame(HEADERS, 1, b"head"), frame(CONTINUATION, END_HEADERS, b"more")];
        check(&whole, false, true);
        check(
            &[whole.concat(), frame(6, 0, &[0; 8]), frame(HEADERS, 0, b"")],
            true,
            true,
        );
        let mut cut = frame(HEADERS, END_HEADERS, b"head");
        cut.pop();
        check(&[settings, cut], true, false);
    }

    #[test]
    fn another_protocol_has_no_frames() {
        let mut scan = FrameScan::default();
        let head = [&b"PRI * HTTP/1.1\r\n"[..], &frame(HEADERS, 0, b"head")].concat();
        assert!(!scan.feed(&head).is_within);
    }
}

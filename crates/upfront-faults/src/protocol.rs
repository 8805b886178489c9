//! Messages of the v3 protocol, cut out of a stream of bytes.

use std::fmt;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The client sends to the server.
    Sent,
    /// The client receives from the server.
    Received,
}

/// One message, with its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its type; the first messages of a client have none.
    pub(crate) tag: Option<u8>,
    pub(crate) bytes: Vec<u8>,
}

/// A length that no message can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(i32);

/// Cuts one direction of a connection into messages, however the bytes arrive.
#[derive(Debug)]
pub(crate) struct Framer {
    /// A client begins with messages without a type.
    starting: bool,
    buffer: Vec<u8>,
}

const PROTOCOL_3: i32 = 3;
const LENGTH: usize = 4;

impl Framer {
    /// For one direction of a new connection.
    pub(crate) fn new(direction: Direction) -> Self {
        Self { starting: direction == Direction::Sent, buffer: Vec::new() }
    }

    /// Adds bytes as they arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if all of it has arrived.
    ///
    /// # Errors
    ///
    /// The stream is not of this protocol.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Malformed> {
        let tag_length = usize::from(!self.starting);
        let Some(header) = self.buffer.get(tag_length..tag_length + LENGTH) else {
            return Ok(None);
        };
        let announced = number(header);
        let length = usize::try_from(announced).ok().filter(|it| *it >= LENGTH);
        let length = tag_length + length.ok_or(Malformed(announced))?;
        if self.buffer.len() < length {
            return Ok(None);
        }
        let rest = self.buffer.split_off(length);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let tag = (!self.starting).then(|| bytes[0]);
        if self.starting {
            let version = bytes.get(LENGTH..2 * LENGTH).map_or(0, number);
            self.starting = version >> 16 != PROTOCOL_3;
        }
        Ok(Some(Message { tag, bytes }))
    }
}

fn number(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

impl Message {
    /// What it is, in the words of the protocol's documentation.
    pub(crate) fn name(&self, direction: Direction) -> &'static str {
        match (direction, self.tag) {
            (_, None) => "startup",
            (Direction::Sent, Some(b'Q')) => "Query",
            (Direction::Sent, Some(b'P')) => "Parse",
            (Direction::Sent, Some(b'B')) => "Bind",
            (Direction::Sent, Some(b'E')) => "Execute",
            (Direction::Sent, Some(b'D')) => "Describe",
            (Direction::Sent, Some(b'S')) => "Sync",
            (Direction::Sent, Some(b'X')) => "Terminate",
            (_, Some(b'd')) => "CopyData",
            (_, Some(b'c')) => "CopyDone",
            (Direction::Received, Some(b'R')) => "Authentication",
            (Direction::Received, Some(b'S')) => "ParameterStatus",
            (Direction::Received, Some(b'K')) => "BackendKeyData",
            (Direction::Received, Some(b'Z')) => "ReadyForQuery",
            (Direction::Received, Some(b'C')) => "CommandComplete",
            (Direction::Received, Some(b'T')) => "RowDescription",
            (Direction::Received, Some(b'D')) => "DataRow",
            (Direction::Received, Some(b'E')) => "ErrorResponse",
            (Direction::Received, Some(b'N')) => "NoticeResponse",
            (Direction::Received, Some(b'G')) => "CopyInResponse",
            _ => "other",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "sent",
            Self::Received => "received",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message with a length of {}", self.0)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

    use proptest::{collection::vec, prelude::*};

    use super::{Direction, Framer, Malformed, Message};

    fn startup(code: i32, rest: &[u8]) -> Message {
        let length = i32::try_from(8 + rest.len()).unwrap();
        let bytes = [&length.to_be_bytes(), &code.to_be_bytes(), rest].concat();
        Message { tag: None, bytes }
    }

    fn typed(tag: u8, body: &[u8]) -> Message {
        let length = i32::try_from(4 + body.len()).unwrap();
        Message { tag: Some(tag), bytes: [&[tag], &length.to_be_bytes()[..], body].concat() }
    }

    fn read(direction: Direction, chunks: &[&[u8]]) -> Vec<Message> {
        let mut framer = Framer::new(direction);
        let mut all = Vec::new();
        for it in chunks {
            framer.push(it);
            while let Some(it) = framer.next().unwrap() {
                all.push(it);
            }
        }
        assert!(framer.buffer.is_empty(), "bytes are left over");
        all
    }

    #[test]
    fn a_client_may_ask_for_encryption_first() {
        let messages = [
            startup(80_877_103, b""),
            startup(196_608, b"user\0x\0\0"),
            typed(b'Q', b"select 1\0"),
        ];
        let stream = messages.iter().map(|it| it.bytes.as_slice()).collect::<Vec<_>>();
        assert_eq!(read(Direction::Sent, &stream), messages);
    }

    #[test]
    fn an_impossible_length_is_an_error() {
        let mut framer = Framer::new(Direction::Received);
        framer.push(&[b'Z', 0, 0, 0, 3]);
        assert_eq!(framer.next(), Err(Malformed(3)));
        let mut framer = Framer::new(Direction::Received);
        framer.push(&[b'Z', 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(framer.next(), Err(Malformed(-1)));
    }

    proptest! {
        /// However a stream is cut into chunks, the same messages come out, and all of its bytes.
        #[test]
        fn chunks_do_not_matter(
            bodies in vec((any::<u8>(), vec(any::<u8>(), 0..40)), 0..12),
            cuts in vec(0_usize..500, 0..20),
            sent in any::<bool>(),
        ) {
            let direction = if sent { Direction::Sent } else { Direction::Received };
            let mut messages: Vec<_> = bodies.iter().map(|(tag, it)| typed(*tag, it)).collect();
            if sent {
                messages.insert(0, startup(196_608, b"user\0me\0\0"));
            }
            let stream: Vec<u8> = messages.iter().flat_map(|it| it.bytes.clone()).collect();
            let mut cuts: Vec<_> = cuts.into_iter().map(|it| it.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|it| &stream[it[0]..it[1]]).collect();
            prop_assert_eq!(read(direction, &chunks), messages);
        }
    }
}

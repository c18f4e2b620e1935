use std::collections::BTreeMap;

use gamewire_wire::{limits::MAX_MESSAGE_HEADER, snp::encode_message_header};
use proptest::prelude::*;

use super::{inbox::Usage, *};

mod lessons;
mod limits;
mod stream;
mod unordered;
mod unreliable;

/// One message of a lane's stream, with its header.
fn encode(increment: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; MAX_MESSAGE_HEADER];
    let len = encode_message_header(increment, payload.len() as u32, &mut out);
    [&out[..len], payload].concat()
}

/// Content that tells messages and places apart.
fn content(number: u64, len: usize) -> Vec<u8> {
    (0..len).map(|index| (number as usize * 31 + index * 7 + index / 256) as u8).collect()
}

/// Messages of these lengths, one after the other.
fn stream_of(lens: &[usize]) -> Vec<u8> {
    (1..).zip(lens).flat_map(|(number, &len)| encode(1, &content(number, len))).collect()
}

fn reliable(receiver: &mut Receiver, lane: u16, position: u64, data: &[u8]) -> Accepted {
    receiver.begin_packet();
    let accepted = receiver.reliable(&ReliableSegment { lane, position, data });
    check(receiver);
    accepted.expect("a sound stream")
}

fn segment(number: u64, offset: u32, last: bool, data: &[u8]) -> UnreliableSegment<'_> {
    UnreliableSegment { lane: 0, message_number: number, offset, last, data }
}

/// Takes and consumes everything: number and content.
fn take(receiver: &mut Receiver) -> Vec<(u64, Vec<u8>)> {
    let mut taken = vec![];
    while let Some(message) = receiver.poll_message() {
        receiver.consumed(1, message.payload.len());
        taken.push((message.number, message.payload.to_vec()));
        check(receiver);
    }
    assert_eq!(receiver.unread_messages(), 0);
    taken
}

fn numbers(receiver: &mut Receiver) -> Vec<u64> {
    take(receiver).into_iter().map(|(number, _)| number).collect()
}

fn limits(buffer_bytes: usize, max_message_bytes: usize) -> ReceiveLimits {
    ReceiveLimits { buffer_bytes, max_message_bytes, ..ReceiveLimits::default() }
}

/// The accounts agree with what is held, and what is held with the limits.
fn check(receiver: &Receiver) {
    let (mut assembling, mut ahead) = (Usage::default(), Usage::default());
    for lane in &receiver.lanes {
        let (stream, unordered) = lane.parts();
        if let Some(stream) = stream {
            let (partial, stash) = stream.usages();
            assembling.bytes += partial.bytes;
            assembling.pieces += partial.pieces;
            ahead.bytes += stash.bytes;
            ahead.pieces += stash.pieces;
        }
        if let Some(unordered) = unordered {
            let (heads, pieces) = unordered.usages();
            assembling.bytes += heads;
            ahead.bytes += pieces.bytes;
            ahead.pieces += pieces.pieces;
        }
    }
    assert_eq!((assembling, ahead), (receiver.inbox.assembling, receiver.inbox.ahead));
    let (_, segments) = receiver.fragments.check();
    assert!(segments <= MAX_PARTIAL_SEGMENTS);
    let limits = receiver.inbox.limits();
    let most = 2 * limits.buffer_bytes + limits.max_message_bytes + 4000;
    assert!(receiver.inbox.held_bytes() <= most, "{} bytes held", receiver.inbox.held_bytes());
}

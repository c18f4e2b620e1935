//! Once a connection flows, memory is asked for per message handed over, never per packet or batch.

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use common::*;
use gamewire::{Config, Outgoing, SendFlags};

/// Counts what is asked for, by all threads.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is the system allocator's doing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A message of about 54 packets.
const MESSAGE_BYTES: usize = 64 * 1024;
const WARM_UP: usize = 200;
const MESSAGES: usize = 400;
/// Allocations that need no reason: one for 200 packets.
const SLACK: u64 = 100;

/// Sends and receives that many messages, both sides in this process.
fn carry(linked: &Linked, content: &Bytes, count: usize) {
    for _ in 0..count {
        let message = Outgoing::new(linked.at_client, content.clone(), SendFlags::RELIABLE);
        linked.client.send_wait(message, Some(PATIENCE)).expect("room");
        assert_eq!(receive(&linked.server, linked.at_server, 1)[0].len(), MESSAGE_BYTES);
    }
}

#[test]
fn no_packet_costs_an_allocation_in_the_steady_state() {
    let options = [Config::NagleTime(0), Config::MtuPacketSize(1300)];
    let linked = linked("127.0.0.1", &options);
    let content = Bytes::from(vec![7; MESSAGE_BYTES]);
    carry(&linked, &content, WARM_UP);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    carry(&linked, &content, MESSAGES);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let packets = (MESSAGES * MESSAGE_BYTES).div_ceil(1200) as u64;
    println!("{allocations} allocations for {MESSAGES} messages in {packets} packets or more");
    // The content that the application gets, the list it comes in, and the list in `receive` above.
    // What the system loses, if anything, waits in memory of its own.
    let expected = 3 * MESSAGES as u64;
    assert!(allocations <= expected + SLACK, "{allocations} allocations, {packets} packets");
}

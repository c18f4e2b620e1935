//! Once a connection flows, memory is asked for per message and per batch, never per packet.

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
    let linked = linked("127.0.0.1", &[Config::NagleTime(0)]);
    let content = Bytes::from(vec![7; MESSAGE_BYTES]);
    carry(&linked, &content, WARM_UP);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    carry(&linked, &content, MESSAGES);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let packets = (MESSAGES * MESSAGE_BYTES).div_ceil(1200) as u64;
    println!("{allocations} allocations for {MESSAGES} messages in {packets} packets or more");
    assert!(allocations * 2 < packets, "{allocations} allocations for {packets} packets");
}

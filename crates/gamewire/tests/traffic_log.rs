//! `LogLevel_*` and `PacketTraceMaxBytes` through the debug output; a test program of its own, since
//! the function is that of the whole process.

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use gamewire::{ConfigId, DebugLevel, ScopeObject, SendFlags, set_debug_output_function};

/// What lines of each subject hold, and the level that shows them.
const SUBJECTS: [(ConfigId, i32, &str); 7] = [
    (ConfigId::LogLevelMessage, 6, "Verbose message sent"),
    (ConfigId::LogLevelMessage, 6, "Verbose message received"),
    (ConfigId::LogLevelAckRtt, 6, "Verbose round trip"),
    (ConfigId::LogLevelAckRtt, 7, "Debug ack"),
    (ConfigId::LogLevelPacketDecode, 6, "Verbose packet"),
    (ConfigId::LogLevelPacketDecode, 7, "Debug reliable"),
    (ConfigId::LogLevelPacketGaps, 6, "Verbose packet out of step"),
];

#[test]
fn each_subject_is_logged_up_to_its_level_and_costs_no_line_otherwise() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = lines.clone();
    set_debug_output_function(DebugLevel::Error, move |level, text| {
        sink.lock().unwrap().push(format!("{level:?} {text}"));
    })
    .unwrap();
    let take = || std::mem::take(&mut *lines.lock().unwrap());
    let sockets = sockets("str:somebody");
    let pair = sockets.create_socket_pair(true, [None, None]).unwrap();
    let talk = || {
        for (from, to) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            for _ in 0..20 {
                sockets.send_message(from, b"hello", SendFlags::RELIABLE_NO_NAGLE).unwrap();
                receive(&sockets, to, 1);
            }
        }
    };
    talk();
    assert_eq!(take(), Vec::<String>::new(), "by default nothing");

    // Every second datagram is overtaken, so that gaps appear.
    let global = |id, value: i32| {
        sockets.set_config_value(ScopeObject::Global, id, Some(value.into())).unwrap();
    };
    global(ConfigId::FakePacketReorderSend, 50);
    global(ConfigId::OutOfOrderCorrectionWindowMicroseconds, 0);
    for (id, level, text) in SUBJECTS {
        let set = |value: Option<i32>| {
            for scope in pair.map(ScopeObject::Connection) {
                sockets.set_config_value(scope, id, value.map(Into::into)).unwrap();
            }
        };
        set(Some(level));
        take();
        let shown = (0..50).any(|_| {
            talk();
            take().iter().any(|line| line.starts_with(text))
        });
        assert!(shown, "{id} {level}: no line {text}");
        set(None);
    }
    global(ConfigId::FakePacketReorderSend, 0);

    global(ConfigId::PacketTraceMaxBytes, 5);
    talk();
    global(ConfigId::PacketTraceMaxBytes, -1);
    let traced = take();
    for way in ["Msg sent to 127.0.0.1:", "Msg received from 127.0.0.1:"] {
        let line = traced.iter().find(|line| line.starts_with(way)).unwrap();
        let (_, shown) = line.rsplit_once(' ').unwrap();
        assert_eq!(shown.len(), 10, "five bytes in hex: {line}");
    }
}

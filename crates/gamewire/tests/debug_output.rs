//! The process-wide debug output; a test program of its own, since it is the only one of its process.

use std::sync::{Arc, Mutex};

use gamewire::{DebugLevel, set_debug_output_function};

#[test]
fn each_call_replaces_the_function_of_the_one_before() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let collect = |name: &'static str| {
        let lines = lines.clone();
        move |level: DebugLevel, text: &str| {
            lines.lock().unwrap().push(format!("{name} {level:?} {text}"));
        }
    };
    let log = |number: u32| {
        tracing::info!(target: "gamewire::test", number, "hello");
        tracing::debug!(target: "gamewire::test", number, "detail");
    };
    log(0);
    set_debug_output_function(DebugLevel::Msg, collect("first")).unwrap();
    log(1);
    set_debug_output_function(DebugLevel::Verbose, collect("second")).unwrap();
    log(2);
    set_debug_output_function(DebugLevel::None, |_, _| ()).unwrap();
    log(3);
    let expected =
        ["first Msg hello number=1", "second Msg hello number=2", "second Verbose detail number=2"];
    assert_eq!(*lines.lock().unwrap(), expected);
    let foreign = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
    assert!(foreign.is_err(), "ours stays");
}

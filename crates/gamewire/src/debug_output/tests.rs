use std::sync::{Arc, Mutex};

use tracing::{debug, error, info, trace, warn};

use super::*;

type Lines = Arc<Mutex<Vec<(DebugLevel, String)>>>;

fn collector(lines: &Lines) -> impl Fn(DebugLevel, &str) + Send + Sync + 'static {
    let lines = lines.clone();
    move |level, text| lines.lock().unwrap().push((level, text.to_owned()))
}

fn one_of_each() {
    error!("e");
    warn!("w");
    info!("i");
    debug!("d");
    trace!("t");
}

fn take(lines: &Lines) -> Vec<(DebugLevel, String)> {
    std::mem::take(&mut *lines.lock().unwrap())
}

#[test]
fn numbers_are_valves() {
    for (number, level) in (0..).zip(DebugLevel::ALL) {
        assert_eq!(level.to_number(), number);
        assert_eq!(DebugLevel::from_number(number), level);
    }
    assert_eq!(DebugLevel::from_number(-1), DebugLevel::None);
    assert_eq!(DebugLevel::from_number(i32::MIN), DebugLevel::None);
    assert_eq!(DebugLevel::from_number(9), DebugLevel::Everything);
    assert_eq!(DebugLevel::from_number(i32::MAX), DebugLevel::Everything);
}

#[test]
fn the_filter_lets_pass_exactly_what_the_limit_shows() {
    let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    for limit in DebugLevel::ALL {
        for level in all {
            let shown = DebugLevel::from_tracing(level) <= limit;
            assert_eq!(limit.to_tracing_filter() >= level, shown, "{limit:?} {level}");
        }
    }
}

#[test]
fn lines_up_to_the_limit_arrive() {
    let table = [
        (DebugLevel::None, ""),
        (DebugLevel::Bug, ""),
        (DebugLevel::Error, "e"),
        (DebugLevel::Important, "e"),
        (DebugLevel::Warning, "ew"),
        (DebugLevel::Msg, "ewi"),
        (DebugLevel::Verbose, "ewid"),
        (DebugLevel::Debug, "ewidt"),
        (DebugLevel::Everything, "ewidt"),
    ];
    let lines = Lines::default();
    for (limit, expected) in table {
        let output = DebugOutput::new(limit, collector(&lines));
        tracing::subscriber::with_default(output, one_of_each);
        let text: String = take(&lines).into_iter().map(|(_, text)| text).collect();
        assert_eq!(text, expected, "{limit:?}");
    }
}

#[test]
fn a_line_is_the_message_and_its_fields_on_one_line() {
    let lines = Lines::default();
    let output = DebugOutput::new(DebugLevel::Everything, collector(&lines));
    tracing::subscriber::with_default(output, || {
        warn!(number = 7, text = "a\nb", shown = %"c\rd", "came from {}", "x\n[error] y");
        info!(only = "fields");
        info!(target: "somebody_else", "not ours");
        tracing::info_span!("a span").in_scope(|| error!("inside"));
    });
    let expected = [
        (DebugLevel::Warning, r#"came from x\n[error] y number=7 text="a\nb" shown=c\rd"#),
        (DebugLevel::Msg, r#"only="fields""#),
        (DebugLevel::Error, "inside"),
    ];
    assert_eq!(take(&lines), expected.map(|(level, text)| (level, text.to_owned())));
}

#[test]
fn the_function_may_log_and_panic() {
    let lines = Lines::default();
    let collect = collector(&lines);
    let output = DebugOutput::new(DebugLevel::Everything, move |level, text| {
        info!("from inside the function");
        collect(level, text);
        assert_ne!(text, "panic");
    });
    tracing::subscriber::with_default(output, || {
        info!("first");
        let caught = std::panic::catch_unwind(|| info!("panic"));
        assert!(caught.is_err());
        info!("last");
    });
    let texts: Vec<String> = take(&lines).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["first", "panic", "last"]);
}

#[test]
fn a_replaced_function_is_called_no_more() {
    let (first, second) = (Lines::default(), Lines::default());
    let output = DebugOutput::new(DebugLevel::Error, collector(&first));
    tracing::subscriber::with_default(output.clone(), || {
        one_of_each();
        output.replace(DebugLevel::Msg, collector(&second));
        one_of_each();
        output.replace(DebugLevel::None, collector(&first));
        one_of_each();
    });
    assert_eq!((take(&first).len(), take(&second).len()), (1, 3));
}

//! The library's log with Valve's levels, given to a function.
//!
//! Gamewire logs through `tracing`; an application that has a subscriber of its own needs none of
//! this. For those that want Steamworks' way there is [`DebugOutput`], a small subscriber that hands
//! each line to a function, and [`set_debug_output_function`], which installs one for the process.

use std::{
    cell::Cell,
    fmt::{self, Write as _},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
    subscriber::{Interest, SetGlobalDefaultError},
};

/// Where the crates of the library log: everything that begins with one of these. The second is the
/// C interface.
const TARGET_PREFIXES: [&str; 2] = ["gamewire", "GameNetworkingSockets"];

/// Lines under these targets have levels of their own (`LogLevel_*`, `PacketTraceMaxBytes`): the
/// limit of the function is not for them.
const TRAFFIC_TARGET: &str = gamewire_proto::log::TRAFFIC_TARGET;

thread_local! {
    /// Whether this thread is inside the user's function, whose own log lines must not call it.
    static IN_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// How important a line is: the larger the number, the more there are of its kind (api.md §3.9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[doc(alias = "ESteamNetworkingSocketsDebugOutputType")]
#[repr(i32)]
pub enum DebugLevel {
    /// As a limit: nothing.
    None = 0,
    /// A wrong use of the library, or an error in it.
    Bug = 1,
    /// Something failed.
    Error = 2,
    /// Not a failure, and still to be seen by everybody.
    Important = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// What happens, a few lines per connection.
    Msg = 5,
    /// What happens, in detail.
    Verbose = 6,
    /// For those who look for errors in the library.
    Debug = 7,
    /// As a limit: all of it.
    Everything = 8,
}

impl DebugLevel {
    /// All levels, by number.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Bug,
        Self::Error,
        Self::Important,
        Self::Warning,
        Self::Msg,
        Self::Verbose,
        Self::Debug,
        Self::Everything,
    ];

    /// Valve's number.
    pub const fn to_number(self) -> i32 {
        self as i32
    }

    /// The level of a number; numbers outside of 0 to 8 are the nearest.
    pub fn from_number(number: i32) -> Self {
        let index = usize::try_from(number).unwrap_or(0);
        Self::ALL[index.min(Self::ALL.len() - 1)]
    }

    /// The level of a line that `tracing` knows as `level`.
    pub const fn from_tracing(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warning,
            Level::INFO => Self::Msg,
            Level::DEBUG => Self::Verbose,
            Level::TRACE => Self::Debug,
        }
    }

    /// The filter that lets pass what this level as a limit shows.
    pub const fn to_tracing_filter(self) -> LevelFilter {
        match self {
            Self::None | Self::Bug => LevelFilter::OFF,
            Self::Error | Self::Important => LevelFilter::ERROR,
            Self::Warning => LevelFilter::WARN,
            Self::Msg => LevelFilter::INFO,
            Self::Verbose => LevelFilter::DEBUG,
            Self::Debug | Self::Everything => LevelFilter::TRACE,
        }
    }
}

/// What takes the lines. It may be called by any thread, by several at once, and while the library
/// holds locks: it must be quick and must not call the library.
type DebugFunction = Arc<dyn Fn(DebugLevel, &str) + Send + Sync>;

struct Target {
    limit: DebugLevel,
    function: DebugFunction,
}

/// A `tracing` subscriber that hands the library's lines to a function. Clones share it.
#[derive(Clone)]
pub struct DebugOutput(Arc<RwLock<Target>>);

impl DebugOutput {
    /// Lines up to `limit` go to `function`, and besides, unless `limit` is [`DebugLevel::None`], what
    /// `LogLevel_*` and `PacketTraceMaxBytes` ask for.
    pub fn new(
        limit: DebugLevel,
        function: impl Fn(DebugLevel, &str) + Send + Sync + 'static,
    ) -> Self {
        let function: DebugFunction = Arc::new(function);
        Self(Arc::new(RwLock::new(Target { limit, function })))
    }

    /// From now on lines up to `limit` go to `function`. A line that is on its way may still go to
    /// the old one.
    pub fn replace(
        &self,
        limit: DebugLevel,
        function: impl Fn(DebugLevel, &str) + Send + Sync + 'static,
    ) {
        let new = Target { limit, function: Arc::new(function) };
        let old = {
            let mut target = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *target, new)
        };
        // What a function owns may do anything when it goes: not under the lock.
        drop(old);
        tracing::callsite::rebuild_interest_cache();
    }

    fn limit(&self) -> DebugLevel {
        self.0.read().unwrap_or_else(PoisonError::into_inner).limit
    }

    fn function(&self) -> DebugFunction {
        self.0.read().unwrap_or_else(PoisonError::into_inner).function.clone()
    }
}

impl fmt::Debug for DebugOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugOutput").field("limit", &self.limit()).finish_non_exhaustive()
    }
}

impl Subscriber for DebugOutput {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Cached until `replace` has the cache built anew.
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let limit = self.limit();
        let target = metadata.target();
        metadata.is_event()
            && TARGET_PREFIXES.iter().any(|prefix| target.starts_with(prefix))
            && (DebugLevel::from_tracing(*metadata.level()) <= limit
                || (target.starts_with(TRAFFIC_TARGET) && limit > DebugLevel::None))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Lines about traffic may be of any level.
        let silent = self.limit() == DebugLevel::None;
        Some(if silent { LevelFilter::OFF } else { LevelFilter::TRACE })
    }

    // Spans are not followed: `enabled` refuses them, so one id for all is never told apart.
    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(_guard) = FunctionGuard::enter() else {
            return;
        };
        let mut line = Line::default();
        event.record(&mut line);
        let level = DebugLevel::from_tracing(*event.metadata().level());
        self.function()(level, &line.into_text());
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// Marks the thread as being inside the user's function, a panic of which it survives.
struct FunctionGuard;

impl FunctionGuard {
    fn enter() -> Option<Self> {
        (!IN_FUNCTION.replace(true)).then_some(Self)
    }
}

impl Drop for FunctionGuard {
    fn drop(&mut self) {
        IN_FUNCTION.set(false);
    }
}

/// `message key=value key=value`.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    /// Control characters are escaped: texts may come from peers, and a line is one line.
    fn into_text(self) -> String {
        let mut text = self.message;
        text.push_str(if text.is_empty() { self.fields.trim_start() } else { &self.fields });
        if !text.contains(char::is_control) {
            return text;
        }
        text.chars().fold(String::with_capacity(text.len() + 8), |mut safe, c| {
            if c.is_control() {
                safe.extend(c.escape_default())
            } else {
                safe.push(c)
            }
            safe
        })
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _infallible = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// The application has a `tracing` subscriber of its own: the library's lines go there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the process has another tracing subscriber already")]
pub struct ForeignSubscriber;

impl From<SetGlobalDefaultError> for ForeignSubscriber {
    fn from(_: SetGlobalDefaultError) -> Self {
        Self
    }
}

/// Has the lines of the whole process up to `limit` go to `function`, in place of the function of an
/// earlier call. [`DebugLevel::None`] ends it. Lines about traffic (`LogLevel_*`,
/// `PacketTraceMaxBytes`) come whatever else the limit is.
///
/// # Errors
/// The process has another `tracing` subscriber.
#[doc(alias = "SetDebugOutputFunction")]
pub fn set_debug_output_function(
    limit: DebugLevel,
    function: impl Fn(DebugLevel, &str) + Send + Sync + 'static,
) -> Result<(), ForeignSubscriber> {
    static INSTALLED: OnceLock<Result<DebugOutput, ForeignSubscriber>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let output = DebugOutput::new(DebugLevel::None, |_, _| ());
        tracing::subscriber::set_global_default(output.clone())?;
        Ok(output)
    });
    match installed {
        Ok(output) => {
            output.replace(limit, function);
            Ok(())
        }
        Err(error) => Err(*error),
    }
}

#[cfg(test)]
mod tests;

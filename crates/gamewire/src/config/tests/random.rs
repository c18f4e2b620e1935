//! Random setters in random scopes: never a panic, every refusal is the documented one, and a
//! refusal changes nothing.

use std::sync::Arc;

use proptest::prelude::*;

use crate::config::{Access, Config, ConfigData, ConfigError, ConfigId, Kind, Scope, ScopeValues};

/// A scope of each kind, from wide to narrow.
fn scopes() -> Vec<Arc<ScopeValues>> {
    let narrower = [Scope::Interface, Scope::ListenSocket, Scope::Connection];
    let mut scopes = vec![ScopeValues::global()];
    for scope in narrower {
        let child = ScopeValues::child(&scopes[scopes.len() - 1], scope);
        scopes.push(child);
    }
    scopes
}

#[derive(Clone, Debug)]
enum Step {
    Set { scope: usize, id: ConfigId, data: Option<ConfigData> },
    Assign { scope: usize, text: String },
    Lock { scope: usize },
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from), -10i64..70_000]
}

fn data() -> impl Strategy<Value = ConfigData> {
    prop_oneof![
        number().prop_map(|number| ConfigData::Int32(number as i32)),
        number().prop_map(ConfigData::Int64),
        any::<f32>().prop_map(ConfigData::Float),
        number().prop_map(|number| ConfigData::String(number.to_string())),
        any::<f32>().prop_map(|number| ConfigData::String(number.to_string())),
        "\\PC{0,20}|[ \\x00-\\x7f]{0,20}|9{4000,4200}".prop_map(ConfigData::String),
        any::<usize>().prop_map(ConfigData::Pointer),
    ]
}

fn id() -> impl Strategy<Value = ConfigId> {
    prop::sample::select(ConfigId::ALL)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..4, id(), prop::option::weighted(0.9, data()))
            .prop_map(|(scope, id, data)| Step::Set { scope, id, data }),
        1 => (0usize..4, id(), "={0,2}[-+0-9.einfa ]{0,8}")
            .prop_map(|(scope, id, value)| Step::Assign { scope, text: format!("{id}={value}") }),
        1 => (0usize..4, "\\PC{0,30}").prop_map(|(scope, text)| Step::Assign { scope, text }),
        1 => (0usize..4).prop_map(|scope| Step::Lock { scope }),
    ]
}

/// All values that can be read in each scope. As text: NaN never gets in, so that equal texts are
/// equal values.
fn everything(scopes: &[Arc<ScopeValues>]) -> String {
    let of = |scope: &Arc<ScopeValues>| {
        let all = ConfigId::ALL.iter().map(|&id| scope.get(id)).collect::<Vec<_>>();
        format!("{all:?}")
    };
    scopes.iter().map(of).collect()
}

/// Whether a refusal is one that the documentation of [`ScopeValues::set`] promises here.
fn is_documented(error: &ConfigError, scope: Scope, id: ConfigId, locked: bool) -> bool {
    let row = id.info();
    let is_text = matches!(row.kind, Kind::String);
    match error {
        ConfigError::WrongScope { id: named, given } => {
            (*named, *given) == (id, scope) && row.scope < scope
        }
        ConfigError::ReadOnly(named) => *named == id && row.access == Access::ReadOnly,
        ConfigError::Locked(named) => {
            *named == id && row.access == Access::LockedOnceConnecting && locked
        }
        ConfigError::WrongType { id: named, given } => *named == id && *given != row.data_type(),
        ConfigError::NotANumber(named) => *named == id && !is_text,
        ConfigError::TooLong(named) | ConfigError::Nul(named) => *named == id && is_text,
        ConfigError::UnknownNumber(_)
        | ConfigError::UnknownName(_)
        | ConfigError::NotAnAssignment(_)
        | ConfigError::BadScopeObject => false,
    }
}

fn in_range(data: &ConfigData, id: ConfigId) -> bool {
    match (id.info().kind, data) {
        (Kind::Int32 { min, max, .. }, ConfigData::Int32(value)) => (min..=max).contains(value),
        (Kind::Float { min, max, .. }, ConfigData::Float(value)) => (min..=max).contains(value),
        (Kind::Int64 { .. }, ConfigData::Int64(_))
        | (Kind::String, ConfigData::String(_))
        | (Kind::Pointer, ConfigData::Pointer(_)) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn setters_take_a_value_in_range_or_refuse_as_documented(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let scopes = scopes();
        let mut locked = [false; 4];
        for step in steps {
            let (scope, id, data) = match step {
                Step::Set { scope, id, data } => (scope, id, data),
                Step::Assign { scope, text } => match text.parse::<Config>() {
                    Ok(option) => (scope, option.id(), Some(option.data())),
                    Err(error) => {
                        prop_assert!(!error.to_string().is_empty());
                        continue;
                    }
                },
                Step::Lock { scope } => {
                    scopes[scope].lock();
                    locked[scope] = true;
                    continue;
                }
            };
            let before = everything(&scopes);
            let cleared = data.is_none();
            match scopes[scope].set(id, data) {
                Ok(()) => {
                    let (value, inherited) = scopes[scope].get(id).expect("it was just set");
                    prop_assert!(in_range(&value, id), "{id}: {value:?}");
                    // A connection that no longer follows wider scopes inherits nothing.
                    let is_bound = scopes[scope].scope() == Scope::Connection
                        && id.info().access == Access::BoundAtCreation;
                    prop_assert_eq!(inherited, cleared && scope > 0 && !is_bound, "{}", id);
                }
                Err(error) => {
                    let documented = is_documented(&error, scopes[scope].scope(), id, locked[scope]);
                    prop_assert!(documented, "{id}: {error:?}");
                    prop_assert!(!error.to_string().is_empty());
                    prop_assert_eq!(before, everything(&scopes), "a refusal changed something");
                }
            }
        }
        for scope in &scopes {
            // Whatever was set, the machines get a configuration that they can live with.
            let config = scope.connection_config(true);
            prop_assert!((200..=1300).contains(&config.send.mtu));
            prop_assert!(config.receive.buffer_bytes >= config.receive.max_message_bytes);
            prop_assert!(config.receive.max_segments_per_packet >= 1);
        }
    }
}

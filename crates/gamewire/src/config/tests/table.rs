//! The rows themselves, and what Valve's library says of its own (wire.md §10).

use crate::config::{
    Access, Config, ConfigData, ConfigError, ConfigId, ConfigType, Exposure, Kind, Scope,
    markdown_table,
};

/// Numbers that Valve's open-source library shows to users, in its order; 23 and 34 for developers.
const SHOWN_BY_VALVE: [i32; 49] = [
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 23, 24, 25, 26, 27, 28, 32, 34, 41, 42,
    43, 44, 45, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 103, 104, 105, 107, 108, 109,
    110,
];

/// What else its table holds.
const HIDDEN_BY_VALVE: [i32; 8] = [37, 38, 40, 201, 202, 204, 205, 206];

fn iterate(developer: bool) -> Vec<i32> {
    let next = |current: &ConfigId| ConfigId::next(Some(*current), developer);
    std::iter::successors(ConfigId::next(None, developer), next).map(ConfigId::to_number).collect()
}

#[test]
fn iteration_shows_what_valves_library_shows() {
    assert_eq!(iterate(true), SHOWN_BY_VALVE);
    let without: Vec<i32> =
        SHOWN_BY_VALVE.into_iter().filter(|number| ![23, 34].contains(number)).collect();
    assert_eq!(iterate(false), without);
    assert_eq!(without.len(), 47);
    // Going on from a value that is not shown itself works too.
    assert_eq!(ConfigId::next(Some(ConfigId::MtuDataSize), false), ConfigId::from_number(41));
    assert_eq!(ConfigId::next(Some(ConfigId::AcceptMaxConnections), true), None);
}

#[test]
fn all_57_values_of_valves_library_are_known() {
    let all = SHOWN_BY_VALVE.into_iter().chain(HIDDEN_BY_VALVE);
    let known: Vec<i32> = all.filter(|&number| ConfigId::from_number(number).is_some()).collect();
    assert_eq!(known.len(), 57);
}

#[test]
fn numbers_and_names_are_unique_and_ascending() {
    let numbers: Vec<i32> = ConfigId::ALL.iter().map(|id| id.to_number()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    for &id in ConfigId::ALL {
        assert_eq!(ConfigId::from_number(id.to_number()), Some(id));
        assert_eq!(id.info().id, id);
        assert_eq!(id.name().parse(), Ok(id));
        assert_eq!(format!("k_ESteamNetworkingConfig_{id}").parse(), Ok(id));
        assert_eq!(id.name().to_lowercase().parse(), Ok(id));
    }
    for number in [i32::MIN, -1, 0, 1, 22, 35, 60, 111, 999, 10_000, i32::MAX] {
        assert_eq!(ConfigId::try_from(number), Err(ConfigError::UnknownNumber(number)));
    }
    for name in ["", "SendRate", "k_ESteamNetworkingConfig_", "Send RateMin", "SendRateMin\0"] {
        assert!(name.parse::<ConfigId>().is_err(), "{name:?}");
    }
}

#[test]
fn rows_are_well_formed() {
    for &id in ConfigId::ALL {
        let row = id.info();
        assert!(row.doc.ends_with('.') && !row.doc.contains("  "), "{id}: {:?}", row.doc);
        assert!(!row.doc.contains('|'), "{id}: would break the table");
        // The default is a fixed point of the conversion: right type, in range.
        assert_eq!(row.default_data().fit(row), Ok(row.default_data()), "{id}");
        match row.kind {
            Kind::Int32 { min, max, .. } => assert!(min < max, "{id}"),
            Kind::Float { min, max, .. } => assert!(min < max, "{id}"),
            Kind::Int64 { .. } | Kind::String => {}
            Kind::Pointer => assert_eq!(row.exposure, Exposure::Hidden, "{id}"),
        }
        if id.to_number() >= 10_000 {
            assert_eq!(row.exposure, Exposure::Hidden, "{id}: not in Valve's iteration");
        }
    }
}

#[test]
fn locked_values_are_those_of_valves_library() {
    let locked: Vec<i32> = ConfigId::ALL
        .iter()
        .filter(|id| id.info().access == Access::LockedOnceConnecting)
        .map(|id| id.to_number())
        .collect();
    assert_eq!(locked, [23, 34, 37, 52, 104, 110]);
}

#[test]
fn options_name_their_value() {
    let options = [
        (Config::SendRateMax(8 << 20), ConfigId::SendRateMax, ConfigData::Int32(8 << 20)),
        (Config::ConnectionUserData(-7), ConfigId::ConnectionUserData, ConfigData::Int64(-7)),
        (Config::FakePacketLossSend(1.5), ConfigId::FakePacketLossSend, ConfigData::Float(1.5)),
        (
            Config::P2pStunServerList("a:1".into()),
            ConfigId::P2pStunServerList,
            ConfigData::from("a:1"),
        ),
        (
            Config::Dynamic(ConfigId::NagleTime, ConfigData::from("7")),
            ConfigId::NagleTime,
            ConfigData::from("7"),
        ),
    ];
    for (option, id, data) in options {
        assert_eq!((option.id(), option.data()), (id, data));
    }
}

#[test]
fn options_are_read_from_assignments() {
    let option: Config = "nagletime = 250".parse().unwrap();
    assert_eq!(option, Config::Dynamic(ConfigId::NagleTime, ConfigData::Int32(250)));
    assert_eq!(option.to_string(), "NagleTime=250");
    let list: Config = "P2P_TURN_UserList=a=b".parse().unwrap();
    assert_eq!(list.data(), ConfigData::from("a=b"));
    type Matches = fn(&ConfigError) -> bool;
    let errors: [(&str, Matches); 4] = [
        ("NagleTime", |e| matches!(e, ConfigError::NotAnAssignment(_))),
        ("=1", |e| matches!(e, ConfigError::UnknownName(_))),
        ("NagleTime=", |e| matches!(e, ConfigError::NotANumber(_))),
        ("Callback_AuthStatusChanged=1", |e| matches!(e, ConfigError::WrongType { .. })),
    ];
    for (text, expected) in errors {
        let error = text.parse::<Config>().unwrap_err();
        assert!(expected(&error), "{text}: {error:?}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn numbers_of_scopes_and_types_are_valves() {
    for number in 0..=6 {
        assert_eq!(
            Scope::from_number(number).map(Scope::to_number),
            (1..=4).contains(&number).then_some(number)
        );
        let kind = ConfigType::from_number(number);
        assert_eq!(kind.map(ConfigType::to_number), (1..=5).contains(&number).then_some(number));
    }
}

#[test]
fn the_committed_document_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let expected = markdown_table();
    if std::env::var_os("GAMEWIRE_BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == expected,
        "docs/configuration.md is out of date: GAMEWIRE_BLESS=1 cargo test -p gamewire --lib config"
    );
}

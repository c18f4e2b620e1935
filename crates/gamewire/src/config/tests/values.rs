//! Every type given to every row: converted, clamped or refused, never a panic, never NaN.

use crate::config::{
    ConfigData, ConfigError, ConfigId, ConfigType, Kind, MAX_STRING_BYTES, Scope, ScopeValues,
};

fn read_back(id: ConfigId, data: ConfigData) -> Result<ConfigData, ConfigError> {
    let global = ScopeValues::global();
    global.set(id, Some(data))?;
    Ok(global.get(id).unwrap().0)
}

/// Values that a careless or hostile caller may come with.
fn odd_values() -> Vec<ConfigData> {
    let ints = [i32::MIN, -1, 0, 1, 5000, i32::MAX].map(ConfigData::Int32);
    let longs = [i64::MIN, i64::from(i32::MIN) - 1, -1, 1 << 32, i64::MAX].map(ConfigData::Int64);
    let floats = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        -0.0,
        2.5,
        1e20,
    ]
    .map(ConfigData::Float);
    let texts = [
        "",
        " ",
        "0",
        " 12 ",
        "-12",
        "+3",
        "1e3",
        "0x10",
        "nan",
        "-nan",
        "inf",
        "-inf",
        "12abc",
        "1,5",
        "99999999999999999999999",
        "1e999",
        "٣",
        "\u{0}",
        "5\u{0}",
        "true",
    ]
    .map(ConfigData::from);
    let long = ConfigData::String("9".repeat(MAX_STRING_BYTES + 1));
    let pointers = [0, 1, usize::MAX].map(ConfigData::Pointer);
    let all = ints.into_iter().chain(longs).chain(floats).chain(texts).chain(pointers);
    all.chain([long]).collect()
}

#[test]
fn any_value_given_to_any_row_ends_in_range_or_in_an_error() {
    for &id in ConfigId::ALL {
        for data in odd_values() {
            let Ok(kept) = read_back(id, data.clone()) else {
                continue;
            };
            assert_eq!(kept.data_type(), id.info().data_type(), "{id} {data:?}");
            match (id.info().kind, &kept) {
                (Kind::Int32 { min, max, .. }, ConfigData::Int32(number)) => {
                    assert!((min..=max).contains(number), "{id} {data:?} {kept:?}");
                }
                (Kind::Float { min, max, .. }, ConfigData::Float(number)) => {
                    assert!((min..=max).contains(number), "{id} {data:?} {kept:?}");
                }
                (Kind::String, ConfigData::String(text)) => {
                    assert!(text.len() <= MAX_STRING_BYTES && !text.contains('\0'));
                }
                (Kind::Int64 { .. }, ConfigData::Int64(_))
                | (Kind::Pointer, ConfigData::Pointer(_)) => {}
                (kind, kept) => panic!("{id}: {kind:?} holds {kept:?}"),
            }
        }
    }
}

#[test]
fn numbers_convert_and_are_clamped() {
    use ConfigData::{Float, Int32, Int64};
    let text = |text: &str| ConfigData::from(text);
    let table = [
        (ConfigId::NagleTime, Int32(250), Int32(250)),
        (ConfigId::NagleTime, Int32(-1), Int32(0)),
        (ConfigId::NagleTime, Int32(i32::MAX), Int32(20_000)),
        (ConfigId::NagleTime, Int64(i64::MAX), Int32(20_000)),
        (ConfigId::NagleTime, Int64(i64::MIN), Int32(0)),
        (ConfigId::NagleTime, Float(2.5), Int32(3)),
        (ConfigId::NagleTime, Float(f32::INFINITY), Int32(20_000)),
        (ConfigId::NagleTime, text(" 12 "), Int32(12)),
        (ConfigId::NagleTime, text("-12"), Int32(0)),
        (ConfigId::NagleTime, text("1.5e3"), Int32(1500)),
        (ConfigId::NagleTime, text("99999999999999999999"), Int32(20_000)),
        (ConfigId::SendRateMax, Int64(5_000_000_000), Int32(i32::MAX)),
        (ConfigId::SendRateMax, Int32(1), Int32(1024)),
        (ConfigId::MtuPacketSize, Int32(9000), Int32(1300)),
        (ConfigId::MtuPacketSize, Int32(0), Int32(200)),
        (ConfigId::ConnectionUserData, Int32(-3), Int64(-3)),
        (ConfigId::ConnectionUserData, text("9223372036854775807"), Int64(i64::MAX)),
        (ConfigId::ConnectionUserData, Float(1e30), Int64(i64::MAX)),
        (ConfigId::FakePacketLossSend, Int32(7), Float(7.0)),
        (ConfigId::FakePacketLossSend, Float(100.5), Float(100.0)),
        (ConfigId::FakePacketLossSend, Float(f32::NEG_INFINITY), Float(0.0)),
        (ConfigId::FakePacketLossSend, text("0.25"), Float(0.25)),
        (ConfigId::P2pStunServerList, Int32(-5), text("-5")),
        (ConfigId::P2pStunServerList, Float(0.5), text("0.5")),
        (ConfigId::P2pStunServerList, text(" kept as it is "), text(" kept as it is ")),
    ];
    for (id, given, expected) in table {
        assert_eq!(read_back(id, given.clone()), Ok(expected), "{id} {given:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let nan = ConfigError::NotANumber;
    let wrong = |id, given| ConfigError::WrongType { id, given };
    let table = [
        (ConfigId::NagleTime, ConfigData::Float(f32::NAN), nan(ConfigId::NagleTime)),
        (ConfigId::NagleTime, ConfigData::from("fast"), nan(ConfigId::NagleTime)),
        (ConfigId::NagleTime, ConfigData::from("nan"), nan(ConfigId::NagleTime)),
        (ConfigId::NagleTime, ConfigData::from(""), nan(ConfigId::NagleTime)),
        (
            ConfigId::FakePacketLossSend,
            ConfigData::Float(f32::NAN),
            nan(ConfigId::FakePacketLossSend),
        ),
        (
            ConfigId::NagleTime,
            ConfigData::Pointer(1),
            wrong(ConfigId::NagleTime, ConfigType::Pointer),
        ),
        (
            ConfigId::CallbackAuthStatusChanged,
            ConfigData::Int64(1),
            wrong(ConfigId::CallbackAuthStatusChanged, ConfigType::Int64),
        ),
        (
            ConfigId::P2pStunServerList,
            ConfigData::Pointer(1),
            wrong(ConfigId::P2pStunServerList, ConfigType::Pointer),
        ),
        (
            ConfigId::P2pStunServerList,
            ConfigData::from("a\0b"),
            ConfigError::Nul(ConfigId::P2pStunServerList),
        ),
        (
            ConfigId::P2pStunServerList,
            ConfigData::String("x".repeat(MAX_STRING_BYTES + 1)),
            ConfigError::TooLong(ConfigId::P2pStunServerList),
        ),
        (
            ConfigId::MtuDataSize,
            ConfigData::Int32(1000),
            ConfigError::ReadOnly(ConfigId::MtuDataSize),
        ),
    ];
    for (id, given, expected) in table {
        let global = ScopeValues::global();
        let before = global.get(id).unwrap();
        assert_eq!(global.set(id, Some(given.clone())), Err(expected.clone()), "{id} {given:?}");
        assert_eq!(global.get(id).unwrap(), before);
        assert!(expected.to_string().contains(id.name()));
    }
    let connection = ScopeValues::child(&ScopeValues::global(), Scope::Connection);
    let error = connection.set(ConfigId::FakePacketLagSend, None).unwrap_err();
    assert!(error.to_string().contains("FakePacketLag_Send"), "{error}");
}

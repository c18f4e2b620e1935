use proptest::prelude::*;

use super::*;

/// A user, a game server and an anonymous game server of the public universe.
const USER: u64 = 76_561_197_960_265_729;
const SERVER: u64 = 1 << 56 | 3 << 52 | 5;
const ANONYMOUS_SERVER: u64 = 1 << 56 | 4 << 52 | 77 << 32 | 9;

#[test]
fn text_both_ways() {
    for (text, identity) in [
        ("ip:::1", Identity::localhost()),
        ("ip:1.2.3.4", Identity::IpAddress("1.2.3.4".parse().unwrap())),
        ("ip:1.2.3.4:27015", Identity::IpAddress("1.2.3.4:27015".parse().unwrap())),
        ("ip:[::1]:80", Identity::IpAddress("[::1]:80".parse().unwrap())),
        ("str:text", Identity::generic_string("text").unwrap()),
        ("str:", Identity::generic_string("").unwrap()),
        ("str:a:b é", Identity::generic_string("a:b é").unwrap()),
        ("gen:00ff1a", Identity::generic_bytes(&[0, 0xff, 0x1a]).unwrap()),
        ("steamid:76561197960265729", Identity::SteamId(USER)),
        ("xboxpwid:abcDEF", Identity::xbox_pairwise_id("abcDEF").unwrap()),
        ("psn:18446744073709551615", Identity::SonyPsn(u64::MAX)),
        ("psn:0", Identity::SonyPsn(0)),
        ("new_1:x", Identity::Unknown(UnknownText::new("new_1:x").unwrap())),
        ("sixteen_letters_:", Identity::Unknown(UnknownText::new("sixteen_letters_:").unwrap())),
    ] {
        assert_eq!(text.parse::<Identity>().as_ref(), Ok(&identity), "{text}");
        assert_eq!(identity.to_string(), text);
    }
    assert_eq!("gen:ABcd".parse::<Identity>().unwrap().to_string(), "gen:abcd");
    assert_eq!(Identity::Invalid.to_string(), "invalid");
}

#[test]
fn what_is_no_identity() {
    for (text, error) in [
        ("", IdentityError::NoPrefix),
        ("invalid", IdentityError::NoPrefix),
        ("noprefix", IdentityError::NoPrefix),
        (":data", IdentityError::NoPrefix),
        ("Upper:data", IdentityError::NoPrefix),
        ("STEAMID:76561197960265729", IdentityError::NoPrefix),
        ("with space:data", IdentityError::NoPrefix),
        ("seventeen_letters:", IdentityError::NoPrefix),
        ("new:with\0nul", IdentityError::Nul),
        ("str:with\0nul", IdentityError::Nul),
        ("xboxpwid:", IdentityError::Empty),
        ("gen:", IdentityError::Empty),
        ("gen:abc", IdentityError::Hex),
        ("gen:zz", IdentityError::Hex),
        ("gen:+1", IdentityError::Hex),
        ("gen:é", IdentityError::Hex),
        ("psn:", IdentityError::Number),
        ("psn:+1", IdentityError::Number),
        ("psn:-1", IdentityError::Number),
        ("psn: 1", IdentityError::Number),
        ("psn:1x", IdentityError::Number),
        ("psn:18446744073709551616", IdentityError::Number),
        ("steamid:0", IdentityError::SteamId),
        ("steamid:1", IdentityError::SteamId),
        ("steamid:76561197960265729x", IdentityError::Number),
        ("ip:", IdentityError::Address),
        ("ip:1.2.3.4:garbage", IdentityError::Address),
        ("ip:[::1", IdentityError::Address),
    ] {
        assert_eq!(text.parse::<Identity>(), Err(error), "{text:?}");
    }
}

#[test]
fn lengths_at_their_limits() {
    let parse =
        |prefix: &str, len: usize| (prefix.to_owned() + &"a".repeat(len)).parse::<Identity>();
    for (prefix, max) in [("str:", 31), ("xboxpwid:", 32), ("gen:", 64), ("other:", 121)] {
        assert!(parse(prefix, max).is_ok(), "{prefix}");
        assert_eq!(parse(prefix, max + 2), Err(IdentityError::TooLong), "{prefix}");
        let longest = parse(prefix, max).unwrap().to_string();
        assert!(longest.len() <= MAX_IDENTITY_TEXT);
    }
    assert_eq!(parse("other:", 122), Err(IdentityError::TooLong));
    assert!("str:".to_owned().parse::<Identity>().is_ok());
    assert_eq!(UnknownText::new("ip:1.2.3.4"), Err(IdentityError::NoPrefix));
    assert_eq!(GenericBytes::new(&[]), Err(IdentityError::Empty));
}

#[test]
fn steam_ids() {
    let id = |universe: u64, kind: u64, instance: u64, account: u64| {
        universe << 56 | kind << 52 | instance << 32 | account
    };
    for (value, valid, peer) in [
        (USER, true, true),
        (SERVER, true, true),
        (ANONYMOUS_SERVER, true, true),
        (id(1, 1, 1, 0), false, false), // no account
        (id(1, 1, 0, 5), false, true),  // not the desktop instance
        (id(1, 1, 2, 5), false, true),
        (id(0, 1, 1, 5), false, true), // no universe
        (id(4, 1, 1, 5), true, true),
        (id(5, 1, 1, 5), false, true),  // no such universe
        (id(1, 0, 1, 5), false, false), // no type
        (id(1, 2, 0, 0), true, false),
        (id(1, 3, 1, 0), false, false),
        (id(1, 4, 1, 0), true, false),
        (id(1, 7, 0, 5), true, false), // a clan is valid but plays no games
        (id(1, 7, 1, 5), false, false),
        (id(1, 7, 0, 0), false, false),
        (id(1, 10, 0, 1), true, false),
        (id(1, 11, 0, 1), false, false), // no such type
        (id(1, 15, 0, 1), false, false),
        (0, false, false),
        (u64::MAX, false, false),
    ] {
        assert_eq!(Identity::steam_id(value).is_ok(), valid, "{value:#x}");
        assert_eq!(format!("steamid:{value}").parse::<Identity>().is_ok(), valid, "{value:#x}");
        assert_eq!(Identity::from_legacy_steam_id(value).is_some(), peer, "{value:#x}");
    }
    let parts = SteamIdParts::new(ANONYMOUS_SERVER);
    assert_eq!((parts.universe, parts.account_type, parts.instance, parts.account), (1, 4, 77, 9));
}

#[test]
fn legacy_binary_both_ways() {
    for text in ["ip:::1", "ip:1.2.3.4:258", "str:text", "gen:00ff", "steamid:76561197960265729"] {
        let identity: Identity = text.parse().unwrap();
        let legacy = identity.to_legacy_binary().unwrap();
        assert_eq!(Identity::from_legacy_binary(&legacy), Some(identity), "{text}");
    }
    let address: Identity = "ip:1.2.3.4:258".parse().unwrap();
    let bytes = address.to_legacy_binary().unwrap().ipv6_and_port.unwrap();
    assert_eq!(bytes[..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4, 1, 2]);
    for text in ["psn:5", "xboxpwid:x", "other:x"] {
        assert_eq!(text.parse::<Identity>().unwrap().to_legacy_binary(), None);
    }
    assert_eq!(Identity::Invalid.to_legacy_binary(), None);
    assert_eq!(Identity::SteamId(1).to_legacy_binary(), None);
}

#[test]
fn bad_legacy_binary_is_none() {
    let empty = IdentityLegacyBinary::default();
    assert_eq!(Identity::from_legacy_binary(&empty), None);
    for len in [0, 16, 17, 19, 40] {
        let bytes = Some(Bytes::from(vec![1; len]));
        let legacy = IdentityLegacyBinary { ipv6_and_port: bytes, ..empty.clone() };
        assert_eq!(Identity::from_legacy_binary(&legacy), None, "{len}");
    }
    let legacy = IdentityLegacyBinary { generic_string: Some("x".repeat(32)), ..empty.clone() };
    assert_eq!(Identity::from_legacy_binary(&legacy), None);
    let legacy = IdentityLegacyBinary { generic_bytes: Some(vec![1; 33].into()), ..empty.clone() };
    assert_eq!(Identity::from_legacy_binary(&legacy), None);
    // A bad SteamID is not saved by a good string behind it.
    let legacy =
        IdentityLegacyBinary { steam_id: Some(0), generic_string: Some("x".into()), ..empty };
    assert_eq!(Identity::from_legacy_binary(&legacy), None);
}

#[test]
fn who_is_localhost() {
    let is = |text: &str| text.parse::<Identity>().unwrap().is_localhost();
    assert!(is("ip:::1") && is("ip:127.0.0.1") && is("ip:[::1]:80"));
    assert!(!is("ip:127.0.0.2") && !is("str:localhost"));
    assert!(Identity::Invalid.is_invalid() && !Identity::localhost().is_invalid());
}

#[test]
fn stays_small() {
    assert!(size_of::<Identity>() <= 24);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_parses_or_not(text in "((ip|str|gen|steamid|xboxpwid|psn|[a-z0-9_]{1,17}):)?.{0,140}") {
        if let Ok(identity) = text.parse::<Identity>() {
            let printed = identity.to_string();
            prop_assert!(printed.len() <= MAX_IDENTITY_TEXT);
            prop_assert_eq!(printed.parse::<Identity>(), Ok(identity));
        }
        let _ = text.parse::<Address>();
    }

    #[test]
    fn nearly_good_addresses_parse_or_not(text in "\\[?[0-9a-f:.]{0,45}\\]?(:[0-9]{0,6})?") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }

    #[test]
    fn any_address_survives_its_text(octets in any::<[u8; 16]>(), zeros in 0usize..16, port in any::<u16>()) {
        let mut octets = octets;
        octets[..zeros].fill(0);
        let address = Address::from_v6(octets.into(), port);
        prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        prop_assert!(address.display_with_port().to_string().len() <= crate::limits::MAX_ADDRESS_TEXT);
        prop_assert_eq!(format!("ip:{address}").parse::<Identity>(), Ok(Identity::IpAddress(address)));
    }

    #[test]
    fn any_bytes_survive_their_text(bytes in prop::collection::vec(any::<u8>(), 1..=32)) {
        let identity = Identity::generic_bytes(&bytes).unwrap();
        prop_assert_eq!(identity.to_string().parse::<Identity>(), Ok(identity));
    }
}

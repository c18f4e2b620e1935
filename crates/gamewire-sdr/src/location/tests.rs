//! Valve's strings, ours, and estimates.

use proptest::prelude::*;

use super::*;

/// From the published test of Facepunch.Steamworks, with its middle as the logs show it.
const VALVE: &str = "lhr=4+0,ams=13+1/10+0,par=17+1/12+0,lux=17+1,fra=18+1/18+0,gru=200+20/219+0";

fn pop(code: &str) -> PopId {
    code.parse().unwrap()
}

fn location(text: &str) -> PingLocation {
    text.parse().unwrap()
}

#[test]
fn valves_strings() {
    let parsed = location(VALVE);
    assert_eq!(parsed.ways().len(), 6);
    let ams = parsed.ways().iter().find(|way| way.pop == pop("ams")).unwrap();
    assert_eq!(ams.direct, Some(Ping { ms: 13, margin_ms: 1 }));
    assert_eq!(ams.relayed, Some(Ping { ms: 10, margin_ms: 0 }));
    assert_eq!(ams.upper_ms(), Some(10));
    let log = "sea=17+1,lax=43+4/40+1,ord=42+4,iad=74+7/60+4";
    assert_eq!(location(log).ways().len(), 4);
    for text in [VALVE, log] {
        let parsed = location(text);
        assert_eq!(location(&parsed.to_string()), parsed, "{text}");
    }
}

#[test]
fn text_that_is_none() {
    for text in [
        "",
        ",",
        "sto",
        "sto=",
        "sto=/",
        "sto=x",
        "sto=5+",
        "sto=+5",
        "=5+1",
        "toolong=5+1",
        "sto=5+1,fra",
        "sto=-5+1",
        "sto=5+1/",
        "sto=70000+1",
        "sto=5+1/+2",
    ] {
        assert_eq!(text.parse::<PingLocation>(), Err(PingLocationError), "{text}");
    }
    let long = "sto=5+1,".repeat(200);
    assert_eq!(long.parse::<PingLocation>(), Err(PingLocationError));
    assert_eq!(location("sto=5").ways()[0].upper_ms(), Some(5));
    assert_eq!(location("sto=/5+1").to_string(), "sto=/5+1");
    assert_eq!(location(" sto=5+1 , fra=7+0/6+0/later ").ways().len(), 2);
}

#[test]
fn a_pop_counts_once_and_the_list_is_bounded() {
    let twice = location("sto=50+1,sto=5+1");
    assert_eq!(twice.ways().len(), 1);
    assert_eq!(twice.to_string(), "sto=5+1");
    let ways = (0..200u16).map(|n| PopPing {
        pop: PopId::new(u32::from_be_bytes([
            b'a' + (n / 26) as u8,
            b'x',
            b'y',
            b'a' + (n % 26) as u8,
        ])),
        direct: Some(Ping::measured(200 - n)),
        relayed: None,
    });
    let many = PingLocation::new(ways);
    assert_eq!(many.ways().len(), MAX_ENTRIES);
    assert_eq!(many.ways()[0].direct.unwrap().ms, 1, "the best are kept");
    assert!(many.to_string().len() <= MAX_TEXT_BYTES);
    assert_eq!(PingLocation::from_opaque(&many.to_opaque()), many);
}

fn config() -> NetworkConfig {
    let json = r#"{"pops": {"sto": {"geo": [18, 59]}, "fra": {"geo": [8.7, 50.1]},
        "syd": {"geo": [151.2, -33.9]}, "nyc": {}},
        "typical_pings": [["sto", "fra", 23], ["fra", "syd", 260]]}"#;
    NetworkConfig::parse(json.as_bytes()).unwrap().0
}

#[test]
fn estimates() {
    let config = config();
    let estimate = |a: &str, b: &str| location(a).estimate(&location(b), Some(&config));
    assert_eq!(estimate("sto=5+1", "sto=7+2"), Ok(15));
    assert_eq!(estimate("sto=5+1", "fra=7+2"), Ok(6 + 23 + 9));
    // Over the common PoP instead of between two near ones.
    assert_eq!(estimate("sto=5+1,fra=20+0", "fra=7+2"), Ok(29));
    assert_eq!(estimate("sto=9+9/5+0", "sto=1+0"), Ok(6), "the relayed way counts");
    // Listed for fra only; from sto by distance, 15 601 km.
    assert_eq!(estimate("sto=5+0", "syd=5+0"), Ok(10 + 157 + 5));
    assert_eq!(estimate("nyc=5+0", "sto=5+0"), Err(EstimateError::Unknown));
    assert_eq!(estimate("xyz=5+0", "xyz=5+0"), Ok(10), "the same place, known or not");
    let nothing = PingLocation::default();
    assert_eq!(nothing.estimate(&location("sto=5+1"), Some(&config)), Err(EstimateError::Failed));
    assert_eq!(location("sto=5+1").estimate(&nothing, Some(&config)), Err(EstimateError::Failed));
    let (a, b) = (location("sto=5+1"), location("fra=5+1"));
    assert_eq!(a.estimate(&b, None), Err(EstimateError::Unknown));
    assert_eq!(a.estimate(&a, None), Ok(12));
    assert_eq!((EstimateError::Failed.code(), EstimateError::Unknown.code()), (-1, -2));
}

#[test]
fn the_opaque_form() {
    let parsed = location(VALVE);
    assert_eq!(PingLocation::from_opaque(&parsed.to_opaque()), parsed);
    assert!(PingLocation::from_opaque(&[0; OPAQUE_BYTES]).is_empty());
    assert!(PingLocation::from_opaque(&[0xff; OPAQUE_BYTES]).is_empty());
    let mut odd = [0xff; OPAQUE_BYTES];
    odd[0] = OPAQUE_FORM;
    assert!(PingLocation::from_opaque(&odd).is_empty(), "absent everywhere");
}

proptest! {
    #[test]
    fn any_bytes_and_text(bytes in proptest::collection::vec(any::<u8>(), OPAQUE_BYTES), text in "[a-z=+/,0-9]{0,60}") {
        let array = <[u8; OPAQUE_BYTES]>::try_from(bytes.as_slice()).unwrap();
        let location = PingLocation::from_opaque(&array);
        prop_assert_eq!(PingLocation::from_opaque(&location.to_opaque()), location);
        if let Ok(parsed) = text.parse::<PingLocation>() {
            prop_assert_eq!(parsed.to_string().parse::<PingLocation>(), Ok(parsed));
        }
    }

    #[test]
    fn estimates_are_symmetric(a in "(sto|fra|syd)=[0-9]{1,3}\\+[0-9]", b in "(sto|fra|nyc)=[0-9]{1,3}\\+[0-9]") {
        let (a, b, config) = (location(&a), location(&b), config());
        prop_assert_eq!(a.estimate(&b, Some(&config)), b.estimate(&a, Some(&config)));
    }
}

//! Three ages of the public form, our own fields, and damage.

use gamewire_crypto::{Certificate, SigningKey};
use proptest::prelude::*;

use super::*;

fn pop(code: &str) -> PopId {
    code.parse().unwrap()
}

fn parse(json: &str) -> NetworkConfig {
    let (config, warnings) = NetworkConfig::parse(json.as_bytes()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    config
}

const CURRENT: &str = r#"{
    "revision": 1764000000,
    "pops": {
        "sto": {
            "desc": "Stockholm (Kista)", "geo": [17.92, 59.65], "partners": 3, "tier": 1,
            "aliases": ["sto2"],
            "relays": [
                {"ipv4": "155.133.252.36", "port_range": [27015, 27060]},
                {"ipv4": "155.133.252.37", "port_range": [27015, 27015], "surprise": {}}
            ],
            "service_address_ranges": ["155.133.252.68-155.133.252.79", "10.0.0.0/8"]
        },
        "fra": {"desc": "Frankfurt", "geo": [8.68, 50.11], "partners": 1,
            "relay_addresses": ["155.133.226.70:27015-27060"]},
        "lon": {"geo": [0, 51.5]}
    },
    "certs": [],
    "revoked_keys": ["9212311131953197183", 5],
    "relay_public_key": "9D8F5A8B1C26C1F2F2C03A5A3A1E5A7CDD2C2A9D8F5A8B1C26C1F2F2C03A5A3A",
    "typical_pings": [["sto", "fra", 23]],
    "p2p_share_ip": {"cn": 20, "default": 40, "ru": 20},
    "success": true
}"#;

#[test]
fn the_current_public_form() {
    let config = parse(CURRENT);
    assert_eq!(config.revision, 1_764_000_000);
    let codes: Vec<String> = config.pops.iter().map(|pop| pop.id.to_string()).collect();
    assert_eq!(codes, ["fra", "lon", "sto"]);
    let sto = config.pop(pop("sto")).unwrap();
    assert_eq!(sto.description, "Stockholm (Kista)");
    assert_eq!((sto.partners, sto.tier), (3, Some(1)));
    assert_eq!(sto.relays.len(), 2);
    assert_eq!(sto.relays[0].ipv4, Some(Ipv4Addr::new(155, 133, 252, 36)));
    assert_eq!(sto.relays[0].ports, (27015, 27060));
    assert!(sto.service_address_ranges[0].contains("155.133.252.70".parse().unwrap()));
    assert_eq!(config.pop_by_code("sto2").unwrap().id, sto.id);
    assert_eq!(config.pop_by_code("nowhere"), None);
    let fra = config.pop(pop("fra")).unwrap();
    assert_eq!(fra.relays[0].ports, (27015, 27060));
    assert!(config.pop(pop("lon")).unwrap().relays.is_empty());
    assert_eq!(config.revoked_keys, [9_212_311_131_953_197_183, 5]);
    assert_eq!(config.relay_public_keys[0][..2], [0x9d, 0x8f]);
    assert_eq!(config.p2p_share_ip["default"], 40);
    assert_eq!(config.typical_ping(pop("fra"), pop("sto")), Some(23));
    assert_eq!(config.interior_ping(pop("sto"), pop("sto")), Some(0));
    // London to Frankfurt is not listed; 640 km.
    assert_eq!(config.interior_ping(pop("lon"), pop("fra")), Some(12));
    assert_eq!(config.interior_ping(pop("lon"), pop("ams")), None);
    assert!(config.is_relay_ip("155.133.226.70".parse().unwrap()));
    assert!(!config.is_relay_ip("155.133.226.71".parse().unwrap()));
}

#[test]
fn older_public_forms() {
    let config = parse(
        r#"{"revision": 63,
            "lat_lon": {"eat": [47.4, -120.3]},
            "data_centers": {"eat": {"address_ranges": ["192.69.96.0-192.69.97.255"], "partners": 2}},
            "routing_clusters": {
                "eat": {"addresses": ["192.69.96.1:27015-27020", "192.69.96.2:27015"], "partners": 1},
                "lax": {"addresses": ["1.2.3.4:5-6"], "ping_only": true}
            }}"#,
    );
    let eat = config.pop(pop("eat")).unwrap();
    assert_eq!(eat.relays.len(), 2);
    assert_eq!(eat.relays[1].ports, (27015, 27015));
    assert_eq!(eat.service_address_ranges.len(), 1);
    assert_eq!(eat.geo, Geo::new(-120.3, 47.4));
    assert!(config.pop(pop("lax")).unwrap().relays.is_empty());
}

fn full() -> NetworkConfig {
    let ca = Certificate {
        time_expiry: Some(2_000_000_000),
        ..Certificate::new(SigningKey::from_seed([2; 32]).public_key())
    };
    let mut config = parse(CURRENT);
    config.certs.push(ca.sign(&SigningKey::from_seed([1; 32])));
    config.relay_public_keys.push([7; 32]);
    let sto = config.pops.iter_mut().find(|entry| entry.id == pop("sto")).unwrap();
    sto.relay_public_keys = vec![[8; 32], [9; 32]];
    sto.relays[0].ipv6 = Some("2001:db8::1".parse().unwrap());
    sto.relays[0].interior_ports = Some((28000, 28003));
    sto.relays[0].public_key = Some([3; 32]);
    sto.relays[0].name = "sto#1".into();
    config
}

#[test]
fn written_and_read_again() {
    let config = full();
    let json = config.to_json();
    assert_eq!(parse(&json), config);
    assert_eq!(parse(&json).to_json(), json, "the same text each time");
}

#[test]
fn keys_of_a_pop_come_before_the_networks() {
    let config = full();
    assert_eq!(config.address_keys(pop("sto")), [[8; 32], [9; 32]]);
    assert_eq!(config.address_keys(pop("fra")).len(), 2);
    assert_eq!(config.address_keys(pop("nil")), config.relay_public_keys);
}

#[test]
fn the_trust_store_of_a_config() {
    let (root, ca) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    let mut config = full();
    let context = gamewire_crypto::VerifyContext {
        now_unix: 1_764_000_000,
        app_id: 1,
        pop: None,
        expected_identity: None,
    };
    let check = |config: &NetworkConfig| {
        let store = config.trust_store(&[root.public_key()]).unwrap();
        let id = ca.public_key().key_id();
        store.verify_ca_signature(id, b"m", &ca.sign(b"m"), &context)
    };
    assert_eq!(check(&config), Ok(()));
    config.revoked_keys.push(ca.public_key().key_id());
    assert!(check(&config).is_err());
}

#[test]
fn one_bad_entry_does_not_cost_the_rest() {
    let json = r#"{"pops": {
            "sto": {"relays": [{"ipv4": "1.2.3.4"}, {"ipv4": "x", "port_range": [1, 2]}, 7,
                {"ipv4": "1.2.3.4", "port_range": [9, 8]}, {"port_range": [1, 2]},
                {"ipv4": "1.2.3.4", "port_range": [0, 8]},
                {"ipv4": "1.2.3.4", "port_range": [8, 9], "public_key": "zz"},
                {"ipv4": "1.2.3.4", "port_range": [8, 9]}],
                "service_address_ranges": ["?", "1.2.3.4"], "geo": [500, 0]},
            "toolong": {}, "ams": []},
        "certs": ["?", 5], "typical_pings": [["sto"], ["sto", "sto", 5], ["a", "b", 1]]}"#;
    let (config, warnings) = NetworkConfig::parse(json.as_bytes()).unwrap();
    let sto = config.pop(pop("sto")).unwrap();
    assert_eq!((sto.relays.len(), sto.service_address_ranges.len(), sto.geo), (1, 1, None));
    assert!(config.typical_pings.is_empty());
    assert!(warnings.len() >= 12 && warnings.len() <= MAX_WARNINGS, "{warnings:#?}");
}

#[test]
fn what_must_not_get_lost_spoils_the_whole() {
    let error = |json: &str| NetworkConfig::parse(json.as_bytes()).unwrap_err();
    for list in ["5", "{}", r#"["x"]"#, "[-1]", "[null]"] {
        assert_eq!(error(&format!(r#"{{"revoked_keys": {list}}}"#)), ConfigError::RevokedKeys);
    }
    let many = vec!["1"; MAX_REVOKED_KEYS + 1].join(",");
    assert_eq!(error(&format!(r#"{{"revoked_keys": [{many}]}}"#)), ConfigError::RevokedKeys);
    for key in [r#""""#, "5", r#""9d8f""#] {
        assert_eq!(error(&format!(r#"{{"relay_public_key": {key}}}"#)), ConfigError::RelayKey);
    }
    assert_eq!(error("[]"), ConfigError::NoConfig);
    assert_eq!(error(r#"{"success": false, "revision": 3}"#), ConfigError::NoConfig);
    assert!(matches!(error("{"), ConfigError::Json(_)));
    assert!(matches!(error(&"[".repeat(100_000)), ConfigError::Json(_)), "deep nesting");
    assert_eq!(error(&" ".repeat(MAX_CONFIG_BYTES + 1)), ConfigError::TooLong);
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,400}", cut in 0usize..900) {
        let _ = NetworkConfig::parse(text.as_bytes());
        let json = full().to_json();
        let mut bytes = json.into_bytes();
        let at = cut.min(bytes.len() - 1);
        bytes[at] = bytes[at].wrapping_add(1);
        let _ = NetworkConfig::parse(&bytes);
    }
}

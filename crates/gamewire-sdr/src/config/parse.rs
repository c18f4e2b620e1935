//! Reading the JSON: three ages of the public form, and our own fields.
//!
//! One bad entry does not cost the rest: it is left out, with a warning. What must not get lost
//! (revocations, keys) makes the whole config unusable instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gamewire_crypto::text::decode_base64;
use gamewire_wire::messages::CertificateSigned;
use prost::Message as _;
use serde_json::{Map, Value};

use super::{
    AddressRange, ConfigError, Geo, MAX_CERTS, MAX_CONFIG_BYTES, MAX_LIST, MAX_POPS,
    MAX_RELAYS_PER_POP, MAX_REVOKED_KEYS, MAX_TYPICAL_PINGS, MAX_WARNINGS, NetworkConfig,
    PARTNER_DEFAULT, Pop, Relay,
};
use crate::PopId;

type Object = Map<String, Value>;

impl NetworkConfig {
    /// Reads a config; returns it with what had to be left out, for the log.
    ///
    /// # Errors
    /// [`ConfigError`] where nothing, or nothing safe, can be made of it.
    pub fn parse(json: &[u8]) -> Result<(Self, Vec<String>), ConfigError> {
        if json.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLong);
        }
        let value: Value =
            serde_json::from_slice(json).map_err(|error| ConfigError::Json(error.to_string()))?;
        let object = value.as_object().ok_or(ConfigError::NoConfig)?;
        if object.get("success").is_some_and(|success| success == &Value::Bool(false)) {
            return Err(ConfigError::NoConfig);
        }
        let mut reader = Reader { config: Self::default(), warnings: Vec::new() };
        reader.read(object)?;
        Ok((reader.config, reader.warnings))
    }
}

struct Reader {
    config: NetworkConfig,
    warnings: Vec<String>,
}

impl Reader {
    fn warn(&mut self, what: impl Into<String>) {
        if self.warnings.len() < MAX_WARNINGS {
            let mut text: String = what.into();
            text.truncate(text.floor_char_boundary(200));
            self.warnings.push(text);
        }
    }

    fn read(&mut self, object: &Object) -> Result<(), ConfigError> {
        self.config.revision = object.get("revision").and_then(number).unwrap_or(0);
        self.config.revoked_keys = revoked_keys(object.get("revoked_keys"))?;
        self.config.relay_public_keys = network_keys(object)?;
        self.read_certs(object);
        for (code, pop) in entries(object, "pops") {
            self.read_pop(code, pop);
        }
        // Revisions 63 and 136 had no `pops`, but these.
        for (code, center) in entries(object, "data_centers") {
            self.read_data_center(code, center);
        }
        for (code, cluster) in entries(object, "routing_clusters") {
            self.read_cluster(code, cluster);
        }
        for (code, place) in entries(object, "lat_lon") {
            match (lat_lon(place), self.entry(code)) {
                (Some(geo), Some(pop)) => pop.geo = Some(geo),
                _ => self.warn(format!("lat_lon of {code:?} is no place")),
            }
        }
        self.config.pops.sort_by_key(|pop| pop.id);
        self.read_pings(object);
        for (country, penalty) in entries(object, "p2p_share_ip").take(MAX_LIST) {
            if let Some(penalty) = penalty.as_i64().and_then(|value| i32::try_from(value).ok()) {
                self.config.p2p_share_ip.insert(country.clone(), penalty);
            }
        }
        Ok(())
    }

    fn read_certs(&mut self, object: &Object) {
        for cert in list(object, "certs").iter().take(MAX_CERTS) {
            let bytes = cert.as_str().and_then(|text| decode_base64(text).ok());
            match bytes.and_then(|bytes| CertificateSigned::decode(bytes.as_slice()).ok()) {
                Some(cert) => self.config.certs.push(cert),
                None => self.warn("a certificate cannot be read"),
            }
        }
    }

    /// The PoP of a code, made if it is new.
    fn entry(&mut self, code: &str) -> Option<&mut Pop> {
        let id: PopId = code.parse().ok()?;
        let pops = &mut self.config.pops;
        let index = match pops.iter().position(|pop| pop.id == id) {
            Some(index) => index,
            None if pops.len() < MAX_POPS => {
                pops.push(Pop { id, partners: PARTNER_DEFAULT, ..Pop::default() });
                pops.len() - 1
            }
            None => return None,
        };
        pops.get_mut(index)
    }

    fn read_pop(&mut self, code: &str, value: &Value) {
        let (Some(object), Some(_)) = (value.as_object(), self.entry(code)) else {
            self.warn(format!("PoP {code:?} cannot be read"));
            return;
        };
        let mut warnings = Vec::new();
        let relays = relays(object, &mut warnings);
        let service_address_ranges = ranges(object, "service_address_ranges", &mut warnings);
        let keys = list(object, "relay_public_keys").iter().take(MAX_LIST);
        let keys = keys.filter_map(|key| key.as_str().and_then(key_of_hex)).collect();
        let aliases = list(object, "aliases").iter().take(MAX_LIST);
        let aliases = aliases.filter_map(|alias| alias.as_str().map(str::to_owned)).collect();
        for warning in warnings {
            self.warn(format!("PoP {code}: {warning}"));
        }
        let Some(pop) = self.entry(code) else { return };
        pop.description = text(object, "desc");
        pop.geo = object.get("geo").and_then(geo);
        pop.partners = small(object, "partners").unwrap_or(PARTNER_DEFAULT);
        pop.tier = small(object, "tier");
        (pop.aliases, pop.relays) = (aliases, relays);
        (pop.service_address_ranges, pop.relay_public_keys) = (service_address_ranges, keys);
    }

    fn read_data_center(&mut self, code: &str, value: &Value) {
        let mut warnings = Vec::new();
        let ranges =
            value.as_object().map(|center| ranges(center, "address_ranges", &mut warnings));
        let partners = value.as_object().and_then(|center| small(center, "partners"));
        match (ranges, self.entry(code)) {
            (Some(ranges), Some(pop)) => {
                pop.service_address_ranges = ranges;
                pop.partners = partners.unwrap_or(pop.partners);
            }
            _ => warnings.push("cannot be read".to_owned()),
        }
        for warning in warnings {
            self.warn(format!("data centre {code:?}: {warning}"));
        }
    }

    fn read_cluster(&mut self, code: &str, value: &Value) {
        let mut warnings = Vec::new();
        let relays = value.as_object().map(|cluster| {
            // Some clusters could only be measured, not used.
            let ping_only = cluster.get("ping_only").is_some_and(is_true);
            if ping_only { Vec::new() } else { legacy_relays(cluster, "addresses", &mut warnings) }
        });
        let partners = value.as_object().and_then(|cluster| small(cluster, "partners"));
        match (relays, self.entry(code)) {
            (Some(relays), Some(pop)) => {
                pop.relays = relays;
                pop.partners = partners.unwrap_or(pop.partners);
            }
            _ => warnings.push("cannot be read".to_owned()),
        }
        for warning in warnings {
            self.warn(format!("cluster {code:?}: {warning}"));
        }
    }

    fn read_pings(&mut self, object: &Object) {
        for ping in list(object, "typical_pings").iter().take(MAX_TYPICAL_PINGS) {
            let parsed = ping.as_array().and_then(|triple| match triple.as_slice() {
                [a, b, ms] => {
                    let pop = |value: &Value| value.as_str()?.parse::<PopId>().ok();
                    Some((pop(a)?, pop(b)?, u32::try_from(number(ms)?).ok()?))
                }
                _ => None,
            });
            match parsed {
                Some((a, b, ms)) if a != b && ms < 10_000 => {
                    self.config.typical_pings.insert((a.min(b), a.max(b)), ms);
                }
                Some(_) => {}
                None => self.warn("a typical ping cannot be read"),
            }
        }
    }
}

fn relays(object: &Object, warnings: &mut Vec<String>) -> Vec<Relay> {
    let mut relays = Vec::new();
    for value in list(object, "relays").iter().take(MAX_RELAYS_PER_POP) {
        match value.as_object().and_then(relay) {
            Some(relay) => relays.push(relay),
            None => warnings.push(format!("relay {value} cannot be read")),
        }
    }
    if relays.is_empty() {
        relays = legacy_relays(object, "relay_addresses", warnings);
    }
    relays
}

fn relay(object: &Object) -> Option<Relay> {
    let ipv4 = object.get("ipv4").and_then(Value::as_str).map(str::parse::<Ipv4Addr>);
    let ipv6 = object.get("ipv6").and_then(Value::as_str).map(str::parse::<Ipv6Addr>);
    let (ipv4, ipv6) = (ipv4.transpose().ok()?, ipv6.transpose().ok()?);
    if ipv4.is_none() && ipv6.is_none() {
        return None;
    }
    Some(Relay {
        name: text(object, "name"),
        ipv4,
        ipv6,
        ports: object.get("port_range").and_then(ports)?,
        interior_ports: object.get("interior_port_range").and_then(ports),
        public_key: match object.get("public_key") {
            Some(key) => Some(key_of_hex(key.as_str()?)?),
            None => None,
        },
    })
}

fn legacy_relays(object: &Object, key: &str, warnings: &mut Vec<String>) -> Vec<Relay> {
    let mut relays = Vec::new();
    for value in list(object, key).iter().take(MAX_RELAYS_PER_POP) {
        match value.as_str().and_then(legacy_relay) {
            Some(relay) => relays.push(relay),
            None => warnings.push(format!("relay {value} cannot be read")),
        }
    }
    relays
}

/// `1.2.3.4:27015-27060`, or with a single port.
fn legacy_relay(text: &str) -> Option<Relay> {
    let (ip, range) = text.rsplit_once(':')?;
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    let ip: IpAddr = ip.trim_matches(['[', ']']).parse().ok()?;
    let (ipv4, ipv6) = match ip {
        IpAddr::V4(ip) => (Some(ip), None),
        IpAddr::V6(ip) => (None, Some(ip)),
    };
    let ports = valid_ports(low.parse().ok()?, high.parse().ok()?)?;
    Some(Relay { name: String::new(), ipv4, ipv6, ports, interior_ports: None, public_key: None })
}

fn ports(value: &Value) -> Option<(u16, u16)> {
    match value.as_array()?.as_slice() {
        [low, high] => {
            let port = |value: &Value| u16::try_from(number(value)?).ok();
            valid_ports(port(low)?, port(high)?)
        }
        _ => None,
    }
}

fn valid_ports(low: u16, high: u16) -> Option<(u16, u16)> {
    (low != 0 && low <= high).then_some((low, high))
}

fn ranges(object: &Object, key: &str, warnings: &mut Vec<String>) -> Vec<AddressRange> {
    let mut ranges = Vec::new();
    for value in list(object, key).iter().take(MAX_LIST) {
        match value.as_str().and_then(|text| text.parse().ok()) {
            Some(range) => ranges.push(range),
            None => warnings.push(format!("range {value} cannot be read")),
        }
    }
    ranges
}

fn revoked_keys(value: Option<&Value>) -> Result<Vec<u64>, ConfigError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let list = value.as_array().ok_or(ConfigError::RevokedKeys)?;
    if list.len() > MAX_REVOKED_KEYS {
        return Err(ConfigError::RevokedKeys);
    }
    list.iter().map(|key| number(key).ok_or(ConfigError::RevokedKeys)).collect()
}

/// The network's keys: ours in `relay_public_keys`, newest first, or the one of the public form.
fn network_keys(object: &Object) -> Result<Vec<[u8; 32]>, ConfigError> {
    let single = object.get("relay_public_key").into_iter();
    let several = list(object, "relay_public_keys").iter().take(MAX_LIST);
    let mut keys = Vec::new();
    for value in several.chain(single) {
        let key = value.as_str().and_then(key_of_hex).ok_or(ConfigError::RelayKey)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn key_of_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !odd.is_empty() {
        return None;
    }
    let mut key = [0; 32];
    for (byte, &[high, low]) in key.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(key)
}

/// `[longitude, latitude]`, as `geo` has it.
fn geo(value: &Value) -> Option<Geo> {
    match value.as_array()?.as_slice() {
        [longitude, latitude] => Geo::new(longitude.as_f64()?, latitude.as_f64()?),
        _ => None,
    }
}

/// `[latitude, longitude]`, as the old `lat_lon` has it.
fn lat_lon(value: &Value) -> Option<Geo> {
    match value.as_array()?.as_slice() {
        [latitude, longitude] => Geo::new(longitude.as_f64()?, latitude.as_f64()?),
        _ => None,
    }
}

fn entries<'a>(object: &'a Object, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn list<'a>(object: &'a Object, key: &str) -> &'a [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(object: &Object, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn small(object: &Object, key: &str) -> Option<u32> {
    object.get(key).and_then(number).and_then(|value| u32::try_from(value).ok())
}

/// A number, or its digits as text: JSON cannot hold every 64-bit number.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true) || number(value).is_some_and(|number| number != 0)
}

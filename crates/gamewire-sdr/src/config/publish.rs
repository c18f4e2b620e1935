//! Writing the JSON: the current public form with our own fields.

use gamewire_crypto::text::encode_base64;
use prost::Message as _;
use serde_json::{Map, Value, json};

use super::{NetworkConfig, Pop, Relay};

impl NetworkConfig {
    /// The config as JSON text: the same text for the same config, so that it can be signed.
    pub fn to_json(&self) -> String {
        let mut object = Map::new();
        object.insert("revision".into(), self.revision.into());
        object.insert(
            "pops".into(),
            self.pops.iter().map(|pop| (pop.id.to_string(), pop_value(pop))).collect(),
        );
        let certs = self.certs.iter().map(|cert| encode_base64(&cert.encode_to_vec()).into());
        object.insert("certs".into(), Value::Array(certs.collect()));
        // As text: numbers beyond 2^53 do not survive every JSON library.
        let revoked = self.revoked_keys.iter().map(|key| key.to_string().into());
        object.insert("revoked_keys".into(), Value::Array(revoked.collect()));
        if let Some(first) = self.relay_public_keys.first() {
            object.insert("relay_public_key".into(), hex(first).into());
        }
        if self.relay_public_keys.len() > 1 {
            object.insert("relay_public_keys".into(), keys_value(&self.relay_public_keys));
        }
        let pings = self.typical_pings.iter();
        let pings = pings.map(|((a, b), ms)| json!([a.to_string(), b.to_string(), ms]));
        object.insert("typical_pings".into(), Value::Array(pings.collect()));
        if !self.p2p_share_ip.is_empty() {
            object.insert("p2p_share_ip".into(), json!(self.p2p_share_ip));
        }
        object.insert("success".into(), true.into());
        let text = serde_json::to_string_pretty(&Value::Object(object));
        text.expect("maps with text keys and finite numbers are JSON")
    }
}

fn pop_value(pop: &Pop) -> Value {
    let mut object = Map::new();
    object.insert("desc".into(), pop.description.clone().into());
    if let Some(geo) = pop.geo {
        object.insert("geo".into(), json!([geo.longitude, geo.latitude]));
    }
    object.insert("partners".into(), pop.partners.into());
    if let Some(tier) = pop.tier {
        object.insert("tier".into(), tier.into());
    }
    if !pop.aliases.is_empty() {
        object.insert("aliases".into(), json!(pop.aliases));
    }
    if !pop.relays.is_empty() {
        object.insert("relays".into(), pop.relays.iter().map(relay_value).collect());
        // What old readers understand.
        let old = pop.relays.iter().filter_map(|relay| {
            let (low, high) = relay.ports;
            relay.ipv4.map(|ip| Value::from(format!("{ip}:{low}-{high}")))
        });
        object.insert("relay_addresses".into(), old.collect());
    }
    if !pop.service_address_ranges.is_empty() {
        let ranges = pop.service_address_ranges.iter().map(|range| range.to_string().into());
        object.insert("service_address_ranges".into(), Value::Array(ranges.collect()));
    }
    if !pop.relay_public_keys.is_empty() {
        object.insert("relay_public_keys".into(), keys_value(&pop.relay_public_keys));
    }
    Value::Object(object)
}

fn relay_value(relay: &Relay) -> Value {
    let mut object = Map::new();
    if !relay.name.is_empty() {
        object.insert("name".into(), relay.name.clone().into());
    }
    if let Some(ip) = relay.ipv4 {
        object.insert("ipv4".into(), ip.to_string().into());
    }
    if let Some(ip) = relay.ipv6 {
        object.insert("ipv6".into(), ip.to_string().into());
    }
    object.insert("port_range".into(), json!([relay.ports.0, relay.ports.1]));
    if let Some((low, high)) = relay.interior_ports {
        object.insert("interior_port_range".into(), json!([low, high]));
    }
    if let Some(key) = &relay.public_key {
        object.insert("public_key".into(), hex(key).into());
    }
    Value::Object(object)
}

fn keys_value(keys: &[[u8; 32]]) -> Value {
    keys.iter().map(|key| Value::from(hex(key))).collect()
}

fn hex(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

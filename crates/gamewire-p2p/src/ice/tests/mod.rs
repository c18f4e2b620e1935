//! Agents against each other and against what was recorded, over a network of plain addresses.

mod lessons;
mod network;
mod recorded_peers;
mod routes;
mod servers;

use super::*;
use gamewire_crypto::SeededEntropy;
use network::Network;

/// The credentials of both ends, for each of them.
fn credentials() -> [Credentials; 2] {
    let of = |local: u32, password: &str, remote: u32| Credentials {
        local_ufrag: ufrag_of(local),
        local_password: password.to_owned(),
        remote_ufrag: ufrag_of(remote),
    };
    [of(1, "first", 2), of(2, "other", 1)]
}

fn config(role: Role) -> AgentConfig {
    let [controlling, controlled] = credentials();
    match role {
        Role::Controlling => AgentConfig::new(role, controlling),
        Role::Controlled => AgentConfig::new(role, controlled),
    }
}

fn agent(role: Role, seed: u64) -> Agent {
    Agent::new(config(role), &mut SeededEntropy::new(seed))
}

//! Challenge cookies, against their definition: issued to that address at most three ticks ago.

use gamewire_crypto::{SeededEntropy, cookie::ChallengeKey};
use gamewire_wire::Address;

use crate::input::Input;

const TICK_US: u64 = 1 << 20;
const LIFE_TICKS: u64 = 3;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let key = ChallengeKey::generate(&mut SeededEntropy::new(u64::from(input.byte())));
    let address = |input: &mut Input<'_>| {
        let octets: Vec<u8> = (0..16).map(|_| input.byte()).collect();
        let octets = <[u8; 16]>::try_from(octets).expect("16 of them");
        Address::from_v6(octets.into(), input.u16())
    };
    let (peer, now) = (address(&mut input), LIFE_TICKS * TICK_US + (input.u64() >> 2));
    let challenge = match input.byte() % 3 {
        0 => input.u64(),
        1 => key.issue(now.wrapping_add(input.u64()) >> 1, &peer),
        _ => {
            let other = address(&mut input);
            key.issue(now - u64::from(input.u32()) % (LIFE_TICKS * TICK_US), &other)
        }
    };
    let issued = (0..=LIFE_TICKS).any(|age| key.issue(now - age * TICK_US, &peer) == challenge);
    assert_eq!(key.check(now, &peer, challenge), issued);
}

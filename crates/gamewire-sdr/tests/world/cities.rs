//! Cities and the distances between them.

use gamewire_sdr::config::Geo;

/// The way is longer than the great circle, and light takes 5 µs per km in glass.
const US_PER_KM: f64 = 6.5;

/// A place with a PoP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct City {
    pub(super) code: &'static str,
    longitude: f64,
    latitude: f64,
}

const fn city(code: &'static str, longitude: f64, latitude: f64) -> City {
    City { code, longitude, latitude }
}

impl City {
    pub const STOCKHOLM: Self = city("sto", 18.07, 59.33);
    pub const FRANKFURT: Self = city("fra", 8.68, 50.11);
    pub const SYDNEY: Self = city("syd", 151.21, -33.87);
    /// Where the relays are.
    pub const ALL: [Self; 16] = [
        Self::STOCKHOLM,
        Self::FRANKFURT,
        city("ams", 4.90, 52.37),
        city("lon", -0.13, 51.51),
        city("mad", -3.70, 40.42),
        city("waw", 21.01, 52.23),
        city("iad", -77.46, 38.95),
        city("ord", -87.63, 41.88),
        city("lax", -118.24, 34.05),
        city("gru", -46.63, -23.55),
        city("jnb", 28.05, -26.20),
        city("dxb", 55.27, 25.20),
        city("bom", 72.88, 19.08),
        city("sgp", 103.82, 1.35),
        city("tyo", 139.69, 35.68),
        Self::SYDNEY,
    ];

    pub(super) fn geo(self) -> Geo {
        Geo::new(self.longitude, self.latitude).unwrap()
    }

    /// One way between cities, in microseconds.
    pub(super) fn way_us(self, other: Self) -> u64 {
        (self.geo().kilometres_to(other.geo()) * US_PER_KM) as u64 + 200
    }
}

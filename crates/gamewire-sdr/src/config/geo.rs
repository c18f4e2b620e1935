//! Places on the globe.

/// Mean radius of the earth in kilometres.
const EARTH_KM: f64 = 6371.0;

/// A place, in degrees.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Geo {
    /// East of Greenwich, -180 to 180.
    pub longitude: f64,
    /// North of the equator, -90 to 90.
    pub latitude: f64,
}

impl Geo {
    /// The place, if it is one.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let valid = (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude);
        valid.then_some(Self { longitude, latitude })
    }

    /// The great-circle distance in kilometres (haversine).
    pub fn kilometres_to(self, other: Self) -> f64 {
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let square = half(other.latitude - self.latitude)
            + self.latitude.to_radians().cos()
                * other.latitude.to_radians().cos()
                * half(other.longitude - self.longitude);
        2.0 * EARTH_KM * square.clamp(0.0, 1.0).sqrt().asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let stockholm = Geo::new(18.07, 59.33).unwrap();
        let frankfurt = Geo::new(8.68, 50.11).unwrap();
        let sydney = Geo::new(151.21, -33.87).unwrap();
        assert_eq!(stockholm.kilometres_to(stockholm), 0.0);
        let km = stockholm.kilometres_to(frankfurt);
        assert!((1180.0..1200.0).contains(&km), "{km}");
        let km = sydney.kilometres_to(stockholm);
        assert!((15_500.0..15_700.0).contains(&km), "{km}");
        let antipode = Geo::new(180.0, 0.0).unwrap().kilometres_to(Geo::default());
        assert!((antipode - 20_015.0).abs() < 1.0);
        assert_eq!(Geo::new(181.0, 0.0), None);
        assert_eq!(Geo::new(0.0, f64::NAN), None);
    }
}

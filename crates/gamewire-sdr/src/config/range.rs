//! Ranges of IP addresses.

use std::{fmt, net::IpAddr, str::FromStr};

/// From one IP address to another of the same family, both included.
///
/// As text `1.2.3.4-1.2.3.9`, a single address, or `1.2.3.0/24`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

/// The text is no range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a range of addresses: expected forms like 1.2.3.4-1.2.3.9 or 1.2.3.0/24")]
pub struct AddressRangeError;

impl AddressRange {
    /// The range, if both are of one family and in order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// Whether an address lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.first.is_ipv4() && self.first <= ip && ip <= self.last
    }

    fn prefix(ip: IpAddr, bits: u32) -> Option<Self> {
        Some(match ip {
            IpAddr::V4(ip) => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                let first = ip.to_bits() & !host;
                let last = (bits <= 32).then_some(first | host)?;
                Self { first: IpAddr::V4(first.into()), last: IpAddr::V4(last.into()) }
            }
            IpAddr::V6(ip) => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                let first = ip.to_bits() & !host;
                let last = (bits <= 128).then_some(first | host)?;
                Self { first: IpAddr::V6(first.into()), last: IpAddr::V6(last.into()) }
            }
        })
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let ip = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| AddressRangeError);
        if let Some((first, last)) = text.split_once('-') {
            return Self::new(ip(first)?, ip(last)?).ok_or(AddressRangeError);
        }
        if let Some((first, bits)) = text.split_once('/') {
            let bits = bits.trim().parse().map_err(|_| AddressRangeError)?;
            return Self::prefix(ip(first)?, bits).ok_or(AddressRangeError);
        }
        let only = ip(text)?;
        Ok(Self { first: only, last: only })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn forms() {
        for (text, shown) in [
            ("1.2.3.4-1.2.3.9", "1.2.3.4-1.2.3.9"),
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.77/24", "1.2.3.0-1.2.3.255"),
            ("1.2.3.4/32", "1.2.3.4"),
            ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
            ("2001:db8::/127", "2001:db8::-2001:db8::1"),
            ("::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(range(text).to_string(), shown);
        }
        for text in ["", "1.2.3.4-", "1.2.3.9-1.2.3.4", "1.2.3.4-::1", "1.2.3.0/33", "::/129", "a"]
        {
            assert_eq!(text.parse::<AddressRange>(), Err(AddressRangeError), "{text}");
        }
    }

    #[test]
    fn containing() {
        let some = range("10.0.0.5-10.0.1.3");
        for (ip, inside) in
            [("10.0.0.4", false), ("10.0.0.5", true), ("10.0.1.3", true), ("10.0.1.4", false)]
        {
            assert_eq!(some.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        assert!(!range("0.0.0.0/0").contains("::ffff:1.2.3.4".parse().unwrap()));
    }
}

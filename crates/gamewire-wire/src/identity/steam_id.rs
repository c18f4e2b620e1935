//! The public layout of a SteamID: who may be named by one.

const TYPE_INDIVIDUAL: u8 = 1;
const TYPE_GAME_SERVER: u8 = 3;
const TYPE_ANONYMOUS_GAME_SERVER: u8 = 4;
const TYPE_CLAN: u8 = 7;
const MAX_TYPE: u8 = 10;
const MAX_UNIVERSE: u8 = 4;
const DESKTOP_INSTANCE: u32 = 1;

/// The fields of a 64-bit SteamID: 8 bits universe, 4 type, 20 instance, 32 account (Steamworks
/// documentation, `CSteamID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteamIdParts {
    /// Which Steam: 1 public, 2 beta, 3 internal, 4 developer.
    pub universe: u8,
    /// What kind of account: 1 individual, 3 game server, 4 anonymous game server, 7 clan, …
    pub account_type: u8,
    /// Which of the account's log-ins, 20 bits.
    pub instance: u32,
    /// The account within its universe and type.
    pub account: u32,
}

impl SteamIdParts {
    /// Takes a SteamID apart.
    #[must_use]
    pub const fn new(steam_id: u64) -> Self {
        Self {
            universe: (steam_id >> 56) as u8,
            account_type: (steam_id >> 52) as u8 & 0xf,
            instance: (steam_id >> 32) as u32 & 0xf_ffff,
            account: steam_id as u32,
        }
    }

    /// Whether universe and type exist and account and instance suit the type, as
    /// `CSteamID::IsValid` says.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        if self.universe == 0 || self.universe > MAX_UNIVERSE {
            return false;
        }
        match self.account_type {
            TYPE_INDIVIDUAL => self.account != 0 && self.instance == DESKTOP_INSTANCE,
            TYPE_CLAN => self.account != 0 && self.instance == 0,
            TYPE_GAME_SERVER => self.account != 0,
            0 => false,
            other => other <= MAX_TYPE,
        }
    }

    /// Whether legacy fields may carry it: an individual or game server account that is not 0.
    #[must_use]
    pub const fn may_name_a_peer(&self) -> bool {
        self.account != 0
            && matches!(
                self.account_type,
                TYPE_INDIVIDUAL | TYPE_GAME_SERVER | TYPE_ANONYMOUS_GAME_SERVER
            )
    }
}

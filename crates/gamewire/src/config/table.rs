//! The rows.

use std::{fmt, str::FromStr};

use super::{Access, ConfigData, ConfigError, ConfigValue, Exposure, Kind, Scope, Unit};

/// What Valve's constants begin with.
const VALVE_PREFIX: &str = "k_ESteamNetworkingConfig_";

/// See `ConfigValue`: the part of a row that depends on the type.
const fn int32(default: i32, min: i32, max: i32) -> Kind {
    Kind::Int32 { default, min, max }
}

const fn float(default: f32, max: f32) -> Kind {
    Kind::Float { default, min: 0.0, max }
}

macro_rules! config_values {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident($type:ty) = $number:literal $name:literal: $kind:expr,
        $unit:ident, $scope:ident, $access:ident, $exposure:ident;
    )+) => {
        /// Names a configuration value (`ESteamNetworkingConfigValue`). Numbers from 10000 on are
        /// Gamewire's own.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i32)]
        pub enum ConfigId {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nNamed `", $name, "` in texts.")]
                $variant = $number,
            )+
        }

        impl ConfigId {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value with this number.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Its row.
            pub const fn info(self) -> &'static ConfigValue {
                match self {
                    $(Self::$variant => const { &ConfigValue {
                        id: Self::$variant,
                        name: $name,
                        kind: $kind,
                        unit: Unit::$unit,
                        scope: Scope::$scope,
                        access: Access::$access,
                        exposure: Exposure::$exposure,
                        doc: concat!($($doc),+).trim_ascii(),
                    } },)+
                }
            }
        }

        /// One option of a call that makes a connection or a listen socket: a value of its type
        /// under its name. Values out of range become the nearest in range.
        ///
        /// ```
        /// use gamewire::config::Config::{self, NagleTime, SendRateMax};
        /// let options: &[Config] = &[SendRateMax(8 << 20), NagleTime(0)];
        /// # assert_eq!(options[0].id(), gamewire::config::ConfigId::SendRateMax);
        /// ```
        #[derive(Clone, PartialEq, Debug)]
        #[non_exhaustive]
        pub enum Config {
            $(
                $(#[doc = $doc])+
                $variant($type),
            )+
            /// Any value, its type found out when it is set.
            Dynamic(ConfigId, ConfigData),
        }

        impl Config {
            /// Which value it sets.
            pub const fn id(&self) -> ConfigId {
                match self {
                    $(Self::$variant(_) => ConfigId::$variant,)+
                    Self::Dynamic(id, _) => *id,
                }
            }

            /// To what.
            pub fn data(&self) -> ConfigData {
                match self {
                    $(Self::$variant(value) => ConfigData::from(value.clone()),)+
                    Self::Dynamic(_, data) => data.clone(),
                }
            }
        }
    };
}

config_values! {
    /// Datagrams sent that the fake network loses.
    FakePacketLossSend(f32) = 2 "FakePacketLoss_Send": float(0.0, 100.0), Percent, Global, Free, Editable;
    /// Datagrams received that the fake network loses.
    FakePacketLossRecv(f32) = 3 "FakePacketLoss_Recv": float(0.0, 100.0), Percent, Global, Free, Editable;
    /// Delay that the fake network adds to each datagram sent.
    FakePacketLagSend(i32) = 4 "FakePacketLag_Send": int32(0, 0, 5000), Milliseconds, Global, Free, Editable;
    /// Delay that the fake network adds to each datagram received.
    FakePacketLagRecv(i32) = 5 "FakePacketLag_Recv": int32(0, 0, 5000), Milliseconds, Global, Free, Editable;
    /// Datagrams sent that are held back so that others overtake them.
    FakePacketReorderSend(f32) = 6 "FakePacketReorder_Send": float(0.0, 100.0), Percent, Global, Free, Editable;
    /// Datagrams received that are held back so that others overtake them.
    FakePacketReorderRecv(f32) = 7 "FakePacketReorder_Recv": float(0.0, 100.0), Percent, Global, Free, Editable;
    /// How long datagrams are held back for others to overtake.
    FakePacketReorderTime(i32) = 8 "FakePacketReorder_Time": int32(15, 0, 5000), Milliseconds, Global, Free, Editable;
    /// Bytes that may wait to be sent for the first time; a message beyond it is given back.
    SendBufferSize(i32) = 9 "SendBufferSize": int32(524_288, 4096, 0x1000_0000), Bytes, Connection, Free, Editable;
    /// Slowest rate that the congestion control may choose; it begins at 256 KiB/s. Equal to
    /// `SendRateMax`: a fixed rate.
    SendRateMin(i32) = 10 "SendRateMin": int32(1024, 1024, i32::MAX), BytesPerSecond, Connection, Free, Editable;
    /// Fastest rate that the congestion control may choose; 2147483647 means no limit.
    SendRateMax(i32) = 11 "SendRateMax": int32(i32::MAX, 1024, i32::MAX), BytesPerSecond, Connection, Free, Editable;
    /// How long a small message waits for others to share its packet.
    NagleTime(i32) = 12 "NagleTime": int32(5000, 0, 20_000), Microseconds, Connection, Free, Editable;
    /// Up to which level round-trip times and acks are logged: 6 each measurement, 7 each ack frame.
    LogLevelAckRtt(i32) = 13 "LogLevel_AckRTT": int32(4, 2, 8), Level, Connection, Free, Editable;
    /// Up to which level what is in packets is logged: 6 each packet received, and each that makes no
    /// sense, 7 each frame too.
    LogLevelPacketDecode(i32) = 14 "LogLevel_PacketDecode": int32(4, 2, 8), Level, Connection, Free, Editable;
    /// Up to which level messages are logged: 6 each one sent or received.
    LogLevelMessage(i32) = 15 "LogLevel_Message": int32(4, 2, 8), Level, Connection, Free, Editable;
    /// Up to which level lost, late and repeated packets are logged: 6 each time.
    LogLevelPacketGaps(i32) = 16 "LogLevel_PacketGaps": int32(4, 2, 8), Level, Connection, Free, Editable;
    /// From which level on rendezvous and route finding are logged. Kept; no effect over plain UDP.
    LogLevelP2pRendezvous(i32) = 17 "LogLevel_P2PRendezvous": int32(4, 2, 8), Level, Connection, Free, Editable;
    /// What to do with peers whose identity no trusted authority vouches for: 0 refuse, 1 take with
    /// a warning, 2 take. The default is 0 as soon as a trusted root is configured.
    IpAllowWithoutAuth(i32) = 23 "IP_AllowWithoutAuth": int32(2, 0, 2), None, Connection, LockedOnceConnecting, Developer;
    /// How long a connection may take to be made, the time that the acceptor thinks included.
    TimeoutInitial(i32) = 24 "TimeoutInitial": int32(10_000, 0, i32::MAX), Milliseconds, Connection, Free, Editable;
    /// How long a connected peer may stay silent before it is given up.
    TimeoutConnected(i32) = 25 "TimeoutConnected": int32(10_000, 0, i32::MAX), Milliseconds, Connection, Free, Editable;
    /// Datagrams sent that leave twice.
    FakePacketDupSend(f32) = 26 "FakePacketDup_Send": float(0.0, 100.0), Percent, Global, Free, Editable;
    /// Datagrams received that arrive twice.
    FakePacketDupRecv(f32) = 27 "FakePacketDup_Recv": float(0.0, 100.0), Percent, Global, Free, Editable;
    /// A duplicate follows the original by at most this.
    FakePacketDupTimeMax(i32) = 28 "FakePacketDup_TimeMax": int32(10, 0, 5000), Milliseconds, Global, Free, Editable;
    /// Largest UDP payload sent. If not set, larger ones are tried between Gamewire peers, up to what
    /// the path carries.
    MtuPacketSize(i32) = 32 "MTU_PacketSize": int32(1300, 200, 1300), Bytes, Connection, Free, Editable;
    /// Largest message that is sure to fit one packet: `MTU_PacketSize` less 100.
    MtuDataSize(i32) = 33 "MTU_DataSize": int32(1200, 0, 1200), Bytes, Connection, ReadOnly, Hidden;
    /// Whether packets may go unencrypted: 0 never, 1 if the peer insists, 2 if the peer agrees,
    /// 3 always.
    Unencrypted(i32) = 34 "Unencrypted": int32(0, 0, 3), None, Connection, LockedOnceConnecting, Developer;
    /// 1: two peers that connect to each other at once get one connection. For connections by
    /// identity only.
    SymmetricConnect(i32) = 37 "SymmetricConnect": int32(0, 0, 1), None, Connection, LockedOnceConnecting, Hidden;
    /// Our own virtual port of a connection by identity; -1: the same as the peer's.
    LocalVirtualPort(i32) = 38 "LocalVirtualPort": int32(-1, -1, i32::MAX), None, Connection, Free, Hidden;
    /// A number of the application's own that comes with messages and events.
    ConnectionUserData(i64) = 40 "ConnectionUserData": Kind::Int64 { default: -1 }, None, Connection, BoundAtCreation, Hidden;
    /// How much of each datagram is logged, in hex behind its direction, address and length; -1:
    /// nothing, not even that it was there.
    PacketTraceMaxBytes(i32) = 41 "PacketTraceMaxBytes": int32(-1, -1, 99_999), Bytes, Global, Free, Editable;
    /// What the fake network lets pass of the datagrams sent; 0: no limit.
    FakeRateLimitSendRate(i32) = 42 "FakeRateLimit_Send_Rate": int32(0, 0, 0x4000_0000), BytesPerSecond, Global, Free, Editable;
    /// What of the datagrams sent passes at once after a pause.
    FakeRateLimitSendBurst(i32) = 43 "FakeRateLimit_Send_Burst": int32(16_384, 0, 0x10_0000), Bytes, Global, Free, Editable;
    /// What the fake network lets pass of the datagrams received; 0: no limit.
    FakeRateLimitRecvRate(i32) = 44 "FakeRateLimit_Recv_Rate": int32(0, 0, 0x4000_0000), BytesPerSecond, Global, Free, Editable;
    /// What of the datagrams received passes at once after a pause.
    FakeRateLimitRecvBurst(i32) = 45 "FakeRateLimit_Recv_Burst": int32(16_384, 0, 0x10_0000), Bytes, Global, Free, Editable;
    /// Bytes of messages that are unread or not yet whole; beyond it packets are dropped
    /// unacknowledged. Between Gamewire peers it is the receive window, 4 MiB if not set.
    RecvBufferSize(i32) = 47 "RecvBufferSize": int32(1_048_576, 4096, 0x1000_0000), Bytes, Connection, Free, Editable;
    /// Messages that are unread; beyond it packets are dropped unacknowledged. Between Gamewire peers
    /// 32768 if not set.
    RecvBufferMessages(i32) = 48 "RecvBufferMessages": int32(1000, 2, 0x1000_0000), Messages, Connection, Free, Editable;
    /// Largest message accepted; a larger reliable one ends the connection.
    RecvMaxMessageSize(i32) = 49 "RecvMaxMessageSize": int32(524_288, 64, 0x1000_0000), Bytes, Connection, Free, Editable;
    /// Parts of messages read from one packet; a packet with more is not acknowledged.
    RecvMaxSegmentsPerPacket(i32) = 50 "RecvMaxSegmentsPerPacket": int32(1300, 1, 1300), Segments, Connection, Free, Editable;
    /// How long a packet that came early waits for the one before it.
    OutOfOrderCorrectionWindowMicroseconds(i32) = 51 "OutOfOrderCorrectionWindowMicroseconds": int32(1000, 0, 50_000), Microseconds, Global, Free, Editable;
    /// Like `IP_AllowWithoutAuth`, for peers on this machine; the larger of the two counts.
    IpLocalHostAllowWithoutAuth(i32) = 52 "IPLocalHost_AllowWithoutAuth": int32(2, 0, 2), None, Connection, LockedOnceConnecting, Editable;
    /// Mean of the random delay that the fake network adds to datagrams sent; 0: none.
    FakePacketJitterSendAvg(f32) = 53 "FakePacketJitter_Send_Avg": float(0.0, 2000.0), Milliseconds, Global, Free, Editable;
    /// Longest random delay of datagrams sent.
    FakePacketJitterSendMax(f32) = 54 "FakePacketJitter_Send_Max": float(100.0, 5000.0), Milliseconds, Global, Free, Editable;
    /// Datagrams sent that get a random delay.
    FakePacketJitterSendPct(f32) = 55 "FakePacketJitter_Send_Pct": float(75.0, 100.0), Percent, Global, Free, Editable;
    /// Mean of the random delay that the fake network adds to datagrams received; 0: none.
    FakePacketJitterRecvAvg(f32) = 56 "FakePacketJitter_Recv_Avg": float(0.0, 2000.0), Milliseconds, Global, Free, Editable;
    /// Longest random delay of datagrams received.
    FakePacketJitterRecvMax(f32) = 57 "FakePacketJitter_Recv_Max": float(100.0, 5000.0), Milliseconds, Global, Free, Editable;
    /// Datagrams received that get a random delay.
    FakePacketJitterRecvPct(f32) = 58 "FakePacketJitter_Recv_Pct": float(75.0, 100.0), Percent, Global, Free, Editable;
    /// Whether each packet tells how long after the one before it left, from which the peer measures
    /// jitter: 0 no, 1 yes, -1 as the transport wants it (over UDP: no).
    SendTimeSincePreviousPacket(i32) = 59 "SendTimeSincePreviousPacket": int32(-1, -1, 1), None, Connection, Free, Editable;
    /// STUN servers for connections by identity, separated by commas. Kept; no effect over plain UDP.
    P2pStunServerList(String) = 103 "P2P_STUN_ServerList": Kind::String, None, Connection, Free, Editable;
    /// Which addresses connections by identity may offer: 0 none, 1 of relays, 2 private, 4 public,
    /// 2147483647 all, -1 the default. Kept; no effect over plain UDP.
    P2pTransportIceEnable(i32) = 104 "P2P_Transport_ICE_Enable": int32(i32::MAX, -1, i32::MAX), None, Connection, LockedOnceConnecting, Editable;
    /// Handicap of direct routes when routes are compared. Kept; no effect over plain UDP.
    P2pTransportIcePenalty(i32) = 105 "P2P_Transport_ICE_Penalty": int32(0, 0, i32::MAX), Milliseconds, Connection, Free, Editable;
    /// TURN servers for connections by identity, separated by commas. Kept; no effect over plain UDP.
    P2pTurnServerList(String) = 107 "P2P_TURN_ServerList": Kind::String, None, Connection, Free, Editable;
    /// User names for the TURN servers, in their order. Kept; no effect over plain UDP.
    P2pTurnUserList(String) = 108 "P2P_TURN_UserList": Kind::String, None, Connection, Free, Editable;
    /// Passwords for the TURN servers, in their order. Kept; no effect over plain UDP.
    P2pTurnPassList(String) = 109 "P2P_TURN_PassList": Kind::String, None, Connection, Free, Editable;
    /// Which implementation of ICE is used, in Valve's library. Kept; there is one here.
    P2pTransportIceImplementation(i32) = 110 "P2P_Transport_ICE_Implementation": int32(0, 0, 2), None, Connection, LockedOnceConnecting, Editable;
    /// Function called when a connection's state changes.
    CallbackConnectionStatusChanged(usize) = 201 "Callback_ConnectionStatusChanged": Kind::Pointer, None, Connection, Free, Hidden;
    /// Function called when our own authentication changes.
    CallbackAuthStatusChanged(usize) = 202 "Callback_AuthStatusChanged": Kind::Pointer, None, Global, Free, Hidden;
    /// Function called when the availability of the relay network changes. Kept; there is none yet.
    CallbackRelayNetworkStatusChanged(usize) = 203 "Callback_RelayNetworkStatusChanged": Kind::Pointer, None, Global, Free, Hidden;
    /// Function called when somebody sends a first message by identity. Kept; there are none yet.
    CallbackMessagesSessionRequest(usize) = 204 "Callback_MessagesSessionRequest": Kind::Pointer, None, Global, Free, Hidden;
    /// Function called when messages by identity fail. Kept; there are none yet.
    CallbackMessagesSessionFailed(usize) = 205 "Callback_MessagesSessionFailed": Kind::Pointer, None, Global, Free, Hidden;
    /// Function that makes the signaling of connections by identity. Kept; there are none yet.
    CallbackCreateConnectionSignaling(usize) = 206 "Callback_CreateConnectionSignaling": Kind::Pointer, None, Global, Free, Hidden;
    /// Function called when a fake address was allocated. Kept; there are none yet.
    CallbackFakeIpResult(usize) = 207 "Callback_FakeIPResult": Kind::Pointer, None, Global, Free, Hidden;
    /// Connections that may wait for the application to accept them; beyond it requests are dropped.
    AcceptMaxPending(i32) = 10_001 "AcceptMaxPending": int32(1024, 1, 65_536), Connections, ListenSocket, Free, Hidden;
    /// Connections from one IP address, accepted or not; beyond it requests are dropped.
    AcceptMaxPerAddress(i32) = 10_002 "AcceptMaxPerAddress": int32(4096, 1, 65_536), Connections, ListenSocket, Free, Hidden;
    /// Connections of one listen socket, accepted or not; beyond it requests are dropped.
    AcceptMaxConnections(i32) = 10_003 "AcceptMaxConnections": int32(65_536, 1, 65_536), Connections, ListenSocket, Free, Hidden;
    /// What to do with a message that is too large to be sent unreliably (16,500 bytes at the full
    /// packet size): 0 send it reliably, 1 refuse it and give it back.
    RefuseLargeUnreliable(i32) = 10_004 "RefuseLargeUnreliable": int32(0, 0, 1), None, Connection, Free, Hidden;
}

impl ConfigId {
    /// The number in the C interface.
    pub const fn to_number(self) -> i32 {
        self as i32
    }

    /// Valve's name without its prefix.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// What holds where nothing is set.
    pub const fn default_data(self) -> ConfigData {
        self.info().default_data()
    }

    /// The next value by number that a user may edit, after `current` or from the start; with
    /// `developer` also those meant for developers. Shows what Valve's open-source library shows:
    /// 47 values, 49 with the developers'.
    #[doc(alias = "IterateGenericEditableConfigValues")]
    pub fn next(current: Option<Self>, developer: bool) -> Option<Self> {
        Self::first_above(current.map_or(i32::MIN, Self::to_number), developer)
    }

    /// [`Self::next`] by numbers, of which 0 is before the first and after the last; nothing comes
    /// after a number that is no value.
    pub fn next_number(current: i32, developer: bool) -> i32 {
        if current != 0 && Self::from_number(current).is_none() {
            return 0;
        }
        Self::first_above(current, developer).map_or(0, Self::to_number)
    }

    fn first_above(current: i32, developer: bool) -> Option<Self> {
        let follows = |id: &Self| id.to_number() > current;
        let is_shown = |id: &Self| match id.info().exposure {
            Exposure::Editable => true,
            Exposure::Developer => developer,
            Exposure::Hidden => false,
        };
        Self::ALL.iter().copied().filter(follows).find(is_shown)
    }
}

impl TryFrom<i32> for ConfigId {
    type Error = ConfigError;

    fn try_from(number: i32) -> Result<Self, ConfigError> {
        Self::from_number(number).ok_or(ConfigError::UnknownNumber(number))
    }
}

impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ConfigId {
    type Err = ConfigError;

    /// Valve's name with or without its prefix; upper and lower case are the same.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let name = text.trim();
        let name = name.strip_prefix(VALVE_PREFIX).unwrap_or(name);
        let found = Self::ALL.iter().find(|id| id.name().eq_ignore_ascii_case(name));
        found.copied().ok_or_else(|| ConfigError::UnknownName(name.to_owned()))
    }
}

impl FromStr for Config {
    type Err = ConfigError;

    /// `Name=value`, as on a command line. The value is checked at once.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let pair = text.split_once('=');
        let (name, value) = pair.ok_or_else(|| ConfigError::NotAnAssignment(text.to_owned()))?;
        let id: ConfigId = name.parse()?;
        let data = ConfigData::from(value).fit(id.info())?;
        Ok(Self::Dynamic(id, data))
    }
}

impl fmt::Display for Config {
    /// `Name=value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.id(), self.data())
    }
}

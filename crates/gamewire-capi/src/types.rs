//! The structs of the public headers, laid out as on x86-64 Linux (abi.md §3–4).

use std::ffi::{c_char, c_int, c_void};

/// Names a connection; 0 is none.
pub type HSteamNetConnection = u32;
/// Names a listen socket; 0 is none.
pub type HSteamListenSocket = u32;
/// Names a poll group; 0 is none.
pub type HSteamNetPollGroup = u32;
/// Names a point of presence.
pub type SteamNetworkingPOPID = u32;
/// Microseconds of the library's clock.
pub type SteamNetworkingMicroseconds = i64;
/// What a call came to.
pub type EResult = c_int;
/// Whether a resource can be had.
pub type ESteamNetworkingAvailability = c_int;
/// Where a connection stands.
pub type ESteamNetworkingConnectionState = c_int;
/// Names a configuration value.
pub type ESteamNetworkingConfigValue = c_int;
/// Where a configuration value is set.
pub type ESteamNetworkingConfigScope = c_int;
/// The type of a configuration value.
pub type ESteamNetworkingConfigDataType = c_int;
/// What `GetConfigValue` came to.
pub type ESteamNetworkingGetConfigValueResult = c_int;
/// The importance of a line of debug output.
pub type ESteamNetworkingSocketsDebugOutputType = c_int;
/// What kind of fake address an address is.
pub type ESteamNetworkingFakeIPType = c_int;
/// Text about an error, always with a NUL.
pub type SteamNetworkingErrMsg = [c_char; 1024];

/// An IPv6 address, or an IPv4 address inside one, and a port.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub struct SteamNetworkingIPAddr {
    /// The address in network order.
    pub m_ipv6: [u8; 16],
    /// The port in host order.
    pub m_port: u16,
}

/// Who somebody is.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub struct SteamNetworkingIdentity {
    /// What kind of identity it is.
    pub m_eType: c_int,
    /// Bytes of `m_data` that count.
    pub m_cbSize: c_int,
    /// The identity itself, by its type.
    pub m_data: [u8; 128],
}

/// Everything about a connection that an application may want to know at once.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct SteamNetConnectionInfo_t {
    /// Who is at the other end.
    pub m_identityRemote: SteamNetworkingIdentity,
    /// The application's own number.
    pub m_nUserData: i64,
    /// The listen socket that it came in through.
    pub m_hListenSocket: HSteamListenSocket,
    /// The peer's address, if it is known.
    pub m_addrRemote: SteamNetworkingIPAddr,
    /// Nothing.
    pub m__pad1: u16,
    /// The PoP near the peer.
    pub m_idPOPRemote: SteamNetworkingPOPID,
    /// The PoP of the relay.
    pub m_idPOPRelay: SteamNetworkingPOPID,
    /// Where the connection stands.
    pub m_eState: ESteamNetworkingConnectionState,
    /// Why it ended.
    pub m_eEndReason: c_int,
    /// The same for people.
    pub m_szEndDebug: [c_char; 128],
    /// Which connection this is, for logs.
    pub m_szConnectionDescription: [c_char; 128],
    /// What else is true of it.
    pub m_nFlags: c_int,
    /// Zero.
    pub reserved: [u32; 63],
}

/// How a connection does at this moment.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct SteamNetConnectionRealTimeStatus_t {
    /// Where the connection stands.
    pub m_eState: ESteamNetworkingConnectionState,
    /// Round-trip time in milliseconds; −1: not known.
    pub m_nPing: c_int,
    /// Share of the peer's packets that arrive in sequence; −1: not known.
    pub m_flConnectionQualityLocal: f32,
    /// Share of our packets that arrive in sequence; −1: not known.
    pub m_flConnectionQualityRemote: f32,
    /// Packets sent per second.
    pub m_flOutPacketsPerSec: f32,
    /// Bytes sent per second.
    pub m_flOutBytesPerSec: f32,
    /// Packets received per second.
    pub m_flInPacketsPerSec: f32,
    /// Bytes received per second.
    pub m_flInBytesPerSec: f32,
    /// Bytes per second at which data may leave.
    pub m_nSendRateBytesPerSecond: c_int,
    /// Unreliable bytes not sent yet.
    pub m_cbPendingUnreliable: c_int,
    /// Reliable bytes not sent yet.
    pub m_cbPendingReliable: c_int,
    /// Reliable bytes sent and not acknowledged yet.
    pub m_cbSentUnackedReliable: c_int,
    /// How long a message sent now would wait.
    pub m_usecQueueTime: SteamNetworkingMicroseconds,
    /// Largest jitter since this was last read; −1: none. Reserved in the older struct.
    pub m_usecMaxJitter: c_int,
    /// Zero.
    pub reserved: [u32; 15],
}

/// The queue of one lane.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct SteamNetConnectionRealTimeLaneStatus_t {
    /// Unreliable bytes not sent yet.
    pub m_cbPendingUnreliable: c_int,
    /// Reliable bytes not sent yet.
    pub m_cbPendingReliable: c_int,
    /// Reliable bytes sent and not acknowledged yet.
    pub m_cbSentUnackedReliable: c_int,
    /// Nothing.
    pub _reservePad1: c_int,
    /// How long a message sent now would wait.
    pub m_usecQueueTime: SteamNetworkingMicroseconds,
    /// Zero.
    pub reserved: [u32; 10],
}

/// A function of a message.
pub type MessageFunction = Option<unsafe extern "C" fn(*mut SteamNetworkingMessage_t)>;

/// A message that arrived, or that is to be sent.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SteamNetworkingMessage_t {
    /// The content.
    pub m_pData: *mut c_void,
    /// Its size in bytes.
    pub m_cbSize: c_int,
    /// Through which connection it came or goes.
    pub m_conn: HSteamNetConnection,
    /// Who sent it.
    pub m_identityPeer: SteamNetworkingIdentity,
    /// The connection's user data when it came.
    pub m_nConnUserData: i64,
    /// When it was complete.
    pub m_usecTimeReceived: SteamNetworkingMicroseconds,
    /// Its number, per lane.
    pub m_nMessageNumber: i64,
    /// Frees the content; may be null.
    pub m_pfnFreeData: MessageFunction,
    /// Frees the message.
    pub m_pfnRelease: MessageFunction,
    /// The channel, for messages by identity.
    pub m_nChannel: c_int,
    /// How to send it, or how it was sent.
    pub m_nFlags: c_int,
    /// The application's own.
    pub m_nUserData: i64,
    /// The lane.
    pub m_idxLane: u16,
    /// Nothing.
    pub _pad1__: u16,
}

/// The value of an option, by its type.
#[derive(Clone, Copy)]
#[repr(C)]
pub union SteamNetworkingConfigValue_u {
    /// A 32-bit number.
    pub m_int32: i32,
    /// A 64-bit number.
    pub m_int64: i64,
    /// A number with a fraction.
    pub m_float: f32,
    /// Text, not copied until the call.
    pub m_string: *const c_char,
    /// A pointer.
    pub m_ptr: *mut c_void,
}

/// One option of a call.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SteamNetworkingConfigValue_t {
    /// Which value.
    pub m_eValue: ESteamNetworkingConfigValue,
    /// Its type.
    pub m_eDataType: ESteamNetworkingConfigDataType,
    /// To what.
    pub m_val: SteamNetworkingConfigValue_u,
}

/// A connection's state changed.
#[repr(C, packed(4))]
pub struct SteamNetConnectionStatusChangedCallback_t {
    /// Which connection.
    pub m_hConn: HSteamNetConnection,
    /// Everything about it at that moment.
    pub m_info: SteamNetConnectionInfo_t,
    /// The state before.
    pub m_eOldState: ESteamNetworkingConnectionState,
}

/// Our own authentication changed.
#[repr(C)]
pub struct SteamNetAuthenticationStatus_t {
    /// Whether peers can verify who we are.
    pub m_eAvail: ESteamNetworkingAvailability,
    /// The same for people.
    pub m_debugMsg: [c_char; 256],
}

/// A peer asks for a session.
#[repr(C, packed)]
pub struct SteamNetworkingMessagesSessionRequest_t {
    /// Who asks.
    pub m_identityRemote: SteamNetworkingIdentity,
}

/// A session broke.
#[repr(C, packed)]
pub struct SteamNetworkingMessagesSessionFailed_t {
    /// Everything about it at that moment.
    pub m_info: SteamNetConnectionInfo_t,
}

/// How the access to the relay network stands.
#[repr(C)]
pub struct SteamRelayNetworkStatus_t {
    /// In short.
    pub m_eAvail: ESteamNetworkingAvailability,
    /// Whether pings are being measured.
    pub m_bPingMeasurementInProgress: c_int,
    /// Whether there is a network config.
    pub m_eAvailNetworkConfig: ESteamNetworkingAvailability,
    /// Whether any relay answers.
    pub m_eAvailAnyRelay: ESteamNetworkingAvailability,
    /// The same for people.
    pub m_debugMsg: [c_char; 256],
}

/// A connection has room again after it refused a message; for `Gamewire_SetWritableCallback`.
#[repr(C)]
pub struct GamewireConnectionWritable_t {
    /// Which connection.
    pub m_hConn: HSteamNetConnection,
}

/// Pings to the relays nearby, only for this process.
#[repr(C)]
pub struct SteamNetworkPingLocation_t {
    /// The library's own.
    pub m_data: [u8; 512],
}

/// A fake address that was asked for.
#[repr(C, packed(4))]
pub struct SteamNetworkingFakeIPResult_t {
    /// Whether there is one.
    pub m_eResult: EResult,
    /// Whose it is.
    pub m_identity: SteamNetworkingIdentity,
    /// The address in host order.
    pub m_unIP: u32,
    /// Its ports; the first 0 ends them.
    pub m_unPorts: [u16; 8],
}

/// Where a hosted server is reached by relays.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SteamDatagramHostedAddress {
    /// Bytes of `m_data` that count.
    pub m_cbSize: c_int,
    /// The address, to be passed on unread.
    pub m_data: [c_char; 128],
}

/// The value of an extra field of a ticket; which one, `m_eType` says.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub union SteamDatagramRelayAuthTicket_ExtraFieldValue {
    /// Text with its NUL.
    pub m_szStringValue: [c_char; 128],
    /// A number that is small as a rule.
    pub m_nIntValue: i64,
    /// A number that is large as a rule.
    pub m_nFixed64Value: u64,
}

/// A named value in a ticket.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct SteamDatagramRelayAuthTicket_ExtraField {
    /// 0: text, 1: a number, 2: a large number.
    pub m_eType: c_int,
    /// Its name with its NUL.
    pub m_szName: [c_char; 28],
    /// Its value.
    pub m_value: SteamDatagramRelayAuthTicket_ExtraFieldValue,
}

/// Permission for a client to reach a hosted server.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct SteamDatagramRelayAuthTicket {
    /// The server.
    pub m_identityGameserver: SteamNetworkingIdentity,
    /// The client.
    pub m_identityAuthorizedClient: SteamNetworkingIdentity,
    /// The client's address in host order; 0: any.
    pub m_unPublicIP: u32,
    /// When it ends, in Unix seconds.
    pub m_rtimeTicketExpiry: u32,
    /// Where the server is; not in tickets that clients parse.
    pub m_routing: SteamDatagramHostedAddress,
    /// The client's app.
    pub m_nAppID: u32,
    /// The only virtual port that it is good for; -1: any.
    pub m_nRestrictToVirtualPort: c_int,
    /// How many extra fields count.
    pub m_nExtraFields: c_int,
    /// Extra fields, for analytics and to ask relays for something.
    pub m_vecExtraFields: [SteamDatagramRelayAuthTicket_ExtraField; 16],
}

/// What a hosted server tells its game coordinator.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub struct SteamDatagramGameCoordinatorServerLogin {
    /// The server.
    pub m_identity: SteamNetworkingIdentity,
    /// Where it is; for tickets, not for clients.
    pub m_routing: SteamDatagramHostedAddress,
    /// Its app.
    pub m_nAppID: u32,
    /// When it logged in, in Unix seconds.
    pub m_rtime: u32,
    /// Bytes of `m_appData` that count.
    pub m_cbAppData: c_int,
    /// What the application adds.
    pub m_appData: [c_char; 2048],
}

/// A certificate or ticket, signed.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SteamDatagramSignedBlob {
    /// Bytes of `m_blob` that count.
    pub m_sz: c_int,
    /// The bytes.
    pub m_blob: [u8; 2048],
}

/// Called with a callback struct.
pub type FnSteamNetConnectionStatusChanged =
    Option<unsafe extern "C" fn(*mut SteamNetConnectionStatusChangedCallback_t)>;
/// Called with a callback struct.
pub type FnSteamNetAuthenticationStatusChanged =
    Option<unsafe extern "C" fn(*mut SteamNetAuthenticationStatus_t)>;
/// Called with a callback struct.
pub type FnSteamNetworkingMessagesSessionRequest =
    Option<unsafe extern "C" fn(*mut SteamNetworkingMessagesSessionRequest_t)>;
/// Called with a callback struct.
pub type FnSteamNetworkingMessagesSessionFailed =
    Option<unsafe extern "C" fn(*mut SteamNetworkingMessagesSessionFailed_t)>;
/// Called with a callback struct.
pub type FnSteamRelayNetworkStatusChanged =
    Option<unsafe extern "C" fn(*mut SteamRelayNetworkStatus_t)>;
/// Takes a line of debug output.
pub type FSteamNetworkingSocketsDebugOutput =
    Option<unsafe extern "C" fn(ESteamNetworkingSocketsDebugOutputType, *const c_char)>;

/// Sizes and offsets that programs were compiled with; a mistake does not compile.
mod layout {
    use super::*;
    use std::mem::{align_of, offset_of, size_of};

    macro_rules! layout {
        ($($name:ident: $size:literal / $align:literal $(, $field:ident @ $offset:literal)*;)+) => {
            $(
                const _: () = assert!(size_of::<$name>() == $size);
                const _: () = assert!(align_of::<$name>() == $align);
                $(const _: () = assert!(offset_of!($name, $field) == $offset);)*
            )+
        };
    }

    layout! {
        SteamNetworkingIPAddr: 18 / 1, m_ipv6 @ 0, m_port @ 16;
        SteamNetworkingIdentity: 136 / 1, m_eType @ 0, m_cbSize @ 4, m_data @ 8;
        SteamNetConnectionInfo_t: 696 / 4, m_nUserData @ 136, m_hListenSocket @ 144,
            m_addrRemote @ 148, m_idPOPRemote @ 168, m_idPOPRelay @ 172, m_eState @ 176,
            m_eEndReason @ 180, m_szEndDebug @ 184, m_szConnectionDescription @ 312,
            m_nFlags @ 440, reserved @ 444;
        SteamNetConnectionRealTimeStatus_t: 120 / 4, m_nPing @ 4, m_flOutPacketsPerSec @ 16,
            m_nSendRateBytesPerSecond @ 32, m_cbSentUnackedReliable @ 44, m_usecQueueTime @ 48,
            m_usecMaxJitter @ 56, reserved @ 60;
        SteamNetConnectionRealTimeLaneStatus_t: 64 / 4, m_usecQueueTime @ 16, reserved @ 24;
        SteamNetworkingMessage_t: 216 / 8, m_cbSize @ 8, m_conn @ 12, m_identityPeer @ 16,
            m_nConnUserData @ 152, m_usecTimeReceived @ 160, m_nMessageNumber @ 168,
            m_pfnFreeData @ 176, m_pfnRelease @ 184, m_nChannel @ 192, m_nFlags @ 196,
            m_nUserData @ 200, m_idxLane @ 208;
        SteamNetworkingConfigValue_t: 16 / 8, m_eDataType @ 4, m_val @ 8;
        SteamNetConnectionStatusChangedCallback_t: 704 / 4, m_info @ 4, m_eOldState @ 700;
        SteamNetAuthenticationStatus_t: 260 / 4, m_debugMsg @ 4;
        SteamNetworkingMessagesSessionRequest_t: 136 / 1, m_identityRemote @ 0;
        SteamNetworkingMessagesSessionFailed_t: 696 / 1, m_info @ 0;
        SteamRelayNetworkStatus_t: 272 / 4, m_bPingMeasurementInProgress @ 4, m_debugMsg @ 16;
        SteamNetworkPingLocation_t: 512 / 1;
        SteamNetworkingFakeIPResult_t: 160 / 4, m_identity @ 4, m_unIP @ 140, m_unPorts @ 144;
        SteamDatagramHostedAddress: 132 / 4, m_data @ 4;
        SteamDatagramRelayAuthTicket: 2984 / 4, m_identityAuthorizedClient @ 136,
            m_unPublicIP @ 272, m_rtimeTicketExpiry @ 276, m_routing @ 280, m_nAppID @ 412,
            m_nRestrictToVirtualPort @ 416, m_nExtraFields @ 420, m_vecExtraFields @ 424;
        SteamDatagramRelayAuthTicket_ExtraField: 160 / 4, m_szName @ 4, m_value @ 32;
        SteamDatagramGameCoordinatorServerLogin: 2328 / 4, m_routing @ 136, m_nAppID @ 268,
            m_rtime @ 272, m_cbAppData @ 276, m_appData @ 280;
        SteamDatagramSignedBlob: 2052 / 4, m_blob @ 4;
    }
}

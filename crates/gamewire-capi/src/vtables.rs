//! The C++ objects: a pointer to a table of functions each (Itanium ABI, abi.md §2). There is no
//! virtual destructor and no type information, as programs use neither.

use std::ffi::{c_char, c_int, c_void};

use crate::{
    flat::{
        config::*, fake_udp_port::*, messages::*, sockets_auth::*, sockets_connecting::*,
        sockets_info::*, sockets_messages::*, sockets_p2p::*, sockets_relay::*, text::*, tools::*,
    },
    signaling::{ISteamNetworkingConnectionSignaling, ISteamNetworkingSignalingRecvContext},
    types::*,
};

/// A table as the ABI wants it: offset to the top of the object and type information, both zero,
/// then the functions, to which objects point.
#[repr(C)]
struct Whole<T> {
    offset_to_top: isize,
    type_information: usize,
    methods: T,
}

/// Declares an interface: its object, and the table of its methods in the public header's order.
macro_rules! interface {
    (
        $(#[$doc:meta])+
        $object:ident, $table:ident, $constant:ident, $slots:literal;
        $($slot:ident($($argument:ty),*) $(-> $result:ty)? = $function:path;)+
    ) => {
        $(#[$doc])+
        #[repr(C)]
        pub struct $object {
            /// Its methods.
            pub vtable: &'static $table,
        }

        /// The methods, in the order of the public header.
        #[repr(C)]
        pub struct $table {
            $($slot: unsafe extern "C" fn(*mut $object $(, $argument)*) $(-> $result)?,)+
        }

        const _: () = assert!(size_of::<$table>() == $slots * size_of::<usize>());

        /// The table that objects of this library point to.
        pub const $constant: &$table = {
            static WHOLE: Whole<$table> = Whole {
                offset_to_top: 0,
                type_information: 0,
                methods: $table { $($slot: $function,)+ },
            };
            &WHOLE.methods
        };
    };
}

interface! {
    /// Connections, sockets, messages (SteamNetworkingSockets012).
    ISteamNetworkingSockets, SocketsMethods, SOCKETS, 47;
    CreateListenSocketIP(*const SteamNetworkingIPAddr, c_int, *const SteamNetworkingConfigValue_t) -> HSteamListenSocket = SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP;
    ConnectByIPAddress(*const SteamNetworkingIPAddr, c_int, *const SteamNetworkingConfigValue_t) -> HSteamNetConnection = SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress;
    CreateListenSocketP2P(c_int, c_int, *const SteamNetworkingConfigValue_t) -> HSteamListenSocket = SteamAPI_ISteamNetworkingSockets_CreateListenSocketP2P;
    ConnectP2P(*const SteamNetworkingIdentity, c_int, c_int, *const SteamNetworkingConfigValue_t) -> HSteamNetConnection = SteamAPI_ISteamNetworkingSockets_ConnectP2P;
    AcceptConnection(HSteamNetConnection) -> EResult = SteamAPI_ISteamNetworkingSockets_AcceptConnection;
    CloseConnection(HSteamNetConnection, c_int, *const c_char, bool) -> bool = SteamAPI_ISteamNetworkingSockets_CloseConnection;
    CloseListenSocket(HSteamListenSocket) -> bool = SteamAPI_ISteamNetworkingSockets_CloseListenSocket;
    SetConnectionUserData(HSteamNetConnection, i64) -> bool = SteamAPI_ISteamNetworkingSockets_SetConnectionUserData;
    GetConnectionUserData(HSteamNetConnection) -> i64 = SteamAPI_ISteamNetworkingSockets_GetConnectionUserData;
    SetConnectionName(HSteamNetConnection, *const c_char) = SteamAPI_ISteamNetworkingSockets_SetConnectionName;
    GetConnectionName(HSteamNetConnection, *mut c_char, c_int) -> bool = SteamAPI_ISteamNetworkingSockets_GetConnectionName;
    SendMessageToConnection(HSteamNetConnection, *const c_void, u32, c_int, *mut i64) -> EResult = SteamAPI_ISteamNetworkingSockets_SendMessageToConnection;
    SendMessages(c_int, *mut *mut SteamNetworkingMessage_t, *mut i64, bool) = SteamAPI_ISteamNetworkingSockets_SendMessages;
    FlushMessagesOnConnection(HSteamNetConnection) -> EResult = SteamAPI_ISteamNetworkingSockets_FlushMessagesOnConnection;
    ReceiveMessagesOnConnection(HSteamNetConnection, *mut *mut SteamNetworkingMessage_t, c_int) -> c_int = SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection;
    GetConnectionInfo(HSteamNetConnection, *mut SteamNetConnectionInfo_t) -> bool = SteamAPI_ISteamNetworkingSockets_GetConnectionInfo;
    GetConnectionRealTimeStatus(HSteamNetConnection, *mut SteamNetConnectionRealTimeStatus_t, c_int, *mut SteamNetConnectionRealTimeLaneStatus_t) -> EResult = SteamAPI_ISteamNetworkingSockets_GetConnectionRealTimeStatus;
    GetDetailedConnectionStatus(HSteamNetConnection, *mut c_char, c_int) -> c_int = SteamAPI_ISteamNetworkingSockets_GetDetailedConnectionStatus;
    GetListenSocketAddress(HSteamListenSocket, *mut SteamNetworkingIPAddr) -> bool = SteamAPI_ISteamNetworkingSockets_GetListenSocketAddress;
    CreateSocketPair(*mut HSteamNetConnection, *mut HSteamNetConnection, bool, *const SteamNetworkingIdentity, *const SteamNetworkingIdentity) -> bool = SteamAPI_ISteamNetworkingSockets_CreateSocketPair;
    ConfigureConnectionLanes(HSteamNetConnection, c_int, *const c_int, *const u16) -> EResult = SteamAPI_ISteamNetworkingSockets_ConfigureConnectionLanes;
    GetIdentity(*mut SteamNetworkingIdentity) -> bool = SteamAPI_ISteamNetworkingSockets_GetIdentity;
    InitAuthentication() -> ESteamNetworkingAvailability = SteamAPI_ISteamNetworkingSockets_InitAuthentication;
    GetAuthenticationStatus(*mut SteamNetAuthenticationStatus_t) -> ESteamNetworkingAvailability = SteamAPI_ISteamNetworkingSockets_GetAuthenticationStatus;
    CreatePollGroup() -> HSteamNetPollGroup = SteamAPI_ISteamNetworkingSockets_CreatePollGroup;
    DestroyPollGroup(HSteamNetPollGroup) -> bool = SteamAPI_ISteamNetworkingSockets_DestroyPollGroup;
    SetConnectionPollGroup(HSteamNetConnection, HSteamNetPollGroup) -> bool = SteamAPI_ISteamNetworkingSockets_SetConnectionPollGroup;
    ReceiveMessagesOnPollGroup(HSteamNetPollGroup, *mut *mut SteamNetworkingMessage_t, c_int) -> c_int = SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnPollGroup;
    ReceivedRelayAuthTicket(*const c_void, c_int, *mut SteamDatagramRelayAuthTicket) -> bool = SteamAPI_ISteamNetworkingSockets_ReceivedRelayAuthTicket;
    FindRelayAuthTicketForServer(*const SteamNetworkingIdentity, c_int, *mut SteamDatagramRelayAuthTicket) -> c_int = SteamAPI_ISteamNetworkingSockets_FindRelayAuthTicketForServer;
    ConnectToHostedDedicatedServer(*const SteamNetworkingIdentity, c_int, c_int, *const SteamNetworkingConfigValue_t) -> HSteamNetConnection = SteamAPI_ISteamNetworkingSockets_ConnectToHostedDedicatedServer;
    GetHostedDedicatedServerPort() -> u16 = SteamAPI_ISteamNetworkingSockets_GetHostedDedicatedServerPort;
    GetHostedDedicatedServerPOPID() -> SteamNetworkingPOPID = SteamAPI_ISteamNetworkingSockets_GetHostedDedicatedServerPOPID;
    GetHostedDedicatedServerAddress(*mut SteamDatagramHostedAddress) -> EResult = SteamAPI_ISteamNetworkingSockets_GetHostedDedicatedServerAddress;
    CreateHostedDedicatedServerListenSocket(c_int, c_int, *const SteamNetworkingConfigValue_t) -> HSteamListenSocket = SteamAPI_ISteamNetworkingSockets_CreateHostedDedicatedServerListenSocket;
    GetGameCoordinatorServerLogin(*mut SteamDatagramGameCoordinatorServerLogin, *mut c_int, *mut c_void) -> EResult = SteamAPI_ISteamNetworkingSockets_GetGameCoordinatorServerLogin;
    ConnectP2PCustomSignaling(*mut ISteamNetworkingConnectionSignaling, *const SteamNetworkingIdentity, c_int, c_int, *const SteamNetworkingConfigValue_t) -> HSteamNetConnection = SteamAPI_ISteamNetworkingSockets_ConnectP2PCustomSignaling;
    ReceivedP2PCustomSignal(*const c_void, c_int, *mut ISteamNetworkingSignalingRecvContext) -> bool = SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal;
    GetCertificateRequest(*mut c_int, *mut c_void, *mut SteamNetworkingErrMsg) -> bool = SteamAPI_ISteamNetworkingSockets_GetCertificateRequest;
    SetCertificate(*const c_void, c_int, *mut SteamNetworkingErrMsg) -> bool = SteamAPI_ISteamNetworkingSockets_SetCertificate;
    ResetIdentity(*const SteamNetworkingIdentity) = SteamAPI_ISteamNetworkingSockets_ResetIdentity;
    RunCallbacks() = SteamAPI_ISteamNetworkingSockets_RunCallbacks;
    BeginAsyncRequestFakeIP(c_int) -> bool = SteamAPI_ISteamNetworkingSockets_BeginAsyncRequestFakeIP;
    GetFakeIP(c_int, *mut SteamNetworkingFakeIPResult_t) = SteamAPI_ISteamNetworkingSockets_GetFakeIP;
    CreateListenSocketP2PFakeIP(c_int, c_int, *const SteamNetworkingConfigValue_t) -> HSteamListenSocket = SteamAPI_ISteamNetworkingSockets_CreateListenSocketP2PFakeIP;
    GetRemoteFakeIPForConnection(HSteamNetConnection, *mut SteamNetworkingIPAddr) -> EResult = SteamAPI_ISteamNetworkingSockets_GetRemoteFakeIPForConnection;
    CreateFakeUDPPort(c_int) -> *mut ISteamNetworkingFakeUDPPort = SteamAPI_ISteamNetworkingSockets_CreateFakeUDPPort;
}

interface! {
    /// Configuration, time, text, relays (SteamNetworkingUtils004).
    ISteamNetworkingUtils, ToolMethods, UTILS, 25;
    AllocateMessage(c_int) -> *mut SteamNetworkingMessage_t = SteamAPI_ISteamNetworkingUtils_AllocateMessage;
    GetRelayNetworkStatus(*mut SteamRelayNetworkStatus_t) -> ESteamNetworkingAvailability = SteamAPI_ISteamNetworkingUtils_GetRelayNetworkStatus;
    GetLocalPingLocation(*mut SteamNetworkPingLocation_t) -> f32 = SteamAPI_ISteamNetworkingUtils_GetLocalPingLocation;
    EstimatePingTimeBetweenTwoLocations(*const SteamNetworkPingLocation_t, *const SteamNetworkPingLocation_t) -> c_int = SteamAPI_ISteamNetworkingUtils_EstimatePingTimeBetweenTwoLocations;
    EstimatePingTimeFromLocalHost(*const SteamNetworkPingLocation_t) -> c_int = SteamAPI_ISteamNetworkingUtils_EstimatePingTimeFromLocalHost;
    ConvertPingLocationToString(*const SteamNetworkPingLocation_t, *mut c_char, c_int) = SteamAPI_ISteamNetworkingUtils_ConvertPingLocationToString;
    ParsePingLocationString(*const c_char, *mut SteamNetworkPingLocation_t) -> bool = SteamAPI_ISteamNetworkingUtils_ParsePingLocationString;
    CheckPingDataUpToDate(f32) -> bool = SteamAPI_ISteamNetworkingUtils_CheckPingDataUpToDate;
    GetPingToDataCenter(SteamNetworkingPOPID, *mut SteamNetworkingPOPID) -> c_int = SteamAPI_ISteamNetworkingUtils_GetPingToDataCenter;
    GetDirectPingToPOP(SteamNetworkingPOPID) -> c_int = SteamAPI_ISteamNetworkingUtils_GetDirectPingToPOP;
    GetPOPCount() -> c_int = SteamAPI_ISteamNetworkingUtils_GetPOPCount;
    GetPOPList(*mut SteamNetworkingPOPID, c_int) -> c_int = SteamAPI_ISteamNetworkingUtils_GetPOPList;
    GetLocalTimestamp() -> SteamNetworkingMicroseconds = SteamAPI_ISteamNetworkingUtils_GetLocalTimestamp;
    SetDebugOutputFunction(ESteamNetworkingSocketsDebugOutputType, FSteamNetworkingSocketsDebugOutput) = SteamAPI_ISteamNetworkingUtils_SetDebugOutputFunction;
    GetIPv4FakeIPType(u32) -> ESteamNetworkingFakeIPType = SteamAPI_ISteamNetworkingUtils_GetIPv4FakeIPType;
    GetRealIdentityForFakeIP(*const SteamNetworkingIPAddr, *mut SteamNetworkingIdentity) -> EResult = SteamAPI_ISteamNetworkingUtils_GetRealIdentityForFakeIP;
    SetConfigValue(ESteamNetworkingConfigValue, ESteamNetworkingConfigScope, isize, ESteamNetworkingConfigDataType, *const c_void) -> bool = SteamAPI_ISteamNetworkingUtils_SetConfigValue;
    GetConfigValue(ESteamNetworkingConfigValue, ESteamNetworkingConfigScope, isize, *mut ESteamNetworkingConfigDataType, *mut c_void, *mut usize) -> ESteamNetworkingGetConfigValueResult = SteamAPI_ISteamNetworkingUtils_GetConfigValue;
    GetConfigValueInfo(ESteamNetworkingConfigValue, *mut ESteamNetworkingConfigDataType, *mut ESteamNetworkingConfigScope) -> *const c_char = SteamAPI_ISteamNetworkingUtils_GetConfigValueInfo;
    IterateGenericEditableConfigValues(ESteamNetworkingConfigValue, bool) -> ESteamNetworkingConfigValue = SteamAPI_ISteamNetworkingUtils_IterateGenericEditableConfigValues;
    SteamNetworkingIPAddr_ToString(*const SteamNetworkingIPAddr, *mut c_char, usize, bool) = utils_address_to_string;
    SteamNetworkingIPAddr_ParseString(*mut SteamNetworkingIPAddr, *const c_char) -> bool = utils_parse_address;
    SteamNetworkingIPAddr_GetFakeIPType(*const SteamNetworkingIPAddr) -> ESteamNetworkingFakeIPType = utils_fake_type;
    SteamNetworkingIdentity_ToString(*const SteamNetworkingIdentity, *mut c_char, usize) = utils_identity_to_string;
    SteamNetworkingIdentity_ParseString(*mut SteamNetworkingIdentity, *const c_char) -> bool = utils_parse_identity;
}

interface! {
    /// Messages by identity (SteamNetworkingMessages002).
    ISteamNetworkingMessages, MessagesMethods, MESSAGES, 6;
    SendMessageToUser(*const SteamNetworkingIdentity, *const c_void, u32, c_int, c_int) -> EResult = SteamAPI_ISteamNetworkingMessages_SendMessageToUser;
    ReceiveMessagesOnChannel(c_int, *mut *mut SteamNetworkingMessage_t, c_int) -> c_int = SteamAPI_ISteamNetworkingMessages_ReceiveMessagesOnChannel;
    AcceptSessionWithUser(*const SteamNetworkingIdentity) -> bool = SteamAPI_ISteamNetworkingMessages_AcceptSessionWithUser;
    CloseSessionWithUser(*const SteamNetworkingIdentity) -> bool = SteamAPI_ISteamNetworkingMessages_CloseSessionWithUser;
    CloseChannelWithUser(*const SteamNetworkingIdentity, c_int) -> bool = SteamAPI_ISteamNetworkingMessages_CloseChannelWithUser;
    GetSessionConnectionInfo(*const SteamNetworkingIdentity, *mut SteamNetConnectionInfo_t, *mut SteamNetConnectionRealTimeStatus_t) -> ESteamNetworkingConnectionState = SteamAPI_ISteamNetworkingMessages_GetSessionConnectionInfo;
}

interface! {
    /// Datagrams to fake addresses. Nobody gets such an object before there are fake addresses.
    ISteamNetworkingFakeUDPPort, FakeUdpPortMethods, FAKE_UDP_PORT, 4;
    DestroyFakeUDPPort() = SteamAPI_ISteamNetworkingFakeUDPPort_DestroyFakeUDPPort;
    SendMessageToFakeIP(*const SteamNetworkingIPAddr, *const c_void, u32, c_int) -> EResult = SteamAPI_ISteamNetworkingFakeUDPPort_SendMessageToFakeIP;
    ReceiveMessages(*mut *mut SteamNetworkingMessage_t, c_int) -> c_int = SteamAPI_ISteamNetworkingFakeUDPPort_ReceiveMessages;
    ScheduleCleanup(*const SteamNetworkingIPAddr) = SteamAPI_ISteamNetworkingFakeUDPPort_ScheduleCleanup;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words around a table's first function, as a C++ compiler would read them.
    fn words_before<T>(table: &'static T) -> [usize; 2] {
        let first = std::ptr::from_ref(table).cast::<usize>();
        // SAFETY: every table lies in a `Whole`, after two words.
        unsafe { [first.sub(2).read(), first.sub(1).read()] }
    }

    #[test]
    fn tables_have_no_type_information_and_no_offset() {
        assert_eq!(words_before(SOCKETS), [0, 0]);
        assert_eq!(words_before(UTILS), [0, 0]);
        assert_eq!(words_before(MESSAGES), [0, 0]);
        assert_eq!(words_before(FAKE_UDP_PORT), [0, 0]);
    }

    #[test]
    fn methods_of_an_object_that_is_not_ours_answer() {
        let mut foreign = ISteamNetworkingSockets { vtable: SOCKETS };
        let mut port = ISteamNetworkingFakeUDPPort { vtable: FAKE_UDP_PORT };
        // SAFETY: these calls read nothing but the object's address.
        unsafe {
            assert_eq!((SOCKETS.CreatePollGroup)(&raw mut foreign), 0);
            assert!(!(SOCKETS.CloseListenSocket)(std::ptr::null_mut(), 65536));
            let nothing = (FAKE_UDP_PORT.ReceiveMessages)(&raw mut port, std::ptr::null_mut(), 5);
            assert_eq!(nothing, -1);
        }
    }
}

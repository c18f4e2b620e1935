// ISteamNetworkingSockets for C#: the flat functions that a game needs, and their structs.
// Works with .NET, Mono and Unity on 64-bit Linux. Names are Valve's, so its documentation applies.
using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Gamewire
{
    public enum ConnectionState
    {
        None = 0, Connecting = 1, FindingRoute = 2, Connected = 3, ClosedByPeer = 4, ProblemDetectedLocally = 5,
    }

    public enum Result
    {
        OK = 1, Fail = 2, NoConnection = 3, InvalidParam = 8, InvalidState = 11, LimitExceeded = 25, Ignored = 41,
    }

    [Flags]
    public enum SendFlags { Unreliable = 0, NoNagle = 1, NoDelay = 4, Reliable = 8 }

    public enum ConfigScope { Global = 1, SocketsInterface = 2, ListenSocket = 3, Connection = 4 }

    public enum ConfigType { Int32 = 1, Int64 = 2, Float = 3, String = 4, Ptr = 5 }

    // Numbers are in docs/configuration.md.
    public enum ConfigValue { TimeoutInitial = 24, TimeoutConnected = 25, SendBufferSize = 9, NagleTime = 12 }

    [StructLayout(LayoutKind.Sequential, Pack = 1, Size = 18)]
    public unsafe struct IPAddr
    {
        public fixed byte m_ipv6[16];
        public ushort m_port;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1, Size = 136)]
    public unsafe struct Identity
    {
        public int m_eType;
        public int m_cbSize;
        public fixed byte m_data[128];
    }

    [StructLayout(LayoutKind.Sequential, Pack = 4, Size = 696)]
    public unsafe struct ConnectionInfo
    {
        public Identity m_identityRemote;
        public long m_nUserData;
        public uint m_hListenSocket;
        public IPAddr m_addrRemote;
        ushort m__pad1;
        public uint m_idPOPRemote;
        public uint m_idPOPRelay;
        public ConnectionState m_eState;
        public int m_eEndReason;
        public fixed byte m_szEndDebug[128];
        public fixed byte m_szConnectionDescription[128];
        public int m_nFlags;
        fixed uint reserved[63];
    }

    [StructLayout(LayoutKind.Sequential, Pack = 4, Size = 704)]
    public struct StatusChanged
    {
        public uint m_hConn;
        public ConnectionInfo m_info;
        public ConnectionState m_eOldState;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 4, Size = 120)]
    public unsafe struct RealTimeStatus
    {
        public ConnectionState m_eState;
        public int m_nPing;
        public float m_flConnectionQualityLocal;
        public float m_flConnectionQualityRemote;
        public float m_flOutPacketsPerSec;
        public float m_flOutBytesPerSec;
        public float m_flInPacketsPerSec;
        public float m_flInBytesPerSec;
        public int m_nSendRateBytesPerSecond;
        public int m_cbPendingUnreliable;
        public int m_cbPendingReliable;
        public int m_cbSentUnackedReliable;
        public long m_usecQueueTime;
        public int m_usecMaxJitter;
        fixed uint reserved[15];
    }

    [StructLayout(LayoutKind.Sequential, Size = 216)]
    public struct Message
    {
        public IntPtr m_pData;
        public int m_cbSize;
        public uint m_conn;
        public Identity m_identityPeer;
        public long m_nConnUserData;
        public long m_usecTimeReceived;
        public long m_nMessageNumber;
        public IntPtr m_pfnFreeData;
        public IntPtr m_pfnRelease;
        public int m_nChannel;
        public int m_nFlags;
        public long m_nUserData;
        public ushort m_idxLane;
        ushort _pad1__;
    }

    [StructLayout(LayoutKind.Explicit, Size = 16)]
    public struct ConfigOption
    {
        [FieldOffset(0)] public ConfigValue m_eValue;
        [FieldOffset(4)] public ConfigType m_eDataType;
        [FieldOffset(8)] public int m_int32;
        [FieldOffset(8)] public long m_int64;
        [FieldOffset(8)] public float m_float;
        [FieldOffset(8)] public IntPtr m_ptr;
    }

    // Keep the delegate in a field for as long as it is set: the library holds a pointer that the
    // garbage collector does not see.
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate void StatusChangedCallback(ref StatusChanged change);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public delegate void DebugOutput(int level, IntPtr text);

    public static class Native
    {
        const string Library = "GameNetworkingSockets";
        const CallingConvention C = CallingConvention.Cdecl;
        const string S = "SteamAPI_ISteamNetworkingSockets_";
        const string U = "SteamAPI_ISteamNetworkingUtils_";

        [DllImport(Library, CallingConvention = C)]
        static extern IntPtr Gamewire_Version();
        public static string Version() => Marshal.PtrToStringAnsi(Gamewire_Version());

        [DllImport(Library, CallingConvention = C)]
        public static extern void Gamewire_SetAppID(uint nAppID);

        [DllImport(Library, CallingConvention = C)]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool Gamewire_SetRoots(string pszRoots, [Out] byte[] errMsg1024);

        [DllImport(Library, CallingConvention = C)]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool GameNetworkingSockets_Init(IntPtr pIdentity, [Out] byte[] errMsg1024);

        [DllImport(Library, CallingConvention = C)]
        public static extern void GameNetworkingSockets_Kill();

        [DllImport(Library, CallingConvention = C, EntryPoint = "SteamAPI_SteamNetworkingSockets_v009")]
        public static extern IntPtr Sockets();

        [DllImport(Library, CallingConvention = C, EntryPoint = "SteamAPI_SteamNetworkingUtils_v003")]
        public static extern IntPtr Utils();

        [DllImport(Library, CallingConvention = C)]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SteamAPI_SteamNetworkingIPAddr_ParseString(out IPAddr address, string text);

        [DllImport(Library, CallingConvention = C)]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SteamAPI_SteamNetworkingIdentity_ParseString(out Identity identity, UIntPtr sizeofIdentity, string text);

        [DllImport(Library, CallingConvention = C)]
        public static extern void SteamAPI_SteamNetworkingMessage_t_Release(IntPtr message);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "CreateListenSocketIP")]
        public static extern uint CreateListenSocketIP(IntPtr self, ref IPAddr local, int nOptions, [In] ConfigOption[] options);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "ConnectByIPAddress")]
        public static extern uint ConnectByIPAddress(IntPtr self, ref IPAddr remote, int nOptions, [In] ConfigOption[] options);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "AcceptConnection")]
        public static extern Result AcceptConnection(IntPtr self, uint connection);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "CloseConnection")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool CloseConnection(IntPtr self, uint connection, int reason, string debug, [MarshalAs(UnmanagedType.I1)] bool linger);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "CloseListenSocket")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool CloseListenSocket(IntPtr self, uint socket);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "SendMessageToConnection")]
        public static extern Result SendMessageToConnection(IntPtr self, uint connection, byte[] data, uint size, SendFlags flags, out long number);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "FlushMessagesOnConnection")]
        public static extern Result FlushMessagesOnConnection(IntPtr self, uint connection);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "ReceiveMessagesOnConnection")]
        public static extern int ReceiveMessagesOnConnection(IntPtr self, uint connection, [Out] IntPtr[] messages, int max);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "CreatePollGroup")]
        public static extern uint CreatePollGroup(IntPtr self);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "DestroyPollGroup")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool DestroyPollGroup(IntPtr self, uint group);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "SetConnectionPollGroup")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SetConnectionPollGroup(IntPtr self, uint connection, uint group);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "ReceiveMessagesOnPollGroup")]
        public static extern int ReceiveMessagesOnPollGroup(IntPtr self, uint group, [Out] IntPtr[] messages, int max);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "GetConnectionInfo")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool GetConnectionInfo(IntPtr self, uint connection, out ConnectionInfo info);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "GetConnectionRealTimeStatus")]
        public static extern Result GetConnectionRealTimeStatus(IntPtr self, uint connection, out RealTimeStatus status, int nLanes, IntPtr lanes);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "SetConnectionUserData")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SetConnectionUserData(IntPtr self, uint connection, long data);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "SetConnectionName")]
        public static extern void SetConnectionName(IntPtr self, uint connection, string name);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "ConfigureConnectionLanes")]
        public static extern Result ConfigureConnectionLanes(IntPtr self, uint connection, int nLanes, [In] int[] priorities, [In] ushort[] weights);

        [DllImport(Library, CallingConvention = C, EntryPoint = S + "RunCallbacks")]
        public static extern void RunCallbacks(IntPtr self);

        [DllImport(Library, CallingConvention = C, EntryPoint = U + "SetGlobalCallback_SteamNetConnectionStatusChanged")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SetStatusChangedCallback(IntPtr utils, StatusChangedCallback callback);

        [DllImport(Library, CallingConvention = C, EntryPoint = U + "SetDebugOutputFunction")]
        public static extern void SetDebugOutputFunction(IntPtr utils, int level, DebugOutput function);

        [DllImport(Library, CallingConvention = C, EntryPoint = U + "SetGlobalConfigValueInt32")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SetGlobalConfigValueInt32(IntPtr utils, ConfigValue value, int number);

        [DllImport(Library, CallingConvention = C, EntryPoint = U + "SetConnectionConfigValueInt32")]
        [return: MarshalAs(UnmanagedType.I1)]
        public static extern bool SetConnectionConfigValueInt32(IntPtr utils, uint connection, ConfigValue value, int number);

        // The content of a received message, which is released.
        public static byte[] Take(IntPtr message)
        {
            var view = Marshal.PtrToStructure<Message>(message);
            var content = new byte[view.m_cbSize];
            if (content.Length > 0) Marshal.Copy(view.m_pData, content, 0, content.Length);
            SteamAPI_SteamNetworkingMessage_t_Release(message);
            return content;
        }

        // Text that the library wrote with a NUL at its end.
        public static string Text(byte[] bytes)
        {
            int end = Array.IndexOf(bytes, (byte)0);
            return Encoding.UTF8.GetString(bytes, 0, end < 0 ? bytes.Length : end);
        }
    }
}

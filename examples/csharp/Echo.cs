// A server and a client in one process: messages go over loopback and come back.
//   mcs -unsafe Gamewire.cs Echo.cs -out:Echo.exe && LD_LIBRARY_PATH=... mono Echo.exe
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Gamewire;

static class Echo
{
    const int Messages = 3;
    static IntPtr sockets;
    static readonly List<uint> servers = new List<uint>();
    static readonly StatusChangedCallback onChange = Changed;

    static void Changed(ref StatusChanged change)
    {
        if (change.m_info.m_eState == ConnectionState.Connecting && change.m_info.m_hListenSocket != 0)
        {
            servers.Add(change.m_hConn);
            Native.AcceptConnection(sockets, change.m_hConn);
        }
    }

    static bool Send(uint connection, byte[] content)
    {
        long number;
        return Native.SendMessageToConnection(
            sockets, connection, content, (uint)content.Length, SendFlags.Reliable, out number) == Result.OK;
    }

    static IEnumerable<byte[]> Receive(uint connection)
    {
        var messages = new IntPtr[16];
        int count = Native.ReceiveMessagesOnConnection(sockets, connection, messages, messages.Length);
        for (int i = 0; i < count; i++) yield return Native.Take(messages[i]);
    }

    static bool Run()
    {
        var options = new[] {
            new ConfigOption { m_eValue = ConfigValue.TimeoutInitial, m_eDataType = ConfigType.Int32, m_int32 = 5000 },
        };
        IPAddr address;
        uint listener = 0;
        int port = 27515;
        do
        {
            Native.SteamAPI_SteamNetworkingIPAddr_ParseString(out address, "127.0.0.1:" + port);
            listener = Native.CreateListenSocketIP(sockets, ref address, 0, null);
        } while (listener == 0 && port++ < 27614);
        uint client = Native.ConnectByIPAddress(sockets, ref address, options.Length, options);
        for (int i = 0; i < Messages; i++)
        {
            if (!Send(client, Encoding.UTF8.GetBytes("message " + i))) return false;
        }
        int cameBack = 0;
        for (int passed = 0; cameBack < Messages && passed < 20000; passed++)
        {
            Native.RunCallbacks(sockets);
            foreach (uint server in servers)
                foreach (byte[] content in Receive(server)) Send(server, content);
            foreach (byte[] content in Receive(client))
            {
                Console.WriteLine("came back: " + Encoding.UTF8.GetString(content));
                cameBack++;
            }
            Thread.Sleep(1);
        }
        ConnectionInfo info;
        bool connected = Native.GetConnectionInfo(sockets, client, out info) && info.m_eState == ConnectionState.Connected;
        Native.CloseConnection(sockets, client, 0, "bye", false);
        foreach (uint server in servers) Native.CloseConnection(sockets, server, 0, "bye", false);
        Native.CloseListenSocket(sockets, listener);
        return connected && cameBack == Messages;
    }

    static void CheckSizes()
    {
        var sizes = new Dictionary<Type, int> {
            { typeof(IPAddr), 18 }, { typeof(Identity), 136 }, { typeof(ConnectionInfo), 696 },
            { typeof(StatusChanged), 704 }, { typeof(RealTimeStatus), 120 }, { typeof(Message), 216 },
            { typeof(ConfigOption), 16 },
        };
        foreach (var pair in sizes)
        {
            if (Marshal.SizeOf(pair.Key) != pair.Value)
                throw new Exception(pair.Key + " has " + Marshal.SizeOf(pair.Key) + " bytes");
        }
        if ((int)Marshal.OffsetOf(typeof(ConnectionInfo), "m_eState") != 176) throw new Exception("ConnectionInfo");
        if ((int)Marshal.OffsetOf(typeof(Message), "m_idxLane") != 208) throw new Exception("Message");
    }

    static int Main()
    {
        CheckSizes();
        var error = new byte[1024];
        Console.WriteLine("Gamewire " + Native.Version());
        if (!Native.GameNetworkingSockets_Init(IntPtr.Zero, error))
        {
            Console.Error.WriteLine(Native.Text(error));
            return 1;
        }
        sockets = Native.Sockets();
        Native.SetStatusChangedCallback(Native.Utils(), onChange);
        bool succeeded = Run();
        Native.GameNetworkingSockets_Kill();
        Console.WriteLine(succeeded ? "all messages came back" : "failed");
        return succeeded ? 0 : 1;
    }
}

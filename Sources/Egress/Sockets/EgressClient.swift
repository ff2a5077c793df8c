import Base

/// Who is at the other end of a connection, as far as connections are counted and tokens are bound to it.
enum EgressClient: Sendable, Hashable {
    case address(IPAddress)
    /// Of a Unix socket: the relay of one pod, which is one process for as long as the pod lives.
    case process(Int32)
}

import Synchronization

/// An API server for one machine: the part of the Kubernetes API that the operator and `kubectl` rely on, over HTTP on loopback.
public final class APIServer: Sendable {
    /// How a server is set up.
    public struct Configuration: Sendable {
        /// The TCP port on 127.0.0.1; 0 takes a free one.
        public var port: UInt16
        /// The bearer token that every request but health checks must carry. Nil: none is asked for, though one that is sent is refused.
        public var token: String?
        /// Where objects are kept. Nil: in memory only. One server at a time may use a directory.
        public var dataDirectory: String?
        /// How many changes of each resource a watch can resume over; older versions get 410 Expired.
        public var watchHistory: Int

        public init(port: UInt16 = 0, token: String? = nil, dataDirectory: String? = nil, watchHistory: Int = 4096) {
            self.port = port
            self.token = token
            self.dataDirectory = dataDirectory
            self.watchHistory = watchHistory
        }
    }

    private let logProvider = Mutex<(any PodLogProvider)?>(nil)

    public init(configuration: Configuration) {}

    /// Where container logs come from; nil answers that none is available.
    public var podLogs: (any PodLogProvider)? {
        get { logProvider.withLock { $0 } }
        set { logProvider.withLock { $0 = newValue } }
    }

    /// Opens the store, binds the port and serves.
    /// - Returns: the port that was bound.
    /// - Throws: `APIServerError` when the port or the data directory cannot be used.
    public func start() async throws -> UInt16 { 0 }

    /// Closes every connection, writes what is pending to disk and releases the data directory. A stopped server cannot start again.
    public func stop() async {}
}

/// Why a server could not start.
public enum APIServerError: Error, Sendable {
    case cannotBind(port: UInt16, errno: Int32)
    case dataDirectoryInUse(path: String, pid: Int32?)
    case dataDirectory(path: String, reason: String)
    case alreadyStarted
}

/// Where an API server gets container logs from: what the kubelet serves it in Kubernetes. Server and node know only this of each other.
public protocol PodLogProvider: Sendable {
    /// The log of one container, as it is stored: lines that end in `\n`.
    ///
    /// The stream ends when the log has been sent (or, when `options.follow` is set, when the container has ended). The server
    /// cancels the consuming task when the client goes away, which ends the iteration.
    /// - Throws: `PodLogUnavailable` for a reason that the client should read (a container that waits to start, say); any other
    ///   error is answered as an internal error.
    func log(of container: PodLogTarget, options: LogOptions) async throws -> AsyncThrowingStream<[UInt8], any Error>
}

/// A container whose log is asked for. The server has checked that the pod exists and that its spec names the container.
public struct PodLogTarget: Sendable, Hashable {
    public var namespace: String
    public var pod: String
    public var uid: String
    public var container: String

    public init(namespace: String, pod: String, uid: String, container: String) {
        self.namespace = namespace
        self.pod = pod
        self.uid = uid
        self.container = container
    }
}

/// A log that cannot be read, with words for the client.
public struct PodLogUnavailable: Error, Sendable {
    /// The HTTP status: 400 as the kubelet answers for a container that has not started, 404 for one that is gone.
    public var status: Int
    public var message: String

    public init(status: Int = 400, message: String) {
        self.status = status
        self.message = message
    }
}

/// A file or folder that is collected when the agent is done.
public struct TaskArtifact: Sendable, Hashable, Codable {
    /// The Compose service in which the agent works.
    public static let mainService = "main"

    /// A path in the container, without `..`; absolute for another service than `main`.
    public var source: String
    /// Relative to the folder of artifacts, without `..`; nil: the place that the source has.
    public var destination: String?
    /// Patterns, as for `tar --exclude`.
    public var exclude: [String]
    /// The Compose service; nil for `main`.
    public var service: String?

    public init(source: String, destination: String? = nil, exclude: [String] = [], service: String? = nil) {
        self.source = source
        self.destination = destination
        self.exclude = exclude
        self.service = service
    }
}

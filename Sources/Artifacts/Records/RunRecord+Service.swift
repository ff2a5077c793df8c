extension RunRecord {
    /// A service of the task's Compose file.
    public struct Service: Codable, Sendable, Hashable {
        public var name: String
        /// nil when it was not built.
        public var image: String?
        public var imageDigest: String?
        /// How often it was started again.
        public var restarts: Int
        /// How its last instance but one ended, or the last one when it ended before the trial; nil when none did.
        public var exitCode: Int?
        /// As Kubernetes says it: `Error`, `OOMKilled`.
        public var reason: String?
        /// Whether an instance ended with an error while the trial ran.
        public var diedDuringTrial: Bool

        public init(
            name: String, image: String? = nil, imageDigest: String? = nil, restarts: Int = 0, exitCode: Int? = nil, reason: String? = nil,
            diedDuringTrial: Bool = false
        ) {
            self.name = name
            self.image = image
            self.imageDigest = imageDigest
            self.restarts = restarts
            self.exitCode = exitCode
            self.reason = reason
            self.diedDuringTrial = diedDuringTrial
        }
    }
}

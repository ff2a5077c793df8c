extension RunRecord {
    /// A service of the task's Compose file.
    public struct Service: Codable, Sendable, Hashable {
        public var name: String
        /// The image that its container had; nil when it had none.
        public var image: String?
        public var imageDigest: String?
        /// How often it was started again.
        public var restarts: Int
        /// The exit code of the instance before the last restart; without a restart, of the only instance, once it has ended.
        public var exitCode: Int?
        /// Why that instance ended, in Kubernetes' terms: `Error`, `OOMKilled`.
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

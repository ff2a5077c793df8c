/// Where the image of a Compose file's service `main`, the trial, comes from.
public enum ComposeImage: Sendable, Hashable, Codable {
    /// `image`, without `build`.
    case named(String)
    /// `build`; `image` is then only what the result would be called.
    case built(Build)

    public struct Build: Sendable, Hashable, Codable {
        /// The folder of the context, relative to `environment/`; empty for `environment/` itself.
        public var context: String
        /// Relative to the context.
        public var dockerfile: String
        public var arguments: [String: String]
        /// The stage to stop at; nil for the last.
        public var target: String?

        public init(context: String = "", dockerfile: String = "Dockerfile", arguments: [String: String] = [:], target: String? = nil) {
            self.context = context
            self.dockerfile = dockerfile
            self.arguments = arguments
            self.target = target
        }
    }
}

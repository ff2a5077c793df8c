/// What a phase of a task may connect to.
public struct TaskNetwork: Sendable, Hashable, Codable {
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        case `public`
        case none = "no-network"
        case allowlist
    }

    public var mode: Mode
    /// For `allowlist`, in Harbor's normal form: lower case, without a dot at the end. Names, `*.name`, addresses and CIDR ranges.
    public var allowedHosts: [String]

    public init(_ mode: Mode, allowedHosts: [String] = []) {
        self.mode = mode
        self.allowedHosts = allowedHosts
    }
}

import Base

/// The host of a trial on a vm target, as the pod builder tells it to `assay remote-trial`.
public struct RemoteHost: Sendable, Hashable, Codable {
    /// A host name or an address; an IPv6 address has brackets.
    public var address: String
    public var port: Int
    public var user: String
    /// The name of the trial's directory on the host: unique for each pod, in letters, digits, dots and dashes.
    public var trial: String
    /// The working directory of the trial's phases; absolute.
    public var workdir: String

    public init(address: String, port: Int, user: String, trial: String, workdir: String) {
        self.address = address
        self.port = port
        self.user = user
        self.trial = trial
        self.workdir = workdir
    }

    /// For messages.
    public var name: String { "\(user)@\(address):\(port)" }

    /// As ssh takes it.
    var destination: String {
        let bare = address.hasPrefix("[") && address.hasSuffix("]") ? String(address.dropFirst().dropLast()) : address
        return "\(user)@\(bare)"
    }

    /// The trial's root directory on the host; `host.sh` makes it.
    var root: String { "/var/lib/assay/trials/\(trial)/root" }

    public var json: String { get throws { try JSONValueEncoder().encode(self).text } }

    init(json: String) throws { self = try JSONValueDecoder().decode(RemoteHost.self, from: try JSONValue(parsing: json)) }
}

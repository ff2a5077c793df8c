import Base

/// How the host of a vm target is reached.
public struct HostLogin: Sendable, Hashable, Codable {
    /// A host name or an address; an IPv6 address has brackets.
    public var address: String
    public var port: Int
    public var user: String

    public init(address: String, port: Int, user: String) {
        self.address = address
        self.port = port
        self.user = user
    }

    /// For messages.
    public var name: String { "\(user)@\(address):\(port)" }

    /// As ssh takes it.
    var destination: String {
        let bare = address.hasPrefix("[") && address.hasSuffix("]") ? String(address.dropFirst().dropLast()) : address
        return "\(user)@\(bare)"
    }
}

/// A trial on the host of a vm target, as the pod builder tells it to `assay remote-trial`.
public struct RemoteHost: Sendable, Hashable, Codable {
    /// What a trial may use; the host script sets it with control groups, and measures the disk.
    public struct Limits: Sendable, Hashable, Codable {
        public var cpus: Double
        public var memoryMB: Int
        public var storageMB: Int

        public init(cpus: Double, memoryMB: Int, storageMB: Int) {
            self.cpus = cpus
            self.memoryMB = memoryMB
            self.storageMB = storageMB
        }

        /// As the host script takes them: thousandths of a CPU, megabytes of memory and of disk.
        var words: [String] { ["\(Int((min(max(cpus, 0), 1e6) * 1000).rounded(.up)))", "\(memoryMB)", "\(storageMB)"] }
    }

    public var login: HostLogin
    /// The name of the trial's directory on the host, in letters, digits, dots and dashes. Each run of `RemoteTrial` adds a number of its own.
    public var trial: String
    /// nil: the trial runs with the host's own programs.
    public var image: String?
    /// The working directory of the trial's phases; absolute. nil: the image's own.
    public var workdir: String?
    public var limits: Limits

    /// The working directory of a trial without image whose task names none.
    public static let ownWorkdir = "/work"

    /// - Parameter workdir: what the task names.
    public init(login: HostLogin, trial: String, image: String?, workdir: String?, limits: Limits) {
        self.login = login
        self.trial = trial
        self.image = image
        self.workdir = workdir ?? (image == nil ? Self.ownWorkdir : nil)
        self.limits = limits
    }

    /// The arguments of `assay_host`.
    var words: [String] { [trial, workdir ?? ""] + limits.words + [image ?? ""] }

    /// For messages.
    var name: String { login.name }

    /// The trial's root directory on the host; the host script makes it.
    var root: String { "/var/lib/assay/trials/\(trial)/root" }

    public var json: String { get throws { try JSONValueEncoder().encode(self).text } }

    init(json: String) throws { self = try JSONValueDecoder().decode(RemoteHost.self, from: try JSONValue(parsing: json)) }
}

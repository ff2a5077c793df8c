import EvalModel
import TOML

/// `network_mode`, `allowed_hosts` and the older `allow_internet`.
extension TaskConfigParser {
    /// The network of an environment.
    func network(_ reader: inout TableReader) throws(FormatProblem) -> TaskNetwork {
        let mode = try reader.choice("network_mode", TaskNetwork.Mode.self)
        let hosts = try allowedHosts(&reader)
        // The older key counts only without the newer ones, as for Harbor.
        let isOpen = try reader.boolean("allow_internet")
        if mode == nil, hosts == nil, isOpen == false { return TaskNetwork(.none) }
        return try Self.network(mode ?? .public, hosts, reader)
    }

    /// The network of a phase; nil: the environment's.
    func phaseNetwork(_ reader: inout TableReader) throws(FormatProblem) -> TaskNetwork? {
        let mode = try reader.choice("network_mode", TaskNetwork.Mode.self)
        let hosts = try allowedHosts(&reader)
        guard let mode else {
            guard hosts == nil else { throw Self.needsAllowlist(reader) }
            return nil
        }
        return try Self.network(mode, hosts, reader)
    }

    private static func network(_ mode: TaskNetwork.Mode, _ hosts: [String]?, _ reader: TableReader) throws(FormatProblem) -> TaskNetwork {
        guard mode == .allowlist || hosts?.isEmpty ?? true else { throw needsAllowlist(reader) }
        return TaskNetwork(mode, allowedHosts: hosts ?? [])
    }

    private static func needsAllowlist(_ reader: TableReader) -> FormatProblem {
        reader.problem("allowed_hosts", "needs \(reader.place("network_mode")) = \"allowlist\"")
    }

    private func allowedHosts(_ reader: inout TableReader) throws(FormatProblem) -> [String]? {
        guard let hosts = try reader.strings("allowed_hosts") else { return nil }
        var normal: [String] = []
        for host in hosts {
            guard let entry = AllowedHost.normalized(host) else {
                throw reader.problem(
                    "allowed_hosts",
                    "must be host names, \"*.name\", addresses or CIDR ranges without host bits, without scheme, port and path, not \"\(host)\"")
            }
            normal.append(entry)
        }
        return normal
    }
}

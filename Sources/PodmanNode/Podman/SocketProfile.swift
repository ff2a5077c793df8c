import Base

/// The seccomp profile for containers of pods that have no interface but loopback: this machine's own, without the kinds of sockets that belong to no
/// network namespace. Through vsock a process reaches the host of a virtual machine (WSL, Lima, podman's own machine), and with it often its network.
enum SocketProfile {
    /// Where podman finds the profile of all containers, the first one that there is. Source: containers-common.
    private static let places = ["/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"]

    /// AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET and AF_ALG.
    private static let families = [1, 2, 10, netlink, 17, 38]
    private static let netlink = 16
    /// NETLINK_AUDIT, which the machine's own profile closes too.
    private static let audit = 9
    /// Other ways to a socket, whose kind a filter does not see.
    private static let unseen: Set<String> = ["socket", "socketcall", "io_uring_setup", "io_uring_enter", "io_uring_register"]

    /// Writes the profile.
    /// - Returns: false when this machine has no profile of its own, or the file cannot be written.
    static func write(to path: String) -> Bool {
        guard let text = places.lazy.compactMap({ FileReading.text($0) }).first, let profile = try? JSONValue(parsing: text),
            let restricted = restricted(profile)
        else { return false }
        return (try? FileWriting.replace(path, with: restricted.serialized(), mode: 0o644, durable: false)) != nil
    }

    /// nil for what is no profile, and for one that allows what it does not name: taking rules away closes nothing there.
    static func restricted(_ profile: JSONValue) -> JSONValue? {
        guard let rules = profile["syscalls"]?.array, profile["defaultAction"]?.string != "SCMP_ACT_ALLOW" else { return nil }
        let kept = rules.compactMap { rule -> JSONValue? in
            let names = (rule["names"]?.array ?? []).filter { !unseen.contains($0.string ?? "") }
            guard !names.isEmpty else { return nil }
            var rule = rule
            rule["names"] = .array(names)
            return rule
        }
        let allowed = families.map { family -> JSONValue in
            // The kernel reads only the lower half of the register.
            var arguments: [JSONValue] = [["index": 0, "value": 0xFFFF_FFFF, "valueTwo": JSONValue(family), "op": "SCMP_CMP_MASKED_EQ"]]
            if family == netlink { arguments.append(["index": 2, "value": JSONValue(audit), "op": "SCMP_CMP_NE"]) }
            return ["names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": .array(arguments)]
        }
        var restricted = profile
        restricted["syscalls"] = .array(kept + allowed)
        return restricted
    }
}

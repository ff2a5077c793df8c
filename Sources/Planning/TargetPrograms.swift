import AssayAPI
import Dependencies
import Git

/// Which programs targets need on the machine where Assay runs. This is the only list: `assay doctor`, `assay run` and the operator's preflight
/// read it. Assay starts no kubectl and no docker, so neither is in it.
public enum TargetPrograms {
    /// What not every job needs.
    public enum Use: Sendable, Hashable, CaseIterable {
        /// A repository with an ssh address, or a host that is reached by ssh.
        case sshAddress
        /// A Secret of a GitHub App.
        case gitHubApp
    }

    public static let git = RequiredProgram("git", purpose: "to read benchmarks and to write results", minimum: [2, 39])
    public static let ssh = RequiredProgram(
        "ssh", purpose: "for repositories with ssh addresses, and for the hosts of vm targets", versionArguments: ["-V"], package: "openssh-client")
    public static let openssl = RequiredProgram(
        "openssl", purpose: "to sign the requests of GitHub Apps", minimum: [1, 1], versionArguments: ["version"])
    public static let podman = RequiredProgram("podman", purpose: "to run trials on this machine", minimum: [4, 3])
    /// podman looks for it in these directories, whatever PATH is.
    public static let runtime = RequiredProgram(
        "runc", purpose: "by podman, to start containers", alternatives: ["crun", "youki", "runsc", "kata-runtime", "krun"],
        furtherDirectories: [
            "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/sbin", "/bin", "/usr/lib/cri-o-runc/sbin", "/run/current-system/sw/bin",
        ])

    private struct Row {
        var program: RequiredProgram
        var kinds: [EvalTargetSpec.Kind] = EvalTargetSpec.Kind.allCases
        /// nil: every job needs it.
        var use: Use?
    }

    private static let table = [
        Row(program: git),
        Row(program: ssh, use: .sshAddress),
        // The pod of a trial on a host runs here, and connects to the host.
        Row(program: podman, kinds: [.local, .ci, .vm]),
        Row(program: runtime, kinds: [.local, .ci, .vm]),
        Row(program: openssl, use: .gitHubApp),
    ]

    /// - Parameters:
    ///   - target: a target that this version of Assay runs trials on.
    ///   - uses: what of it is used.
    ///   - runsPods: whether this machine is the node, too. A target with a claim has type local and is on a cluster.
    public static func needed(by target: EvalTargetSpec, for uses: Set<Use>, runsPods: Bool = true) -> [RequiredProgram] {
        var uses = uses
        if target.type == .vm, runsPods { uses.insert(.sshAddress) }
        return table.filter { row in
            row.kinds.contains(runsPods ? target.type : .cluster) && (row.use.map(uses.contains) ?? true)
        }.map(\.program)
    }

    /// What the addresses of a job ask for. Addresses that are not valid ask for nothing: they are refused elsewhere.
    public static func uses(_ spec: EvalJobSpec) -> Set<Use> {
        var addresses = [spec.source.repo]
        if let remote = spec.artifacts.git?.remote { addresses.append(remote) }
        for dataset in spec.datasets { addresses += (dataset.tasks ?? []).compactMap(\.repo) }
        let isOverSSH = addresses.contains { (try? GitURL(parsing: $0, allowing: [.local, .shorthand, .loopbackHTTP]))?.transport == .ssh }
        return isOverSSH ? [.sshAddress] : []
    }

    /// What is wrong with the programs of this machine, and how to install each, as one text; nil when all are fit for use.
    public static func problem(of programs: [ProgramStatus]) -> String? {
        let problems = programs.compactMap(\.problem)
        return problems.isEmpty ? nil : problems.joined(separator: "; ")
    }
}

import AssayAPI
import Dependencies

/// Which programs a target needs on the machine where Assay runs.
public enum TargetPrograms {
    public static let git = RequiredProgram("git", purpose: "to read benchmarks and to write results", minimum: [2, 39])
    public static let ssh = RequiredProgram(
        "ssh", purpose: "for repositories with ssh addresses", versionArguments: ["-V"], package: "openssh-client")
    public static let openssl = RequiredProgram(
        "openssl", purpose: "to sign the requests of GitHub Apps", minimum: [1, 1], versionArguments: ["version"])
    public static let podman = RequiredProgram("podman", purpose: "to run trials on this machine", minimum: [4, 3])

    /// - Parameter target: a target that this version of Assay runs trials on.
    public static func needed(by target: EvalTargetSpec) -> [RequiredProgram] {
        switch target.type {
        case .cluster, .vm: [git, ssh]
        case .local, .ci: [git, ssh, podman]
        }
    }
}

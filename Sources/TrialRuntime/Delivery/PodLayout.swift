import Base
import EvalModel
import Git
import Glibc

/// Where things lie in a trial pod's volumes, as the init container sees them.
struct PodLayout: Sendable {
    let root: String

    var scripts: String { "\(root)/scripts" }
    var staged: String { "\(root)/staged" }
    var solution: String { "\(root)/solution" }
    var logs: String { "\(root)/logs" }
    var gate: String { "\(root)/gate" }
    var credentials: String { "\(root)/credentials" }
    /// The node's cache, when the pod mounts one and the plan names no other place.
    var cache: String { "\(root)/cache" }

    /// Makes the folders and FIFOs that every trial has. What an earlier run of this container left is removed.
    func prepare() throws(PlainFile.Failure) {
        for folder in [scripts, staged, gate] { try PlainFile.makeDirectories(folder) }
        empty(staged)
        for name in PlainFile.names(in: scripts) ?? [] { PlainFile.removeTree("\(scripts)/\(name)") }
        // The trial may run as any user, and the collector as another: both write below /logs.
        for folder in [logs, "\(logs)/agent", "\(logs)/verifier", "\(logs)/artifacts", "\(logs)/setup"] {
            try PlainFile.makeDirectories(folder)
            guard chmod(folder, 0o777) == 0 || folder == logs else { throw PlainFile.Failure("change the mode of", folder) }
        }
        for name in ["phase", "released"] {
            let path = "\(gate)/\(name)"
            unlink(path)
            guard mkfifo(path, 0o666) == 0, chmod(path, 0o666) == 0 else { throw PlainFile.Failure("make the FIFO", path) }
        }
    }

    /// Removes what is in a folder; the folder itself is a mount point.
    func empty(_ folder: String) {
        for name in PlainFile.names(in: folder) ?? [] { PlainFile.removeTree("\(folder)/\(name)") }
    }

    /// The runner and the agent's scripts, from the environment.
    func writeScripts(_ environment: [String: String]) throws {
        guard let runner = environment["ASSAY_RUNNER"], !runner.isEmpty else { throw TrialError(.internalError, "ASSAY_RUNNER is not set") }
        try PlainFile.replace("\(scripts)/run.sh", with: Array(runner.utf8), mode: 0o755, durable: false)
        for (variable, name) in [("ASSAY_INSTALL", "install.sh"), ("ASSAY_EXECUTE", "execute.sh")] {
            guard let script = environment[variable], !script.isEmpty else { continue }
            try PlainFile.replace("\(scripts)/\(name)", with: Array(script.utf8), mode: 0o755, durable: false)
        }
        // Whatever the umask was: the trial's user reads and runs them.
        for name in PlainFile.names(in: scripts) ?? [] { chmod("\(scripts)/\(name)", name.hasSuffix(".sh") ? 0o755 : 0o644) }
    }
}

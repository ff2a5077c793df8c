import Base
import Git
import Glibc

/// A trial pod's volumes as the init container prepares them.
struct DeliveryVolumes: Sendable {
    let paths: TrialPaths

    /// Makes the folders and FIFOs that every trial has. What an earlier run of this container left is removed.
    func prepare() throws(FileError) {
        for folder in [paths.scripts, paths.staged, paths.gate] { try Directory.make(folder) }
        for folder in [paths.staged, paths.scripts] { empty(folder) }
        // The trial may run as any user, and the collector as another: both write below /logs.
        try Directory.make(paths.collectedLogs)
        chmod(paths.collectedLogs, 0o777)
        for folder in LogFolder.allCases.map(paths.collected) {
            try Directory.make(folder)
            guard chmod(folder, 0o777) == 0 else { throw FileError("change the mode of", folder) }
        }
        for path in [paths.phaseFIFO, paths.releasedFIFO] {
            unlink(path)
            guard mkfifo(path, 0o666) == 0, chmod(path, 0o666) == 0 else { throw FileError("make the FIFO", path) }
        }
    }

    /// Removes what is in a folder; the folder itself is a mount point.
    func empty(_ folder: String) {
        for name in Directory.names(in: folder) ?? [] { Directory.removeTree("\(folder)/\(name)") }
    }

    /// The runner, and the agent's scripts from the environment.
    func writeScripts(_ environment: [String: String]) throws(FileError) {
        let scripts = [
            (paths.runner, Runner.text), (paths.install, environment[TrialVariables.install] ?? ""),
            (paths.execute, environment[TrialVariables.execute] ?? ""),
        ]
        for (path, text) in scripts where !text.isEmpty { try write(text.utf8, to: path, mode: 0o755) }
    }

    /// Writes a file that the trial's user can read, whatever the umask is.
    func write(_ bytes: some Collection<UInt8>, to path: String, mode: mode_t = 0o644) throws(FileError) {
        try FileWriting.replace(path, with: bytes, mode: mode, durable: false)
    }
}

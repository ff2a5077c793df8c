import Base
import Subprocess

/// The directories and files of a node, all on disk below one directory that no other user may enter.
struct NodeDirectories: Sendable, Hashable {
    let state: String

    var podmanRoot: String { state + "/podman/root" }
    /// A directory on disk. podman refuses a run root of more than 50 characters, because sockets lie below it. If a path below the node's
    /// directory is longer, the run root is in /var/tmp instead, named after a hash of that directory's path.
    var podmanRunRoot: String {
        let own = state + "/podman/run"
        return own.utf8.count <= 50 ? own : "/var/tmp/assay-\(SHA256.hex(of: Array(state.utf8)).prefix(16))"
    }
    var podmanTemporary: String { state + "/podman/tmp" }
    /// The directory where conmon writes the exit code of each container.
    var exits: String { podmanTemporary + "/exits" }
    /// Temporary files of builds, one directory each.
    var builds: String { state + "/builds" }
    var rootfs: String { state + "/rootfs" }
    var abilities: String { state + "/podman/abilities.json" }
    var bootIdentifier: String { state + "/podman/boot-id" }
    var pods: String { state + "/pods" }
    func pod(_ uid: String) -> String { pods + "/" + uid }
}

/// A container as podman lists it.
struct ListedContainer: Sendable, Hashable {
    var id: String
    var name: String
    var state: String
    var exitCode: Int
    var startedAt: Timestamp
    var exitedAt: Timestamp
    var pid: Int
    var labels: [String: String]

    var isRunning: Bool { state == "running" || state == "paused" || state == "stopping" }
    var neverStarted: Bool { state == "created" || state == "configured" || state == "initialized" }
}

/// Runs the podman program. Every call is one process; no state is kept between calls.
struct PodmanCLI: Sendable {
    var path: String
    var directories: NodeDirectories
    var abilities: PodmanAbilities
    /// Read-only image stores besides the node's own (those of the user).
    var imageStores: [String] = []

    /// The label that marks a container as this node's.
    static let podLabel = "assay.dev/pod-uid"
    static let containerLabel = "assay.dev/container"
    static let instanceLabel = "assay.dev/instance"

    struct Failure: Error, Sendable, CustomStringConvertible {
        var command: String
        var message: String
        var description: String { "podman \(command): \(message)" }
    }

    var globalFlags: [String] {
        ["--root", directories.podmanRoot, "--runroot", directories.podmanRunRoot, "--tmpdir", directories.podmanTemporary]
            + ["--events-backend", "none", "--log-level", "error"]
            + imageStores.flatMap { ["--storage-opt", "overlay.imagestore=\($0)"] } + abilities.globalFlags
    }

    /// Runs podman to its end, even when the task is cancelled: if podman is killed while it starts a container, it leaves processes behind that
    /// it does not know. The caller must check the exit status.
    func call(_ words: [String], environment: [String: String] = [:], deadline: Double = 120) async throws -> CommandResult {
        try await Task.detached { try await callCancellably(words, environment: environment, deadline: deadline) }.value
    }

    /// Like `call`, but podman is killed when the task is cancelled.
    private func callCancellably(_ words: [String], environment: [String: String] = [:], deadline: Double) async throws -> CommandResult {
        var command = command(words, environment: environment)
        command.deadlineSeconds = deadline
        return try await command.run()
    }

    /// The command for a call of podman, without a deadline.
    func command(_ words: [String], environment: [String: String] = [:]) -> Command {
        Command(
            path, globalFlags + words,
            // conmon takes the locale from podman's environment, and fails on a path with letters that the locale does not have.
            environment: .inheriting(
                adding: ["LC_ALL": "C.UTF-8"].merging(environment) { $1 }, removing: ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "CONTAINER_HOST"]),
            workingDirectory: "/", outputLimit: 32 << 20)
    }

    private func succeed(_ words: [String]) async throws -> CommandResult {
        let result = try await call(words)
        guard result.succeeded else { throw Failure(command: words.first ?? "", message: Self.reason(result)) }
        return result
    }

    /// The text after `Error:` in the last line that begins so.
    static func reason(_ result: CommandResult) -> String {
        if result.timedOut { return "no answer in time" }
        let lines = result.stderrText.split(separator: "\n").map(String.init)
        let line = lines.last { $0.hasPrefix("Error: ") } ?? lines.last ?? "\(result.exit)"
        return line.hasPrefix("Error: ") ? String(line.dropFirst(7)) : line
    }

    // MARK: Containers

    enum Started: Sendable, Hashable {
        case running(id: String)
        /// The runtime could not start the command.
        case startError(message: String)
        /// The container could not be made.
        case createError(message: String)
    }

    func run(_ request: RunArguments.Request) async throws -> Started {
        let variables = request.environment.variables.filter { RunArguments.isPassedByName($0.key) }
        let result = try await call(RunArguments.words(request, abilities), environment: variables)
        if result.succeeded { return .running(id: result.stdoutText.trimmed) }
        let reason = Self.reason(result)
        if case .code(let code) = result.exit, code == 126 || code == 127 { return .startError(message: Self.startError(reason)) }
        return .createError(message: reason)
    }

    /// The runtime's message without podman's additions, in the form in which a kubelet reports it.
    static func startError(_ reason: String) -> String {
        var text = reason
        for comment in [": OCI runtime attempted to invoke a command that was not found", ": OCI permission denied", ": OCI runtime error"] {
            if text.hasSuffix(comment) { text.removeLast(comment.count) }
        }
        for prefix in ["runc: runc create failed", "crun: "] where text.hasPrefix(prefix) {
            return "OCI runtime create failed: " + (prefix == "crun: " ? text : String(text.dropFirst("runc: ".count))) + ": unknown"
        }
        return text
    }

    /// Makes a pod's sandbox. An existing sandbox with this name is kept, whatever its state, because podman starts it when a container joins
    /// it.
    /// - Parameter words: the result of `RunArguments.sandbox`.
    func makeSandbox(_ name: String, _ words: [String]) async throws {
        let result = try await call(words)
        if result.succeeded { return }
        let reason = Self.reason(result)
        if reason.contains("already in use"), try await call(["container", "exists", name]).succeeded { return }
        try await remove([name])
        throw Failure(command: "run", message: reason)
    }

    func list() async throws -> [ListedContainer] {
        let result = try await succeed(["ps", "--all", "--no-trunc", "--filter", "label=\(Self.podLabel)", "--format", "json"])
        guard !result.stdout.isEmpty, let value = try? JSONValue(parsing: result.stdout) else { return [] }
        return (value.array ?? []).map { entry in
            ListedContainer(
                id: entry["Id"]?.string ?? "", name: entry["Names"]?[0]?.string ?? "", state: entry["State"]?.string?.lowercased() ?? "",
                exitCode: entry["ExitCode"]?.int ?? 0, startedAt: Timestamp(seconds: Int64(max(entry["StartedAt"]?.int ?? 0, 0))),
                exitedAt: Timestamp(seconds: Int64(max(entry["ExitedAt"]?.int ?? 0, 0))), pid: entry["Pid"]?.int ?? 0,
                labels: (entry["Labels"]?.object ?? [:]).compactMapValues(\.string))
        }
    }

    /// podman's state of a container; nil when there is no such container.
    func state(of container: String) async throws -> JSONValue? {
        let result = try await call(["container", "inspect", "--format", "{{json .State}}", container])
        return result.succeeded ? try? JSONValue(parsing: result.stdout) : nil
    }

    /// Sends a signal; a container that has already ended is not an error.
    func signal(_ name: String, _ containers: [String]) async throws {
        _ = try await call(["kill", "--signal", name] + containers)
    }

    /// Kills and removes containers, and with a sandbox also the containers that joined it; a missing container is not an error.
    func remove(_ containers: [String]) async throws {
        guard !containers.isEmpty else { return }
        let result = try await call(["rm", "--force", "--time", "0", "--volumes", "--ignore", "--depend"] + containers)
        guard result.succeeded else { throw Failure(command: "rm", message: Self.reason(result)) }
    }

    // MARK: Images

    /// `sha256:...`, or nil when the image is not present.
    func imageID(_ name: String) async throws -> String? {
        let result = try await call(["image", "inspect", "--format", "{{.Id}}", name])
        return result.succeeded ? "sha256:" + result.stdoutText.trimmed : nil
    }

    /// The digest of the image's manifest, `sha256:...`; nil when the image is not present.
    func imageDigest(_ name: String) async throws -> String? {
        let result = try await call(["image", "inspect", "--format", "{{.Digest}}", name])
        guard result.succeeded, result.stdoutText.trimmed.hasPrefix("sha256:") else { return nil }
        return result.stdoutText.trimmed
    }

    /// Removes the working containers of builds that were killed. Only for a time at which no build runs.
    func removeBuildContainers() async {
        guard let result = try? await call(["ps", "--all", "--external", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Status}}"]) else { return }
        let left = Self.buildContainers(in: result.stdoutText)
        if !left.isEmpty { _ = try? await call(["rm", "--force"] + left) }
    }

    /// The working containers of builds, of a list of "ID NAME STATUS". A pod's container has the status "Storage" too while podman creates it:
    /// only the name tells them apart. Source of the names: buildah's `define.Package` suffix "working-container" (buildah new.go).
    static func buildContainers(in list: String) -> [String] {
        list.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 3, words[2] == "Storage", !words[1].hasPrefix(containerNamePrefix) else { return nil }
            let name = words[1].split(separator: "-")
            let kind = name.last.map { Int($0) == nil ? name[...] : name.dropLast() } ?? []
            return kind.suffix(2) == ["working", "container"] ? String(words[0]) : nil
        }
    }

    /// How the names of pods' containers begin.
    static let containerNamePrefix = "assay-"

    /// - Throws: `Failure` with the registry's message.
    func pull(_ name: String) async throws {
        let result = try await callCancellably(["pull", "--quiet", name], deadline: 3600)
        guard result.succeeded else { throw Failure(command: "pull", message: Self.reason(result)) }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        return String(text)
    }
}

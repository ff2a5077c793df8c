import Base
import EvalModel
import Glibc
import Subprocess

/// Implements `assay remote-trial`, the trial container of a pod whose trial runs on the host of a vm target: starts the runner there, relays
/// its gate, brings the files there and the outputs back. No code of a task runs in this container.
///
/// Guarantees: when it ends, however it ends, the host script ends the trial on the host and removes its files, at the latest a minute later or, if the
/// host went down, when the next trial begins there. A trial whose connection is lost ends with `environment_node_lost`.
public struct RemoteTrial: Sendable {
    private enum Event: Sendable {
        /// A line of the host script.
        case host(String)
        /// A word of the collector.
        case answer(String)
        /// The session is over.
        case ended(Exit)
        /// The pod is being stopped.
        case stop
        /// The stop took too long.
        case overdue
    }

    /// How a relay ended.
    private enum Ending {
        case done
        /// The host could not be reached, so that another try may help.
        case unreached(String)
    }

    private let host: RemoteHost
    private let paths: TrialPaths
    /// The trial's variables, `NAME=VALUE`.
    private let variables: [String]
    private let gate: RunnerGate
    private let connection: RemoteConnection
    private let events: AsyncStream<Event>
    private let feed: AsyncStream<Event>.Continuation
    private let log = Log("remote-trial")

    /// Seconds between two signs of life; the host script waits for a minute.
    private static let pingSeconds = 5.0
    /// The runner's words are a few lines. A trial that says more than this is no longer listened to.
    private static let wordBytes = 1 << 20

    /// Reads the variables that the pod builder set; returns the exit code of the process. Cancelling the task stops the trial as SIGTERM stops
    /// a runner.
    public static func run(environment: [String: String]) async -> Int32 {
        let paths = TrialPaths(root: environment[TrialVariables.root] ?? "")
        let (events, feed) = AsyncStream<Event>.makeStream()
        let gate: RunnerGate
        do { gate = try RunnerGate(paths, answered: { feed.yield(.answer($0)) }) } catch {
            Log("remote-trial").error("\(error)")
            return 70
        }
        defer { gate.close() }
        do {
            let trial = try RemoteTrial(environment, paths, gate, events, feed)
            // The stop is an event, so that what is under way ends in order.
            await withTaskCancellationHandler {
                await Task.detached { await trial.run() }.value
            } onCancel: {
                feed.yield(.stop)
            }
            return 0
        } catch {
            gate.say("\(GateWord.Keyword.setupFailed.rawValue) \(error)".replacingControls)
            gate.say("\(GateWord.Keyword.end.rawValue) {}")
            return 0
        }
    }

    private init(
        _ environment: [String: String], _ paths: TrialPaths, _ gate: RunnerGate, _ events: AsyncStream<Event>,
        _ feed: AsyncStream<Event>.Continuation
    ) throws {
        guard let text = environment[TrialVariables.remoteHost] else {
            throw TrialError(.internalError, "the container has no variable \(TrialVariables.remoteHost)")
        }
        var host = try RemoteHost(json: text)
        // A trial that was interrupted runs again under the same name, perhaps while the host still removes what its first run left.
        host.trial += ".\(UInt32.random(in: 0...UInt32.max))"
        self.host = host
        // An image has a PATH and a HOME of its own.
        var given: [String: String] =
            host.image != nil ? [:] : ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/home/assay"]
        for (name, value) in environment where name.hasPrefix(TrialVariables.given) {
            given[String(name.dropFirst(TrialVariables.given.count))] = value
        }
        variables = given.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        self.paths = paths
        self.gate = gate
        self.events = events
        self.feed = feed
        connection = try RemoteConnection(host.login, try HostKeys(paths))
    }

    private func run() async {
        defer { connection.remove() }
        var events = events.makeAsyncIterator()
        var attempt = 1
        // A host refuses connections while many begin at once.
        while case .unreached(let reason) = await relay(&events, isLast: attempt == 4) {
            log.warning("\(reason); trying again")
            do { try await Task.sleep(for: .seconds(1 << attempt)) } catch { return }
            attempt += 1
        }
    }

    private func fail(_ reason: String) {
        gate.say("\(GateWord.Keyword.setupFailed.rawValue) \(reason.replacingControls)")
        gate.say("\(GateWord.Keyword.end.rawValue) {}")
    }

    /// The trial's own end, which is its outcome.
    private func die(_ reason: String) { gate.say("\(GateWord.Keyword.runnerDied.rawValue) \(reason)".replacingControls) }

    private func lose(_ reason: String) { gate.say("\(GateWord.Keyword.hostLost.rawValue) \(reason.replacingControls)") }

    /// Runs the trial over one session.
    private func relay(_ events: inout AsyncStream<Event>.Iterator, isLast: Bool) async -> Ending {
        let session: RunningCommand
        let errors = Locked<[UInt8]>([])
        do { session = try start(errors) } catch {
            fail("\(error)")
            return .done
        }
        let heart = Task { [session] in
            while !Task.isCancelled {
                session.write(Array("ping\n".utf8))
                try await Task.sleep(for: .seconds(Self.pingSeconds))
            }
        }
        defer { heart.cancel() }
        let ending = await follow(&events, session, errors, isLast: isLast)
        gate(closesAfter: ending)
        session.closeInput()
        // The host script cleans up; what it has not done when this container ends, it does without us.
        let limit = Task {
            try await Task.sleep(for: .seconds(30))
            session.signal(SIGKILL)
        }
        _ = await session.wait()
        limit.cancel()
        return ending
    }

    private func gate(closesAfter ending: Ending) { if case .done = ending { gate.close() } }

    private func start(_ errors: Locked<[UInt8]>) throws -> RunningCommand {
        let lines = Locked((line: [UInt8](), room: Self.wordBytes))
        let feed = feed
        let session = try connection.start(host) { bytes in
            let found = lines.withLock { state -> [String] in
                var found: [String] = []
                for byte in bytes {
                    if byte == UInt8(ascii: "\n") {
                        found.append(String(decoding: state.line, as: UTF8.self))
                        state.line = []
                    } else if state.line.count < 8192 {
                        state.line.append(byte)
                    }
                }
                return found.filter { line in
                    guard line.hasPrefix(HostWord.word) else { return true }
                    state.room -= line.utf8.count
                    return state.room > 0
                }
            }
            for line in found { feed.yield(.host(line)) }
        } onStderr: { bytes in
            errors.withLock { $0 = ($0 + bytes).suffix(2000) }
            try? FileWriting.write(bytes, to: STDERR_FILENO, path: "standard error")
        }
        Task { feed.yield(.ended(await session.wait())) }
        return session
    }

    /// What the host script says.
    private enum HostWord {
        static let ready = "ready"
        static let word = "word "
        static let closed = "closed"
        static let closedForMemory = "closed memory"
        static let exceeded = "exceeded "
        static let evicted = "evicted "
        static let failed = "failed "
        static let unpulled = "unpulled "
    }

    private func follow(
        _ events: inout AsyncStream<Event>.Iterator, _ session: RunningCommand, _ errors: Locked<[UInt8]>, isLast: Bool
    ) async -> Ending {
        var isReady = false
        var isStopping = false
        var hasSpoken = false
        /// The end of what ssh and the host's programs have said.
        func said() -> String { errors.withLock { String(String(decoding: $0, as: UTF8.self).trimmed.suffix(300)) } }
        while let event = await events.next() {
            do {
                switch event {
                case .host(HostWord.ready):
                    isReady = true
                    try await bringFiles()
                    session.write(Array("begin\n".utf8))
                case .host(let line) where line == HostWord.closed || line == HostWord.closedForMemory:
                    try await fetchOutputs()
                    // Before the runner has spoken nothing of the task has run.
                    let why = hasSpoken || said().isEmpty ? "" : " (\(said()))"
                    die(
                        line == HostWord.closed
                            ? "the trial's processes on the host ended before their time\(why)" : "the trial ran out of its memory limit")
                    return .done
                case .host(let line) where line.hasPrefix(HostWord.unpulled):
                    gate.say("\(GateWord.Keyword.imageFailed.rawValue) \(host.name): \(line.dropFirst(HostWord.unpulled.count))".replacingControls)
                    return .done
                case .host(let line) where line.hasPrefix(HostWord.exceeded):
                    die(String(line.dropFirst(HostWord.exceeded.count)))
                    return .done
                case .host(let line) where line.hasPrefix(HostWord.evicted):
                    gate.say("\(GateWord.Keyword.hostEvicted.rawValue) \(line.dropFirst(HostWord.evicted.count))".replacingControls)
                    return .done
                case .host(let line) where line.hasPrefix(HostWord.failed):
                    fail("\(host.name): \(line.dropFirst(HostWord.failed.count))")
                    return .done
                case .host(let line) where line.hasPrefix(HostWord.word):
                    hasSpoken = true
                    if try await pass(String(line.dropFirst(HostWord.word.count)), fetching: !isStopping) { return .done }
                case .host: break
                case .answer(let word):
                    try await bring(word)
                    session.write(Array("answer \(word)\n".utf8))
                case .stop where !isReady: return .done
                case .stop:
                    isStopping = true
                    session.write(Array("term\n".utf8))
                    let feed = feed
                    Task {
                        try await Task.sleep(for: .seconds(4))
                        feed.yield(.overdue)
                    }
                case .overdue: return .done
                case .ended(let exit):
                    let words = said()
                    let reason = "the ssh connection to \(host.name) ended (\(exit))" + (words.isEmpty ? "" : ": \(words)")
                    if isReady {
                        lose(reason)
                    } else if exit == .code(255), !isLast, !words.contains("verification failed"), !words.contains("Permission denied") {
                        return .unreached(reason)
                    } else {
                        fail(reason)
                    }
                    return .done
                }
            } catch {
                if case .host(HostWord.ready) = event { fail("\(error)") } else { lose("\(error)") }
                return .done
            }
        }
        return .done
    }

    /// Passes a line of the runner on; returns whether it was the last one. What the collector looks for is there before it hears of it.
    private func pass(_ line: String, fetching: Bool) async throws -> Bool {
        let keyword = line.split(separator: " ").first.flatMap { GateWord.Keyword(rawValue: String($0)) }
        switch keyword {
        // Only this container says so; on the host it is the trial that pretends.
        case .hostLost, .hostEvicted, .imageFailed, .runnerDied: return false
        case .stepEnd, .end: if fetching { try await fetchOutputs() }
        default: break
        }
        gate.say(line)
        return keyword == .end
    }

    // MARK: Files

    /// A folder or file of this container at its path below the root.
    private func item(_ path: String) -> (folder: String, path: String)? {
        FileEntry.exists(path) ? (paths.root.isEmpty ? "/" : paths.root, relative(path)) : nil
    }

    private func relative(_ path: String) -> String { String(path.dropFirst(paths.root.utf8.count + 1)) }

    private var scripts: [(folder: String, path: String)] { [paths.scripts, paths.solution].compactMap(item) }

    private func bringFiles() async throws {
        let own = "\(connection.scratch)/root"
        let file = paths.gate.dropFirst(paths.root.utf8.count + 1) + "/environment"
        try Directory.make("\(own)/\(Path.parent(of: String(file)))", mode: 0o700)
        try FileWriting.replace("\(own)/\(file)", with: variables.flatMap { Array($0.utf8) + [0] }, mode: 0o600, durable: false)
        try await connection.upload(scripts + [item(paths.overlays)].compactMap { $0 } + [(own, String(file))], to: host, asTrial: false)
    }

    /// Brings what the collector has put in place before it answered.
    private func bring(_ word: String) async throws {
        switch Gate.Answer(rawValue: word) {
        case .go:
            // Not the folder itself, whose mode the trial cannot set.
            let tests = (Directory.names(in: paths.tests) ?? []).map { "\(paths.tests)/\($0)" }
            try await connection.upload((tests + [paths.releasedVariables]).compactMap(item), to: host, asTrial: true)
            // The collector puts those of a further step in the same place.
            for test in tests { Directory.removeTree(test) }
        case .next: try await connection.upload(scripts, to: host, asTrial: false)
        case .begin, .no, .stop, nil: break
        }
    }

    private func fetchOutputs() async throws {
        let folders = [paths.logs, paths.offered].filter(FileEntry.isDirectory)
        for folder in folders {
            for name in Directory.names(in: folder) ?? [] { Directory.removeTree("\(folder)/\(name)") }
        }
        try await connection.download(folders.map(relative), of: host.root, to: paths.root.isEmpty ? "/" : paths.root)
    }
}

import Base
import EvalModel
import Glibc
import Subprocess

/// Implements `assay collect`: keeps the tests away from the trial until the agent has ended, then reads the verdict, packs the outputs without
/// their secrets, prints the pack, and writes the report as its termination message.
///
/// Guarantees: a report is written however the trial ends, as long as this container is alive then. The verdict in the report does not depend on
/// whether packing worked, nor on whether the container survived the packing. Cancelling the task (on SIGTERM) makes the collector report the
/// progress of the trial without a verdict; once the trial is over, cancelling no longer stops it.
public struct Collector: Sendable {
    /// Receives the framed pack; returns false when it could not be written.
    public typealias Output = @Sendable ([UInt8]) -> Bool

    let configuration: CollectorConfiguration
    let time: any TimeSource
    private let output: Output
    let log: Log

    public init(
        _ configuration: CollectorConfiguration, time: any TimeSource = SystemTime(), log: Log = Log("collector"),
        output: @escaping Output
    ) {
        self.configuration = configuration
        self.time = time
        self.log = log
        self.output = output
    }

    /// Reads the variables that the pod builder set and prints to standard output; returns the exit code of the process.
    public static func run(environment: [String: String]) async -> Int32 {
        let output: Output = { (try? FileWriting.write($0, to: STDOUT_FILENO, path: "standard output")) != nil }
        do throws(TrialError) {
            return await Collector(try CollectorConfiguration(environment: environment), output: output).run()
        } catch {
            let paths = TrialPaths(root: environment[TrialVariables.root] ?? "")
            var configuration = CollectorConfiguration(paths: paths)
            configuration.terminationLog = environment[TrialVariables.terminationLog] ?? paths.terminationLog
            return Collector(configuration, output: output).leave(TrialReport(error: error)) ? 0 : 1
        }
    }

    /// Returns 0 after a report of the trial's end, 143 after a report of an interruption, 1 when no report could be written.
    public func run() async -> Int32 {
        let (report, frame) = await collect()
        // The pack is printed before the report is written, because whoever sees the report may read the log at once.
        if let frame, !output(frame) { log.error("the pack could not be printed") }
        guard leave(report) else { return 1 }
        return report.interrupted ? 143 : 0
    }

    private func leave(_ report: TrialReport) -> Bool {
        do throws(FileError) {
            try FileWriting.write(report.terminationMessage(limit: configuration.reportBytes), to: configuration.terminationLog)
            return true
        } catch {
            log.error("cannot leave the report", ["error": .string(error.description)])
            return false
        }
    }

    private func collect() async -> (TrialReport, frame: [UInt8]?) {
        let gate: Gate
        do throws(Gate.Failure) {
            gate = try Gate(paths: configuration.paths)
        } catch {
            let error = TrialError(.environmentStartFailed, "the collector finds no gate: \(error.description)")
            return (TrialReport(error: error), nil)
        }
        guard configuration.verifier.separate == nil else { return await collectApart(gate) }
        var work = Work(handover: newHandover)
        switch await watch(gate, &work) {
        case .interrupted(let progress):
            return (report(progress, interrupted: true), nil)
        case .gateNeverOpened:
            let bound = Int(configuration.gateTimeout)
            let error = TrialError(.environmentStartFailed, "the trial container did not start within \(bound) s")
            return (TrialReport(error: error), nil)
        case .over(let progress) where progress.stopped && Task.isCancelled:
            return (report(progress, interrupted: true), nil)
        case .over(let progress):
            // This task's cancellation does not stop `finish`: the verdict is known by now, and the grace period is there to write it out.
            return await Task.detached { [work] in await finish(progress, work) }.value
        }
    }

    // MARK: The gate

    enum Watched: Sendable {
        case over(TrialProgress)
        case gateNeverOpened
        case interrupted(TrialProgress)
    }

    /// What the collector keeps of a trial's steps while it watches the trial.
    struct Work: Sendable {
        /// One for each step; empty in shared mode.
        var verifiers: [SeparateVerifier] = []
        var handover: ArtifactHandover
        /// What a separate verifier made of the last step that was judged, and the place of that step.
        var judgement: SeparateVerifier.Judgement?
        var judgedStep: Int?
    }

    func watch(_ gate: Gate, _ work: inout Work) async -> Watched {
        var progress = configuration.newProgress
        var reader = GateReader()
        var hasReadWords = false
        let begun = time.monotonic()
        var endedAt: Double?
        // Words that the runner said before the stop are still read, up to a limit.
        var readsLeft = 64
        while true {
            let isStopped = Task.isCancelled && endedAt == nil
            if isStopped {
                readsLeft -= 1
                if readsLeft < 0 { return .interrupted(progress) }
            }
            switch gate.read() {
            case .words(let bytes):
                hasReadWords = true
                for word in reader.feed(bytes) {
                    let action = progress.apply(word)
                    guard !isStopped else { continue }
                    switch action {
                    case .releaseTests where configuration.verify && configuration.verifier.separate == nil:
                        let failure = await releaseTests(of: progress.position)
                        progress.tests = failure.map { .notReleased($0) } ?? .released
                        gate.answer(failure == nil ? .go : .no)
                    case .judgeStep:
                        let verdict = await judge(progress, &work)
                        progress.current.verdict = verdict
                        gate.answer(verdict.goesOn ? .next : .stop)
                    case .releaseTests, .none: break
                    }
                }
                if progress.ended, endedAt == nil { endedAt = time.monotonic() }
                continue
            case .closed:
                return .over(progress)
            case .nothing:
                if isStopped { return .interrupted(progress) }
            }
            let now = time.monotonic()
            // The runner exits right after its last word, which closes the gate. If the gate stays open, another process wrote that word.
            if let endedAt, now - endedAt > configuration.endTimeout {
                progress.noteGateStillOpen()
                return .over(progress)
            }
            if !hasReadWords, now - begun > configuration.gateTimeout { return .gateNeverOpened }
            let due = endedAt.map { $0 + configuration.endTimeout } ?? (hasReadWords ? now + 3600 : begun + configuration.gateTimeout)
            await gate.wait(seconds: due - now + 0.001, endsWhenCancelled: endedAt == nil)
        }
    }

    /// Copies the step's tests into the trial's tests directory and hands over the verifier's environment; returns nil, or why that failed.
    func releaseTests(of index: Int) async -> ReleaseFailure? {
        let paths = configuration.paths
        let step = configuration.steps[index]
        let target = configuration.verifier.separate == nil ? paths.releasedTests : paths.releasedTests(ofStep: index)
        // The runner has emptied the directory. A file that it could not remove could be mistaken for a part of the tests.
        let left = (Directory.names(in: target, limit: 5) ?? [])
        if !left.isEmpty { return .obstructed(left.joined(separator: ", ").replacingControls) }
        do {
            // The tests are writable, because tests may write files beside themselves, and writable by everybody, because the image of a trial
            // may run as any user. A step's own tests lie over those that all steps share.
            let sources = (step.folder == nil ? [] : [paths.stagedSharedTests]) + [paths.stagedTests(step)]
            var commands = sources.filter { step.folder == nil || FileEntry.isDirectory($0) }.map {
                Command("cp", ["-R", "-P", "--remove-destination", "--preserve=mode", "\($0)/.", target])
            }
            commands.append(Command("chmod", ["-R", "a+rwX", target]))
            if configuration.family.runsScriptsAsFiles { commands.append(Command("chmod", ["a+x", "\(target)/\(TestScript.name)"])) }
            for command in commands {
                var bounded = command
                bounded.deadlineSeconds = 120
                let result = try await bounded.run()
                // The kubelet may own the directory itself; the directory is open to everybody from the start.
                if !result.succeeded, command.executable == "cp" {
                    return ReleaseFailure(copying: String(result.stderrText.suffix(300)).replacingControls)
                }
            }
            return releaseVariables(of: index)
        } catch {
            return .failed("\(error)")
        }
    }

    /// Writes the verifier's environment to its path. If the agent left something there, it is neither followed nor written to.
    private func releaseVariables(of index: Int) -> ReleaseFailure? {
        let paths = configuration.paths
        let staged = paths.stagedVariables(step: index)
        guard access(staged, F_OK) == 0 else { return nil }
        guard let bytes = FileReading.whole(staged, limit: 1 << 20) else { return .failed("\(staged) cannot be read") }
        unlink(paths.releasedVariables)
        // An image may run as any user. Where the runner is root, what the agent left running as another user cannot read the file.
        let mode: mode_t = configuration.runnerIsRoot ? 0o600 : 0o644
        let fd = open(paths.releasedVariables, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard fd >= 0 else {
            let (number, text) = (errno, "\(paths.releasedVariables): \(String(cString: strerror(errno)))")
            return number == ENOSPC || number == EIO || number == ENOMEM ? .failed(text) : .obstructed(text)
        }
        defer { close(fd) }
        fchmod(fd, mode)
        do throws(FileError) {
            try FileWriting.write(bytes, to: fd, path: paths.releasedVariables)
            return nil
        } catch {
            return .failed("\(error)")
        }
    }

    // MARK: The end

    func report(_ progress: TrialProgress, interrupted: Bool = false) -> TrialReport {
        func named<Value>(_ values: [TrialPhase: Value]) -> [String: Value] {
            Dictionary(uniqueKeysWithValues: values.map { ($0.key.rawValue, $0.value) })
        }
        var report = TrialReport(lastPhase: progress.lastPhase, interrupted: interrupted)
        report.phases = named(progress.current.timings)
        report.exitCodes = named(progress.current.exits)
        if progress.expected > 1 {
            report.steps = zip(configuration.steps, progress.steps).map { step, state in
                var result = TrialReport.Step(
                    name: step.name, phases: named(state.timings), exitCodes: named(state.exits), rewards: state.verdict?.reward?.named)
                if let judged = state.verdict?.judged { result.add(judged) }
                return result
            }
        }
        return report
    }

    func finish(_ progress: TrialProgress, _ work: Work) async -> (TrialReport, frame: [UInt8]?) {
        let judgement = work.judgement
        var report = report(progress)
        if let judged = judgement?.progress {
            report[.verify] = judged.verify
            report.exitCodes[TrialPhase.verify.rawValue] = judged.exit
            if let count = report.steps?.count { report.steps?[count - 1].add(judged) }
        }
        let begun = time.now().epochMilliseconds
        report[.collect] = TrialReport.Timing(start: begun)
        report.trialDied = !progress.ended || progress.stopped
        report.longInstructionBytes = configuration.steps[progress.position].longInstructionBytes
        let filter = SecretFilter(configuration.secrets)
        report.unredacted = filter.unredacted
        switch ending(progress, judgement) {
        case .failed(let error): report.error = error
        case .open(let agentError):
            if progress.stopped {
                report.error = TrialOutcome.errorOfDeath(in: progress.lastPhase, because: "the trial was told to stop")
            } else if configuration.verify {
                award(&report, progress, exit: judgement?.progress.exit ?? progress.current.exits[.verify] ?? 0, filter)
            }
            if let agentError { report.error = agentError.followed(by: report.error) }
        }
        if let error = report.error { report.error?.message = filter.redactor.redact(error.message).replacingControls }

        // Reading the trial's outputs may exhaust this container's memory, so a report of what is known now is written first.
        var early = report
        if early.error == nil {
            early.error = TrialError(.artifactTruncated, "the collector ended before it had packed the outputs")
        }
        early[.collect]?.end = begun
        _ = leave(early)

        let denials: Denials? = if let egress = configuration.egress { await Denials.read(egress) } else { nil }
        var frame: [UInt8]?
        var handover = work.handover
        if !handover.taken.contains(progress.position) { _ = takeArtifacts(ofStep: progress.position, into: &handover) }
        var pack = OutputPack(
            configuration, filter: filter, begun: progress.steps.count, handover: handover.taken.isEmpty ? nil : handover)
        report.handover = pack.handover?.counts
        do {
            try pack.gather()
            if let denials, !denials.isEmpty { try pack.add(denials.report.serialized(pretty: true) + [0x0A], as: Denials.path) }
            try pack.addTranscript()
            report.usage = pack.usage
            explain(&report, denials, from: pack)
            attribute(&report, denials)
            let made = try await pack.make(summary: summary(report))
            report.pack = made.description
            frame = PackFrame.encode(made.bytes, description: made.description)
        } catch {
            log.error("the outputs could not be packed", ["error": .string("\(error)")])
            if report.error == nil {
                report.error = TrialError(.artifactTruncated, "the outputs could not be packed: \(error)")
            }
        }
        report.truncatedFiles = pack.truncated
        report.skippedFiles = pack.tree.skipped.count
        report.unreadableFiles = pack.tree.unreadable.count
        report.redacted = pack.redactions
        report.redactions = report.redacted.values.reduce(0, +)
        report.transcript = pack.transcript?.rawValue
        if let error = report.error { report.error?.message = filter.redactor.redact(error.message).replacingControls }
        report[.collect]?.end = max(begun, time.now().epochMilliseconds)
        return (report, frame)
    }

    /// Adds to the message what a user would look at first: hosts that the phase may not reach, who sets the PATH in which a program was not
    /// found, and the end of the failed script's standard error.
    private func explain(_ report: inout TrialReport, _ denials: Denials?, from pack: OutputPack) {
        guard let phase = report.error?.type.phase else { return }
        if let remark = denials?.remark(on: phase) { report.error?.message += "; \(remark)" }
        guard let exit = report.exitCodes[phase.rawValue] else { return }
        if exit == 127, let setter = configuration.pathSetter { report.error?.message += "; \(setter.remark)" }
        guard let folder = LogFolder(of: phase), exit != 0,
            let ending = pack.ending(of: folder.rawValue, "stderr.txt", bytes: 300)?.split(separator: "\n").suffix(3)
                .joined(separator: "\n"), !ending.isEmpty
        else { return }
        report.error?.message += "; its last words: \(ending.replacingControls)"
    }

    /// A phase that failed because its proxy was away is no failure of the agent or the tests. A verdict without an error stays.
    private func attribute(_ report: inout TrialReport, _ denials: Denials?) {
        guard !report.trialDied, let error = report.error, let phase = error.type.phase, configuration.egress?[phase] != nil,
            let begin = report[phase]?.start, let lost = denials?.loss(ofPhaseBegunAt: begin, failedWith: error)
        else { return }
        report.error = lost
    }

    private func summary(_ report: TrialReport) -> [String: JSONValue] {
        var summary: [String: JSONValue] = [:]
        if let phases = try? JSONValueEncoder().encode(report.phases) { summary["phases"] = phases }
        if let exits = try? JSONValueEncoder().encode(report.exitCodes) { summary["exitCodes"] = exits }
        if let rewards = try? JSONValueEncoder().encode(report.rewards) { summary["rewards"] = rewards }
        if let steps = report.steps, let value = try? JSONValueEncoder().encode(steps) { summary["steps"] = value }
        return summary
    }
}

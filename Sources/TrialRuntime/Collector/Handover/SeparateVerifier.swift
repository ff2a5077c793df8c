import Base
import EvalModel

/// The collector's side of a verifier in a container of its own.
///
/// Guarantees: the trial begins only after the containers of all its verifiers have started; a verifier begins only after the step's agent has
/// ended, and sees copies that nothing changes any more.
struct SeparateVerifier: Sendable {
    enum Start: Sendable {
        case started
        /// Its container ended before it had spoken, or another program than its runner holds the gate.
        case gone
        case late
        case interrupted
    }

    /// How verification ended.
    struct Judgement: Sendable {
        /// Whether the trial's work was to be verified.
        var isDue = false
        var progress = VerifierProgress()
        /// Why the tests or artifacts could not be put in place.
        var failure: TrialError?
        var interrupted = false

        /// Why no reward counts, whatever the reward files hold; nil when they decide.
        func error(_ limits: TrialProgram.Limits) -> TrialError? {
            if let failure { return failure }
            return isDue ? progress.failure(limits) : TrialError(.verifierFailed, "the trial ended without asking for its tests")
        }
    }

    let gate: Gate
    let time: any TimeSource

    /// - Parameter step: the place of the step whose tests it runs.
    init(paths: TrialPaths, step: Int, time: any TimeSource) throws(Gate.Failure) {
        gate = try Gate(said: paths.verifierPhaseFIFO(ofStep: step), heard: paths.verifierReleasedFIFO(ofStep: step))
        self.time = time
    }

    /// Waits for the first word of the verifier's runner.
    func awaitStart(seconds: Double) async -> Start {
        let end = time.monotonic() + seconds
        var reader = GateReader()
        var progress = VerifierProgress()
        while !Task.isCancelled {
            switch gate.read() {
            case .words(let bytes):
                for word in reader.feed(bytes) { progress.apply(word) }
                if progress.startedAt != nil { return .started }
                continue
            case .closed: return .gone
            case .nothing: break
            }
            let left = end - time.monotonic()
            guard left > 0 else { return .late }
            await gate.wait(seconds: left + 0.001)
        }
        return .interrupted
    }

    /// Has the tests run, and waits for their end.
    func judge() async -> Judgement {
        gate.answer(.go)
        var judgement = Judgement()
        var reader = GateReader()
        while true {
            switch gate.read() {
            case .words(let bytes):
                for word in reader.feed(bytes) { judgement.progress.apply(word) }
                if judgement.progress.ended { return judgement }
                continue
            case .closed: return judgement
            case .nothing:
                guard !Task.isCancelled else {
                    judgement.interrupted = true
                    return judgement
                }
            }
            await gate.wait(seconds: 3600)
        }
    }

    /// There is nothing to verify: the container may end.
    func dismiss() { gate.answer(.no) }
}

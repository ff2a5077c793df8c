import Base
import EvalModel

/// A trial whose steps have verifiers in containers of their own.
extension Collector {
    /// Lets the trial begin when the verifiers' containers have started, and has each step's work verified when its agent has ended.
    func collectApart(_ gate: Gate) async -> (TrialReport, frame: [UInt8]?) {
        var work = Work(handover: newHandover)
        do throws(Gate.Failure) {
            for step in configuration.steps.indices {
                work.verifiers.append(try SeparateVerifier(paths: configuration.paths, step: step, time: time))
            }
        } catch {
            return (TrialReport(error: TrialError(.environmentStartFailed, "the collector finds no gate of the verifier: \(error.description)")), nil)
        }
        let verifiers = work.verifiers
        func dismiss() { for verifier in verifiers { verifier.dismiss() } }
        func notStarted(_ why: String) -> (TrialReport, frame: [UInt8]?) {
            gate.answer(.no)
            dismiss()
            return (TrialReport(error: TrialError(.environmentStartFailed, why)), nil)
        }
        for verifier in verifiers {
            switch await verifier.awaitStart(seconds: configuration.gateTimeout) {
            case .started: continue
            case .gone: return notStarted("the verifier's container ended before the trial began")
            case .late: return notStarted("the verifier's container did not start within \(Int(configuration.gateTimeout)) s")
            case .interrupted: return (report(configuration.newProgress, interrupted: true), nil)
            }
        }
        gate.answer(.begin)
        switch await watch(gate, &work) {
        case .interrupted(let progress):
            dismiss()
            return (report(progress, interrupted: true), nil)
        case .gateNeverOpened:
            return notStarted("the trial container did not start within \(Int(configuration.gateTimeout)) s")
        case .over(let progress) where progress.stopped && Task.isCancelled:
            dismiss()
            return (report(progress, interrupted: true), nil)
        case .over(let progress):
            if work.judgedStep != progress.position {
                await verify(progress, isDue: progress.asksForSeparateVerification, &work)
            }
            // Those of steps that did not begin.
            dismiss()
            guard work.judgement?.interrupted != true else { return (report(progress, interrupted: true), nil) }
            return await Task.detached { [work] in await finish(progress, work) }.value
        }
    }

    /// Hands the current step's artifacts and tests to its verifier, and waits for the end of the tests.
    ///
    /// - Parameter isDue: whether what the step's agent has done is to be verified.
    func verify(_ progress: TrialProgress, isDue: Bool, _ work: inout Work) async {
        let step = progress.position
        let verifier = work.verifiers[step]
        let hasArtifacts = takeArtifacts(ofStep: step, into: &work.handover)
        work.judgedStep = step
        var judgement = SeparateVerifier.Judgement()
        if configuration.verify, isDue {
            judgement.isDue = true
            if !hasArtifacts {
                judgement.failure = TrialError(.internalError, "the artifacts could not be handed over to the verifier")
            } else if configuration.verifier.deliversTests(ofStep: step), let failure = await releaseTests(of: step) {
                // The trial's container does not mount this directory, so a failure is not the trial's fault.
                switch failure {
                case .obstructed(let why), .failed(let why):
                    judgement.failure = TrialError(.internalError, "the tests could not be released: \(why)")
                }
            }
        }
        if judgement.isDue, judgement.failure == nil {
            judgement = await verifier.judge()
            judgement.isDue = true
        } else {
            verifier.dismiss()
        }
        work.judgement = judgement
    }

    var newHandover: ArtifactHandover { ArtifactHandover(paths: configuration.paths, limits: configuration.handover) }

    /// Copies the artifacts of a step; returns false when the collector's own disk fails.
    func takeArtifacts(ofStep step: Int, into handover: inout ArtifactHandover) -> Bool {
        let artifacts = configuration.verifier.taken(configuration.steps[step])
        guard !artifacts.isEmpty else { return true }
        do throws(FileError) {
            try handover.take(artifacts, ofStep: step)
            return true
        } catch {
            log.error("the artifacts could not be taken", ["error": .string(error.description)])
            return false
        }
    }

    func ending(_ progress: TrialProgress, _ judgement: SeparateVerifier.Judgement?) -> TrialProgress.Ending {
        let limits = configuration.steps.map(\.limits)
        guard let judgement else { return progress.ending(verify: configuration.verify, limits: limits) }
        if let failure = judgement.failure { return .failed(failure) }
        return progress.ending(verify: configuration.verify, judgement: judgement.isDue ? judgement.progress : nil, limits: limits)
    }
}

extension CollectorConfiguration {
    var newProgress: TrialProgress { TrialProgress(steps: steps.count, family: family, isRemote: isRemote) }
}

extension TrialReport.Step {
    /// Adds what a separate verifier's gate told of the step's tests.
    mutating func add(_ judged: VerifierProgress) {
        phases[TrialPhase.verify.rawValue] = judged.verify
        exitCodes[TrialPhase.verify.rawValue] = judged.exit
    }
}

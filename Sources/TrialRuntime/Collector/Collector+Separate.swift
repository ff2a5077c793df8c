import Base
import EvalModel

/// A trial with a verifier in a container of its own.
extension Collector {
    /// Lets the trial begin when the verifier's container has started, and has its work verified when the trial has ended.
    func collectApart(_ gate: Gate) async -> (TrialReport, frame: [UInt8]?) {
        let verifier: SeparateVerifier
        do throws(Gate.Failure) {
            verifier = try SeparateVerifier(paths: configuration.paths, time: time)
        } catch {
            return (TrialReport(error: TrialError(.environmentStartFailed, "the collector finds no gate of the verifier: \(error.description)")), nil)
        }
        func notStarted(_ why: String) -> (TrialReport, frame: [UInt8]?) {
            gate.answer(.no)
            verifier.dismiss()
            return (TrialReport(error: TrialError(.environmentStartFailed, why)), nil)
        }
        switch await verifier.awaitStart(seconds: configuration.gateTimeout) {
        case .started: break
        case .gone: return notStarted("the verifier's container ended before the trial began")
        case .late: return notStarted("the verifier's container did not start within \(Int(configuration.gateTimeout)) s")
        case .interrupted: return (report(configuration.newProgress, interrupted: true), nil)
        }
        gate.answer(.begin)
        switch await watch(gate) {
        case .interrupted(let progress):
            verifier.dismiss()
            return (report(progress, interrupted: true), nil)
        case .gateNeverOpened:
            return notStarted("the trial container did not start within \(Int(configuration.gateTimeout)) s")
        case .over(let progress) where progress.stopped && Task.isCancelled:
            verifier.dismiss()
            return (report(progress, interrupted: true), nil)
        case .over(let progress):
            let judgement = await judgement(of: progress, by: verifier)
            guard !judgement.interrupted else { return (report(progress, interrupted: true), nil) }
            return await Task.detached { await finish(progress, judgement) }.value
        }
    }

    private func judgement(of progress: TrialProgress, by verifier: SeparateVerifier) async -> SeparateVerifier.Judgement {
        var judgement = SeparateVerifier.Judgement()
        judgement.handover = takeArtifacts()
        guard configuration.verify, progress.asksForSeparateVerification else {
            verifier.dismiss()
            return judgement
        }
        judgement.isDue = true
        if judgement.handover == nil, configuration.verifier.acceptsArtifacts {
            judgement.failure = TrialError(.internalError, "the artifacts could not be handed over to the verifier")
        } else if configuration.verifier.separate?.bringsTests == false,
            let failure = await releaseTests(of: progress.position)
        {
            // The trial's container does not mount this directory, so a failure is not the trial's fault.
            switch failure {
            case .obstructed(let why), .failed(let why): judgement.failure = TrialError(.internalError, "the tests could not be released: \(why)")
            }
        }
        guard judgement.failure == nil else {
            verifier.dismiss()
            return judgement
        }
        let handover = judgement.handover
        judgement = await verifier.judge()
        (judgement.handover, judgement.isDue) = (handover, true)
        return judgement
    }

    /// Copies the artifacts; nil when the trial has none, or the collector's own disk fails.
    func takeArtifacts() -> ArtifactHandover? {
        guard configuration.verifier.acceptsArtifacts else { return nil }
        var handover = ArtifactHandover(paths: configuration.paths, limits: configuration.handover)
        do throws(FileError) {
            try handover.take(configuration.verifier.taken)
            return handover
        } catch {
            log.error("the artifacts could not be taken", ["error": .string(error.description)])
            return nil
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

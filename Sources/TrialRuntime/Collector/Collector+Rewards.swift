import Base
import EvalModel

extension Collector {
    /// What the tests of a step that is over gave. When a further step begins, its files are put in place.
    func judge(_ progress: TrialProgress, _ work: inout Work) async -> StepVerdict {
        let index = progress.position
        let step = configuration.steps[index]
        var (failure, exit) = (progress.current.verificationFailure(step.limits), progress.current.exits[.verify] ?? 0)
        var judged: VerifierProgress?
        if configuration.verifier.separate == nil {
            _ = takeArtifacts(ofStep: index, into: &work.handover)
        } else {
            await verify(progress, isDue: progress.asksForTests && progress.current.mayBeVerified(progress.family), &work)
            failure = work.judgement?.error(step.limits)
            if let judgement = work.judgement, judgement.isDue { judged = judgement.progress }
            exit = judged?.exit ?? 0
        }
        var verdict: StepVerdict
        if !configuration.verify {
            verdict = StepVerdict(unverifiedGoesOn: progress.current.agentFailure(step.limits) == nil)
        } else if let failure {
            verdict = StepVerdict(failure)
        } else {
            do throws(TrialError) {
                verdict = StepVerdict(try reward(of: progress, exit: exit), minimum: step.minimumReward)
            } catch {
                verdict = StepVerdict(error)
            }
        }
        verdict.judged = judged
        if verdict.goesOn, let failure = await StepRelease(paths: configuration.paths).release(configuration.steps[index + 1]) {
            verdict = StepVerdict(TrialError(.internalError, "the files of step \(index + 2) could not be put in place: \(failure)"))
        }
        return verdict
    }

    /// The reward of the trial: of several steps, what the strategy makes of those that began.
    func award(_ report: inout TrialReport, _ progress: TrialProgress, exit: Int, _ filter: SecretFilter) {
        do throws(TrialError) {
            let last: Reward
            if let judged = progress.current.verdict?.reward { last = judged } else { last = try reward(of: progress, exit: exit) }
            let earlier = progress.steps.dropLast().compactMap { $0.verdict?.reward }
            let reward = configuration.rewardStrategy.reward(of: earlier + [last]) ?? last
            report.reward = reward.value
            report.rewards = Self.redacted(reward.named, filter)
            if let count = report.steps?.count { report.steps?[count - 1].rewards = last.named }
        } catch {
            report.error = progress.inStep(error, progress.position)
        }
        report.steps = report.steps?.map { step in
            var step = step
            step.rewards = step.rewards.map { Self.redacted($0, filter) }
            return step
        }
    }

    /// The reward in the files of the current step.
    private func reward(of progress: TrialProgress, exit: Int) throws(TrialError) -> Reward {
        let filter = SecretFilter(configuration.secrets)
        let (json, text) = (
            configuration.rewardFile("reward.json", ofStep: progress.position), configuration.rewardFile("reward.txt", ofStep: progress.position)
        )
        func verdict(_ json: [UInt8]?, _ text: [UInt8]?) -> Result<Reward, TrialError> {
            do throws(TrialError) {
                return .success(try RewardFiles.verdict(json: json, text: text, exitCode: exit, family: configuration.family))
            } catch {
                return .failure(error)
            }
        }
        switch verdict(json, text) {
        case .success(let reward): return reward
        case .failure(var error):
            // The message quotes the file and may be cut in the middle of a secret, so it is made again from the redacted text.
            let redacted = verdict(json.map { filter.redactor.redact($0).bytes }, text.map { filter.redactor.redact($0).bytes })
            if case .failure(let again) = redacted { error.message = again.message }
            let paths = configuration.paths
            let script = TestScript(at: paths.stagedTests(configuration.steps[progress.position])) ?? TestScript(at: paths.stagedSharedTests)
            if let remark = script?.remark(exit: exit, family: configuration.family) { error.message += "; \(remark)" }
            throw error
        }
    }

    /// Redacts the names of rewards. Names that differ only in a secret would become equal, so a number is appended to them.
    private static func redacted(_ named: [String: Double], _ filter: SecretFilter) -> [String: Double] {
        var result: [String: Double] = [:]
        var changed: [(name: String, value: Double)] = []
        for (name, value) in named.sorted(by: { $0.key < $1.key }) {
            let clean = filter.redactor.redact(name)
            if clean == name { result[name] = value } else { changed.append((clean, value)) }
        }
        for (clean, value) in changed {
            var (name, number) = (clean, 2)
            while result[name] != nil {
                name = "\(clean) \(number)"
                number += 1
            }
            result[name] = value
        }
        return result
    }
}

import EvalModel
import Testing

@testable import TrialRuntime

extension TrialProgress {
    /// The error with which the trial ends, if the reward files hold a reward.
    fileprivate func failure(verify: Bool) -> TrialError? {
        switch ending(verify: verify) {
        case .failed(let error): error
        case .open(let agentError): agentError
        }
    }
}

@Suite("The gate's words")
struct GateTests {
    func progress(_ lines: String...) -> TrialProgress {
        var reader = GateReader()
        var progress = TrialProgress()
        for word in reader.feed(Array((lines.joined(separator: "\n") + "\n").utf8)) { _ = progress.apply(word) }
        return progress
    }

    @Test("words are recognised when they arrive in pieces")
    func pieces() {
        var reader = GateReader()
        var words: [GateWord] = []
        for byte in Array("phase setup 12\ndone setup 15 0 0\nagent-end {\"outcome\":\"ok\",\"verify\":true}\nend {}\n".utf8) {
            words += reader.feed([byte])
        }
        #expect(
            words == [
                .phase(.setup, at: 12), .done(.setup, at: 15, exit: 0, timedOut: false), .agentEnd(verify: true),
                .end(stopped: false),
            ])
    }

    @Test("lines of any length that are not words are dropped")
    func noise() {
        var reader = GateReader()
        let flood = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
        #expect(reader.feed(flood + Array("\nphase nowhere 1\nphase setup 99999999999999999999\ndone setup 1 999 0\n".utf8)).isEmpty)
        #expect(reader.feed(Array("agent-end nonsense\nphase teardown 1\n\u{0}\nend {}\n".utf8)) == [.end(stopped: false)])
    }

    @Test("time does not run backwards, phases do not come twice, and nothing counts after the end")
    func order() {
        let state = progress(
            "phase setup 100", "done setup 90 0 0", "phase execute 200", "phase install 210", "phase execute 300",
            "done execute 250 0 0", "done execute 900 7 1", "end {}", "phase verify 400")
        #expect(state.current.timings[.setup] == .init(start: 100, end: 100))
        #expect(state.current.timings[.execute] == .init(start: 200, end: 250))
        #expect(state.current.exits == [.execute: 0])
        #expect(state.lastPhase == .execute)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var lines: [String]
        var error: TrialErrorType?
        var tests = StepProgress.Tests.released
        var testDescription: String { lines.joined(separator: "; ") }
    }

    static let verified = [
        "phase execute 1", "done execute 2 0 0", "agent-end {\"outcome\":\"ok\",\"verify\":true}", "phase verify 3", "done verify 4 0 0", "end {}",
    ]

    static let cases: [Case] = [
        .init(lines: [], error: .environmentStartFailed),
        .init(lines: ["phase setup 1"], error: .environmentStartFailed),
        .init(lines: ["phase setup 1", "setup-failed cannot write", "end {}"], error: .environmentStartFailed),
        .init(lines: ["phase install 1"], error: .agentInstallFailed),
        .init(lines: ["phase install 1", "done install 2 1 0", "agent-end {}", "end {}"], error: .agentInstallFailed),
        .init(lines: ["phase install 1", "done install 2 124 1", "agent-end {}", "end {}"], error: .agentInstallTimeout),
        .init(lines: ["phase execute 1"], error: .agentExecutionFailed),
        .init(lines: ["phase execute 1", "done execute 2 3 0", "agent-end {}", "end {}"], error: .agentExecutionFailed),
        .init(lines: ["phase execute 1", "done execute 2 124 1", "agent-end {}", "end {}"], error: .agentExecutionTimeout),
        .init(
            lines: ["phase execute 1", "done execute 2 0 0", "agent-end {\"outcome\":\"ok\",\"verify\":true}"],
            error: .verifierFailed),
        .init(
            lines: ["phase execute 1", "done execute 2 0 0", "agent-end {\"outcome\":\"ok\",\"verify\":true}", "phase verify 3"],
            error: .verifierFailed),
        .init(
            lines: [
                "phase execute 1", "done execute 2 0 0", "agent-end {\"outcome\":\"ok\",\"verify\":true}", "phase verify 3",
                "done verify 4 124 1", "end {}",
            ], error: .verifierTimeout),
        .init(
            lines: [
                "phase execute 1", "done execute 2 0 0", "agent-end {\"outcome\":\"ok\",\"verify\":true}", "phase verify 3",
                "done verify 4 1 0", "end {}",
            ], error: nil),
        .init(lines: ["phase execute 1", "done execute 2 0 0", "end {}"], error: .verifierFailed),
        .init(lines: verified, error: nil),
        .init(lines: verified, error: .verifierFailed, tests: .notReleased(.obstructed("test.sh"))),
        .init(lines: verified.prefix(3) + ["end {}"], error: .internalError, tests: .notReleased(.failed("no space left"))),
        .init(lines: verified, error: .verifierFailed, tests: .held),
        // What another than the runner said.
        .init(lines: ["phase execute 1", "setup-failed no room"] + verified.dropFirst(), error: .verifierFailed),
        .init(lines: ["phase execute 1", "phase verify 2", "done verify 3 0 0", "end {}"], error: .verifierFailed),
        .init(lines: ["phase execute 1", "agent-end {\"outcome\":\"ok\",\"verify\":true}"] + verified.dropFirst(), error: .verifierFailed),
        .init(lines: verified.dropLast() + ["done verify 5 0 0", "end {}"], error: .verifierFailed),
        .init(lines: verified + ["done execute 2 0 0"], error: .verifierFailed),
        .init(lines: verified + ["end {\"stopped\":true}"], error: nil),
    ]

    @Test("a further step begins only after the previous one has ended, and a verdict needs all steps")
    func steps() {
        let first = ["phase setup 1", "done setup 1 0 0", "phase execute 1", "done execute 2 0 0", #"agent-end {"outcome":"ok","verify":true}"#]
        let verified = ["phase verify 3", "done verify 4 0 0"]
        func state(_ lines: [String], reward: Double = 1) -> TrialProgress {
            var reader = GateReader()
            var progress = TrialProgress(steps: 2)
            for word in reader.feed(Array(lines.map { $0 + "\n" }.joined().utf8)) {
                switch progress.apply(word) {
                case .releaseTests: progress.tests = .released
                case .judgeStep: progress.current.verdict = StepVerdict(Reward(reward), minimum: .reward(0.5))
                case .none: break
                }
            }
            return progress
        }
        let whole = state(first + verified + ["step-end", "step 1"] + first + verified + ["end {}"])
        #expect(whole.failure(verify: true) == nil && whole.steps.count == 2 && whole.steps[0].exits == [.execute: 0, .verify: 0])
        #expect(state(first + verified + ["end {}"]).failure(verify: true)?.message == "the trial ended after step 1 of 2")
        let tooEarly: [[String]] = [
            ["step 1"], first + ["step 1"], first + verified + ["step 1"], first + ["step-end"], first + verified + ["step-end", "step 2"],
            first + verified + ["step-end", "step 1", "step 2"], first + verified + ["step-end", "step-end"],
        ]
        for early in tooEarly {
            #expect(state(early + ["end {}"]).unexpectedWord != nil, "\(early)")
        }
        #expect(state(first + verified + ["step-end", "step 1", "phase execute 9"]).failure(verify: true)?.type == .agentExecutionFailed)
        // A reward that is too small for a further step ends the trial, and is no error. The runner cannot go on then.
        #expect(state(first + verified + ["step-end", "end {}"], reward: 0.4).failure(verify: true) == nil)
        #expect(state(first + verified + ["step-end", "step 1", "end {}"], reward: 0.4).unexpectedWord == "step 1")
        // Before the first agent it is the environment that failed; later an agent may be the cause.
        #expect(state(["phase setup 1", "setup-failed no"]).failure(verify: true)?.type == .environmentStartFailed)
        #expect(state(["phase setup 1", "task-invalid no"]).failure(verify: true)?.type == .taskInvalid)
        let second = first + verified + ["step-end", "step 1", "phase setup 5"]
        #expect(state(second + ["setup-failed no"]).failure(verify: true)?.type == .agentExecutionFailed)
        #expect(state(second + ["task-invalid no"]).unexpectedWord != nil)
    }

    @Test("how the words determine the end of a trial", arguments: cases)
    func errors(_ it: Case) {
        var reader = GateReader()
        var state = TrialProgress()
        for word in reader.feed(Array(it.lines.map { $0 + "\n" }.joined().utf8)) {
            if case .releaseTests = state.apply(word) { state.tests = it.tests }
        }
        #expect(state.failure(verify: true)?.type == it.error)
    }

    struct FamilyCase: Sendable, CustomTestStringConvertible {
        var lines: [String]
        var harbor: TrialErrorType?
        var rollout: TrialErrorType?
        /// In Harbor's family the reward files decide.
        var isOpen = false
        /// In Rollout's family a word came that the runner does not say there.
        var testDescription: String { lines.joined(separator: "; ") }
    }

    static let judged = [#"agent-end {"outcome":"failed","verify":true}"#, "phase verify 3", "done verify 4 0 0", "end {}"]
    static let familyCases: [FamilyCase] = [
        .init(
            lines: ["phase execute 1", "done execute 2 3 0"] + judged, harbor: .agentExecutionFailed, rollout: .agentExecutionFailed, isOpen: true),
        .init(
            lines: ["phase execute 1", "done execute 2 124 1"] + judged, harbor: .agentExecutionTimeout, rollout: .agentExecutionTimeout,
            isOpen: true),
        .init(lines: ["phase execute 1", "done execute 2 0 0"] + judged, harbor: nil, rollout: nil, isOpen: true),
        .init(lines: ["phase install 1", "done install 2 3 0"] + judged, harbor: .agentInstallFailed, rollout: .agentInstallFailed),
        .init(
            lines: ["phase execute 1", "done execute 2 3 0", judged[0], "phase verify 3", "done verify 4 124 1", "end {}"],
            harbor: .agentExecutionFailed, rollout: .agentExecutionFailed),
        .init(
            lines: ["phase execute 1", "done execute 2 3 0", judged[0], "phase verify 3"], harbor: .agentExecutionFailed,
            rollout: .agentExecutionFailed),
    ]

    @Test("a failed agent's work is verified in Harbor's family only, and its error stays the trial's", arguments: familyCases)
    func families(_ it: FamilyCase) {
        for family in TaskSchema.allCases {
            var reader = GateReader()
            var state = TrialProgress(family: family)
            var released = false
            for word in reader.feed(Array(it.lines.map { $0 + "\n" }.joined().utf8)) {
                if case .releaseTests = state.apply(word) { (state.tests, released) = (.released, true) }
            }
            #expect(state.failure(verify: true)?.type == (family == .harbor ? it.harbor : it.rollout))
            if case .open = state.ending(verify: true) {
                #expect(it.isOpen && (family == .harbor || it.rollout == nil))
            } else {
                #expect(!it.isOpen || family == .rollout)
            }
            let mayBeReleased = it.rollout == nil || family == .harbor && it.harbor != .agentInstallFailed
            #expect(released == mayBeReleased, "\(family)")
        }
    }

    @Test("the message names what verification lacked after the agent's error")
    func bothErrors() {
        var reader = GateReader()
        var state = TrialProgress(family: .harbor)
        for word in reader.feed(Array("phase execute 1\ndone execute 2 3 0\n\(Self.judged[0])\nend {}\n".utf8)) {
            if case .releaseTests = state.apply(word) { state.tests = .released }
        }
        let message = state.failure(verify: true)?.message ?? ""
        #expect(message.contains("execute exited with 3") && message.contains("verifier_failed: the trial ended without running tests/test.sh"))
    }
}

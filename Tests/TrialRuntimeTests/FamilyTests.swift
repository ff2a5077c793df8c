import EvalModel
import Foundation
import Testing

@testable import TrialRuntime

@Suite("Differences between the families of tasks in a trial", .serialized, .timeLimit(.minutes(10)))
struct FamilyTests {
    static let file = TrialRunTests.file

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var install: String?
        var execute = "true"
        var test: String
        var limit: Double?
        var harbor: (reward: Double?, error: TrialErrorType?)
        var rollout: (reward: Double?, error: TrialErrorType?)
        /// In the message of Harbor's error.
        var message: String?
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        .init(
            name: "the options of the #! line count", test: "#!/bin/bash -e\ngrep -q expected /etc/hostname\necho 1 > \(file).txt\n",
            harbor: (nil, .verifierRewardMissing), rollout: (1, nil)),
        .init(
            name: "the program of the #! line runs the script",
            test: "#!/usr/bin/python3\nimport os\nopen(os.environ['ASSAY_ROOT'] + '/logs/verifier/reward.txt', 'w').write('0.5')\n",
            harbor: (0.5, nil), rollout: (nil, .verifierFailed)),
        .init(
            name: "env finds the program of the #! line",
            test: "#!/usr/bin/env python3\nimport os\nopen(os.environ['ASSAY_ROOT'] + '/logs/verifier/reward.txt', 'w').write('1')\n",
            harbor: (1, nil), rollout: (nil, .verifierFailed)),
        .init(
            name: "a script without a #! line is bash's", test: "[[ -n $BASH_VERSION ]] && echo 1 > \(file).txt\n", harbor: (1, nil),
            rollout: (1, nil)),
        .init(
            name: "a script without a #! line that fails", test: "[[ -z $BASH_VERSION ]] && echo 1 > \(file).txt; exit 3\n",
            harbor: (nil, .verifierRewardMissing), rollout: (nil, .verifierFailed), message: "has no #! line"),
        .init(
            name: "CRLF", test: "#!/bin/bash\r\necho 1 > \(file).txt\r\n", harbor: (nil, .verifierRewardMissing),
            rollout: (nil, .verifierRewardMissing), message: "CRLF"),
        .init(
            name: "CRLF after env", test: "#!/usr/bin/env bash\r\necho 1 > \(file).txt\r\n", harbor: (nil, .verifierRewardMissing),
            rollout: (nil, .verifierRewardMissing),
            message: "CRLF"),
        .init(
            name: "a missing program", test: "#!/opt/none/python9\necho 1 > \(file).txt\n", harbor: (nil, .verifierRewardMissing), rollout: (1, nil),
            message: "the #! line of tests/test.sh asks for /opt/none/python9"),
        .init(
            name: "a program that env does not find", test: "#!/usr/bin/env python9\necho 1 > \(file).txt\n", harbor: (nil, .verifierRewardMissing),
            rollout: (1, nil), message: "the #! line of tests/test.sh asks for /usr/bin/env python9"),
        .init(
            name: "the exit code of test.sh", test: "#!/bin/bash\necho 0 > \(file).txt; exit 1\n", harbor: (0, nil), rollout: (nil, .verifierFailed)),
        .init(
            name: "an agent that times out", execute: "touch $ASSAY_ROOT/done; sleep 30",
            test: "#!/bin/bash\n[ -e $ASSAY_ROOT/done ] && echo 1 > \(file).txt\n",
            limit: 3, harbor: (1, .agentExecutionTimeout), rollout: (nil, .agentExecutionTimeout), message: "did not end within its limit of 3 s"),
        .init(
            name: "an agent that ignores TERM when it times out", execute: "trap '' TERM; touch $ASSAY_ROOT/done; while :; do sleep 0.1; done",
            test: "#!/bin/bash\n[ -e $ASSAY_ROOT/done ] && echo 0.25 > \(file).txt\n", limit: 3, harbor: (0.25, .agentExecutionTimeout),
            rollout: (nil, .agentExecutionTimeout)),
        .init(
            name: "an agent that fails", execute: "touch $ASSAY_ROOT/done; echo gave up >&2; exit 3",
            test: "#!/bin/bash\n[ -e $ASSAY_ROOT/done ] && echo 1 > \(file).txt\n", harbor: (1, .agentExecutionFailed),
            rollout: (nil, .agentExecutionFailed), message: "gave up"),
        .init(
            name: "an agent that is killed", execute: "kill -KILL $$", test: "#!/bin/bash\necho 0 > \(file).txt\n",
            harbor: (0, .agentExecutionFailed),
            rollout: (nil, .agentExecutionFailed), message: "137"),
        .init(
            name: "an agent that fails, and no reward", execute: "exit 3", test: "#!/bin/bash\ntrue\n", harbor: (nil, .agentExecutionFailed),
            rollout: (nil, .agentExecutionFailed), message: "verifier_reward_missing"),
        .init(
            name: "an agent that fails, and a reward that is none", execute: "exit 3", test: "#!/bin/bash\necho plenty > \(file).txt\n",
            harbor: (nil, .agentExecutionFailed), rollout: (nil, .agentExecutionFailed), message: "verifier_reward_invalid"),
        .init(
            name: "an agent that cannot be installed", install: "exit 4", test: "#!/bin/bash\necho 1 > \(file).txt\n",
            harbor: (nil, .agentInstallFailed),
            rollout: (nil, .agentInstallFailed)),
    ]

    @Test("each family has its rules", arguments: cases)
    func rules(_ it: Case) async throws {
        for (family, expected) in [(TaskSchema.harbor, it.harbor), (.rollout, it.rollout)] {
            let rig = try TrialRig(
                install: it.install, execute: it.execute, test: it.test,
                program: {
                    $0.family = family
                    if let limit = it.limit { $0.steps[0].limits.executeSec = limit }
                })
            let ended = try await rig.run()
            let outcome = ended.report.outcome
            #expect(outcome.reward?.value == expected.reward && outcome.error?.type == expected.error, "\(family): \(outcome)")
            #expect(outcome.outcomeClass == (expected.reward == nil ? .failed : .completed))
            if family == .harbor, let message = it.message {
                #expect(outcome.error?.message.contains(message) == true, "\(String(describing: outcome.error))")
            }
        }
    }

    @Test("what a timed-out agent left running is ended before the tests come; after another end it goes on")
    func leftovers() async throws {
        let beat = "(for i in $(seq 600); do echo > $ASSAY_ROOT/beat; sleep 0.05; done) 2>/dev/null & sleep 0.2"
        let check = "#!/bin/bash\nrm -f $ASSAY_ROOT/beat; sleep 0.6; if [ -e $ASSAY_ROOT/beat ]; then echo 0; else echo 1; fi > \(Self.file).txt\n"
        for (end, reward) in [("sleep 30", 1.0), ("exit 3", 0), ("exit 0", 0)] {
            let rig = try TrialRig(execute: "\(beat); \(end)", test: check) {
                $0.family = .harbor
                $0.steps[0].limits.executeSec = 3
            }
            let ended = try await rig.run()
            #expect(ended.report.reward == reward, "\(end)")
        }
    }

    @Test("the oracle's solution follows the same rule")
    func solutions() throws {
        #expect(Runner.oracleExecute(TrialPaths(), .harbor) == "exec '/oracle/solve.sh'\n")
        #expect(Runner.oracleExecute(TrialPaths(), .rollout) == "exec \"$BASH\" '/oracle/solve.sh'\n")
    }
}

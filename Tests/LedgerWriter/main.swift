import Artifacts
import Base
import EvalModel
import Foundation
import Git

// A process that writes runs through a ledger, for tests that need many such processes or kill them:
//
//   ledger-writer REMOTE BRANCH DIRECTORY JOB FIRST COUNT ACKNOWLEDGED
//
// Submits the runs FIRST..<FIRST+COUNT of a job, eight at a time, and appends a line to the file ACKNOWLEDGED for each one that `submit` accepted.
// Exits with 0 when all of them, and the runs that an earlier process left in DIRECTORY, are on the branch. Failed pushes are retried by the ledger
// itself.

let words = CommandLine.arguments
guard words.count == 8, let first = Int(words[5]), let count = Int(words[6]) else {
    FileHandle.standardError.write(Data("usage: ledger-writer REMOTE BRANCH DIRECTORY JOB FIRST COUNT ACKNOWLEDGED\n".utf8))
    exit(2)
}
let job = words[4]
let acknowledged = open(words[7], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
let epoch = Timestamp(seconds: 1_750_000_000)

func run(_ index: Int) throws -> PendingRun {
    let coordinate = TrialCoordinate(
        index: index, agent: "oracle", agentIndex: 0, dataset: "basic", task: "task-\(index)", taskIndex: index, attempt: 1)
    return try PendingRun(
        run: RunRecord(
            runId: coordinate.runID(jobUID: "uid-\(job)"), jobName: job, jobUid: "uid-\(job)", namespace: "default", agent: "oracle", model: nil,
            trial: coordinate, retries: 0, outcome: TrialOutcome(reward: Reward(1), error: nil),
            config: .init(instructionPath: "/tmp/instruction.md"),
            sourceRepo: "org/repo", sourceCommit: String(repeating: "ab", count: 20), evalFile: "tasks/\(index)", startedAt: epoch,
            timestamp: epoch.adding(seconds: Double(index))))
}

let ledger = try GitLedger(
    settings: .init(
        remote: .init(try GitURL(parsing: words[1], allowing: [.local, .loopbackHTTP])), branch: try GitBranch(parsing: words[2]),
        committer: try .init(name: "assay", email: "assay@localhost"), directory: words[3], pushInterval: 0.2))
await ledger.resume()
try await withThrowingTaskGroup(of: Void.self) { group in
    for (turn, index) in (first..<(first + count)).enumerated() {
        if turn >= 8 { try await group.next() }
        group.addTask {
            let run = try run(index)
            try await ledger.submit(run)
            let line = Array("\(run.name)\n".utf8)
            _ = line.withUnsafeBytes { write(acknowledged, $0.baseAddress, $0.count) }
        }
    }
    try await group.waitForAll()
}
while await ledger.state.pending > 0 { try await Task.sleep(for: .milliseconds(20)) }
exit(0)

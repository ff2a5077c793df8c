import AssayAPI
import AssayTesting
import Base
import KubeCore
import Reconcilers
import Testing

@Suite("A target that takes only so many trials")
struct TargetSlotsTests {
    typealias Share = TargetShare

    static let cases: [(String, Int, [String: Share], [String: Int])] = [
        ("alone, a job gets everything", 4, ["a": Share(running: 0, wanted: 9)], ["a": 4]),
        ("what it does not want it does not get", 4, ["a": Share(running: 1, wanted: 2)], ["a": 2]),
        ("two share alike", 4, ["a": Share(running: 0, wanted: 9), "b": Share(running: 0, wanted: 9, waitingSince: 1)], ["a": 2, "b": 2]),
        ("who has less comes first", 4, ["a": Share(running: 3, wanted: 9), "b": Share(running: 0, wanted: 9, waitingSince: 7)], ["b": 1]),
        (
            "then who has waited longest", 1,
            ["a": Share(running: 0, wanted: 1, waitingSince: 3), "b": Share(running: 0, wanted: 1, waitingSince: 2)], ["b": 1]
        ),
        ("full is full", 2, ["a": Share(running: 2, wanted: 1), "b": Share(running: 0, wanted: 1)], [:]),
        ("a limit that was lowered", 1, ["a": Share(running: 3, wanted: 1)], [:]),
    ]

    @Test("grants", arguments: cases)
    func grants(name: String, limit: Int, shares: [String: Share], expected: [String: Int]) {
        #expect(Share.grants(limit: limit, shares: shares) == expected)
    }

    @Test("maxConcurrentTrials limits all jobs of a namespace together, and each job makes progress")
    func acrossJobs() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .success(1) }) { world in
            let target = Build.object(.evalTargets, "lab", spec: ["type": "cluster", "maxConcurrentTrials": 2])
            try await world.client.create(.evalTargets, target, namespace: "default")
            try await world.withOperator { _ in
                for name in ["one", "two", "three"] { try await world.createJob(name, with: ["targetRef": ["name": "lab"], "attempts": 2]) }
                for name in ["one", "two", "three"] { #expect(try await world.waitForEnd(name).status?.trials?.completed == 6) }
                #expect(world.node.mostActive <= 2)
                try await world.expectRuns(18, jobs: 3)
            }
        }
    }
}

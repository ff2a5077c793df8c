import AssayAPI
import AssayTesting
import Base
import KubeClient
import KubeCore
import Testing

/// Between the end of a job and the release of its pods.
@Suite("A complete job whose pods are not released yet")
struct PodReleaseTests {
    private static let team = "team"

    enum Cause: CaseIterable, Sendable {
        case jobDeleted, namespaceDeleted, operatorReplaced
    }

    @Test("its pods and its finalizer go when somebody needs that, and each trial is counted once", arguments: Cause.allCases)
    func waiting(_ cause: Cause) async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .success(1) }) { world in
            _ = try await world.client.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(Self.team)]])
            // Of this namespace only. Its releases wait for their longest time, a minute.
            let first = try world.startOperator(namespace: Self.team, releaseQuietSeconds: 600)
            try await world.createJob(namespace: Self.team)
            let isOver = try await eventually { try await world.job(namespace: Self.team)?.status?.phase == .succeeded }
            #expect(isOver)
            let pods = try await world.client.list(.pods, namespace: Self.team).items.map { ObjectMeta(of: $0) }
            #expect(pods.count == 3 && pods.allSatisfy { $0.finalizers == [AssayNames.trialFinalizer] && !$0.isDeleting })
            let job = try #require(try await world.job(namespace: Self.team))
            #expect(job.metadata.finalizers == [AssayNames.jobFinalizer])
            switch cause {
            case .jobDeleted:
                try await world.client.delete(.evalJobs, job.key)
                try await world.expectNoPods(within: 30)
                await first.stop()
            case .namespaceDeleted:
                try await world.deleteNamespace(Self.team, within: 30)
                await first.stop()
            case .operatorReplaced:
                await first.stop()
                let next = try world.startOperator(state: "new", namespace: Self.team)
                try await world.expectNoPods(within: 60)
                #expect(try await eventually { try await world.job(namespace: Self.team)?.metadata.finalizers?.isEmpty ?? true })
                await next.stop()
            }
            try await world.expectRuns(3)
        }
    }
}

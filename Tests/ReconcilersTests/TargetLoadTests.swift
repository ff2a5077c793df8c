import AssayAPI
import Base
import KubeCore
import Testing
import TrialPods

@testable import KubeRuntime
@testable import Reconcilers

@Suite("The trials that run on a target")
struct TargetLoadTests {
    private let jobs = StoreWriter<EvalJob>()
    private let pods = StoreWriter<TrialPod>()
    private let load: TargetLoad
    private static let lab = ObjectKey(namespace: "default", name: "lab")

    init() {
        load = TargetLoad(jobs: jobs.store, bounds: PodFateBounds(), time: SystemTime())
        pods.store.subscribe { [load] in load.follow($0) }
    }

    private func job(_ uid: String, on target: String) -> WatchedItem<EvalJob> {
        let metadata = ObjectMeta(name: "job-\(uid)", namespace: "default", uid: uid)
        let spec = EvalJobSpec(source: SourceSpec(repo: "r"), targetRef: LocalReference(name: target))
        return WatchedItem(key: metadata.key, uid: uid, version: "1", object: EvalJob(metadata: metadata, spec: spec))
    }

    private func pod(_ name: String, of job: String, phase: String = "Running", version: Int = 1) throws -> WatchedItem<TrialPod> {
        let owner: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "name": .string("job-\(job)"), "uid": .string(job), "controller": true,
        ]
        let pod = try #require(
            TrialPod([
                "metadata": [
                    "namespace": "default", "name": .string(name), "uid": .string(name), "ownerReferences": [owner],
                    "creationTimestamp": .string(SystemTime().now().rfc3339),
                    "labels": ["assay.dev/job-uid": .string(job), "assay.dev/index": "0"],
                ],
                "status": ["phase": .string(phase)],
            ]))
        return WatchedItem(key: ObjectKey(namespace: "default", name: name), uid: name, version: "\(version)", object: pod)
    }

    @Test("pods count for their job from their creation to their end or deletion, on the job's target only")
    func follows() throws {
        jobs.replace(with: [job("mine", on: "lab"), job("other", on: "lab"), job("elsewhere", on: "field")], version: "1")
        for name in ["a", "b"] { pods.upsert(try pod(name, of: "other"), version: "2") }
        pods.upsert(try pod("c", of: "mine"), version: "2")
        pods.upsert(try pod("d", of: "elsewhere"), version: "2")
        #expect(load.running(on: Self.lab, beside: "mine") == ["other": 2])
        #expect(load.running(on: Self.lab, beside: "other") == ["mine": 1])
        pods.upsert(try pod("a", of: "other", phase: "Succeeded", version: 3), version: "3")
        #expect(load.running(on: Self.lab, beside: "mine") == ["other": 1])
        pods.delete(ObjectKey(namespace: "default", name: "b"), version: "4")
        #expect(load.running(on: Self.lab, beside: "mine") == [:])
    }

    /// Each pass of each job asks, so it must not go through all jobs.
    @Test("asking about a target costs the same with 10 and with 2,000 jobs on other targets")
    func cost() throws {
        func seconds(jobsElsewhere: Int) throws -> Double {
            let others = (0..<jobsElsewhere).map { job("elsewhere-\($0)", on: "field-\($0)") }
            jobs.replace(with: [job("mine", on: "lab"), job("other", on: "lab")] + others, version: "\(jobsElsewhere)")
            // The best of several: the machine may be busy.
            return (0..<5).map { _ in
                let began = SystemTime().monotonic()
                for _ in 0..<20 { #expect(load.running(on: Self.lab, beside: "mine") == ["other": 1]) }
                return SystemTime().monotonic() - began
            }.min() ?? .infinity
        }
        pods.upsert(try pod("a", of: "other"), version: "2")
        let few = try seconds(jobsElsewhere: 10)
        let many = try seconds(jobsElsewhere: 2000)
        // Going through all jobs takes some hundred times as long.
        #expect(many < few * 20, "\(few) s and \(many) s")
    }
}

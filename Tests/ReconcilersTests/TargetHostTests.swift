import AssayAPI
import AssayTesting
import Base
import KubeCore
import Testing

@testable import Reconcilers

@Suite("The hosts of vm targets")
struct TargetHostTests {
    private static let key = ObjectKey(namespace: "default", name: "default")

    private func target(port: Int) -> JSONValue {
        [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalTarget", "metadata": ["name": "default", "namespace": "default"],
            "spec": ["type": "vm", "host": ["address": "127.0.0.1", "port": JSONValue(port), "sshSecretRef": ["name": "host"]]],
        ]
    }

    private func condition(_ type: ConditionType, _ world: World) async throws -> Condition? {
        try EvalTarget(json: try await world.client.get(.evalTargets, Self.key)).status?.conditions.first { $0.type == type.rawValue }
    }

    @Test(
        "a job waits for a host that cannot run trials, before any pod; the conditions of the target say why; one that is made anew is looked at at once"
    )
    func unfit() async throws {
        try await World.run { world in
            _ = try await world.client.create(.evalTargets, target(port: 1))
            let running = try world.startOperator(.laptop)
            try await world.createJob()
            let job = try await world.wait {
                $0.status?.conditions.contains { $0.type == "TargetReady" && $0.reason == "TargetNotReady" } == true
            }
            let message = job.status?.conditions.first { $0.type == "TargetReady" }?.message ?? ""
            #expect(message.contains("EvalTarget \"default\": spec.host.sshSecretRef: there is no Secret \"host\""), "\(message)")
            #expect(job.status?.startTime == nil && world.node.settledCount == 0)
            for type in [ConditionType.ready, .preflight] {
                let isSaid = try await eventually {
                    let found = try await condition(type, world)
                    return found?.status == "False" && found?.reason == "SecretNotFound"
                }
                #expect(isSaid, "\(type)")
            }
            let secret: JSONValue = [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "host", "namespace": "default"],
                "stringData": ["ssh-privatekey": "k", "known_hosts": "127.0.0.1 ssh-ed25519 AAAA"],
            ]
            _ = try await world.client.create(.secrets, secret)
            _ = try await world.client.delete(.evalTargets, Self.key)
            // Nothing listens there.
            _ = try await world.client.create(.evalTargets, target(port: 2))
            let isTold = try await eventually {
                let found = try await condition(.preflight, world)
                return found?.reason == "HostUnreachable" && found?.message?.contains("no connection to root@127.0.0.1:2") == true
            }
            #expect(isTold)
            #expect(world.node.settledCount == 0)
            await running.stop()
        }
    }

    @Test("a target whose host is being checked is neither ready nor refused; one whose host is fit is ready")
    func conditions() {
        func status(_ host: HostChecks.State) -> [String] {
            let status = EvalTargetReconciler.status(
                of: EvalTarget(
                    metadata: ObjectMeta(name: "t"), spec: EvalTargetSpec(type: .vm, host: HostSpec(address: "h", sshSecretRef: .init(name: "k")))),
                activeTrials: 0, onCluster: false, host: host, now: Timestamp(seconds: 0))
            return [ConditionType.ready, .preflight].map { type in status.conditions.first { $0.type == type.rawValue }?.status ?? "" }
        }
        #expect(status(.checking) == ["Unknown", "Unknown"])
        #expect(status(.fit(engine: nil)) == ["True", "True"])
        #expect(status(.unfit(.hostKeyMismatch, "why")) == ["False", "False"])
    }
}

import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess
import Testing

/// What tools of GitOps make of our conditions: kstatus by its published rules, Argo CD with the script that docs/gitops.md gives it.
@Suite("Health of objects")
struct HealthTests {
    /// The rules of kstatus for an object of a kind that it does not know (github.com/kubernetes-sigs/cli-utils, pkg/kstatus/status: deletion, then
    /// the generation, then Reconciling and Stalled, then Ready; nothing of that: current).
    static func kstatus(_ object: JSONValue) -> String {
        if object.at("metadata", "deletionTimestamp") != nil { return "Terminating" }
        if let seen = object.at("status", "observedGeneration")?.int, let generation = object.at("metadata", "generation")?.int, seen != generation {
            return "InProgress"
        }
        let conditions = object.at("status", "conditions")?.array ?? []
        for condition in conditions where condition["status"] == "True" {
            if condition["type"] == "Reconciling" { return "InProgress" }
            if condition["type"] == "Stalled" { return "Failed" }
        }
        for condition in conditions where condition["type"] == "Ready" { return condition["status"] == "True" ? "Current" : "InProgress" }
        return "Current"
    }

    /// What Argo CD's health script says, by Lua itself.
    static func argo(_ object: JSONValue, in folder: String) async throws -> String {
        let script = try String(contentsOfFile: "\(PermissionsTests.root)/docs/argocd-health.lua", encoding: .utf8)
        let program = "obj = \(lua(object))\nlocal health = (function()\n\(script)\nend)()\nassert(health.message ~= nil)\nio.write(health.status)\n"
        let file = "\(folder)/health-\(UUID().uuidString).lua"
        try program.write(toFile: file, atomically: true, encoding: .utf8)
        let result = try await Command("lua5.4", [file], deadlineSeconds: 30).run()
        try #require(result.succeeded, "\(result.stderrText)")
        return result.stdoutText
    }

    /// A value as a Lua expression.
    private static func lua(_ value: JSONValue) -> String {
        if value.isNull { return "nil" }
        if let list = value.array { return "{\(list.map(lua).joined(separator: ", "))}" }
        if let object = value.object {
            return "{\(object.map { "[\(quoted($0.key))] = \(lua($0.value))" }.sorted().joined(separator: ", "))}"
        }
        if let text = value.string { return quoted(text) }
        return String(decoding: value.serialized(), as: UTF8.self)
    }

    private static func quoted(_ text: String) -> String {
        "\"\(text.utf8.map { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C ? String(UnicodeScalar($0)) : "\\\(String(1000 + Int($0)).dropFirst())" }.joined())\""
    }

    private func expect(
        _ world: World, _ type: ResourceType, _ name: String, _ kstatus: String, _ argo: String, location: SourceLocation = #_sourceLocation
    ) async throws {
        let object = try await world.client.get(type, ObjectKey(namespace: "default", name: name))
        let status = String(decoding: (object["status"] ?? .null).serialized(), as: UTF8.self)
        #expect(Self.kstatus(object) == kstatus, "\(name): \(status)", sourceLocation: location)
        #expect(try await Self.argo(object, in: world.path) == argo, "\(name): \(status)", sourceLocation: location)
    }

    @Test("each state of a job, a target and an overlay is what docs/gitops.md says")
    func states() async throws {
        try await World.run(
            tasks: ["a", "b"],
            fate: {
                $0.name.contains("runs") || $0.name.contains("cancelled") || $0.name.contains("leaves")
                    ? .never : $0.name.contains("lost") ? .initFailed : .success($0.index == 0 ? 1 : 0)
            }
        ) { world in
            try await world.createJob("runs")
            _ = try await world.client.create(.evalTargets, Build.object(.evalTargets, "lab", spec: ["type": "cluster"]))
            // Nobody has looked at them.
            try await expect(world, .evalJobs, "runs", "InProgress", "Progressing")
            try await expect(world, .evalTargets, "lab", "InProgress", "Progressing")

            try await world.withOperator(cache: world.sourceCache()) { _ in
                try await world.wait("runs") { $0.status?.trials?.running == 2 }
                try await expect(world, .evalJobs, "runs", "InProgress", "Progressing")
                let target = try await eventually {
                    let found = try await world.client.get(.evalTargets, ObjectKey(namespace: "default", name: "lab"))
                    return found.at("status", "observedGeneration")?.int == 1
                }
                #expect(target)
                try await expect(world, .evalTargets, "lab", "Current", "Healthy")

                for (name, spec, kstatus, argo) in [
                    ("here", ["repo": .string("file://\(world.source)"), "ref": "main"], "Current", "Healthy"),
                    ("gone", ["repo": .string("file://\(world.path)/nowhere"), "ref": "main"], "InProgress", "Progressing"),
                    ("unwanted", ["repo": .string("file://\(world.source)"), "suspend": true], "InProgress", "Suspended"),
                ] as [(String, JSONValue, String, String)] {
                    _ = try await world.client.create(.overlaySources, Build.object(.overlaySources, name, spec: spec))
                    let looked = try await eventually {
                        let found = try await world.client.get(.overlaySources, ObjectKey(namespace: "default", name: name))
                        let ready = found.at("status", "conditions")?.array?.first { $0["type"] == "Ready" }
                        return ready.map { $0["reason"] != "Progressing" } ?? false
                    }
                    #expect(looked, "\(name)")
                    try await expect(world, .overlaySources, name, kstatus, argo)
                }

                try await world.createJob("ends")
                try await world.waitForEnd("ends")
                try await expect(world, .evalJobs, "ends", "Current", "Healthy")

                try await world.createJob("lost", with: ["retry": ["maxAttempts": 1, "initialDelayMs": 0, "maxDelayMs": 0]])
                try await world.waitForEnd("lost")
                try await expect(world, .evalJobs, "lost", "Failed", "Degraded")

                try await world.createJob("cancelled")
                try await world.wait("cancelled") { $0.status?.trials?.running == 2 }
                try await world.change("cancelled", to: ["cancel": true])
                try await world.waitForEnd("cancelled")
                try await expect(world, .evalJobs, "cancelled", "Failed", "Degraded")

                try await world.createJob("cannot-work", with: ["datasets": [["path": "nowhere"]]])
                try await world.wait("cannot-work") { $0.condition("Stalled")?.isTrue == true }
                try await expect(world, .evalJobs, "cannot-work", "Failed", "Degraded")
                // A repaired spec is not judged by the conditions of the one before.
                try await world.createJob("suspended", with: ["suspend": true])
                try await world.wait("suspended") { $0.status?.phase == .suspended }
                try await expect(world, .evalJobs, "suspended", "InProgress", "Suspended")
            }
            try await world.change("cannot-work", to: ["datasets": [["path": "tasks"]]])
            try await expect(world, .evalJobs, "cannot-work", "InProgress", "Progressing")

            let going = try await world.kubectl("delete", "evaljob", "runs", "--wait=false")
            #expect(going.ok)
            let job = try await world.client.get(.evalJobs, ObjectKey(namespace: "default", name: "runs"))
            #expect(Self.kstatus(job) == "Terminating", "its finalizer holds it while nobody records its results")
        }
    }
}

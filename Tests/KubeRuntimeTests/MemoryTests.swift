import AssayTesting
import Base
import Foundation
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Memory")
struct MemoryTests {
    @Test("catalogue 43: a restart with 10,000 objects takes bounded memory")
    func tenThousand() async throws {
        // Pods of about 4 KiB, generated on request, so that the server keeps none of them.
        let filler = (0..<40).map { ["name": JSONValue.string("ENV_\($0)"), "value": .string(String(repeating: "x", count: 60))] }
        let env = JSONValue.array(filler.map { .object($0) })
        let server = try ScriptedServer { request in
            guard request.query["watch"] == nil else { return .stream([.hang]) }
            let offset = Int(request.query["continue"] ?? "") ?? 0
            let limit = Int(request.query["limit"] ?? "") ?? 10_000
            let items = (offset..<min(offset + limit, 10_000)).map { number -> JSONValue in
                var pod = Build.pod("pod-\(number)", phase: "Running").merging(version: String(1000 + number))
                pod.set(["spec", "containers"], to: [["name": "trial", "env": env]])
                return pod
            }
            var metadata: [String: JSONValue] = ["resourceVersion": "20000"]
            if offset + limit < 10_000 { metadata["continue"] = .string(String(offset + limit)) }
            return .json([
                "apiVersion": "v1", "kind": "PodList", "metadata": .object(metadata), "items": .array(items),
            ])
        }
        let before = try Self.residentBytes()
        let rig = ReflectorRig(url: server.url)
        #expect(await eventually(within: 120) { rig.store.count == 10_000 })
        let growth = try Self.residentBytes() - before
        // The whole list as one tree needs about 500 MB. Pages and projections need much less, even with the memory of other tests.
        #expect(growth < 250 << 20, "grew by \(growth >> 20) MiB")
        #expect(server.requests.count { $0.query["watch"] == nil } == 20)
        await rig.stop()
    }

    static func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }
}

import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import KubeRuntime
import Testing

/// The code of docs/controller-runtime.md, compiled: each line of a block in Swift on a page is a line of this file.
@Suite struct DocumentedExamples {
    /// What a reader of the page would keep of a pod.
    private struct PodView: Sendable {
        var ownerUID: String?
        var jobKey: ObjectKey

        init(_ pod: JSONValue) throws {
            let metadata = ObjectMeta(of: pod)
            ownerUID = metadata.controller?.uid
            jobKey = ObjectKey(namespace: metadata.namespace ?? "", name: metadata.labels?["assay.dev/job"] ?? "")
        }
    }

    private func following(client: KubeClient, controller: Controller<ObjectKey>) async throws {
        let pods = Reflector(client: client, type: .pods, labelSelector: "app.kubernetes.io/managed-by=assay") { try PodView($0) }
        let byOwner = pods.store.index { $0.object.ownerUID.map { [$0] } ?? [] }
        pods.store.subscribe { change in controller.enqueue(change.latest.object.jobKey) }
        async let following: Void = pods.run()  // until the task is cancelled
        try await pods.store.waitUntilSynced()
        _ = byOwner
        await following
    }

    private func controlling(metrics: MetricsRegistry, reconcile: @escaping @Sendable (ObjectKey) async throws -> ReconcileOutcome) {
        let controller = Controller<ObjectKey>(name: "evaljob", workers: 4, metrics: metrics) { key in
            // or .done, .requeue(afterSeconds: 30) after progress, .waiting(afterSeconds: 30) when it is not time yet
            do { return try await reconcile(key) } catch { return .retry(error) }
        }
        _ = controller
    }

    /// A line without its comment and its blanks at both ends.
    private static func code(_ line: Substring) -> String {
        String(line[..<(line.firstRange(of: "//")?.lowerBound ?? line.endIndex)]).trimmingCharacters(in: .whitespaces)
    }

    @Test("the blocks in Swift of every page are compiled here")
    func blocks() throws {
        let own = Set(try String(contentsOfFile: #filePath, encoding: .utf8).split(separator: "\n").map(Self.code))
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        let blocks = try MarkdownPage.all(in: root).flatMap(\.blocks).filter { $0.language == "swift" }
        #expect(blocks.count >= 2)
        for block in blocks {
            for line in block.text.split(separator: "\n") where !Self.code(line).isEmpty {
                #expect(own.contains(Self.code(line)), "\(block): this line is not compiled: \(line)")
            }
        }
    }
}

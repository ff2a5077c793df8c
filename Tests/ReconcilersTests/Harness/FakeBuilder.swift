import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import Planning
import Reconcilers

/// A builder of images without podman: it reads the real context from git, and ends each build when the test says how.
final class FakeBuilder: ImageBuilder {
    private struct State {
        var images: [ImageKey: BuiltImage] = [:]
        /// The text of the Dockerfile of each build that was begun, in order.
        var begun: [String] = []
        var looked = 0
        var cancelled: [String] = []
        var most = 0
        var running = 0
        var answers: [String: Result<Void, TrialError>] = [:]
    }

    private let state = Locked(State())
    let width: Int
    /// The result of builds that the test says nothing of; nil: they wait.
    private let otherwise: Result<Void, TrialError>?

    init(width: Int = 2, otherwise: Result<Void, TrialError>? = .success(())) {
        self.width = width
        self.otherwise = otherwise
    }

    var begun: [String] { state.withLock { $0.begun } }
    var cancelled: [String] { state.withLock { $0.cancelled } }
    var looked: Int { state.withLock { $0.looked } }
    /// The most builds that ran at the same time.
    var most: Int { state.withLock { $0.most } }

    /// Ends the builds whose Dockerfile has this word.
    func end(_ word: String, _ result: Result<Void, TrialError> = .success(())) { state.withLock { $0.answers[word] = result } }

    /// Removes all images, as somebody who cleans a registry or a machine does.
    func removeImages() { state.withLock { $0.images = [:] } }

    static func reference(_ key: ImageKey) -> String { "localhost/assay/task@sha256:\(key.hex)" }

    func place(namespace: String, target: String, _ spec: EvalTargetSpec) -> BuildPlace? { BuildPlace(scope: "", settings: "fake") }

    func find(_ build: ImageBuild) async throws(ImageBuildFailure) -> BuiltImage? {
        state.withLock { state in
            state.looked += 1
            return state.images[build.key]
        }
    }

    func build(_ build: ImageBuild, owners: @escaping @Sendable () -> [JobIdentity]) async -> Result<BuiltImage, ImageBuildFailure> {
        let folder = "\(NSTemporaryDirectory())/assay-context-\(UUID().uuidString)"
        defer { Directory.removeTree(folder) }
        let text: String
        do {
            try Directory.make(folder)
            try await build.export(folder)
            text = FileReading.text("\(folder)/Dockerfile") ?? ""
        } catch {
            return .failure(ImageBuildFailure(TrialError(.environmentBuildFailed, "\(error)"), log: ""))
        }
        state.withLock { state in
            state.begun.append(text)
            state.running += 1
            state.most = max(state.most, state.running)
        }
        defer { state.withLock { $0.running -= 1 } }
        while true {
            let answer = state.withLock { state in state.answers.first { text.contains($0.key) }?.value } ?? otherwise
            switch answer {
            case .success:
                let image = BuiltImage(reference: Self.reference(build.key), log: "built \(text)")
                state.withLock { $0.images[build.key] = image }
                return .success(image)
            case .failure(let error): return .failure(ImageBuildFailure(error, log: "failed: STEP 2/2: \(text)"))
            case nil: break
            }
            do { try await Task.sleep(for: .milliseconds(10)) } catch {
                state.withLock { $0.cancelled.append(text) }
                return .failure(ImageBuildFailure(TrialError(.cancelled, "cancelled"), log: ""))
            }
        }
    }
}

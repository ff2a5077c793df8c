import AssayAPI
import Base
import EvalModel
import Planning
import PodmanNode
import Reconcilers

/// Builds the images of tasks with the podman of this machine's node.
struct PodmanImageBuilder: ImageBuilder {
    let node: PodmanNode
    /// For the logs of builds and for contexts.
    let directory: String

    private static let repository = "localhost/assay/task"

    /// Two: a build uses all CPUs for some of its time, and the network for the rest.
    var width: Int { 2 }

    /// Whatever the target says: on one machine podman builds.
    func place(namespace: String, target: String, _ spec: EvalTargetSpec) -> BuildPlace? {
        BuildPlace(scope: "", settings: "podman build: \(node.builderVersion)")
    }

    private func name(_ key: ImageKey) -> String { "\(Self.repository):\(key.tag)" }
    private func logFile(_ key: ImageKey) -> String { "\(directory)/logs/\(key.tag).log" }

    func find(_ build: ImageBuild) async throws(ImageBuildFailure) -> BuiltImage? {
        // An image that cannot be looked up is built.
        guard let reference = try? await node.imageReference(name(build.key)) else { return nil }
        return BuiltImage(reference: reference, log: FileReading.text(logFile(build.key), limit: 1 << 20))
    }

    func build(_ build: ImageBuild, owners: @escaping @Sendable () -> [JobIdentity]) async -> Result<BuiltImage, ImageBuildFailure> {
        let context = "\(directory)/\(build.key.tag).\(UInt32.random(in: 0 ... .max))"
        defer { Directory.removeTree(context) }
        do {
            try Directory.make(context, mode: 0o700)
            try await build.export(context)
        } catch {
            return .failure(ImageBuildFailure(TrialError(.environmentBuildFailed, "\(build.context) cannot be read: \(error)"), log: "\(error)\n"))
        }
        let end = await node.build(
            PodmanBuild(
                name: name(build.key), context: context, dockerfile: build.dockerfile, stage: build.stage, arguments: build.arguments,
                limits: .init(seconds: build.timeoutSec)))
        switch end {
        case .built(let reference, let log):
            // Records of later jobs contain the log too. If the file is missing, they lack only the log.
            try? Directory.make("\(directory)/logs", mode: 0o700)
            try? FileWriting.replace(logFile(build.key), with: Array(log.utf8), mode: 0o600, durable: false)
            return .success(BuiltImage(reference: reference, log: log))
        case .failed(let reason, let log):
            return .failure(ImageBuildFailure(TrialError(.environmentBuildFailed, "\(build.context)/\(build.dockerfile): \(reason)"), log: log))
        case .timedOut(let step, let log):
            return .failure(ImageBuildFailure(build.timeoutError(step), log: log))
        case .cancelled:
            return .failure(ImageBuildFailure(TrialError(.cancelled, "the build was stopped"), log: ""))
        }
    }
}

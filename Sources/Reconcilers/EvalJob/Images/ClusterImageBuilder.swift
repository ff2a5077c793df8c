import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import Planning
import Registry
import TrialPods
import TrialRuntime

/// Builds the images of tasks with pods, and keeps them in the registry that the job's target names.
///
/// - Guarantees: one pod for an image of a namespace and a target, whichever operator creates it; what a build that an earlier operator began has
///   made is used. The pod belongs to the jobs that want the image, so that it goes with the last of them.
struct ClusterImageBuilder: ImageBuilder {
    let client: KubeClient
    let configuration: OperatorConfiguration
    let time: any TimeSource

    /// The pods do the work; the operator only looks at them.
    var width: Int { 8 }

    func place(namespace: String, target: String, _ spec: EvalTargetSpec) -> BuildPlace? {
        guard let build = spec.image?.build else { return nil }
        let command = (build.command ?? BuildPodBuilder.defaultCommand).joined(separator: " ")
        return BuildPlace(
            scope: "\(namespace)/\(target)", settings: "pod: \(build.builderImage) \(command)")
    }

    // MARK: Looking up

    func find(_ build: ImageBuild) async throws(ImageBuildFailure) -> BuiltImage? {
        guard let spec = build.target.image?.build else { return nil }
        var attempt = 0
        while true {
            do {
                let registry = try await BuildRegistry(client: client).open(spec, namespace: build.namespace)
                guard let digest = try await registry.digest(ofTag: build.key.tag) else { return nil }
                let log = try? await registry.text(ofTag: Self.logTag(build.key))
                return BuiltImage(reference: "\(registry.repository.name)@\(digest)", log: log)
            } catch let error as RegistryError where error.kind == .denied || error.kind == .notFound {
                // Many registries say this of a repository that does not exist yet; if it is more than that, the push says so.
                return nil
            } catch {
                attempt += 1
                guard attempt < Self.lookups, !Task.isCancelled, Self.mayPass(error) else {
                    throw ImageBuildFailure(
                        TrialError(.environmentBuildFailed, "\(build.context)/\(build.dockerfile) is not built: \(error)"), log: "\(error)\n")
                }
                try? await time.sleep(seconds: BackoffPolicy(initialSeconds: 2, factor: 2, capSeconds: 15).seconds(afterFailures: attempt))
            }
        }
    }

    /// How often a registry is asked that does not answer: for about half a minute.
    private static let lookups = 5

    private static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case let error as RegistryError: error.kind == .unavailable
        case let error as KubeError: error.isTransient
        default: false
        }
    }

    /// The end of a build's output is kept beside the image.
    static func logTag(_ key: ImageKey) -> String { "\(key.tag).log" }

    // MARK: Building

    func build(_ build: ImageBuild, owners: @escaping @Sendable () -> [JobIdentity]) async -> Result<BuiltImage, ImageBuildFailure> {
        guard let spec = build.target.image?.build else {
            return .failure(ImageBuildFailure(TrialError(.internalError, "the target builds no images"), log: ""))
        }
        let repository: ImageRepository
        do { repository = try ImageRepository(parsing: spec.registry, defaultPath: BuildRegistry.defaultPath) } catch {
            return .failure(ImageBuildFailure(TrialError(.environmentBuildFailed, "spec.image.build.registry of the EvalTarget: \(error)"), log: ""))
        }
        let request = BuildPodRequest(
            name: "assay-build-\(SHA256.hex(of: "\(build.key.scope) \(build.key.hex)".utf8).prefix(20))", namespace: build.namespace, owners: [],
            target: build.target, build: spec,
            program: BuildProgram(context: .commit(build.delivery), repository: repository.address, tag: build.key.tag),
            arguments: build.arguments, dockerfile: build.dockerfile, stage: build.stage, timeoutSec: build.timeoutSec,
            sourceSecret: build.sourceSecret)
        let end = await BuildPods(client: client, settings: configuration.pods, bounds: configuration.bounds, cache: configuration.cache, time: time)
            .run(request) {
                owners().map(\.buildOwner)
            }
        switch end {
        case .built(let digest, let log):
            // Without it, only the log is missing in the records of later jobs.
            if let registry = try? await BuildRegistry(client: client).open(spec, namespace: build.namespace) {
                do { try await registry.push(text: log, tag: Self.logTag(build.key)) } catch {
                    Log("evaljob").warning("the log of a build is not kept", ["image": .string(repository.name), "error": .string("\(error)")])
                }
            }
            return .success(BuiltImage(reference: "\(repository.name)@\(digest)", log: log))
        case .failed(let reason, let log):
            return .failure(ImageBuildFailure(TrialError(.environmentBuildFailed, "\(build.context)/\(build.dockerfile): \(reason)"), log: log))
        case .timedOut(let step, let log):
            return .failure(ImageBuildFailure(build.timeoutError(step), log: log))
        case .cancelled:
            return .failure(ImageBuildFailure(TrialError(.cancelled, "the build was stopped"), log: ""))
        }
    }
}

extension ImageBuild {
    /// How the context gets into the pod.
    fileprivate var delivery: TrialProgram.Delivery { .init(source: .init(source), taskPath: context) }
}

extension JobIdentity {
    /// An owner among others: the pod's deletion does not hold up the job's.
    fileprivate var buildOwner: OwnerReference {
        var owner = ownerReference
        (owner.controller, owner.blockOwnerDeletion) = (nil, nil)
        return owner
    }
}

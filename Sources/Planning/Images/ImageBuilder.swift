import AssayAPI
import Base
import EvalModel
import Git
import SourceSync

/// Builds the images of tasks: on the laptop with podman, on a cluster with a pod. The operator itself builds nothing.
///
/// `ImageBuilds` decides when; a builder only looks up and builds. It may be asked for the same image again after a restart of the operator:
/// a build that still runs is then continued or ended, never doubled.
public protocol ImageBuilder: Sendable {
    /// How many builds may run at the same time.
    var width: Int { get }
    /// How images of a target's tasks are built; nil when nothing builds them.
    func place(namespace: String, target: String, _ spec: EvalTargetSpec) -> BuildPlace?
    /// The image, if it exists.
    func find(_ build: ImageBuild) async throws(ImageBuildFailure) -> BuiltImage?
    /// Builds the image. When the task is cancelled, it ends everything that the build has started, if no job wants the image.
    ///
    /// - Parameter owners: the jobs that want the image now.
    func build(_ build: ImageBuild, owners: @escaping @Sendable () -> [JobIdentity]) async -> Result<BuiltImage, ImageBuildFailure>
}

/// How the images of a target's tasks are built.
public struct BuildPlace: Sendable, Hashable {
    /// Images of one scope are shared. On a cluster those of a namespace and a target: their credentials are their own.
    public var scope: String
    /// What decides about the result of a build besides its input, such as the builder's version; part of every key.
    public var settings: String

    public init(scope: String, settings: String) {
        self.scope = scope
        self.settings = settings
    }
}

/// What an image is made of: equal keys give the same image, whichever job asks for it.
public struct ImageKey: Sendable, Hashable {
    /// Where it is shared; no part of `hex`.
    public let scope: String
    /// 64 hex digits.
    public let hex: String

    /// - Parameters:
    ///   - context: the id of the git tree with the Dockerfile.
    ///   - arguments: the build arguments.
    ///   - dockerfile: relative to the context.
    ///   - stage: the stage to stop at; nil for the last.
    public init(context: String, arguments: [String: String], dockerfile: String = "Dockerfile", stage: String? = nil, place: BuildPlace) {
        var value: JSONValue = [
            "context": .string(context), "arguments": .object(arguments.mapValues { .string($0) }), "settings": .string(place.settings),
        ]
        if dockerfile != "Dockerfile" { value["dockerfile"] = .string(dockerfile) }
        if let stage { value["stage"] = .string(stage) }
        scope = place.scope
        hex = SHA256.hex(of: value.serialized())
    }

    /// The tag of the image in a repository.
    public var tag: String { String(hex.prefix(40)) }
}

/// One image to build.
public struct ImageBuild: Sendable {
    public let key: ImageKey
    /// The repository and commit that have the context.
    public let source: PinnedSource
    /// The folder of the context, relative to the root of the repository.
    public let context: String
    public let arguments: [String: String]
    /// Relative to the context.
    public let dockerfile: String
    /// The stage to stop at; nil for the last.
    public let stage: String?
    public let timeoutSec: Double
    /// The namespace of the first job that wants the image.
    public let namespace: String
    public let target: EvalTargetSpec
    /// The Secret that the context is fetched with.
    public let sourceSecret: LocalReference?
    /// Writes the files of the context, as the commit has them, into an empty folder.
    public let export: @Sendable (_ folder: String) async throws -> Void

    public init(
        key: ImageKey, source: PinnedSource, context: String, arguments: [String: String], dockerfile: String = "Dockerfile", stage: String? = nil,
        timeoutSec: Double, namespace: String, target: EvalTargetSpec, sourceSecret: LocalReference?,
        export: @escaping @Sendable (_ folder: String) async throws -> Void
    ) {
        self.key = key
        self.source = source
        self.context = context
        self.arguments = arguments
        self.dockerfile = dockerfile
        self.stage = stage
        self.timeoutSec = timeoutSec
        self.namespace = namespace
        self.target = target
        self.sourceSecret = sourceSecret
        self.export = export
    }
}

extension ImageBuild {
    /// The error of a build that took too long.
    ///
    /// - Parameter step: the step that ran.
    public func timeoutError(_ step: String?) -> TrialError {
        TrialError(
            .environmentBuildTimeout,
            "\(context)/\(dockerfile) was not built within \(timeoutSec) s (environment.build_timeout_sec)\(step.map { " at \($0)" } ?? "")")
    }
}

/// An image that was built.
public struct BuiltImage: Sendable, Hashable {
    /// With its digest, so that a trial runs exactly this image.
    public let reference: String
    /// The end of the build's output; nil when it is not known any more.
    public let log: String?

    public init(reference: String, log: String?) {
        self.reference = reference
        self.log = log
    }
}

/// Why an image was not built.
public struct ImageBuildFailure: Error, Sendable, Hashable {
    /// `environment_build_failed` or `environment_build_timeout`.
    public let error: TrialError
    /// The failing step, then the end of the build's output.
    public let log: String

    public init(_ error: TrialError, log: String) {
        self.error = error
        self.log = log
    }
}

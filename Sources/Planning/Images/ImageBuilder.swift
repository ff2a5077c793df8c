import Base
import EvalModel
import Git
import SourceSync

/// Builds the images of tasks: on the laptop with podman, on a cluster with a pod. The operator itself builds nothing.
///
/// `ImageBuilds` decides when; a builder only looks up and builds. It may be asked for the same image again after a restart of the operator:
/// a build that still runs is then continued or ended, never doubled.
public protocol ImageBuilder: Sendable {
    /// What decides about the result of a build besides its input, such as the builder's version; part of every key.
    var settings: String { get }
    /// How many builds may run at the same time.
    var width: Int { get }
    /// The image, if it exists.
    func find(_ key: ImageKey) async throws -> BuiltImage?
    /// Builds the image. When the task is cancelled, it ends everything that the build has started.
    func build(_ build: ImageBuild) async -> Result<BuiltImage, ImageBuildFailure>
}

/// What an image is made of: equal keys give the same image, whichever job asks for it.
public struct ImageKey: Sendable, Hashable {
    /// 64 hex digits.
    public let hex: String

    /// - Parameters:
    ///   - context: the id of the git tree with the Dockerfile.
    ///   - arguments: the build arguments.
    ///   - settings: the builder's.
    public init(context: String, arguments: [String: String], settings: String) {
        let value: JSONValue = [
            "context": .string(context), "arguments": .object(arguments.mapValues { .string($0) }), "settings": .string(settings),
        ]
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
    /// The folder with the Dockerfile, relative to the root of the repository.
    public let context: String
    public let arguments: [String: String]
    public let timeoutSec: Double
    /// Writes the files of the context, as the commit has them, into an empty folder.
    public let export: @Sendable (_ folder: String) async throws -> Void

    public init(
        key: ImageKey, source: PinnedSource, context: String, arguments: [String: String], timeoutSec: Double,
        export: @escaping @Sendable (_ folder: String) async throws -> Void
    ) {
        self.key = key
        self.source = source
        self.context = context
        self.arguments = arguments
        self.timeoutSec = timeoutSec
        self.export = export
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

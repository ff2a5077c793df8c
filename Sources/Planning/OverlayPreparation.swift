import AssayAPI
import EvalModel
import Git
import SourceSync

/// An overlay of a job at the revision that the job gets, before its content is read.
public struct OverlayPin: Sendable, Hashable {
    public let name: String
    public let spec: OverlaySourceSpec
    /// A full commit id; nil: what `spec.ref` names now.
    public let revision: String?

    public init(name: String, spec: OverlaySourceSpec, revision: String?) {
        self.name = name
        self.spec = spec
        self.revision = revision
    }
}

extension OverlaySourceSpec {
    /// The paths of the surfaces.
    /// - Throws: `.invalidInput`, with the field, for a path that is refused.
    public func paths() throws(GitError) -> OverlayPaths {
        let fields: [(OverlaySurface, String, String)] = [
            (.tools, "toolsSubdir", toolsSubdir), (.workflows, "workflowsSubdir", workflowsSubdir), (.skills, "skillsSubdir", skillsSubdir),
            (.personas, "personasSubdir", personasSubdir ?? ""), (.prompt, "promptPath", promptPath ?? ""),
        ]
        for (surface, field, text) in fields {
            do { _ = try OverlayPaths(parsing: [surface: text]) } catch { throw GitError(error.kind, "spec.\(field): \(error.message)") }
        }
        return try OverlayPaths(parsing: Dictionary(uniqueKeysWithValues: fields.map { ($0.0, $0.2) }))
    }
}

/// Reads the overlays of a job at their revisions.
public struct OverlayPreparation: Sendable {
    /// The credentials for a repository from a Secret of the job's namespace; the name is nil for none.
    public typealias Credentials = @Sendable (GitURL, String?) async throws -> GitCredentials

    private let resolver: SourceResolver
    private let credentials: Credentials

    public init(resolver: SourceResolver, credentials: @escaping Credentials) {
        self.resolver = resolver
        self.credentials = credentials
    }

    /// - Throws: what the job waits for, on the condition `OverlaysReady`.
    public func prepare(_ pins: [OverlayPin]) async throws(ReconcileError) -> [PinnedOverlay] {
        var overlays: [PinnedOverlay] = []
        for pin in pins {
            do {
                overlays.append(try await read(pin))
            } catch let error as ReconcileError {
                throw error.on(.overlaysReady)
            } catch {
                let seconds = (error as? SourceError)?.isTransient == true ? 15.0 : 60
                throw .waiting(.overlayNotReady, "OverlaySource \"\(pin.name)\": \(error)", on: .overlaysReady, retryAfterSeconds: seconds)
            }
        }
        return overlays
    }

    private func read(_ pin: OverlayPin) async throws -> PinnedOverlay {
        let secret = pin.spec.secretRef?.name
        return try await resolver.overlay(
            pin.name, repo: pin.spec.repo, ref: pin.revision ?? pin.spec.ref, paths: try pin.spec.paths(), secret: secret,
            credentials: try await credentials(try resolver.url(pin.spec.repo), secret))
    }
}

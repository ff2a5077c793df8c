import Base
import EvalFormats
import Git
import KubeRuntime
import Planning
import SourceSync

/// Keeps declared repositories in the mirrors, and tells the instances of the cache service on nodes to have their present commits.
///
/// A ref that cannot be read keeps the commit of the last look. The file is read again and again, so that a change of it needs no restart.
final class RepositoryWarming: Sendable {
    typealias Repository = RepositoriesFile.Repository

    /// Seconds between two looks at the file.
    private static let fileSeconds = 10.0
    /// The longest time after which a repository that could not be read is looked at again, in seconds.
    private static let retrySeconds = 60.0

    private struct State: Sendable {
        var declared: [Repository] = []
        var found: [Repository: PinnedSource] = [:]
    }

    private let file: String
    private let resolver: SourceResolver
    private let credentials: CredentialSource
    private let time: any TimeSource
    private let state = Locked(State())
    private let log = Log("cache")

    /// - Parameter file: has the list.
    init(file: String, resolver: SourceResolver, credentials: CredentialSource, time: any TimeSource) {
        self.file = file
        self.resolver = resolver
        self.credentials = credentials
        self.time = time
    }

    /// The commits that nodes should have, in the order of the file.
    var wanted: [WantedTree] {
        state.withLock { state in
            state.declared.compactMap { repository in
                state.found[repository].map { source in
                    WantedTree(
                        tree: .whole(source.url.text, at: source.commit),
                        credential: .init(namespace: repository.secret?.namespace ?? "", secret: repository.secret?.name))
                }
            }
        }
    }

    /// Follows the file and its repositories until the task is cancelled.
    func run() async {
        var followed: [Repository: Task<Void, Never>] = [:]
        var problem: String?
        while !Task.isCancelled {
            do throws(FileFormatError) {
                let declared = try Self.read(file)
                problem = nil
                for (repository, task) in followed where !declared.contains(repository) {
                    task.cancel()
                    followed[repository] = nil
                }
                state.withLock { state in
                    state.declared = declared
                    state.found = state.found.filter { declared.contains($0.key) }
                }
                for repository in declared where followed[repository] == nil {
                    followed[repository] = Task { await self.follow(repository) }
                }
            } catch {
                if problem != error.description {
                    log.error("the list of repositories is not used, the one before stays", ["error": .string("\(error)")])
                }
                problem = error.description
            }
            do { try await time.sleep(seconds: Self.fileSeconds) } catch { break }
        }
        for task in followed.values { task.cancel() }
        for task in followed.values { await task.value }
    }

    private static func read(_ file: String) throws(FileFormatError) -> [Repository] {
        guard let bytes = FileReading.whole(file) else { throw FileFormatError(file: file, place: "", message: "cannot be read") }
        return try RepositoriesFile.parse(bytes, file: file).repositories
    }

    /// Looks at one repository at its interval.
    private func follow(_ repository: Repository) async {
        var problem: String?
        let name: [String: JSONValue] = ["repository": .string(repository.repo), "ref": .string(repository.ref ?? "")]
        while !Task.isCancelled {
            var seconds = Double(repository.intervalSeconds)
            do {
                let source = try await look(at: repository)
                let isNew = state.withLock { state in
                    guard state.declared.contains(repository), state.found[repository] != source else { return false }
                    state.found[repository] = source
                    return true
                }
                if isNew || problem != nil { log.info("a declared repository is there", name.merging(["commit": .string(source.commit.hex)]) { $1 }) }
                problem = nil
            } catch {
                let message = (error as? ReconcileError)?.message ?? "\(error)"
                if message != problem, !Task.isCancelled {
                    log.warning("a declared repository cannot be read", name.merging(["error": .string(message)]) { $1 })
                }
                problem = message
                seconds = min(seconds, Self.retrySeconds)
            }
            do { try await time.sleep(seconds: seconds) } catch { return }
        }
    }

    private func look(at repository: Repository) async throws -> PinnedSource {
        let url = try resolver.url(repository.repo)
        let git = try await credentials.credentials(
            for: url, secret: repository.secret?.name, namespace: repository.secret?.namespace ?? "", only: repository.repo)
        return try await resolver.pin(repository.repo, ref: repository.ref, credentials: git)
    }
}

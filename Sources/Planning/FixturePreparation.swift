import EvalFormats
import EvalModel
import Git
import HTTPTransport
import SourceSync

/// Gets the fixtures that a job's tasks have, and verifies them, before any trial begins.
struct FixturePreparation: Sendable {
    /// Downloads at the same time.
    private static let width = 4

    let fixtures: Fixtures
    let fetcher: FixtureFetcher
    /// The commit's tree with the fixtures in their places.
    private let tree: GitTree

    /// - Throws: a `SourceError` when the lock file is wrong, or a fixture's place is taken.
    init(lock: String, source: PinnedSource, tree: GitTree, resolver: SourceResolver, credentials: GitCredentials, tls: TLSOptions) async throws {
        fixtures = try await Fixtures.read(try GitPath(parsing: lock), of: tree, in: resolver.fixtures)
        do throws(GitError) { self.tree = try fixtures.added(to: tree) } catch { throw SourceError(.fixtureMismatch, "\(lock): \(error.message)") }
        fetcher = FixtureFetcher(resolver: resolver, source: source, tree: tree, credentials: credentials, tls: tls)
    }

    /// The tasks, those refused whose fixtures are not what the lock file says.
    ///
    /// - Throws: a `SourceError` for a fixture that cannot be had now.
    func check(_ tasks: [PreparedTask]) async throws(SourceError) -> [PreparedTask] {
        var needs: [Int: [FixturesLock.Blob]] = [:]
        var result = tasks
        for (index, task) in tasks.enumerated() where task.taskRepo == nil && task.refusal == nil {
            do throws(TrialError) { needs[index] = try blobs(of: task.reference) } catch { result[index] = task.refused(error) }
        }
        let refusals = try await fetch(Set(needs.values.joined()))
        for (index, blobs) in needs {
            if let error = blobs.lazy.compactMap({ refusals[$0] }).first { result[index] = tasks[index].refused(error) }
        }
        return result
    }

    /// The fixtures in a task's folder, and those that its links lead to.
    private func blobs(of task: TaskReference) throws(TrialError) -> [FixturesLock.Blob] {
        let items: [TreeExport.Item]
        do throws(GitError) { items = try TreeExport(tree).items(of: try GitPath(parsing: task.path)) } catch {
            throw TrialError(.taskInvalid, error.message)
        }
        let blobs = fixtures.blobs(among: items)
        guard !blobs.isEmpty else { return [] }
        // An image's content is known by the git tree of its context.
        let contexts = ["environment"] + (tree.exists("\(task.path)/tests/Dockerfile") ? ["tests"] : [])
        for context in contexts {
            if let blob = fixtures.blobs(among: items.filter { $0.path.first == context }).first {
                throw TrialError(
                    .taskInvalid,
                    "task \"\(task.name)\": the fixture \"\(blob.path)\" is in \(context)/, from which an image is built; images cannot have fixtures yet"
                )
            }
        }
        return blobs
    }

    /// - Returns: why fixtures are refused, by fixture.
    private func fetch(_ blobs: Set<FixturesLock.Blob>) async throws(SourceError) -> [FixturesLock.Blob: TrialError] {
        let fetcher = fetcher
        let outcomes = await withTaskGroup(of: (FixturesLock.Blob, SourceError?).self) { group in
            var rest = blobs.sorted { $0.path < $1.path }[...]
            var outcomes: [(FixturesLock.Blob, SourceError?)] = []
            func start() {
                guard let blob = rest.popFirst() else { return }
                group.addTask {
                    do throws(SourceError) {
                        try await fetcher.fetch(blob)
                        return (blob, nil)
                    } catch {
                        return (blob, error)
                    }
                }
            }
            for _ in 0..<Self.width { start() }
            while let outcome = await group.next() {
                outcomes.append(outcome)
                start()
            }
            return outcomes
        }
        var refusals: [FixturesLock.Blob: TrialError] = [:]
        for (blob, error) in outcomes {
            guard let error else { continue }
            guard error.type == .fixtureMismatch else { throw error }
            refusals[blob] = error.trialError
        }
        return refusals
    }
}

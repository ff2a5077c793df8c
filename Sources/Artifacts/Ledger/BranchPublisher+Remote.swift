import EvalModel
import Git

/// Reads the remote's branch.
extension BranchPublisher {
    /// The commit to build on; nil when the branch has to be created.
    /// - Throws: `.branchIsDefault` when the branch does not exist and may not be created.
    func currentTip(refresh: Bool) async throws(ArtifactError) -> GitObjectID? {
        if !refresh, let tip { return tip }
        // Two simultaneous fetches into one ref would fail because git locks the ref.
        let task = fetching ?? Task { try await self.fetchTip() }
        fetching = task
        let result = await task.result
        if fetching == task { fetching = nil }
        switch result {
        case .success(let found): return found
        case .failure(let error): throw Self.typed(error)
        }
    }

    /// Kills the fetch that is running, if any. Its callers get an error.
    func cancelFetch() { fetching?.cancel() }

    private func fetchTip() async throws -> GitObjectID? {
        var repaired = false
        while true {
            let repository = try await opened()
            let (mine, before) = (generation, pushes)
            let found: GitObjectID?
            var absent: Set<String> = []
            do throws(GitError) {
                found = try await repository.fetchTip(of: settings.branch, levels: shardLevel + 1)
                if audited != .some(found) { absent = try await missingRecords(of: found, in: repository) }
            } catch {
                if mine != generation { continue }
                if repaired, error.kind == .refNotFound { throw errors.damaged(error.message) }
                guard !repaired, Self.isOurs(error.kind) else { throw error }
                repaired = true
                discard(because: error.message)
                continue
            }
            // Fetch again if the repository was deleted during the fetch, or if a push succeeded during it, because this tip is then out of date.
            guard mine == generation, before == pushes else { continue }
            audited = .some(found)
            lost.formUnion(absent)
            if let found, !settings.path.isRoot, let file = try await repository.fileBlocking([settings.path], in: found) {
                throw errors.fileBlocksFolder(file)
            }
            if found == nil, !mayCreate {
                try await BranchCreation(client: client, remote: remote, branch: settings.branch).check()
                mayCreate = true
            }
            guard mine == generation, before == pushes else { continue }
            tip = .some(found)
            return found
        }
    }

    /// Confirmed records that are missing from a tip that somebody else made. A force push removed them. This repository does not have the
    /// history, so the force push itself cannot be seen.
    private func missingRecords(of found: GitObjectID?, in repository: GitStore) async throws(GitError) -> Set<String> {
        var folders: [GitPath: [String]] = [:]
        for name in confirmed() {
            if let path = PendingRun.runFolder(ofName: name) { folders[try folder(path), default: []].append(name) }
        }
        guard !folders.isEmpty else { return [] }
        var absent = Set(folders.keys)
        if let found { absent = try await repository.absent(absent, in: found) }
        return absent.reduce(into: []) { $0.formUnion(folders[$1] ?? []) }
    }

    /// Confirmed records that were missing from the branch when it was last read. Each record is returned only once.
    func takeLost() -> Set<String> {
        defer { lost = [] }
        return lost
    }

    // MARK: Asking

    /// The bytes of a run's metadata.json on the branch as last read; nil if the branch has no such run.
    func metadata(of id: RunID) async throws(ArtifactError) -> [UInt8]? { try await metadata(in: id.path) }

    /// Whether the branch as last read has the record with this name (`PendingRun.name`); false if this cannot be determined.
    func hasRecord(_ name: String) async -> Bool {
        guard let folder = PendingRun.folder(ofName: name), let found = try? await metadata(in: folder) else { return false }
        return !found.isEmpty
    }

    private func metadata(in path: String) async throws(ArtifactError) -> [UInt8]? {
        while true {
            guard let tip = try await currentTip(refresh: false) else { return nil }
            let repository = try await opened()
            let mine = generation
            do throws(GitError) {
                let file = try folder(path).appending(PendingRun.metadataFile)
                guard try await !repository.existing([file], in: tip, level: shardLevel).found.isEmpty else { return nil }
                return try await repository.file(file, of: tip)
            } catch {
                if mine != generation { continue }
                throw ArtifactError(error)
            }
        }
    }
}

import Git

/// The packs that records bring: checked when they come, kept in the repository until the remote has what is in them.
extension BranchPublisher {
    /// A pack that waits to be checked.
    struct WaitingPack {
        let pack: PendingRun.Pack
        let continuation: CheckedContinuation<ArtifactError?, Never>
    }

    /// Where a tree is, and how many records wait with it. Several trees may be in one pack.
    struct KeptPack {
        /// Of the pack; empty until it is taken in.
        var name = ""
        var users = 0
    }

    private static let checksAtOnce = 2
    private static let packsAtOnce = 1000
    /// They are in memory while they are checked.
    private static let bytesAtOnce = 8 << 20

    /// Checks a pack, and keeps its objects for the push. Packs that come while others are checked are checked together.
    /// - Throws: `.damaged` when it is not what its report says.
    func verify(_ pack: PendingRun.Pack) async throws(ArtifactError) {
        let failure = await withCheckedContinuation { continuation in
            waitingPacks.append(WaitingPack(pack: pack, continuation: continuation))
            guard checking < Self.checksAtOnce else { return }
            checking += 1
            Task { await self.checkWaiting() }
        }
        if let failure { throw failure }
    }

    private func checkWaiting() async {
        while !waitingPacks.isEmpty {
            let some = nextWaiting()
            for (waiting, failure) in zip(some, await check(some.map(\.pack))) { waiting.continuation.resume(returning: failure) }
        }
        checking -= 1
    }

    private func nextWaiting() -> [WaitingPack] {
        var (count, bytes) = (0, 0)
        for waiting in waitingPacks.prefix(Self.packsAtOnce) {
            bytes += waiting.pack.bytes.count
            if bytes > Self.bytesAtOnce, count > 0 { break }
            count += 1
        }
        defer { waitingPacks.removeFirst(count) }
        return Array(waitingPacks.prefix(count))
    }

    private func check(_ packs: [PendingRun.Pack]) async -> [ArtifactError?] {
        while true {
            let repository: GitStore
            do throws(ArtifactError) { repository = try await opened() } catch { return packs.map { _ in error } }
            let mine = discards
            let failures = await take(packs, into: repository)
            // What was taken into a repository that is gone has to be taken in again.
            guard mine == discards else { continue }
            return failures.map { error in
                error.map { $0.kind == .corrupt ? ArtifactError(.damaged, $0.message) : ArtifactError($0) }
            }
        }
    }

    private func take(_ packs: [PendingRun.Pack], into repository: GitStore) async -> [GitError?] {
        let mine = discards
        // Counted before they come: another record's end must not take them away again.
        for pack in packs { kept[pack.tree, default: KeptPack()].users += 1 }
        let results = await repository.take(packs: packs.map { GitStore.Pack(bytes: $0.bytes, tree: $0.tree) })
        return zip(packs, results).map { pack, result -> GitError? in
            switch result {
            case .success(let name):
                if mine == discards { kept[pack.tree]?.name = name }
                return nil
            case .failure(let error):
                if mine == discards { letGo(pack.tree) }
                return error
            }
        }
    }

    /// One record less needs the tree; returns the name of the pack that it was in when none does.
    @discardableResult
    private func letGo(_ tree: GitObjectID) -> String? {
        guard let pack = kept[tree] else { return nil }
        guard pack.users <= 1 else {
            kept[tree]?.users -= 1
            return nil
        }
        kept[tree] = nil
        return pack.name
    }

    /// Takes in again what the repository does not have: it was made anew, or an earlier process took the records.
    func takeMissing(
        of runs: [PendingRun], into repository: GitStore, pack: (String) -> PendingRun.Pack?
    ) async throws(GitError) {
        let missing = try await repository.missing(runs.compactMap(\.pack?.tree))
        var rest = runs.filter { $0.pack.map { missing.contains($0.tree) } ?? false }[...]
        while !rest.isEmpty {
            var packs: [PendingRun.Pack] = []
            var bytes = 0
            while let run = rest.first, bytes < Self.bytesAtOnce {
                guard let pack = pack(run.name) else { throw GitError(.storage, "the kept result of run \(run.id) cannot be read again") }
                packs.append(pack)
                bytes += pack.bytes.count
                rest = rest.dropFirst()
            }
            if let error = await take(packs, into: repository).compactMap({ $0 }).first { throw error }
        }
    }

    /// git asks each pack by itself, which is slow where there are many.
    var hasManyPacks: Bool { Set(kept.values.map(\.name)).count > 50 }

    /// What the remote has is not needed here any more, unless a record that waits has the same outputs, or its own in the same
    /// pack.
    func forgetPacks(of runs: [PendingRun]) {
        pushesSinceTidy += 1
        let names = Set(runs.compactMap(\.pack?.tree).compactMap { letGo($0) })
        let needed = Set(kept.values.map(\.name))
        repository?.settle(removing: names.subtracting(needed).sorted(), keeping: needed)
    }
}

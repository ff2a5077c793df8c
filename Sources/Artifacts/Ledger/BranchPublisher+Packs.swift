import Base
import Git

/// The packs of submitted records: they are checked on arrival, and kept in the repository until the remote has their content.
extension BranchPublisher {
    /// A pack that is waiting to be checked.
    struct WaitingPack {
        let pack: PendingRun.Pack
        let continuation: CheckedContinuation<ArtifactError?, Never>
    }

    /// Which pack contains a tree, and how many waiting records need the tree. One pack may contain several trees.
    struct KeptPack {
        /// The pack's name; empty until the pack is stored in the repository.
        var name = ""
        var users = 0
    }

    private static let checksAtOnce = 2
    private static let packsAtOnce = 1000
    /// Limits the memory used for the packs that are being checked.
    private static let bytesAtOnce = 8 << 20

    /// Checks a pack and keeps its objects for the push. Packs that arrive within a short time are checked together.
    /// - Throws: `.damaged` when the pack does not match its report.
    func verify(_ pack: PendingRun.Pack) async throws(ArtifactError) {
        let failure = await withCheckedContinuation { continuation in
            waitingPacks.append(WaitingPack(pack: pack, continuation: continuation))
            checkWhenDue()
        }
        if let failure { throw failure }
    }

    private func checkWhenDue() {
        guard checking < Self.checksAtOnce, !waitingPacks.isEmpty else { return }
        // Gathering saves processes and decides nothing, so it follows the machine's clock even when the ledger has another one.
        let clock = SystemTime()
        let now = clock.monotonic()
        let delay = gathering.delay(packs: waitingPacks.count, bytes: waitingPacks.reduce(0) { $0 + $1.pack.bytes.count }, now: now)
        guard delay <= 0 else {
            gatheringTimer =
                gatheringTimer
                ?? Task {
                    try? await clock.sleep(seconds: delay)
                    self.gatheringTimer = nil
                    self.checkWhenDue()
                }
            return
        }
        gathering.begun(at: now)
        checking += 1
        let some = nextWaiting()
        Task {
            for (waiting, failure) in zip(some, await self.check(some.map(\.pack))) { waiting.continuation.resume(returning: failure) }
            self.checking -= 1
            self.checkWhenDue()
        }
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
            // If the repository was deleted during the check, the packs have to be stored again in the new one.
            guard mine == discards else { continue }
            return failures.map { error in
                error.map { $0.kind == .corrupt ? ArtifactError(.damaged, $0.message) : ArtifactError($0) }
            }
        }
    }

    private func take(_ packs: [PendingRun.Pack], into repository: GitStore) async -> [GitError?] {
        let mine = discards
        // Counted before the packs are stored; otherwise the end of another record could remove them.
        for pack in packs { kept[pack.tree, default: KeptPack()].users += 1 }
        let results = await repository.take(packs: packs.map { GitStore.Pack(bytes: $0.bytes, tree: $0.tree) })
        return zip(packs, results).map { pack, result -> GitError? in
            switch result {
            case .success(let name):
                if mine == discards { kept[pack.tree]?.name = name }
                return nil
            case .failure(let error):
                if mine == discards { releasePack(pack.tree) }
                return error
            }
        }
    }

    /// Decrements the number of records that need the tree. When none is left, returns the name of the pack that contained it.
    @discardableResult
    private func releasePack(_ tree: GitObjectID) -> String? {
        guard let pack = kept[tree] else { return nil }
        guard pack.users <= 1 else {
            kept[tree]?.users -= 1
            return nil
        }
        kept[tree] = nil
        return pack.name
    }

    /// Stores packs again that the repository does not have, because it was recreated or an earlier process accepted the records.
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

    /// git searches each pack separately, which is slow when there are many.
    var hasManyPacks: Bool { Set(kept.values.map(\.name)).count > 50 }

    /// Removes packs of records that the remote has. A pack stays if a waiting record has the same outputs or has its outputs in the same pack.
    func forgetPacks(of runs: [PendingRun]) {
        pushesSinceTidy += 1
        let names = Set(runs.compactMap(\.pack?.tree).compactMap { releasePack($0) })
        let needed = Set(kept.values.map(\.name))
        repository?.settle(removing: names.subtracting(needed).sorted(), keeping: needed)
    }
}

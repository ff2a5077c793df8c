import Base
import Glibc

/// Taking packs in.
extension GitStore {
    /// A pack and the tree that it must have, whole.
    public struct Pack: Sendable {
        public let bytes: [UInt8]
        public let tree: GitObjectID

        public init(bytes: [UInt8], tree: GitObjectID) {
            self.bytes = bytes
            self.tree = tree
        }
    }

    /// Bytes of packs that are joined in memory; a larger one goes by itself.
    private static let joinedBytes = 8 << 20
    /// No object of a trial is nearly as large; one that claims to be, as a small pack can, is refused before it is unpacked.
    private static let objectLimit = ["GIT_ALLOC_LIMIT": "256m"]
    private static let unpackingLimit = [("core.bigFileThreshold", "64g")]

    /// Takes packs in, checking every object in them, with one process for many of them.
    ///
    /// Packs are joined, and git checks the whole. What it refuses is halved until it is clear which pack it is, and that one is
    /// checked by itself: the others are not affected.
    /// - Returns: for each pack its name here, for `settle`, or why it cannot be taken in: `.corrupt` when it is not whole, does not
    ///   have its tree, or holds what git does not accept.
    public func take(packs: [Pack]) async -> [Result<String, GitError>] {
        var results = [Result<String, GitError>?](repeating: nil, count: packs.count)
        var group: [(index: Int, pack: Pack, frame: PackFrame)] = []
        var bytes = 0
        func takeGroup() async {
            for (index, result) in await takeJoined(group[...]) { results[index] = result }
            (group, bytes) = ([], 0)
        }
        for (index, pack) in packs.enumerated() {
            guard packs.count > 1, pack.bytes.count <= Self.joinedBytes / 4, let frame = PackFrame(pack.bytes) else {
                results[index] = await takeAlone(pack)
                continue
            }
            if bytes + pack.bytes.count > Self.joinedBytes { await takeGroup() }
            group.append((index, pack, frame))
            bytes += pack.bytes.count
        }
        await takeGroup()
        return results.map { $0 ?? .failure(GitError(.failed, "a pack was not looked at")) }
    }

    private typealias Candidate = (index: Int, pack: Pack, frame: PackFrame)

    private func takeJoined(_ group: ArraySlice<Candidate>) async -> [(index: Int, result: Result<String, GitError>)] {
        guard group.count > 1 else {
            guard let only = group.first else { return [] }
            return [(only.index, await takeAlone(only.pack))]
        }
        do throws(GitError) {
            if let joined = JoinedPack(group.map(\.frame)), let name = try await index(joined, trees: group.map(\.pack.tree)) {
                return group.map { ($0.index, .success(name)) }
            }
        } catch {
            return group.map { ($0.index, .failure(error)) }
        }
        let middle = group.startIndex + group.count / 2
        return await takeJoined(group[..<middle]) + takeJoined(group[middle...])
    }

    /// The joined pack's name; nil when something in it is not as it should be, and nothing of it is kept.
    private func index(_ joined: JoinedPack, trees: [GitObjectID]) async throws(GitError) -> String? {
        // Not --strict, which refuses an object that is there twice, as trials with equal outputs bring it; that nothing is missing
        // is checked below instead.
        guard let name = try await indexPack(joined.bytes, "--fsck-objects") else { return nil }
        guard let index = FileReading.whole("\(path)/objects/pack/pack-\(name).idx"), joined.isSplit(by: index, trees: trees),
            try await areWhole(trees)
        else {
            removePack(name)
            return nil
        }
        return name
    }

    private func takeAlone(_ pack: Pack) async -> Result<String, GitError> {
        do throws(GitError) {
            guard let name = try await take(pack: pack.bytes, holding: pack.tree) else {
                throw GitError(.corrupt, "the pack does not hold the tree \(pack.tree.short) that its report names")
            }
            return .success(name)
        } catch {
            return .failure(error)
        }
    }

    /// Takes a packfile in, checking every object in it (`index-pack --strict`).
    ///
    /// - Returns: the pack's name here; nil when the object is not here then.
    /// - Throws: `.corrupt` when the pack is not whole or holds what git does not accept.
    public func take(pack: [UInt8], holding id: GitObjectID) async throws(GitError) -> String? {
        var refusal = ""
        guard let name = try await indexPack(pack, "--strict", refusal: &refusal) else {
            throw GitError(.corrupt, "the pack is not whole, or holds what git does not accept (git: \(refusal))")
        }
        // Its index tells without another process, of which each record would need one.
        if let index = FileReading.whole("\(path)/objects/pack/pack-\(name).idx"), PackIndex.contains(id, in: index) { return name }
        return try await missing([id]).isEmpty ? name : nil
    }

    private func indexPack(_ pack: [UInt8], _ check: String) async throws(GitError) -> String? {
        var refusal = ""
        return try await indexPack(pack, check, refusal: &refusal)
    }

    /// The pack's name; nil when git refuses it.
    private func indexPack(_ pack: [UInt8], _ check: String, refusal: inout String) async throws(GitError) -> String? {
        let call = GitClient.Call(
            arguments: ["index-pack", "--stdin", check, "--threads=1"], repository: path, input: .bytes(pack), configuration: Self.unpackingLimit,
            environment: Self.objectLimit, doing: "take a pack into", place: path)
        let result = try await client.result(call)
        if result.succeeded {
            // `pack\t<name>` or `keep\t<name>`; then ids of .gitmodules that are not in it.
            let words = result.stdoutText.split(whereSeparator: \.isWhitespace)
            guard words.count > 1 else { throw GitError(.failed, "git index-pack names no pack in \(path)") }
            return String(words[1])
        }
        let error = client.failure(call, result)
        // What is said of a pack that ends early reads like a broken connection, and there is none here.
        guard error.kind != .storage, !result.timedOut, case .code = result.exit else { throw error }
        refusal = GitFailure.summary(result.stderrText)
        removeTemporaryPacks()
        return nil
    }

    /// git leaves what it has written of a pack that it refuses. What is older than any call that may still write it is removed.
    private func removeTemporaryPacks() {
        for name in Directory.names(in: "\(path)/objects/pack") ?? [] where name.hasPrefix("tmp_pack_") || name.hasPrefix("tmp_idx_") {
            var info = stat()
            let file = "\(path)/objects/pack/\(name)"
            if lstat(file, &info) == 0, Double(time(nil) - info.st_mtim.tv_sec) > client.settings.networkDeadline { unlink(file) }
        }
    }

    /// Whether everything below the trees is here. Asks no remote.
    private func areWhole(_ trees: [GitObjectID]) async throws(GitError) -> Bool {
        let result = try await client.result(
            .init(
                arguments: ["rev-list", "--objects", "--quiet", "--missing=print", "--stdin"], repository: path,
                input: .bytes(Array(Set(trees).map { $0.hex + "\n" }.joined().utf8)), configuration: [("remote.origin.promisor", "false")],
                environment: ["GIT_NO_LAZY_FETCH": "1"], doing: "look for objects in", place: path))
        return result.succeeded && !result.stdoutText.contains("?")
    }

    /// Makes one index of all packs: git asks each pack by itself otherwise, which is slow where there are many. Best effort:
    /// without it everything works, slower.
    public func indexPacks() async {
        _ = try? await client.result(.init(arguments: ["multi-pack-index", "write", "--no-progress"], repository: path, doing: "index the packs of", place: path))
    }

    /// The remote has what was pushed: packs that only that needs are removed, and the commits' own are marked as coming from
    /// the remote, so that git misses nothing in them (gitformat: a `.promisor` file beside a pack).
    /// - Parameter keeping: packs of what is not pushed yet.
    public func settle(removing names: [String], keeping: Set<String>) {
        // An index of all packs that names one which is gone makes git complain.
        unlink("\(path)/objects/pack/multi-pack-index")
        for file in Directory.names(in: "\(path)/objects/pack") ?? [] where file.hasPrefix("pack-") && file.hasSuffix(".idx") {
            let name = String(file.dropFirst("pack-".count).dropLast(".idx".count))
            guard !keeping.contains(name), !names.contains(name), !FileEntry.exists("\(path)/objects/pack/pack-\(name).promisor") else { continue }
            try? FileWriting.replace("\(path)/objects/pack/pack-\(name).promisor", with: [], durable: false)
        }
        names.forEach(removePack)
    }

    private func removePack(_ name: String) {
        guard !name.isEmpty, name.utf8.allSatisfy(isAlphanumeric) else { return }
        // The index first: a pack without one is not seen, an index without its pack is an error.
        for suffix in ["idx", "rev", "pack"] { unlink("\(path)/objects/pack/pack-\(name).\(suffix)") }
    }
}

import Base
import Glibc

/// Storing packs in the repository.
extension GitStore {
    /// A pack and a tree that it must contain completely.
    public struct Pack: Sendable {
        public let bytes: [UInt8]
        public let tree: GitObjectID

        public init(bytes: [UInt8], tree: GitObjectID) {
            self.bytes = bytes
            self.tree = tree
        }
    }

    /// The maximum bytes of packs that are joined in memory. A larger pack is checked alone.
    private static let joinedBytes = 8 << 20
    /// Far larger than any object of a trial. A small pack can claim a huge object; it is refused before that object is unpacked.
    private static let objectLimit = ["GIT_ALLOC_LIMIT": "256m"]
    private static let unpackingLimit = [("core.bigFileThreshold", "64g")]

    /// Stores packs after checking every object in them, with one process for many packs.
    ///
    /// The packs are joined, and git checks the result. If git refuses it, the set is halved until the bad pack is found, and that pack
    /// is then checked alone. The other packs are not affected.
    /// - Returns: for each pack its name in the repository, for `settle`, or why it was refused: `.corrupt` when it is incomplete, does not
    ///   have its tree, or contains something that git does not accept.
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
        return results.map { $0 ?? .failure(GitError(.failed, "a pack was not checked")) }
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

    /// The joined pack's name; nil if something in the pack is wrong. Nothing of it is stored then.
    private func index(_ joined: JoinedPack, trees: [GitObjectID]) async throws(GitError) -> String? {
        // Not --strict, because that refuses an object that occurs twice, which happens when trials have equal outputs. Missing
        // objects are detected below instead.
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

    /// Stores a packfile after checking every object in it (`index-pack --strict`).
    ///
    /// - Returns: the pack's name in the repository; nil if the repository does not have the object afterwards.
    /// - Throws: `.corrupt` when the pack is incomplete or contains something that git does not accept.
    public func take(pack: [UInt8], holding id: GitObjectID) async throws(GitError) -> String? {
        var refusal = ""
        guard let name = try await indexPack(pack, "--strict", refusal: &refusal) else {
            throw GitError(.corrupt, "the pack is incomplete, or contains something that git does not accept (git: \(refusal))")
        }
        // Reading the index avoids starting another process for each record.
        if let index = FileReading.whole("\(path)/objects/pack/pack-\(name).idx"), PackIndex.contains(id, in: index) { return name }
        return try await missing([id]).isEmpty ? name : nil
    }

    private func indexPack(_ pack: [UInt8], _ check: String) async throws(GitError) -> String? {
        var refusal = ""
        return try await indexPack(pack, check, refusal: &refusal)
    }

    /// Stores a pack and returns its name; nil if git refuses it.
    private func indexPack(_ pack: [UInt8], _ check: String, refusal: inout String) async throws(GitError) -> String? {
        let call = GitClient.Call(
            arguments: ["index-pack", "--stdin", check, "--threads=1"], repository: path, input: .bytes(pack), configuration: Self.unpackingLimit,
            environment: Self.objectLimit, doing: "take a pack into", place: path)
        let result = try await client.result(call)
        if result.succeeded {
            // The output is `pack\t<name>` or `keep\t<name>`, then ids of .gitmodules that are not in the pack.
            let words = result.stdoutText.split(whereSeparator: \.isWhitespace)
            guard words.count > 1 else { throw GitError(.failed, "git index-pack names no pack in \(path)") }
            return String(words[1])
        }
        let error = client.failure(call, result)
        // For a truncated pack, git's message looks like a broken connection, so its error kind is ignored; no connection is involved.
        guard error.kind != .storage, !result.timedOut, case .code = result.exit else { throw error }
        refusal = GitFailure.summary(result.stderrText)
        removeTemporaryPacks()
        return nil
    }

    /// git leaves temporary files of packs that it refuses. Those too old to belong to a running call are removed.
    private func removeTemporaryPacks() {
        for name in Directory.names(in: "\(path)/objects/pack") ?? [] where name.hasPrefix("tmp_pack_") || name.hasPrefix("tmp_idx_") {
            var info = stat()
            let file = "\(path)/objects/pack/\(name)"
            if lstat(file, &info) == 0, Double(time(nil) - info.st_mtim.tv_sec) > client.settings.networkDeadline { unlink(file) }
        }
    }

    /// Whether the repository has everything below the trees. Does not contact the remote.
    private func areWhole(_ trees: [GitObjectID]) async throws(GitError) -> Bool {
        let result = try await client.result(
            .init(
                arguments: ["rev-list", "--objects", "--quiet", "--missing=print", "--stdin"], repository: path,
                input: .bytes(Array(Set(trees).map { $0.hex + "\n" }.joined().utf8)), configuration: [("remote.origin.promisor", "false")],
                environment: ["GIT_NO_LAZY_FETCH": "1"], doing: "look for objects in", place: path))
        return result.succeeded && !result.stdoutText.contains("?")
    }

    /// Writes one index for all packs, because git otherwise searches each pack separately, which is slow when there are many. Best effort:
    /// without the index everything works, only more slowly.
    public func indexPacks() async {
        _ = try? await client.result(
            .init(arguments: ["multi-pack-index", "write", "--no-progress"], repository: path, doing: "index the packs of", place: path))
    }

    /// Called when the remote has what was pushed. Removes packs that nothing else needs, and marks the packs of the commits as coming from
    /// the remote, so that git does not treat missing objects as damage (gitformat: a `.promisor` file beside a pack).
    /// - Parameter keeping: packs of records that are not pushed yet.
    public func settle(removing names: [String], keeping: Set<String>) {
        // git reports errors if the index of all packs names a pack that does not exist.
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
        // The index is removed first: git ignores a pack without an index, but an index without its pack is an error.
        for suffix in ["idx", "rev", "pack"] { unlink("\(path)/objects/pack/pack-\(name).\(suffix)") }
    }
}

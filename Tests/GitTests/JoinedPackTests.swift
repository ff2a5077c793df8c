import AssayTesting
import Base
import Testing

@testable import Git

@Suite struct JoinedPackTests {
    let bench: Workbench

    init() throws { bench = try Workbench() }

    /// A store that counts its calls of index-pack.
    private func store() async throws -> GitStore {
        let git = try bench.gitServing([:], "case \" $* \" in *\" index-pack \"*) echo x >> '\(bench.path)/calls';; esac")
        return try await GitStore(at: "\(bench.path)/store", remote: bench.remote("\(bench.path)/nowhere"), client: git)
    }

    private var calls: Int { (bench.text("calls") ?? "").split(separator: "\n").count }

    /// Each has one file of its own and one that all have.
    private func good(_ range: Range<Int>) throws -> [GitStore.Pack] {
        try range.map { try PackForge.pack(of: [("own", "own \($0)\n"), ("same", "same\n")]) }
    }

    @Test("two hundred packs with equal objects are stored by one process, and each is complete")
    func many() async throws {
        let store = try await store()
        let packs = try good(0..<200)
        let results = await store.take(packs: packs)
        #expect(calls == 1)
        let names = try Set(results.map { try $0.get() })
        #expect(names.count == 1)
        #expect(try await store.missing(packs.map(\.tree)).isEmpty)
        #expect(try await store.entries(ofTrees: packs.map(\.tree)).allSatisfy { $0.map(\.path) == ["own", "same"] })
        try await bench.git(store.path, "fsck", "--strict", "--no-dangling")
        store.settle(removing: Array(names), keeping: [])
        #expect(try await store.missing(packs.map(\.tree)).count == 200)
    }

    @Test("git accepts a repeated object without --strict and refuses it with it: joining packs depends on that")
    func duplicates() async throws {
        let store = try await store()
        let twice = PackForge.pack([PackForge.blob("a"), PackForge.blob("a")])
        for (check, isTaken) in [("--fsck-objects", true), ("--strict", false)] {
            let call = GitClient.Call(arguments: ["index-pack", "--stdin", check], repository: store.path, input: .bytes(twice), doing: "try")
            #expect(try await GitClient().result(call).succeeded == isTaken, "\(check)")
        }
    }

    enum Fault: String, CaseIterable, Sendable {
        case truncated, flipped, forged, fewer, more, trailing, noTree, missingBlob, dotGit, badMode, bomb, offsetOutside, baseOutside, empty
    }

    private func bad(_ fault: Fault, after: GitStore.Pack) throws -> GitStore.Pack {
        let files = [("file", "content\n")]
        let whole = try PackForge.pack(of: files)
        let tree = PackForge.object(2, PackForge.treeContent(files))
        func with(_ bytes: [UInt8]) -> GitStore.Pack { GitStore.Pack(bytes: bytes, tree: whole.tree) }
        func resealed(_ bytes: [UInt8]) -> [UInt8] { bytes.dropLast(20) + SHA1.digest(of: bytes.dropLast(20)) }
        func flipped(_ at: Int) -> [UInt8] {
            var bytes = whole.bytes
            bytes[at] ^= 0x55
            return bytes
        }
        switch fault {
        case .truncated: return with(Array(whole.bytes.dropLast(7)))
        case .flipped: return with(flipped(30))
        case .forged: return with(resealed(flipped(24)))
        case .fewer: return with(PackForge.pack([PackForge.blob("content\n"), tree], count: 1))
        case .more: return with(PackForge.pack([PackForge.blob("content\n"), tree], count: 3))
        case .trailing: return with(PackForge.pack([PackForge.blob("content\n"), tree, [0x55, 0x55, 0x55]], count: 2))
        case .noTree: return with(PackForge.pack([PackForge.blob("content\n")]))
        case .missingBlob: return with(PackForge.pack([tree]))
        case .dotGit: return try PackForge.pack(of: [(".git", "x")])
        case .badMode:
            let content = Array("100644 a/b\0".utf8) + PackForge.id("blob", Array("content\n".utf8))
            return GitStore.Pack(
                bytes: PackForge.pack([PackForge.blob("content\n"), PackForge.object(2, content)]),
                tree: try #require(GitObjectID(hex(PackForge.id("tree", content)))))
        case .bomb: return with(PackForge.pack([PackForge.object(3, Array("content\n".utf8), claiming: 1 << 40), tree]))
        case .offsetOutside:
            // The first object of the previous pack, to which this offset points in the joined pack.
            let distance = after.bytes.count - 32
            let base = distance < 128 ? [UInt8(distance)] : [UInt8((distance >> 7) - 1) | 0x80, UInt8(distance & 0x7F)]
            return try PackForge.pack(of: [("file", "own 3\n")], objects: [PackForge.object(6, PackForge.copy(of: "own 3\n"), base: base)])
        case .baseOutside:
            let base = PackForge.id("blob", Array("own 3\n".utf8))
            return try PackForge.pack(of: [("file", "own 3\n")], objects: [PackForge.object(7, PackForge.copy(of: "own 3\n"), base: base)])
        case .empty: return with(PackForge.pack([]))
        }
    }

    @Test("of eight packs exactly the bad one is refused, and the others are stored", arguments: Fault.allCases)
    func oneBad(fault: Fault) async throws {
        let store = try await store()
        var packs = try good(0..<7)
        packs.insert(try bad(fault, after: packs[3]), at: 4)
        let results = await store.take(packs: packs)
        for (index, result) in results.enumerated() {
            switch result {
            case .success: #expect(index != 4)
            case .failure(let error): #expect(index == 4 && error.kind == .corrupt, "\(index): \(error)")
            }
        }
        #expect(try await store.missing(packs.enumerated().filter { $0.offset != 4 }.map(\.element.tree)).isEmpty)
        // The content of the bad pack is not stored either, alone or with the others.
        let left = Directory.names(in: "\(store.path)/objects/pack")?.filter { $0.hasSuffix(".pack") } ?? []
        let names = Set(try results.enumerated().filter { $0.offset != 4 }.map { try $0.element.get() })
        if fault != .noTree, fault != .empty { #expect(Set(left) == Set(names.map { "pack-\($0).pack" })) }
    }

    @Test("invalid bytes as frames, joined packs and indexes are refused without a crash")
    func anyBytes() async throws {
        let store = try await store()
        let packs = try good(0..<3)
        let name = try #require(try await store.take(packs: packs).first?.get())
        let index = try #require(FileReading.whole("\(store.path)/objects/pack/pack-\(name).idx"))
        let frames = packs.compactMap { PackFrame($0.bytes) }
        let joined = try #require(JoinedPack(frames))
        #expect(joined.isSplit(by: index, trees: packs.map(\.tree)))
        #expect(!joined.isSplit(by: index, trees: packs.map(\.tree).reversed()))
        #expect(!joined.isSplit(by: index, trees: Array(packs.map(\.tree).prefix(2))))
        for round in 0..<2000 {
            var bytes = round % 2 == 0 ? index : packs[0].bytes
            switch round % 3 {
            case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count)))
            case 1: for _ in 0..<Int.random(in: 1...8) { bytes[Int.random(in: 0..<bytes.count)] = .random(in: 0...255) }
            default: bytes = (0..<Int.random(in: 0...200)).map { _ in .random(in: 0...255) }
            }
            if round % 2 == 0 {
                _ = joined.isSplit(by: bytes, trees: packs.map(\.tree))
                _ = PackIndex.contains(packs[0].tree, in: bytes)
            } else if bytes != packs[0].bytes {
                #expect(PackFrame(bytes) == nil)
            }
        }
        // An impossible count with a correct SHA-1.
        for count in [0, 4, 1 << 20, Int(UInt32.max)] { #expect(PackFrame(PackForge.pack([PackForge.blob("a")], count: count)) == nil) }
    }
}

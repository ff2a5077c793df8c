import Base
import EvalModel
import Git

/// A part of a repository at a commit, as the cache service serves it: a folder, or parts of a folder.
public struct TreeReference: Sendable, Hashable {
    /// The address of the repository, without credentials.
    public let repository: String
    public let commit: GitObjectID
    /// A folder of the commit. Paths in the stream are relative to it.
    public let path: GitPath
    /// The files and folders below `path` that are wanted; empty: all of it. A part that does not exist is left out of the stream. A link
    /// that leads out of its part becomes what it leads to.
    public let parts: [GitPath]

    /// Of a whole folder. Links of parts are always `withinExport`.
    public let links: TreeExport.Links

    /// The `fixtures.lock` of the commit whose files belong to the tree; nil: none.
    public let fixtures: GitPath?

    /// What the mirror has of the repository.
    public let extent: MirrorExtent

    /// - Parameter parts: a part below another one is left out.
    public init(
        repository: String, commit: GitObjectID, path: GitPath, parts: [GitPath] = [], links: TreeExport.Links = .withinExport,
        fixtures: GitPath? = nil, extent: MirrorExtent = .full
    ) {
        self.extent = extent
        self.links = links
        self.fixtures = fixtures
        self.repository = repository
        self.commit = commit
        self.path = path
        let sorted = Array(Set(parts)).sorted()
        self.parts = sorted.filter { part in !sorted.contains { $0 != part && part.isWithin($0) } }
    }

    /// A whole commit, with each link as it is there.
    public static func whole(_ repository: String, at commit: GitObjectID) -> TreeReference {
        TreeReference(repository: repository, commit: commit, path: .root, links: .asWritten)
    }

    /// The whole commit that this tree can be made from; nil for what needs something else, and for the whole commit itself.
    var whole: TreeReference? {
        guard fixtures == nil, extent == .full || extent == .shallow, !isWhole else { return nil }
        return .whole(repository, at: commit)
    }

    var isWhole: Bool { self == .whole(repository, at: commit) }

    /// The same reference always has the same text.
    var json: [UInt8] {
        let texts = ([repository, commit.hex, path.text] + parts.map(\.text)).map { JSONValue.string($0) }
        let lock = fixtures.map { [JSONValue.object(["fixtures": .string($0.text)])] } ?? []
        let mirror = extent == .full ? [] : [JSONValue.object(["extent": .string(extent.text)])]
        return JSONValue.array(texts + mirror + lock + (links == .asWritten ? [true] : [])).serialized()
    }

    /// Names the reference: 128 bits of a hash of it.
    public var id: String { String(SHA256.hex(of: json).prefix(32)) }

    /// The reference as one word, for a URL.
    var word: String { Base64URL.encode(json) }

    /// - Throws: `.invalidInput` for anything but the word of a reference.
    init(word: String) throws(GitError) {
        let malformed = GitError(.invalidInput, "the request names no tree")
        guard word.utf8.count <= 64 << 10, let bytes = Base64URL.decode(word), var list = (try? JSONValue(parsing: bytes))?.array,
            list.count >= 3, let repository = list[0].string, let commit = list[1].string.flatMap({ GitObjectID($0) }), let path = list[2].string
        else { throw malformed }
        let links: TreeExport.Links = list.last?.bool == true ? .asWritten : .withinExport
        if links == .asWritten { list.removeLast() }
        var fixtures: GitPath?
        if let lock = list.last?["fixtures"]?.string {
            fixtures = try GitPath(parsing: lock)
            list.removeLast()
        }
        var extent = MirrorExtent.full
        if let text = list.last?["extent"]?.string {
            extent = try MirrorExtent(parsing: text)
            list.removeLast()
        }
        var parts: [GitPath] = []
        for part in list.dropFirst(3) {
            guard let text = part.string else { throw malformed }
            parts.append(try GitPath(parsing: text))
        }
        self.init(
            repository: repository, commit: commit, path: try GitPath(parsing: path), parts: parts, links: links, fixtures: fixtures,
            extent: extent)
    }
}

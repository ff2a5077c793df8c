import EvalModel
import Git

/// An overlay at a commit, with what it offers there.
public struct PinnedOverlay: Sendable, Hashable {
    public let name: String
    public let source: PinnedSource
    /// The Secret that the repository is fetched with; nil: none.
    public let secret: String?
    /// The paths of the surfaces that the commit has.
    public let paths: OverlayPaths
    public let offers: OverlayOffers
    /// Sentences about what is skipped.
    public let notes: [String]

    public init(name: String, source: PinnedSource, secret: String?, paths: OverlayPaths, offers: OverlayOffers, notes: [String]) {
        self.name = name
        self.source = source
        self.secret = secret
        self.paths = paths
        self.offers = offers
        self.notes = notes
    }
}

/// What a commit offers at the given paths.
public struct OverlayListing: Sendable, Hashable {
    /// The paths that the commit has.
    public private(set) var paths = OverlayPaths()
    /// Sorted by bytes. The list of the prompt has its file's name.
    public private(set) var names: [OverlaySurface: [EntryName]] = [:]
    /// Sentences about what is skipped.
    public private(set) var notes: [String] = []

    /// The most names of a surface, and the most notes. They are in the plan and in the records of each job, for which a folder of a hundred thousand
    /// files would be too large. What is delivered is not limited by them.
    public static let (namesLimit, notesLimit) = (2000, 100)

    /// A missing path is skipped with a note. Hidden entries are none, and a skill is a folder.
    public init(_ tree: GitTree, at wanted: OverlayPaths) {
        for surface in wanted.surfaces {
            guard let path = wanted[surface] else { continue }
            let isPrompt = surface == .prompt
            let real: String
            switch tree.resolve(path.text) {
            case .root where !isPrompt: real = ""
            case .entry(let entry) where entry.kind == .directory && !isPrompt: real = entry.path
            case .entry(let entry) where (entry.kind == .file || entry.kind == .executable) && isPrompt:
                (paths[surface], names[surface]) = (path, [EntryName(path.last ?? "")])
                continue
            case .missing:
                notes.append("there is no \(isPrompt ? "file" : "folder") \"\(path)\"")
                continue
            case .outside:
                notes.append("\"\(path)\" is a link out of the repository")
                continue
            case .root, .entry:
                notes.append("\"\(path)\" is no \(isPrompt ? "file" : "folder")")
                continue
            }
            paths[surface] = path
            names[surface] = bounded(entries(of: surface, in: real, of: tree), path)
        }
        if notes.count > Self.notesLimit { notes[Self.notesLimit...] = ["\(notes.count - Self.notesLimit) more notes"] }
    }

    private mutating func bounded(_ found: [EntryName], _ path: GitPath) -> [EntryName] {
        guard found.count > Self.namesLimit else { return found }
        notes.insert(
            "\"\(path)\" has \(found.count) entries: only the first \(Self.namesLimit) are listed and compared with those of other overlays; all are "
                + "delivered", at: 0)
        return Array(found.prefix(Self.namesLimit))
    }

    private mutating func entries(of surface: OverlaySurface, in folder: String, of tree: GitTree) -> [EntryName] {
        var found: [EntryName] = []
        for name in tree.names(in: folder) where !name.hasPrefix(".") {
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            switch tree.resolve(path) {
            case .entry(let entry) where entry.kind == .submodule:
                notes.append("\"\(path)\" is a git submodule, which is not delivered")
            case .entry(let entry) where surface != .skills || entry.kind == .directory: found.append(EntryName(name))
            case .entry, .root: continue
            case .missing, .outside: notes.append("\"\(path)\" is a link to nothing in the repository")
            }
        }
        return found
    }
}

extension SourceResolver {
    /// Reads what an overlay offers.
    ///
    /// - Parameters:
    ///   - name: the overlay's name.
    ///   - ref: a branch, tag or commit; nil: the default branch. A commit that the mirror has is read without the remote.
    ///   - secret: the name of the Secret that `credentials` are from.
    ///   - known: what was found before at the same paths; returned again when the commit is the same.
    public func overlay(
        _ name: String, repo: String, ref: String?, paths: OverlayPaths, secret: String?, credentials: GitCredentials, known: PinnedOverlay? = nil
    ) async throws(SourceError) -> PinnedOverlay {
        let source = try await pin(repo, ref: ref, credentials: credentials)
        if let known, known.source == source { return known }
        let listing = OverlayListing(try await tree(source, credentials: credentials), at: paths)
        return PinnedOverlay(
            name: name, source: source, secret: secret, paths: listing.paths, offers: OverlayOffers(overlay: name, names: listing.names),
            notes: listing.notes)
    }
}

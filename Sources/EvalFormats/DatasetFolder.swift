import EvalModel

/// Finds the tasks in a folder. Pure: the caller lists the folder.
public enum DatasetFolder {
    /// The tasks in a dataset's folder, sorted by name, so that the order is the same on every machine.
    ///
    /// - Parameters:
    ///   - path: the dataset's folder.
    ///   - taskFiles: paths relative to the repository's root; those that do not end in `task.toml` are ignored. Tasks are
    ///     the direct subfolders of the dataset's folder. If that folder is itself a task, it is the only one.
    ///   - include: globs for names; nil or empty selects all.
    ///   - exclude: globs for names; they win over `include`.
    public static func tasks(
        at path: SourcePath, taskFiles: some Sequence<String>, include: [String]? = nil, exclude: [String]? = nil
    ) -> [TaskReference] {
        // By bytes: folders whose names are canonically equivalent in Unicode stay two tasks, which the matrix then refuses.
        var names: Set<[UInt8]> = []
        var isTaskItself = false
        let prefix = path.isRoot ? "" : path.text + "/"
        for file in taskFiles where file.utf8.starts(with: prefix.utf8) {
            let parts = file.utf8.dropFirst(prefix.utf8.count).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            guard parts.last?.elementsEqual("task.toml".utf8) == true else { continue }
            if parts.count == 1 { isTaskItself = true }
            if parts.count == 2 { names.insert(Array(parts[0])) }
        }
        if isTaskItself {
            let name = path.name ?? "task"
            return select([TaskReference(name: name, path: path.text)], include: include, exclude: exclude)
        }
        let tasks = names.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) }
            .map { TaskReference(name: $0, path: prefix + $0) }
        return select(tasks, include: include, exclude: exclude)
    }

    /// The tasks whose name matches an `include` glob and no `exclude` glob, in the same order.
    public static func select(_ tasks: [TaskReference], include: [String]?, exclude: [String]?) -> [TaskReference] {
        let included = (include ?? []).map(Glob.init)
        let excluded = (exclude ?? []).map(Glob.init)
        return tasks.filter { task in
            (included.isEmpty || included.contains { $0.matches(task.name) }) && !excluded.contains { $0.matches(task.name) }
        }
    }
}

/// A shell pattern for a name: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before a literal character.
public struct Glob: Sendable, Hashable {
    private enum Piece: Sendable, Hashable {
        case anything
        case one
        case literal(Character)
        case set([ClosedRange<Character>], negated: Bool)
    }

    public let pattern: String
    private let pieces: [Piece]

    public init(_ pattern: String) {
        self.pattern = pattern
        var pieces: [Piece] = []
        var rest = pattern[...]
        while let character = rest.popFirst() {
            switch character {
            case "*": if pieces.last != .anything { pieces.append(.anything) }
            case "?": pieces.append(.one)
            case "\\": pieces.append(.literal(rest.popFirst() ?? "\\"))
            case "[":
                if let (set, after) = Self.set(rest) {
                    pieces.append(set)
                    rest = after
                } else {
                    pieces.append(.literal("["))
                }
            default: pieces.append(.literal(character))
            }
        }
        self.pieces = pieces
    }

    /// The set after a `[`; nil when it is not closed: the bracket is then literal.
    private static func set(_ text: Substring) -> (Piece, Substring)? {
        var rest = text
        var negated = false
        if rest.first == "!" || rest.first == "^" {
            negated = true
            rest.removeFirst()
        }
        var ranges: [ClosedRange<Character>] = []
        while let low = rest.popFirst() {
            if low == "]", !ranges.isEmpty { return (.set(ranges, negated: negated), rest) }
            var high = low
            if rest.first == "-", let end = rest.dropFirst().first, end != "]" {
                high = end
                rest = rest.dropFirst(2)
            }
            ranges.append(low <= high ? low...high : high...low)
        }
        return nil
    }

    /// Whether the whole name matches. At most name times pattern steps, because only the last `*` is retried.
    public func matches(_ name: String) -> Bool {
        let characters = Array(name)
        var place = 0
        var piece = 0
        var star: (piece: Int, place: Int)?
        while place < characters.count {
            if piece < pieces.count, pieces[piece] == .anything {
                star = (piece, place)
                piece += 1
            } else if piece < pieces.count, Self.matches(pieces[piece], characters[place]) {
                piece += 1
                place += 1
            } else if let last = star {
                star = (last.piece, last.place + 1)
                piece = last.piece + 1
                place = last.place + 1
            } else {
                return false
            }
        }
        return pieces[piece...].allSatisfy { $0 == .anything }
    }

    private static func matches(_ piece: Piece, _ character: Character) -> Bool {
        switch piece {
        case .anything, .one: true
        case .literal(let literal): literal == character
        case .set(let ranges, let negated): ranges.contains { $0.contains(character) } != negated
        }
    }
}

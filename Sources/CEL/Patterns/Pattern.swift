/// A regular expression with RE2's syntax and meaning. The time for a match is proportional to the lengths of text and
/// expression, whatever they contain.
///
/// Go's `regexp`, which the API server uses, never backtracks. Swift's and ICU's do, and they count characters by other rules. So
/// this is our own small machine (Pike's: threads in order of preference, one step per character).
package struct Pattern: Sendable {
    fileprivate enum Instruction: Sendable {
        case scalar(PatternClass)
        case split(Int, Int)
        case jump(Int)
        case assertion(PatternNode.Assertion)
        case match
    }

    private let program: [Instruction]

    /// Throws `PatternError` for an expression that RE2 refuses.
    package init(_ source: String) throws(PatternError) {
        var compiler = Compiler(source: source)
        try compiler.emit(PatternParser.parse(source))
        try compiler.append(.match)
        program = compiler.program
    }

    /// Whether the expression matches anywhere in the text.
    package func matches(_ text: String) -> Bool { search(Array(text.unicodeScalars), from: 0, stopAtFirst: true) != nil }

    /// The leftmost match, with Perl's preference among alternatives; nil when there is none.
    func firstMatch(in text: String) -> String? {
        let scalars = Array(text.unicodeScalars)
        return search(scalars, from: 0, stopAtFirst: false).map { Self.string(scalars[$0]) }
    }

    /// Matches that do not overlap, from left to right; at most `limit` of them when it is not nil.
    func allMatches(in text: String, limit: Int? = nil) -> [String] {
        let scalars = Array(text.unicodeScalars)
        var found: [String] = []
        var start = 0
        var previousEnd = -1
        while start <= scalars.count, limit.map({ found.count < $0 }) ?? true,
            let range = search(scalars, from: start, stopAtFirst: false)
        {
            // An empty match directly after another match does not count, as in Go.
            if !(range.isEmpty && range.lowerBound == previousEnd) { found.append(Self.string(scalars[range])) }
            previousEnd = range.upperBound
            start = range.isEmpty ? range.upperBound + 1 : range.upperBound
        }
        return found
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private struct Threads {
        var order: [(instruction: Int, start: Int)] = []
        private var lastSeen: [Int]

        init(_ size: Int) { lastSeen = Array(repeating: -1, count: size) }

        /// Returns false when the instruction already waits at this position.
        mutating func visit(_ instruction: Int, at position: Int) -> Bool {
            if lastSeen[instruction] == position { return false }
            lastSeen[instruction] = position
            return true
        }
    }

    private func search(_ text: [Unicode.Scalar], from origin: Int, stopAtFirst: Bool) -> Range<Int>? {
        var current = Threads(program.count)
        var following = Threads(program.count)
        var stack: [Int] = []
        var best: Range<Int>?
        var position = origin
        while position <= text.count {
            if best == nil { add(0, start: position, at: position, text, &current, &stack) }
            if current.order.isEmpty, best != nil { break }
            following.order.removeAll(keepingCapacity: true)
            for thread in current.order {
                switch program[thread.instruction] {
                case .scalar(let set):
                    if position < text.count, set.contains(text[position]) {
                        add(thread.instruction + 1, start: thread.start, at: position + 1, text, &following, &stack)
                    }
                    continue
                case .match:
                    best = thread.start..<position
                    if stopAtFirst { return best }
                default: continue
                }
                break  // the remaining threads have a lower preference than this match
            }
            swap(&current, &following)
            position += 1
        }
        return best
    }

    /// Follows the instructions that consume no character. Uses an explicit stack, because a long expression would overflow the
    /// thread's stack.
    private func add(
        _ instruction: Int, start: Int, at position: Int, _ text: [Unicode.Scalar], _ threads: inout Threads, _ stack: inout [Int]
    ) {
        stack.append(instruction)
        while let index = stack.popLast() {
            guard threads.visit(index, at: position) else { continue }
            switch program[index] {
            case .jump(let target): stack.append(target)
            case .split(let preferred, let other):
                stack.append(other)
                stack.append(preferred)
            case .assertion(let kind): if holds(kind, text, position) { stack.append(index + 1) }
            case .scalar, .match: threads.order.append((index, start))
            }
        }
    }

    private func holds(_ assertion: PatternNode.Assertion, _ text: [Unicode.Scalar], _ position: Int) -> Bool {
        switch assertion {
        case .textStart: return position == 0
        case .textEnd: return position == text.count
        case .lineStart: return position == 0 || text[position - 1] == "\n"
        case .lineEnd: return position == text.count || text[position] == "\n"
        case .wordBoundary, .noWordBoundary:
            let before = position > 0 && Self.isWord(text[position - 1])
            let after = position < text.count && Self.isWord(text[position])
            return (before != after) == (assertion == .wordBoundary)
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_": true
        default: false
        }
    }

    private struct Compiler {
        let source: String
        var program: [Instruction] = []

        /// Nested repetition counts multiply: `((a{1000}){1000})` is refused, as by RE2.
        mutating func append(_ instruction: Instruction) throws(PatternError) {
            if program.count >= 50_000 { throw PatternError("expression too large", source) }
            program.append(instruction)
        }

        mutating func emit(_ node: PatternNode) throws(PatternError) {
            switch node {
            case .empty: break
            case .scalar(let set): try append(.scalar(set))
            case .assertion(let kind): try append(.assertion(kind))
            case .sequence(let parts): for part in parts { try emit(part) }
            case .alternatives(let branches):
                var ends: [Int] = []
                for (index, branch) in branches.enumerated() {
                    guard index < branches.count - 1 else {
                        try emit(branch)
                        continue
                    }
                    let fork = program.count
                    try append(.jump(0))
                    try emit(branch)
                    ends.append(program.count)
                    try append(.jump(0))
                    program[fork] = .split(fork + 1, program.count)
                }
                for end in ends { program[end] = .jump(program.count) }
            case .repeat(let part, let least, let most, let greedy):
                guard let most else { return try unbounded(part, least: least, greedy: greedy) }
                for _ in 0..<least { try emit(part) }
                var forks: [Int] = []
                for _ in 0..<(most - least) {
                    forks.append(program.count)
                    try append(.jump(0))
                    try emit(part)
                }
                for fork in forks { program[fork] = split(fork + 1, program.count, greedy: greedy) }
            }
        }

        private mutating func unbounded(_ part: PatternNode, least: Int, greedy: Bool) throws(PatternError) {
            guard least == 0 else {
                for _ in 1..<least { try emit(part) }
                return try plus(part, greedy: greedy)
            }
            let fork = program.count
            try append(.jump(0))
            if part.canBeEmpty {
                // `(x+)?`: the quantifier's greediness decides whether an empty round is preferred, as in Go.
                try plus(part, greedy: greedy)
            } else {
                try emit(part)
                try append(.jump(fork))
            }
            program[fork] = split(fork + 1, program.count, greedy: greedy)
        }

        private mutating func plus(_ part: PatternNode, greedy: Bool) throws(PatternError) {
            let start = program.count
            try emit(part)
            try append(split(start, program.count + 1, greedy: greedy))
        }

        private func split(_ enter: Int, _ leave: Int, greedy: Bool) -> Instruction {
            greedy ? .split(enter, leave) : .split(leave, enter)
        }
    }
}

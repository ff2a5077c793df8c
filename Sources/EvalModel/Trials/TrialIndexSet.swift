/// A set of trial indexes with a compact text form: `0-41,43`.
///
/// Kept as sorted, disjoint, non-touching ranges, so that the status of a job of 100,000 trials stays small. Called
/// `TrialIndexSet` because Foundation has an `IndexSet`.
public struct TrialIndexSet: Sendable, Hashable, Codable, CustomStringConvertible, Sequence {
    /// Sorted, and with a gap between any two.
    public private(set) var ranges: [ClosedRange<Int>]

    public init() {
        ranges = []
    }

    public init(_ indexes: some Sequence<Int>) {
        self.init()
        for index in indexes { insert(index) }
    }

    /// Reads only what `description` writes.
    ///
    /// - Throws: `TrialIndexSetError` for whitespace, negative numbers, leading zeros, and ranges that are reversed, unsorted,
    ///   overlapping or touching.
    public init(parsing text: String) throws(TrialIndexSetError) {
        self.init()
        guard !text.isEmpty else { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false)
            guard bounds.count <= 2, let low = bounds.first.flatMap(Self.number), let high = bounds.last.flatMap(Self.number),
                bounds.count == 1 || low < high
            else { throw TrialIndexSetError(text: text, part: String(part)) }
            // `description` writes touching ranges as one.
            if let last = ranges.last, low <= last.upperBound || low - 1 == last.upperBound {
                throw TrialIndexSetError(text: text, part: String(part))
            }
            ranges.append(low...high)
        }
    }

    private static func number(_ digits: Substring) -> Int? {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count == 1 || digits.first != "0"
        else { return nil }
        return Int(digits)
    }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }
    public var first: Int? { ranges.first?.lowerBound }
    public var last: Int? { ranges.last?.upperBound }

    public func contains(_ index: Int) -> Bool {
        let position = firstRange(endingAtOrAfter: index)
        return position < ranges.count && ranges[position].lowerBound <= index
    }

    /// Adds an index. Returns whether it was new.
    @discardableResult
    public mutating func insert(_ index: Int) -> Bool {
        if contains(index) { return false }
        insert(index...index)
        return true
    }

    /// Adds a range and joins it with the ranges it touches.
    public mutating func insert(_ range: ClosedRange<Int>) {
        // A range touches this one when it ends at `lowerBound - 1` or later and begins at `upperBound + 1` or earlier.
        let start = firstRange(endingAtOrAfter: range.lowerBound == .min ? .min : range.lowerBound - 1)
        var end = start
        var joined = range
        let reach = range.upperBound == .max ? .max : range.upperBound + 1
        while end < ranges.count, ranges[end].lowerBound <= reach {
            joined = Swift.min(joined.lowerBound, ranges[end].lowerBound)...Swift.max(joined.upperBound, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(start..<end, with: [joined])
    }

    /// Removes an index. Returns whether it was in the set.
    @discardableResult
    public mutating func remove(_ index: Int) -> Bool {
        let position = firstRange(endingAtOrAfter: index)
        guard position < ranges.count, ranges[position].lowerBound <= index else { return false }
        let range = ranges[position]
        var rest: [ClosedRange<Int>] = []
        if range.lowerBound < index { rest.append(range.lowerBound...(index - 1)) }
        if index < range.upperBound { rest.append((index + 1)...range.upperBound) }
        ranges.replaceSubrange(position...position, with: rest)
        return true
    }

    public mutating func formUnion(_ other: TrialIndexSet) {
        for range in other.ranges { insert(range) }
    }

    public func union(_ other: TrialIndexSet) -> TrialIndexSet {
        var result = self
        result.formUnion(other)
        return result
    }

    /// The smallest index in `start..<limit` that is not in the set; nil when there is none.
    public func firstMissing(from start: Int = 0, below limit: Int) -> Int? {
        var candidate = start
        let position = firstRange(endingAtOrAfter: start)
        if position < ranges.count, ranges[position].lowerBound <= candidate {
            // Ranges never touch, so the index after the end of one is missing.
            candidate = ranges[position].upperBound + 1
        }
        return candidate < limit ? candidate : nil
    }

    /// The position of the first range whose end is not before `index` (binary search).
    private func firstRange(endingAtOrAfter index: Int) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < index { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func makeIterator() -> some IteratorProtocol<Int> {
        ranges.lazy.joined().makeIterator()
    }

    public var description: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            self = try TrialIndexSet(parsing: container.decode(String.self))
        } catch let error as TrialIndexSetError {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The text is not an index set.
public struct TrialIndexSetError: Error, Sendable, Hashable, CustomStringConvertible {
    public var text: String
    /// The part between commas that is wrong.
    public var part: String

    public var description: String {
        "\"\(text)\" is not an index set at \"\(part)\": expected ascending numbers and ranges such as 0-41,43"
    }
}

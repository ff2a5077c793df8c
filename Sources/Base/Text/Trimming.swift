extension StringProtocol {
    /// The text without the characters at both ends for which `unwanted` is true.
    public func trimming(_ unwanted: (Character) -> Bool) -> SubSequence {
        var rest = self[...]
        while let first = rest.first, unwanted(first) { rest = rest.dropFirst() }
        while let last = rest.last, unwanted(last) { rest = rest.dropLast() }
        return rest
    }

    /// The text without white space and line ends at both ends.
    public var trimmed: String { String(trimming(\.isWhitespace)) }
}

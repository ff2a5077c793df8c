extension StringProtocol {
    /// Without the characters at both ends that `unwanted` names.
    public func trimming(_ unwanted: (Character) -> Bool) -> SubSequence {
        var rest = self[...]
        while let first = rest.first, unwanted(first) { rest = rest.dropFirst() }
        while let last = rest.last, unwanted(last) { rest = rest.dropLast() }
        return rest
    }

    /// Without white space and line ends around it.
    public var trimmed: String { String(trimming(\.isWhitespace)) }
}

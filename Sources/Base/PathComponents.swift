extension StringProtocol {
    /// What stands between the slashes, empty parts left out. By bytes: a combining mark behind a slash makes one `Character`
    /// of both, and is the beginning of a name all the same.
    public var pathComponents: [String] {
        utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// What a Compose file asks for that is refused, and what is ignored, in the order in which it is found.
struct ComposeNotes {
    /// The most of each that are kept.
    private static let most = 50

    private(set) var refusals: [String] = []
    private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - key: the path of the key, such as `services.db.privileged`.
    ///   - why: what is wrong with it, and what to do.
    mutating func refuse(_ key: String, _ why: String) {
        let text = "\(key): \(why)"
        if refusals.count < Self.most, !refusals.contains(text) { refusals.append(String(text.prefix(1000))) }
    }

    mutating func warn(_ key: String, _ what: String) {
        let text = "\(ComposeFile.path): \(key) \(what)"
        if warnings.count < Self.most, !warnings.contains(text) { warnings.append(String(text.prefix(1000))) }
    }
}

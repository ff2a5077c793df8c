import Base

/// The agent's secrets, in the form in which the collector searches for them.
struct SecretFilter: Sendable {
    let redactor: Redactor
    /// Names of secrets that are too short to be searched for.
    let unredacted: [String]

    init(_ secrets: [CollectorConfiguration.Secret]) {
        redactor = Redactor(secrets: secrets.map { .init(name: $0.name, value: Array($0.value.utf8)) })
        unredacted = redactor.tooShort.sorted()
    }

    /// The components of a path, redacted. A secret that contains a slash may extend over several components.
    func path(_ components: [[UInt8]]) -> [[UInt8]] {
        guard !redactor.isEmpty else { return components }
        let found = redactor.occurrences(in: Array(components.joined(separator: [UInt8(ascii: "/")])))
        guard !found.isEmpty else { return components }
        var clean: [[UInt8]] = []
        var start = 0
        for component in components {
            let end = start + component.count
            var name: [UInt8] = []
            var at = start
            for occurrence in found where occurrence.lowerBound < end && occurrence.upperBound > start {
                if at < occurrence.lowerBound { name += component[(at - start)..<(occurrence.lowerBound - start)] }
                name += Redactor.replacement
                at = min(end, occurrence.upperBound)
            }
            name += component[(at - start)...]
            clean.append(name)
            start = end + 1
        }
        return clean
    }
}

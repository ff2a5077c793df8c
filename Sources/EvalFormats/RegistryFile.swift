import Base
import EvalModel

/// A `registry.json`: datasets by name and version.
///
/// Mistakes in a dataset count only when it is selected: one registry serves many people, and their jobs do not depend on each other.
public struct RegistryFile: Sendable, Hashable {
    /// A dataset that cannot be used.
    public struct Broken: Sendable, Hashable {
        /// Nil when the entry has no readable name or version.
        public var name: String?
        public var version: String?
        public var error: FileFormatError
    }

    /// The usable datasets, in the order of the file.
    public var entries: [RegistryEntry]
    /// The other datasets, in the order of the file.
    public var broken: [Broken]
    /// Sentences for the user about what is ignored.
    public var warnings: [String]

    public init(entries: [RegistryEntry], broken: [Broken] = [], warnings: [String] = []) {
        self.entries = entries
        self.broken = broken
        self.warnings = warnings
    }

    /// - Parameter file: the file's name, for messages.
    /// - Throws: `FileFormatError` when the file is not a JSON array.
    public static func parse(_ bytes: [UInt8], file: String = "registry.json") throws(FileFormatError) -> RegistryFile {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw FileFormatError(
                file: file, place: "line \(error.line), column \(error.column)", message: error.message)
        }
        guard case .array(let elements) = value else {
            throw FileFormatError(file: file, place: "", message: "must be an array of datasets, not \(ValueReader.kindName(value))")
        }
        var result = RegistryFile(entries: [])
        for (index, element) in elements.enumerated() {
            do throws(FileFormatError) {
                var reader = try ValueReader(element, file: file, path: "[\(index)]")
                let entry = try entry(&reader, warnings: &result.warnings)
                if result.entries.contains(where: { $0.name == entry.name && $0.version == entry.version }) {
                    throw reader.problem("version", "dataset \"\(entry.name)\" has version \"\(entry.version)\" twice")
                }
                result.entries.append(entry)
            } catch {
                result.broken.append(Broken(name: element["name"]?.string, version: element["version"]?.string, error: error))
            }
        }
        return result
    }

    private static func entry(_ reader: inout ValueReader, warnings: inout [String]) throws(FileFormatError) -> RegistryEntry {
        var entry = RegistryEntry(
            name: try reader.requiredString("name"), version: try reader.requiredString("version"),
            description: try reader.string("description"), tasks: [])
        var names = Set<String>()
        for var task in try reader.objects("tasks") {
            let reference = try reference(&task)
            guard names.insert(reference.name).inserted else {
                throw task.problem("name", "task \"\(reference.name)\" is in dataset \"\(entry.name)\" twice")
            }
            entry.tasks.append(reference)
        }
        for var metric in try reader.objects("metrics") {
            let name = try metric.string("type") ?? MetricType.mean.rawValue
            guard let type = MetricType(rawValue: name) else {
                warnings.append("\(metric.place("type")): metric \"\(name)\" of dataset \"\(entry.name)\" is ignored")
                continue
            }
            entry.metrics.append(type)
        }
        return entry
    }

    private static func reference(_ task: inout ValueReader) throws(FileFormatError) -> TaskReference {
        let text = try task.requiredString("path")
        let path: SourcePath
        do throws(SourcePathError) {
            path = try SourcePath(text)
        } catch {
            throw task.problem("path", error.description)
        }
        guard let name = try task.string("name") ?? path.name, !name.isEmpty else { throw task.problem("name", "is required") }
        let repo = try task.string("git_url")
        let commit = try task.string("git_commit_id")
        guard repo != nil || commit == nil || commit == "head" else {
            throw task.problem("git_commit_id", "needs a git_url: a task without one lies in the registry's own repository")
        }
        // Harbor's registries say "head" for the default branch.
        let ref = commit.flatMap { $0.lowercased() == "head" || $0.isEmpty ? nil : $0 }
        return TaskReference(name: name, path: path.text, repo: repo, ref: ref)
    }

    // MARK: Which version

    /// The entry for a name and version.
    ///
    /// With a version: exactly that one. Without: `head` if there is one, else the highest.
    ///
    /// - Throws: `RegistrySelectionError` that lists the available names or versions, or says what is wrong with the selected dataset.
    public func select(name: String, version: String?) throws(RegistrySelectionError) -> RegistryEntry {
        let named = entries.filter { $0.name == name }
        let faulty = broken.filter { $0.name == name }
        let versions = named.map(\.version) + faulty.compactMap(\.version)
        let wanted: String?
        if let version {
            wanted = versions.contains(version) ? version : nil
        } else {
            wanted = versions.contains("head") ? "head" : versions.max { DatasetVersion($0) < DatasetVersion($1) }
        }
        // A version that is there twice is broken, too: which of the two is meant is not known.
        if let error = faulty.first(where: { $0.version == wanted })?.error {
            throw RegistrySelectionError(name: name, version: version, available: [], broken: error)
        }
        if let entry = named.first(where: { $0.version == wanted }) { return entry }
        guard !named.isEmpty || !faulty.isEmpty else {
            let names = Set(entries.map(\.name)).union(broken.compactMap(\.name))
            throw RegistrySelectionError(name: name, version: version, available: names.sorted())
        }
        throw RegistrySelectionError(
            name: name, version: version, available: versions.map { DatasetVersion($0) }.sorted().map(\.text), isVersionMissing: true)
    }
}

/// The registry has no such dataset or version, or the dataset cannot be used.
public struct RegistrySelectionError: Error, Sendable, Hashable, CustomStringConvertible {
    public var name: String
    public var version: String?
    /// The names of all datasets, or the versions of the requested one.
    public var available: [String]
    public var isVersionMissing = false
    /// What is wrong with the selected dataset, when it is there.
    public var broken: FileFormatError?

    public var description: String {
        if let broken { return broken.description }
        let list = available.isEmpty ? "it is empty" : "it has \(available.prefix(20).joined(separator: ", "))"
        return isVersionMissing
            ? "the registry has no version \"\(version ?? "")\" of dataset \"\(name)\": \(list)"
            : "the registry has no dataset \"\(name)\": \(list)"
    }
}

/// A dataset's version, ordered by its numbers: `1.10` is above `1.9`, and `2.0-rc1` below `2.0`.
public struct DatasetVersion: Sendable, Hashable, Comparable {
    public let text: String

    public init(_ text: String) {
        self.text = text
    }

    public static func < (left: DatasetVersion, right: DatasetVersion) -> Bool {
        let (leftMain, leftPre) = left.split
        let (rightMain, rightPre) = right.split
        if let order = order(leftMain, rightMain) { return order }
        // A pre-release, after a dash, comes before its release.
        switch (leftPre, rightPre) {
        case (nil, nil): return left.text < right.text
        case (nil, .some): return false
        case (.some, nil): return true
        case (.some(let leftPre), .some(let rightPre)): return order(leftPre, rightPre) ?? (left.text < right.text)
        }
    }

    private var split: (main: [Substring], prerelease: [Substring]?) {
        let plain = text.hasPrefix("v") ? text.dropFirst() : text[...]
        let halves = plain.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let main = halves.first?.split(separator: ".") ?? []
        return (main, halves.count > 1 ? halves[1].split(whereSeparator: { $0 == "." || $0 == "-" }) : nil)
    }

    /// Whether the left parts come first; nil when they are equal.
    private static func order(_ left: [Substring], _ right: [Substring]) -> Bool? {
        for index in 0..<max(left.count, right.count) {
            let leftPart = index < left.count ? left[index] : "0"
            let rightPart = index < right.count ? right[index] : "0"
            if let order = order(leftPart, rightPart) { return order }
        }
        return nil
    }

    /// Compares numbers of any length by value. Numbers come before words.
    private static func order(_ left: Substring, _ right: Substring) -> Bool? {
        let leftNumber = digits(left)
        let rightNumber = digits(right)
        switch (leftNumber, rightNumber) {
        case (.some(let leftNumber), .some(let rightNumber)):
            if leftNumber.count != rightNumber.count { return leftNumber.count < rightNumber.count }
            return leftNumber == rightNumber ? nil : leftNumber < rightNumber
        case (.some, nil): return true
        case (nil, .some): return false
        case (nil, nil): return left == right ? nil : left < right
        }
    }

    /// The digits without leading zeros; nil when the part is not a number.
    private static func digits(_ part: Substring) -> Substring? {
        guard !part.isEmpty, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return part.drop { $0 == "0" }
    }
}

import Base
import HTTPTransport

/// A `deps.json`: programs that Assay can install, each pinned to a version and to a SHA-256 for each platform.
///
/// An object by name: `{"git-sync": {"version", "url", "sha256": {"linux-amd64": ...}, "description"}}`. `{version}` and `{platform}` in
/// `url` stand for both. A checksum that nobody has recorded is absent, and the program cannot be installed there until it is.
public struct DependencyList: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public var name: String
        /// As the release names it, such as `v4.4.0`.
        public var version: String
        /// An https address with `{version}` and `{platform}`.
        public var url: String
        /// In lower-case hexadecimal digits.
        public var sha256: [Platform: String]
        public var description: String

        /// Where the program for a platform is.
        public func address(for platform: Platform) -> String {
            url.replacing("{version}", with: version).replacing("{platform}", with: platform.description)
        }

        /// The entry with another address, for example of a mirror.
        public func with(url: String) throws(DependencyError) -> Entry {
            guard WebAddresses.encryptedOrLoopback.allow(DependencyList.example(of: url)) else {
                throw DependencyError(.badInput, "\"\(url.replacingControls)\" is no https:// address")
            }
            var entry = self
            entry.url = url
            return entry
        }
    }

    public private(set) var entries: [Entry]

    /// The list that this version of Assay comes with.
    public static func embedded() throws(DependencyError) -> DependencyList {
        try DependencyList(parsing: Array(DependencyText.list.utf8), file: "deps.json of this assay")
    }

    public subscript(name: String) -> Entry? { entries.first { $0.name == name } }

    /// The entry, or an error that names those that exist.
    public func entry(_ name: String) throws(DependencyError) -> Entry {
        if let entry = self[name] { return entry }
        throw DependencyError(
            .badInput,
            "assay cannot install \"\(name.replacingControls)\": it knows \(entries.map(\.name).joined(separator: ", ")); install others with the machine's package manager"
        )
    }

    /// Adds an entry, or replaces the one of this name.
    public mutating func set(_ entry: Entry) {
        entries.removeAll { $0.name == entry.name }
        entries.append(entry)
        entries.sort { $0.name < $1.name }
    }

    /// This list with the entries of another in place of its own of the same name.
    public func overridden(by other: DependencyList) -> DependencyList {
        var list = self
        for entry in other.entries { list.set(entry) }
        return list
    }

    /// A list of nothing.
    init() { entries = [] }

    // MARK: The file

    /// - Parameter file: for messages.
    public init(parsing bytes: [UInt8], file: String) throws(DependencyError) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw DependencyError(.badInput, "\(file), line \(error.line), column \(error.column): \(error.message)")
        }
        guard let object = value.object else { throw DependencyError(.badInput, "\(file): must be an object of programs by name") }
        entries = []
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            do throws(Mistake) {
                entries.append(try Self.entry(name, value))
            } catch {
                throw DependencyError(.badInput, "\(file): \(name.replacingControls).\(error.field): \(error.problem)")
            }
        }
    }

    private struct Mistake: Error {
        var field: String
        var problem: String
    }

    private static func entry(_ name: String, _ value: JSONValue) throws(Mistake) -> Entry {
        guard isName(name) else { throw Mistake(field: "", problem: "a name has letters, digits, \"-\" and \"_\" only") }
        guard let version = value["version"]?.string, isVersion(version) else {
            throw Mistake(field: "version", problem: "must be the version of a release, such as v1.2.3; never \"latest\"")
        }
        guard let url = value["url"]?.string, WebAddresses.encryptedOrLoopback.allow(Self.example(of: url)) else {
            throw Mistake(field: "url", problem: "must be an https:// address; {version} and {platform} stand for both")
        }
        guard let digests = value["sha256"]?.object else { throw Mistake(field: "sha256", problem: "must be an object of checksums by platform") }
        var sha256: [Platform: String] = [:]
        for (key, digest) in digests {
            guard let platform = Platform.named(key) else {
                throw Mistake(
                    field: "sha256",
                    problem:
                        "there is no platform \"\(key.replacingControls)\"; use one of \(Platform.known.map(\.description).joined(separator: ", "))")
            }
            guard let text = digest.string?.lowercased(), text.utf8.count == 64,
                text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
            else { throw Mistake(field: "sha256.\(key)", problem: "must be 64 hexadecimal digits") }
            sha256[platform] = text
        }
        return Entry(name: name, version: version, url: url, sha256: sha256, description: value["description"]?.string ?? "")
    }

    /// The file's bytes, sorted, ending with a newline.
    public func serialized() -> [UInt8] {
        var object: [String: JSONValue] = [:]
        for entry in entries {
            let digests = Dictionary(uniqueKeysWithValues: entry.sha256.map { ($0.key.description, JSONValue.string($0.value)) })
            object[entry.name] = [
                "version": .string(entry.version), "url": .string(entry.url), "sha256": .object(digests), "description": .string(entry.description),
            ]
        }
        return JSONValue.object(object).serialized(pretty: true) + [UInt8(ascii: "\n")]
    }

    /// The braces of a placeholder are no characters of an address.
    private static func example(of url: String) -> String { url.replacing("{version}", with: "v").replacing("{platform}", with: "p") }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") } && !text.hasPrefix("-")
    }

    /// Whether a text can be the version of a release: it becomes a part of an address.
    static func isVersion(_ text: String) -> Bool {
        !text.isEmpty && text != "latest" && !text.contains("..") && text.utf8.contains { (0x30...0x39).contains($0) }
            && text.utf8.allSatisfy { $0.isLetterOrDigit || ".-_+".utf8.contains($0) }
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self)
    }
}

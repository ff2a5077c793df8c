/// A repository of images in a registry: `registry.example.com/team/task`.
///
/// The text names a host with a dot, a port, or `localhost`, as everywhere where images are named, and a path. `http://` before it means a registry
/// without TLS.
public struct ImageRepository: Sendable, Hashable, CustomStringConvertible {
    /// With the port, if the text has one.
    public let host: String
    /// Without a slash at its ends.
    public let path: String
    public let usesTLS: Bool

    /// Why a text names no repository.
    public struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - text: `[http://]host[:port]/path`.
    ///   - defaultPath: the path when the text has none.
    public init(parsing text: String, defaultPath: String? = nil) throws(Invalid) {
        var rest = text[...]
        var usesTLS = true
        if rest.hasPrefix("http://") {
            rest = rest.dropFirst(7)
            usesTLS = false
        } else if rest.hasPrefix("https://") {
            rest = rest.dropFirst(8)
        }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        var parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 1, let defaultPath { parts += defaultPath.split(separator: "/", omittingEmptySubsequences: false) }
        guard parts.count > 1, let host = parts.first, Self.isHost(host) else {
            throw Invalid(description: "\"\(text)\" is not HOST/PATH, such as registry.example.com/team/images")
        }
        guard parts.dropFirst().allSatisfy(Self.isComponent) else {
            throw Invalid(
                description: "\"\(text)\": the path of a repository has lower-case letters, digits, and single '.', '_' or '-' between them")
        }
        self.host = String(host)
        path = parts.dropFirst().joined(separator: "/")
        self.usesTLS = usesTLS
    }

    /// The name that pods use: without the scheme.
    public var name: String { "\(host)/\(path)" }
    public var description: String { name }
    /// What `init(parsing:)` reads as this repository.
    public var address: String { (usesTLS ? "" : "http://") + name }

    /// The address of a resource of the registry's API.
    func url(_ resource: String) -> String { "\(origin)/v2/\(path)/\(resource)" }

    /// Docker Hub's API has another host than its images.
    var origin: String { "\(usesTLS ? "https" : "http")://\(host == "docker.io" ? "registry-1.docker.io" : host)" }

    private static func isHost(_ text: Substring) -> Bool {
        let name = text.prefix { $0 != ":" }
        let port = text.dropFirst(name.count)
        guard !name.isEmpty, name.utf8.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }) else { return false }
        guard port.isEmpty || Int(port.dropFirst()).map({ (1...65535).contains($0) }) == true else { return false }
        return name.contains(".") || !port.isEmpty || name == "localhost"
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    private static func isComponent(_ text: Substring) -> Bool {
        text.wholeMatch(of: /[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/) != nil
    }
}

import Glibc

/// An operating system and a processor, as releases of programs name them.
public struct Platform: Sendable, Hashable, CustomStringConvertible {
    /// Such as `linux-amd64`.
    public let description: String

    /// The platforms that deps.json may have checksums for.
    public static let known = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"].map(Platform.init(name:))

    /// This machine, as uname(2) tells.
    public static let current: Platform = {
        var name = utsname()
        guard uname(&name) == 0 else { return Platform(system: "unknown", machine: "unknown") }
        return Platform(system: text(of: name.sysname), machine: text(of: name.machine))
    }()

    /// - Parameters:
    ///   - system: as `uname -s` prints it, such as `Linux`.
    ///   - machine: as `uname -m` prints it, such as `x86_64`.
    public init(system: String, machine: String) {
        let processor =
            switch machine {
            case "x86_64", "amd64": "amd64"
            case "aarch64", "arm64": "arm64"
            default: machine
            }
        self.init(name: "\(system.lowercased())-\(processor)")
    }

    private init(name: String) { description = name }

    public var isKnown: Bool { Self.known.contains(self) }

    /// The known platform with this name.
    static func named(_ name: String) -> Platform? { known.first { $0.description == name } }

    private static func text<Field>(of field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

import Base

/// What a client of the proxy may do: the claims of a signed token.
///
/// Text: `e1.PAYLOAD.CODE`, letters that need no escaping in the password of a URL. PAYLOAD is JSON, CODE is HMAC-SHA256, both in
/// base64url. A token is a secret. It is bound to the first client address that uses it, so each pod needs tokens of its own.
public struct EgressToken: Sendable, Hashable {
    /// The run whose denials the holder may read.
    public let run: String
    /// The phase that is named in denials: `execute`.
    public let phase: String
    /// The step of a task with several.
    public let step: String?
    public let grant: EgressGrant
    /// From this time on the token is refused, and connections that it opened are closed. Whole seconds.
    public let expires: Timestamp

    /// - Throws: when a name has letters other than A-Z, a-z, 0-9, `.`, `_`, `-`, or more than 64.
    public init(run: String, phase: String, step: String? = nil, grant: EgressGrant, expires: Timestamp) throws(EgressTokenError) {
        guard [run, phase, step ?? "-"].allSatisfy(Self.isName) else { throw .malformed }
        self.run = run
        self.phase = phase
        self.step = step
        self.grant = grant
        self.expires = Timestamp(seconds: expires.seconds)
    }

    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }

    public func isExpired(at now: Timestamp) -> Bool { now >= expires }
}

/// Why a text is no token of this proxy, or why a token cannot be made.
public enum EgressTokenError: Error, Sendable, Hashable, CustomStringConvertible {
    case malformed
    /// Made by a newer version of the program.
    case unknownVersion
    /// Signed with none of the keys.
    case wrongSignature
    /// Longer than 16 KiB: clients and servers refuse such headers.
    case tooLarge

    public var description: String {
        switch self {
        case .malformed: "the token is malformed"
        case .unknownVersion: "the token has a version that this proxy does not know: use the same version of assay for proxy and operator"
        case .wrongSignature: "the token is signed with another key than those of this proxy"
        case .tooLarge: "the token is longer than 16 KiB: list fewer hosts"
        }
    }
}

/// When a token file is read and which token counts, by the rules of client-go's `transport/token_source.go`: again each
/// minute; a file that cannot be read, or is empty, keeps the old token; a 401 drops it.
///
/// Instants are seconds of a clock that never jumps.
struct TokenFileState: Sendable {
    static let period = 60.0

    enum Step: Equatable {
        case use(String)
        case read
    }

    private var token: String?
    private var nextRead: Double?

    init(initial: String?) { token = initial }

    func step(now: Double) -> Step {
        if let token, let nextRead, now < nextRead { return .use(token) }
        return .read
    }

    /// Takes what the file had, nil when it could not be read. Returns the token to use; nil when there is none.
    mutating func didRead(_ text: String?, now: Double) -> String? {
        if let text, !text.isEmpty { token = text }
        // A failed read is repeated soon while there is an old token; without one at once, by the next request.
        nextRead = text?.isEmpty == false ? now + Self.period : now + Self.period / 6
        return token
    }

    /// The server refused `used`. A token that has been replaced meanwhile is kept.
    mutating func rejected(_ used: String) {
        if token == used {
            token = nil
            nextRead = nil
        }
    }
}

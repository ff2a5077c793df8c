/// Decides when a token file is read and which token is used, by the rules of client-go's `transport/token_source.go`: the file is read each minute;
/// if it cannot be read or is empty, the old token is kept; a 401 drops the token.
///
/// Times are seconds of a monotonic clock.
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

    /// Takes the file's content; nil when the file could not be read. Returns the token to use; nil when there is none.
    mutating func didRead(_ text: String?, now: Double) -> String? {
        if let text, !text.isEmpty { token = text }
        // After a failed read the file is read again soon if there is an old token, otherwise by the next request.
        nextRead = text?.isEmpty == false ? now + Self.period : now + Self.period / 6
        return token
    }

    /// The server rejected `used`. If the token has been replaced since, the new one is kept.
    mutating func rejected(_ used: String) {
        if token == used {
            token = nil
            nextRead = nil
        }
    }
}

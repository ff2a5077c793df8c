/// Decides whether and when a refused request is sent again, by the rule of client-go's `rest/with_retry.go`: only when the server names a time to
/// wait, and at most ten times.
enum RetryRule {
    static let limit = 10
    /// If the server asks for a longer wait, the call fails, so that the caller can report it. Seconds.
    static let longest = 300

    /// The seconds to wait; nil: do not retry.
    ///
    /// - Parameters:
    ///   - retryAfter: the value of the header.
    ///   - attempts: how many times the request was already sent again.
    static func delay(code: Int, retryAfter: Int?, isIdempotent: Bool, attempts: Int) -> Int? {
        guard attempts < limit, let retryAfter, retryAfter <= longest else { return nil }
        // A 429 means that the request was not executed. After a 5xx it may have been.
        if code == 429 { return retryAfter }
        return code >= 500 && isIdempotent ? retryAfter : nil
    }
}

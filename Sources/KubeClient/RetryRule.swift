/// Whether a refused request is sent again, and when: the rule of client-go's `rest/with_retry.go`. Only when the server says how long
/// to wait, and at most ten times.
enum RetryRule {
    static let limit = 10
    /// A server that asks for more than this is not waited for: the caller has better things to tell its user. Seconds.
    static let longest = 300

    /// Seconds to wait, nil to give up.
    ///
    /// - Parameters:
    ///   - retryAfter: from the header.
    ///   - attempts: how often it was sent again already.
    static func delay(code: Int, retryAfter: Int?, isIdempotent: Bool, attempts: Int) -> Int? {
        guard attempts < limit, let retryAfter, retryAfter <= longest else { return nil }
        // A 429 is said before anything was done; a 5xx may come after.
        if code == 429 { return retryAfter }
        return code >= 500 && isIdempotent ? retryAfter : nil
    }
}

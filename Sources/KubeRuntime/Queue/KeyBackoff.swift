/// The delay of a key after its failures in a row: 5 ms doubling to 1000 s, as client-go's default.
public struct KeyBackoff: Sendable, Equatable {
    public let initialSeconds: Double
    public let capSeconds: Double

    public init(initialSeconds: Double = 0.005, capSeconds: Double = 1000) {
        self.initialSeconds = initialSeconds
        self.capSeconds = capSeconds
    }

    /// - Parameter count: failures before this one.
    public func seconds(afterFailures count: Int) -> Double {
        var delay = initialSeconds
        for _ in 0..<max(0, min(count, 60)) where delay < capSeconds { delay *= 2 }
        return min(delay, capSeconds)
    }
}

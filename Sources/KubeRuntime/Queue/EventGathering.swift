/// Bounds how often events wake a key: the first one at once, those that follow within a time together at its end. Pure.
struct EventGathering<Key: Hashable & Sendable>: Sendable {
    private struct Window {
        var begin: Double
        /// A look at the end of the window has been asked for.
        var isAskedFor = false
    }

    private let seconds: Double
    private var windows: [Key: Window] = [:]

    init(seconds: Double) { self.seconds = seconds }

    /// An event: the seconds from now after which the key is to be looked at.
    mutating func delay(_ key: Key, now: Double) -> Double {
        if windows.count > 4096 { windows = windows.filter { now < $0.value.begin + 2 * seconds } }
        if var window = windows[key] {
            // The look at a window's end begins the next one.
            if window.isAskedFor, now >= window.begin + seconds { window = Window(begin: window.begin + seconds) }
            if now < window.begin + seconds {
                window.isAskedFor = true
                windows[key] = window
                return window.begin + seconds - now
            }
        }
        windows[key] = Window(begin: now)
        return 0
    }

    /// Keys that are remembered.
    var count: Int { windows.count }
}

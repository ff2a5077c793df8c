/// Limits how often events wake a key: the first event wakes it at once, and later events within a window wake it together at the window's
/// end. Pure.
struct EventGathering<Key: Hashable & Sendable>: Sendable {
    private struct Window {
        var begin: Double
        /// A reconcile at the end of the window has been asked for.
        var isAskedFor = false
    }

    private let seconds: Double
    private var windows: [Key: Window] = [:]

    init(seconds: Double) { self.seconds = seconds }

    /// Records an event. Returns the seconds from now after which the key is to be reconciled.
    mutating func delay(_ key: Key, now: Double) -> Double {
        if windows.count > 4096 { windows = windows.filter { now < $0.value.begin + 2 * seconds } }
        if var window = windows[key] {
            // The reconcile at the end of a window begins the next window.
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

    /// The number of remembered keys.
    var count: Int { windows.count }
}

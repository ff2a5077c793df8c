/// Limits how often events wake a key: the first event wakes it at once, and later events within a window wake it together at the window's
/// end. Pure.
struct EventGathering<Key: Hashable & Sendable>: Sendable {
    private struct Window {
        var end: Double
        /// A reconcile at the end of the window has been asked for.
        var isAskedFor = false
    }

    private var windows: [Key: Window] = [:]

    init() {}

    /// Records an event. Returns the seconds from now after which the key is to be reconciled.
    /// - Parameter seconds: the length of a window that this event begins.
    mutating func delay(_ key: Key, seconds: Double, now: Double) -> Double {
        if windows.count > 4096 { windows = windows.filter { now < $0.value.end + seconds } }
        if var window = windows[key] {
            // The reconcile at the end of a window begins the next window.
            if window.isAskedFor, now >= window.end { window = Window(end: window.end + seconds) }
            if now < window.end {
                window.isAskedFor = true
                windows[key] = window
                return window.end - now
            }
        }
        windows[key] = Window(end: now + seconds)
        return 0
    }

    /// The number of remembered keys.
    var count: Int { windows.count }
}

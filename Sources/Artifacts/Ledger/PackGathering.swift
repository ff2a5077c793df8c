/// When the packs that wait are checked: the first one at once, and those that follow within a short time together. A check starts
/// processes, and a thousand trials that end together would otherwise start a thousand of them. Pure.
struct PackGathering: Sendable {
    /// Seconds from the beginning of a check to that of the next one.
    static let seconds = 0.25
    /// From this many packs or bytes on, a check saves nothing by waiting for more.
    static let packs = 48
    static let bytes = 4 << 20

    private var last = -Double.infinity

    /// The seconds after which the waiting packs are to be checked.
    func delay(packs: Int, bytes: Int, now: Double) -> Double {
        packs >= Self.packs || bytes >= Self.bytes ? 0 : max(0, last + Self.seconds - now)
    }

    mutating func begun(at now: Double) { last = now }
}

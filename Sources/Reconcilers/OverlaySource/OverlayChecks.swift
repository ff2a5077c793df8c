import AssayAPI
import Base
import KubeCore
import SourceSync

/// What this process found when it last looked at each OverlaySource, and who waits for a look. All of it is found again after a restart.
///
/// A job gets the revision of a look that began after the job was first seen, so that a push which came before the job reaches it whatever
/// the interval is.
final class OverlayChecks: Sendable {
    /// One version of an object: what was found for an older spec is not used.
    struct Version: Sendable, Hashable {
        let uid: String?
        let generation: Int

        init(_ overlay: OverlaySource) { (uid, generation) = (overlay.metadata.uid, overlay.metadata.generation ?? 0) }
    }

    typealias Outcome = Result<PinnedOverlay, OverlayFailure>

    /// Times are by the monotonic clock.
    struct Check: Sendable {
        let version: Version
        /// When the last look that has ended began.
        var beganAt: Double?
        var outcome: Outcome?
        /// What the last successful look found.
        var found: PinnedOverlay?
        /// When the look that runs now began.
        var runningSince: Double?
        /// When somebody last asked for a look.
        var wantedAt: Double?

        /// Whether a look that began at or after `moment` has ended.
        func isDone(since moment: Double) -> Bool { beganAt.map { $0 >= moment } ?? false }

        /// When the next look is due.
        func due(intervalSeconds: Double) -> Double {
            guard let beganAt, let outcome else { return -.infinity }
            if let wantedAt, wantedAt > beganAt { return wantedAt }
            switch outcome {
            case .success: return beganAt + intervalSeconds
            // A long interval does not keep a repository that can be reached again out of use.
            case .failure: return beganAt + min(intervalSeconds, 60)
            }
        }
    }

    private let checks = Locked<[ObjectKey: Check]>([:])

    /// What is known of an object at its present version.
    func check(of overlay: OverlaySource) -> Check {
        let version = Version(overlay)
        return checks.withLock { checks in
            if let known = checks[overlay.key], known.version == version { return known }
            let new = Check(version: version)
            checks[overlay.key] = new
            return new
        }
    }

    /// Asks for a look that begins at or after `moment`. Returns whether one has to be started.
    func want(_ overlay: OverlaySource, since moment: Double) -> Bool {
        change(overlay) { check in
            if let running = check.runningSince, running >= moment { return false }
            if let wanted = check.wantedAt, wanted >= moment { return false }
            check.wantedAt = moment
            return true
        }
    }

    func began(_ overlay: OverlaySource, at now: Double) { change(overlay) { $0.runningSince = now } }

    func ended(_ overlay: OverlaySource, _ outcome: Outcome) {
        change(overlay) { check in
            check.beganAt = check.runningSince ?? check.beganAt
            check.runningSince = nil
            check.outcome = outcome
            if case .success(let found) = outcome { check.found = found }
        }
    }

    /// What the last successful looks found, with the namespaces of the OverlaySources.
    var found: [(namespace: String, overlay: PinnedOverlay)] {
        checks.withLock { checks in checks.compactMap { key, check in check.found.map { (key.namespace, $0) } } }
    }

    func forget(_ key: ObjectKey) { checks.withLock { _ = $0.removeValue(forKey: key) } }

    @discardableResult
    private func change<R: Sendable>(_ overlay: OverlaySource, _ body: (inout Check) -> R) -> R {
        let version = Version(overlay)
        return checks.withLock { checks in
            var check = checks[overlay.key].flatMap { $0.version == version ? $0 : nil } ?? Check(version: version)
            defer { checks[overlay.key] = check }
            return body(&check)
        }
    }
}

/// Why an overlay could not be read.
struct OverlayFailure: Error, Sendable, Hashable {
    let reason: Reason
    let message: String
    /// Whether only a change of the spec helps.
    let isStalled: Bool

    init(_ reason: Reason, _ message: String, isStalled: Bool = false) {
        self.reason = reason
        self.message = message
        self.isStalled = isStalled
    }

    init(_ error: SourceError) {
        switch error.git {
        case .invalidInput: self.init(.sourceInvalid, error.message, isStalled: true)
        case .refNotFound: self.init(.refNotFound, error.message)
        default: self.init(.sourceUnreachable, error.message)
        }
    }
}

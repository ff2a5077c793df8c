import Base
import Dependencies

/// Looks for programs, and remembers for a while what it has found: jobs and targets ask again and again.
public final class ProgramCheck: Sendable {
    /// Seconds for which a program that was found counts as found.
    private static let keepSeconds = 300.0

    private let path: String?
    private let time: any TimeSource
    private let found = Locked<[RequiredProgram: (status: ProgramStatus, at: Double)]>([:])

    /// - Parameter path: where programs are looked for; nil: PATH.
    public init(path: String? = nil, time: any TimeSource = SystemTime()) {
        self.path = path
        self.time = time
    }

    /// One status for each program, in the same order. What was missing or too old is looked for again each time.
    public func look(for programs: [RequiredProgram]) async -> [ProgramStatus] {
        var all: [ProgramStatus] = []
        for program in programs {
            let now = time.monotonic()
            if let known = found.withLock({ $0[program] }), now - known.at < Self.keepSeconds {
                all.append(known.status)
                continue
            }
            let status = await ProgramStatus.look(for: program, path: path)
            if status.problem == nil { found.withLock { $0[program] = (status, now) } }
            all.append(status)
        }
        return all
    }
}

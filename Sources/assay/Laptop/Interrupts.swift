import Base
import Dispatch
import Glibc

/// SIGINT, SIGTERM and SIGHUP as events: the first asks the command to stop, the second forces it. A signal that follows another
/// immediately is ignored, because timeout(1), service managers and CI runners signal the process and then its group.
///
/// The default action of these signals is disabled for the whole process, so this is only for commands that stop by themselves.
final class Interrupts: Sendable {
    private let sources: Locked<[any DispatchSourceSignal]>

    /// The seconds in which another signal counts as the same one.
    private static let echo = 1.0

    init(_ handler: @escaping @Sendable (_ count: Int) -> Void) {
        let told = Locked((count: 0, at: -Double.infinity))
        // SIGHUP stays ignored when nohup(1) started the process.
        let numbers = [SIGINT, SIGTERM] + (Self.isIgnored(SIGHUP) ? [] : [SIGHUP])
        let made = numbers.map { number in
            signal(number, SIG_IGN)  // Dispatch still receives the signal; child processes get the default action back when they are spawned
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                let now = SystemTime().monotonic()
                let count: Int? = told.withLock { told in
                    guard now - told.at >= Self.echo else { return nil }
                    told = (told.count + 1, now)
                    return told.count
                }
                if let count { handler(count) }
            }
            source.activate()
            return source
        }
        sources = Locked(made)
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        // SIG_IGN is defined as the address 1.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}

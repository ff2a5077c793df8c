import Base

/// Signing keys in files that are replaced while the process runs, as Kubernetes does with a mounted Secret.
///
/// The bytes of a file are the key. The files are read again after a few seconds; when one cannot be read then, the keys from before are kept.
public final class SigningKeyFiles: Sendable {
    private static let secondsBetweenReads = 5.0

    private let paths: [String]
    private let time: any TimeSource
    private let log: Log
    private let state: Locked<State>

    private struct State {
        var keys: [SigningKey]
        var readAt: Double
        var isFailing = false
    }

    /// - Throws: `SigningKeyFileError` when a file cannot be read or holds no key.
    public init(_ paths: [String], time: any TimeSource = SystemTime(), log: Log = Log("egress")) throws(SigningKeyFileError) {
        self.paths = paths
        self.time = time
        self.log = log
        state = Locked(State(keys: try Self.read(paths), readAt: time.monotonic()))
    }

    public func keys() -> [SigningKey] {
        let now = time.monotonic()
        return state.withLock { (state: inout State) -> [SigningKey] in
            guard now - state.readAt >= Self.secondsBetweenReads else { return state.keys }
            state.readAt = now
            do throws(SigningKeyFileError) {
                state.keys = try Self.read(paths)
                state.isFailing = false
            } catch {
                if !state.isFailing { log.warning("the keys from before are kept", ["error": .string(error.description)]) }
                state.isFailing = true
            }
            return state.keys
        }
    }

    private static func read(_ paths: [String]) throws(SigningKeyFileError) -> [SigningKey] {
        var keys: [SigningKey] = []
        for path in paths {
            let bytes: [UInt8]
            do { bytes = try FileReading.bytes(path, limit: 4096) } catch { throw SigningKeyFileError(description: "\(error)") }
            guard let key = SigningKey(bytes) else {
                throw SigningKeyFileError(
                    description: "\(path) has \(bytes.count) bytes: a key has at least \(SigningKey.minimumBytes), as head -c 32 /dev/urandom gives")
            }
            keys.append(key)
        }
        return keys
    }
}

public struct SigningKeyFileError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
}

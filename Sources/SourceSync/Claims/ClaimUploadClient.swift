import Base
import EvalModel
import Glibc
import HTTPTransport

/// Sends a pack to the operator that asked for it.
public struct ClaimUploadClient: Sendable {
    /// Seconds in which a piece is tried again: an operator may restart meanwhile.
    private static let boundSeconds = 600.0

    private let address: CacheAddress
    private let token: String
    private let transport: HTTPTransport
    private let time: any TimeSource

    public init(address: CacheAddress, token: String, transport: HTTPTransport = .shared, time: any TimeSource = SystemTime()) {
        self.address = address
        self.token = token
        self.transport = transport
        self.time = time
    }

    /// - Throws: `TrialError`, `CancellationError`.
    public func send(_ file: String, as name: String) async throws {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        var info = stat()
        guard descriptor >= 0, fstat(descriptor, &info) == 0 else { throw TrialError(.sourceSyncFailed, FileError("read", file).description) }
        defer { close(descriptor) }
        let size = Int(info.st_size)
        var offset = 0
        var backoff = Backoff(BackoffPolicy(initialSeconds: 0.25, factor: 2, capSeconds: 10, jitter: 0.5...1))
        var end = time.monotonic() + Self.boundSeconds
        while offset < size {
            guard let piece = FileReading.piece(descriptor, at: offset, count: min(ClaimUploads.pieceBytes, size - offset)) else {
                throw TrialError(.sourceSyncFailed, "\(file) cannot be read at \(offset)")
            }
            do {
                offset = try await send(piece, as: name, at: offset)
                end = time.monotonic() + Self.boundSeconds
            } catch let error as Retry {
                let delay = backoff.next(now: time.monotonic())
                guard time.monotonic() + delay < end else { throw TrialError(.sourceSyncFailed, error.why) }
                try await time.sleep(seconds: delay)
            }
        }
    }

    private struct Retry: Error { let why: String }

    /// - Returns: the number of bytes that the operator has then.
    private func send(_ piece: [UInt8], as name: String, at offset: Int) async throws -> Int {
        var (base, socket): (String, String?) = ("http://cache", nil)
        switch address {
        case .http(let url): base = url
        case .socket(let path): socket = path
        }
        let request = HTTPRequest(
            method: "PUT", url: "\(base)/\(TreeCache.claimPrefix.joined(separator: "/"))/\(name)?at=\(offset)",
            headers: ["Authorization": "Bearer \(token)"], body: piece, timeouts: HTTPTimeouts(connect: 5, total: 120, idle: 60), proxy: .none,
            reading: .whole(limit: 64 << 10), unixSocket: socket)
        let (status, body): (Int, [UInt8])
        do {
            let response = try await transport.send(request)
            (status, body) = (response.status, try await response.body.collect(upTo: 64 << 10))
        } catch {
            if case .cancelled = error { throw CancellationError() }
            throw Retry(why: "the operator's cache service at \(address): \(error)")
        }
        let text = String(decoding: body, as: UTF8.self).trimmed
        switch status {
        case 200, 409:
            guard let size = Int(text), size >= 0 else { throw Retry(why: "the cache service at \(address) answers \(text.prefix(100))") }
            return size
        case 401, 403, 404, 413: throw TrialError(.sourceSyncFailed, "the operator refuses the files of the claim: \(text.prefix(300))")
        default: throw Retry(why: "the cache service at \(address) answers \(status): \(text.prefix(300))")
        }
    }
}

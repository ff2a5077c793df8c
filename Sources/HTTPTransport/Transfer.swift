import Base
import CCurl
import CShims
import Glibc

/// One request in progress.
///
/// Fields owned by the engine's thread are marked; the others are shared and locked.
final class Transfer: @unchecked Sendable {  // unlocked fields are accessed by the engine's thread only
    typealias HeadContinuation = CheckedContinuation<Result<HTTPResponse, HTTPTransportError>, Never>

    let request: HTTPRequest
    let address: HTTPAddress
    let channel: BodyChannel
    /// Whether it may share its connection (HTTP/2).
    let isShared: Bool
    private let head = Locked<HeadState>(.idle)
    private let cancelRequested = Locked(false)

    private enum HeadState {
        case idle
        case waiting(HeadContinuation)
        case done
    }

    // Owned by the engine's thread:
    var easy: UnsafeMutableRawPointer?
    var headerList: UnsafeMutablePointer<curl_slist>?
    var connectList: UnsafeMutablePointer<curl_slist>?
    let errorText: UnsafeMutablePointer<CChar>
    var deadlines: Deadlines
    private var parser = ResponseHeadParser()
    private var sent = 0
    /// The reason why a callback failed; it overrides libcurl's own result.
    private var verdict: HTTPTransportError?
    private(set) var isPaused = false
    private let clock: @Sendable () -> Double

    init(
        _ request: HTTPRequest, address: HTTPAddress, channel: BodyChannel, isShared: Bool = false,
        clock: @escaping @Sendable () -> Double
    ) {
        self.request = request
        self.address = address
        self.channel = channel
        self.isShared = isShared
        self.clock = clock
        // For a separate connection libcurl enforces the connect timeout, but it does not count the wait for a shared connection
        // that another request opens.
        deadlines = Deadlines(request.timeouts, now: clock(), awaitsConnection: isShared)
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        if let easy { curl_easy_cleanup(easy) }
        if let headerList { curl_slist_free_all(headerList) }
        if let connectList { curl_slist_free_all(connectList) }
        errorText.deallocate()
    }

    // MARK: From any thread

    func expectHead(_ continuation: HeadContinuation) { head.withLock { $0 = .waiting(continuation) } }

    /// Stored, because the cancellation may arrive before the start.
    func requestCancel() { cancelRequested.withLock { $0 = true } }

    var isCancelRequested: Bool { cancelRequested.withLock { $0 } }

    private func resolveHead(_ result: Result<HTTPResponse, HTTPTransportError>) {
        let waiting = head.withLock { state -> HeadContinuation? in
            guard case .waiting(let continuation) = state else { return nil }
            state = .done
            return continuation
        }
        waiting?.resume(returning: result)
    }

    /// Ends the transfer for the tasks that wait for the head or for more of the body.
    func finish(_ result: Result<Void, HTTPTransportError>) {
        switch result {
        case .success:
            channel.finish(.complete)
            resolveHead(.failure(.protocolViolation(host: address.name, detail: "the response has no head")))
        case .failure(let error):
            channel.finish(.failed(error))
            resolveHead(.failure(error))
        }
    }

    // MARK: On the engine's thread

    /// Translates libcurl's result for this transfer.
    func result(of code: CURLcode) -> Result<Void, HTTPTransportError> {
        if let verdict { return .failure(verdict) }
        if code == CURLE_OK { return .success(()) }
        return .failure(
            .from(
                code, detail: String(cString: errorText), host: address.name,
                connectTimeout: request.timeouts.connect))
    }

    func unpause() {
        isPaused = false
        deadlines.resume(now: clock())
    }

    func receiveHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        deadlines.activity(now: clock())
        switch parser.line(bytes) {
        case .more: break
        case .complete:
            let body = HTTPBody(source: BodySource(channel: channel))
            resolveHead(.success(HTTPResponse(status: parser.status, headers: parser.headers, body: body)))
        case .tooLarge:
            verdict = .protocolViolation(
                host: address.name, detail: "the head is longer than \(ResponseHeadParser.limit) bytes")
            return 0
        }
        return bytes.count
    }

    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch channel.receive(bytes) {
        case .taken:
            deadlines.activity(now: clock())
            return bytes.count
        case .pause:
            isPaused = true
            deadlines.pause()
            return Int(CURL_WRITEFUNC_PAUSE)
        case .abort:
            verdict = .cancelled
            // Any number other than the byte count and CURL_WRITEFUNC_PAUSE makes libcurl abort.
            return 0
        case .tooLarge:
            if case .whole(let limit) = request.reading { verdict = .bodyTooLarge(limit: limit) }
            return 0
        }
    }

    func begin() { deadlines.connected(now: clock()) }

    func sendBody(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        deadlines.activity(now: clock())
        guard let body = request.body, sent < body.count else { return 0 }
        let count = min(buffer.count, body.count - sent)
        body.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sent..<(sent + count)])) }
        sent += count
        return count
    }

    /// libcurl repeats the request on a new connection when a reused one turns out to be dead. If a part of the body was already
    /// sent, this is allowed only for idempotent methods.
    func rewind(to offset: Int) -> Bool {
        guard request.method == "PUT" || request.method == "DELETE" || sent == 0 else { return false }
        guard offset >= 0, offset <= request.body?.count ?? 0 else { return false }
        sent = offset
        return true
    }
}
